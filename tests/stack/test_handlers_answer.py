"""Each function from the unzipped package alone, in a fresh process without app.py, answers a raw event of its source.

Python is told nothing but the standard library and the package; the environment is the deployed function's own.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.deploying.emulator import emulator_client, package_directory
from infra.local.engines import FAKE_AWS_ENVIRONMENT
from tests.oracles.recount import facts
from tests.support.marketplace import happened, merchant
from tests.support.order_exports import exported
from tests.support.order_exports import row as order_row
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

CALLING = """
import importlib, json, sys, time
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
module, name = sys.argv[2].rsplit(".", 1)
handler = getattr(importlib.import_module(module), name)
ends = time.monotonic() + 30
context = SimpleNamespace(
    function_name=name,
    function_version="$LATEST",
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:" + name,
    memory_limit_in_mb=512,
    aws_request_id="11111111-2222-3333-4444-555555555555",
    get_remaining_time_in_millis=lambda: int((ends - time.monotonic()) * 1000),
)
answer = handler(json.load(sys.stdin), context)
print(json.dumps({"answer": answer, "modules": sorted(sys.modules), "path": sys.path}))
"""
API = "chalicelib.api.door.serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The unzipped package and the stack that it is deployed in."""

    folder: Path
    stack: Stack

    def answer(self, function: str, handler: str, event: Mapping[str, Any], *, whole: bool = False, **more: str) -> Any:
        """Return what `handler` answers to a raw event, in the environment of the deployed `function` and `more`.

        `whole`: all routes were registered for it, as for one that is not a merchant's. `app` is never loaded.
        """
        deployed = self.stack.description.functions[function]
        configuration = self.stack.lambdas.get_function_configuration(FunctionName=deployed)
        assert configuration["Handler"] == handler
        environment = {
            **configuration["Environment"]["Variables"],
            **FAKE_AWS_ENVIRONMENT,
            "AWS_ENDPOINT_URL": self.stack.description.aws_endpoint,
            **more,
        }
        ran = subprocess.run(
            [sys.executable, "-I", "-S", "-c", CALLING, str(self.folder), handler],
            env=environment,
            input=json.dumps(event),
            capture_output=True,
            check=False,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        said = json.loads(ran.stdout.splitlines()[-1])
        assert not [folder for folder in said["path"] if "site-packages" in folder]
        assert ("chalicelib.api.admin" in said["modules"], "app" in said["modules"]) == (whole, False)
        return said["answer"]


@pytest.fixture(scope="module")
def package(flows: Stack, tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("code")
    shutil.unpack_archive(package_directory(flows.description.stage) / "deployment.zip", folder)
    return Package(folder=folder, stack=flows)


def sqs_record(body: str) -> dict[str, Any]:
    now = str(int(time.time() * 1000))
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "AQEB",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now, "ApproximateFirstReceiveTimestamp": now},
        "messageAttributes": {
            "origin": {"stringValue": "nats", "dataType": "String"},
            "subject": {"stringValue": json.loads(body)["event_type"], "dataType": "String"},
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:inbox",
        "awsRegion": "us-east-1",
    }


def stream_record(image: Mapping[str, Any], *, table: str) -> dict[str, Any]:
    return {
        "eventID": str(uuid4()),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2025-06-01T12:00:00.000",
        "dynamodb": {
            "SequenceNumber": "111",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": image,
        },
    }


def gateway_event(route: str, **identifiers: str) -> dict[str, Any]:
    path = route.format(**identifiers)
    return {
        "resource": route,
        "path": path,
        "httpMethod": "GET",
        "headers": {"Accept": "application/json"},
        "multiValueHeaders": {"Accept": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": identifiers or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid4()),
            "resourcePath": route,
            "httpMethod": "GET",
            "path": f"/dev{path}",
            "stage": "dev",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


def test_ingest_events_posts_what_is_good_and_gives_back_what_waits_for_its_account(package: Package) -> None:
    shop = merchant("heard of in a fresh process")
    opened = happened("evt.merchant.created", shop)
    good = sqs_record(json.dumps(opened))
    early_order = happened("evt.shopify.webhook.order_paid", merchant("never opens"), order_id=1)
    early = sqs_record(json.dumps(early_order))

    answer = package.answer(
        "ingest_events", "chalicelib.handlers.ingest_events.ingest_events", {"Records": [good, early]}
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": early["messageId"]}]}
    assert package.stack.recorded([fact.transaction_id for fact in facts(opened)])


def test_publish_transaction_events_publishes_what_a_record_says(package: Package) -> None:
    shop, stack = merchant("told of in a fresh process"), package.stack
    stack.tell(happened("evt.merchant.created", shop))
    (opened,) = stack.ledger(shop)
    table = stack.description.transactions_table
    item = stack.dynamodb.get_item(TableName=table, Key={"transaction_id": {"S": opened["id"]}})["Item"]
    told = {**item, "transaction_id": {"S": str(uuid4())}}

    answer = package.answer(
        "publish_transaction_events",
        "chalicelib.handlers.stream_records.publish_transaction_events",
        {"Records": [stream_record(told, table=table)]},
    )

    assert answer == {"batchItemFailures": []}
    until("the event", lambda: told["transaction_id"]["S"] in transactions_told(stack, shop))


def test_publish_threshold_events_publishes_what_a_write_crossed(package: Package) -> None:
    shop, stack = merchant("runs out in a fresh process"), package.stack
    stack.tell(
        happened("evt.account.created", shop, credits_to_use=1),
        happened("evt.shopify.webhook.order_paid", shop, order_id=1),
    )
    item = stack.account_item(shop)
    transaction_id = str(uuid4())
    crossings = [{**crossing, "transaction_id": transaction_id} for crossing in json.loads(item["crossings"]["S"])]
    told = {**item, "crossings": {"S": json.dumps(crossings)}}

    answer = package.answer(
        "publish_threshold_events",
        "chalicelib.handlers.stream_records.publish_threshold_events",
        {"Records": [stream_record(told, table=stack.description.credits_table)]},
    )

    assert answer == {"batchItemFailures": []}
    until("both events", lambda: transactions_told(stack, shop).count(transaction_id) == 2)


def transactions_told(stack: Stack, shop: str) -> list[str]:
    return [heard.event["payload"]["transaction_id"] for heard in stack.told_about(shop)]


def test_adjust_credits_answers_with_the_transaction(package: Package) -> None:
    shop = merchant("is corrected in a fresh process")
    package.stack.tell(happened("evt.merchant.created", shop))
    request = {"merchant_id": shop, "operation_type": "INCREASE", "credits": 7, "reason": "late", "admin_id": "ada"}

    answer = package.answer(
        "adjust_credits", "chalicelib.handlers.adjust_credits.adjust_credits", {**request, "adjustment_id": "a1"}
    )

    assert answer == package.stack.ledger(shop)[-1]
    assert answer["balance_after"] == 107


def test_reconcile_walks_the_ledger(package: Package) -> None:
    package.stack.tell(happened("evt.merchant.created", merchant("is checked in a fresh process")))

    def finished() -> dict[str, Any]:
        # A call has thirty seconds; on a busy machine the next one goes on where it ended.
        answer: dict[str, Any] = package.answer("reconcile", "chalicelib.handlers.reconcile.reconcile", {})
        return answer if answer["finished"] else {}

    assert until("a sweep to its end", finished, seconds=300)["walked"] > 0


def test_match_orders_compares_a_file_in_s3_in_as_many_calls_as_it_takes(package: Package) -> None:
    shop, endpoint = merchant("matches in a fresh process"), package.stack.description.aws_endpoint
    package.stack.tell(happened("evt.merchant.created", shop))
    s3 = emulator_client(endpoint, "s3")
    s3.create_bucket(Bucket="shop-orders")
    s3.put_object(Bucket="shop-orders", Key=f"orders/{shop}/a.csv", Body=exported(order_row(1), order_row(2)))
    event = dict.fromkeys(
        ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources"), ""
    )
    told: dict[str, Any] = {"compared": []}

    for _ in range(5):
        told = package.answer(
            "match_orders",
            "chalicelib.handlers.match_orders.match_orders",
            event,
            ORDERS_BUCKET="shop-orders",
            ORDERS_PREFIX="orders/",
        )
        if told["compared"]:
            break

    [summary] = told["compared"]
    assert (summary["found"], summary["fault"]) == ({"missing": 2}, None)
    lines = s3.get_object(Bucket="shop-orders", Key=summary["differences"])["Body"].read().splitlines()
    assert [json.loads(line)["order_id"] for line in lines] == ["1", "2"]


def test_authorize_lets_in_who_has_a_token_and_nobody_else(package: Package) -> None:
    shop = merchant("asks in a fresh process")

    def effect(token: str) -> tuple[str, str | None]:
        method = "arn:aws:execute-api:us-east-1:000000000000:api/dev/GET/api/v1/health"
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": method}
        answer = package.answer("authorize", "chalicelib.handlers.authorize.authorize", event)
        return answer["policyDocument"]["Statement"][0]["Effect"], answer.get("context", {}).get("merchant_id")

    assert effect(package.stack.owner(shop)) == ("Allow", shop)
    assert effect("not.a.token") == ("Deny", None)


def test_the_api_answers_health_and_a_status_alone_and_its_document_with_every_route(
    package: Package,
) -> None:
    shop = merchant("is on in a fresh process")
    package.stack.tell(happened("evt.merchant.created", shop))

    health = package.answer("api_handler", API, gateway_event("/api/v1/health"))
    route = "/api/v1/credits/plugin-status/{merchant_id}"
    status = package.answer("api_handler", API, gateway_event(route, merchant_id=shop))
    document = package.answer("api_handler", API, gateway_event("/api/v1/openapi.json"), whole=True)

    assert (health["statusCode"], json.loads(health["body"])["data"]["status"]) == (200, "ok")
    assert (status["statusCode"], json.loads(status["body"])["data"]["status"]) == (200, "enabled")
    assert document["statusCode"] == 200

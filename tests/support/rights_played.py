"""Runs every function of app.py on AWS in memory, on every path that makes requests to AWS."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import product
from typing import Any
from uuid import uuid4

import boto3
import jwt
import pytest
from moto import mock_aws

import app
import tests.support.quick_aws  # noqa: F401 - moto and botocore, quicker
from chalicelib.adapters.dynamodb.fleet import HEARTBEAT
from chalicelib.contracts import canary
from chalicelib.contracts.api.dead_letters import Discarded
from chalicelib.contracts.sources.raw import from_request
from chalicelib.domain.ids import instant, transaction_id
from chalicelib.domain.links import LinkKind
from chalicelib.domain.movements import adjustment_key
from chalicelib.domain.transactions import Transaction
from chalicelib.environment import SettingError
from chalicelib.handlers.roll_up import _FleetDay, _FleetReport
from chalicelib.settings import settings
from chalicelib.usecases import checking
from chalicelib.wiring import for_api, for_figures, for_orders, for_posting, for_releases
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, REGION, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, asking, batch, charged, opened, paid, refunded, stream_record
from tests.support.figures_tables import DESK_TABLE, FIGURES_TABLE, created
from tests.support.order_exports import exported
from tests.support.order_exports import row as order_row
from tests.support.rights import Need, Recorder, Request
from tests.support.system import (
    BUS,
    Fault,
    System,
    let_no_poll_wait,
    lost_answer,
    refusal,
    seen,
    system_on,
)
from tests.support.webhooks import DOMAIN, headers, order, session, stripe, text

TOKEN_KEY, CURSOR_KEY, REDIS = "/keys/token", "/keys/cursor", "/keys/redis"
SHOPIFY, STRIPE = "/keys/shopify", "/keys/stripe"
SECRET = "s" * 40
SCOPES = {"scope": "credits:read credits:admin credits:ops", "subject": "admin-7"}
FUNCTIONS = {
    "app": "APIHandler",
    "adjust_credits": "AdjustCredits",
    "authorize": "Authorize",
    "ingest_events": "IngestEvents",
    "match_orders": "MatchOrders",
    "post_due": "PostDue",
    "publish_threshold_events": "PublishThresholdEvents",
    "publish_transaction_events": "PublishTransactionEvents",
    "reconcile": "Reconcile",
    "report_marks": "ReportMarks",
    "roll_up": "RollUp",
    "set_threshold": "SetThreshold",
    "smoke_test": "SmokeTest",
}
"""Attribute of app.py to logical id; an invocation names the former here."""
SCHEDULED = ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources")
"""The members that Chalice reads in the event of a schedule."""
ORDERS = "shop-orders"
FEED = {
    ORDERS: "arn:${AWS::Partition}:s3:::${OrdersBucket}",
    "orders": "${OrdersPrefix}",
    "order-reports": "order-reports/",
}
"""The bucket of shops' own orders and the two folders in it, in the template's words."""
ENVIRONMENT = {
    "ORDERS_BUCKET": ORDERS,
    "ORDERS_PREFIX": "orders/",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "CREDITS_TABLE": CREDITS_TABLE,
    "TRANSACTIONS_TABLE": TRANSACTIONS_TABLE,
    "FIGURES_TABLE": FIGURES_TABLE,
    "DESK_TABLE": DESK_TABLE,
    "METRICS_PER_MERCHANT": "on",
    "JWT_ALGORITHM": "HS256",
    "JWT_ISSUER": "https://identity.example",
    "JWT_AUDIENCE": "credit-service",
    "JWT_KEY_PARAMETER": TOKEN_KEY,
    "CURSOR_KEY_PARAMETER": CURSOR_KEY,
    "REDIS_URL_PARAMETER": REDIS,
    "SHOPIFY_SECRET_PARAMETER": SHOPIFY,
    "STRIPE_SECRET_PARAMETER": STRIPE,
    "ADJUST_FUNCTION": "adjust_credits",
    "THRESHOLD_FUNCTION": "set_threshold",
    "THRESHOLD_EVENTS_FUNCTION": "publish_threshold_events",
    "TRANSACTION_EVENTS_FUNCTION": "publish_transaction_events",
    "ROLL_UP_FUNCTION": "roll_up",
    "API_VERSION": "app:2",
    "ADJUST_VERSION": "adjust_credits:2",
    "INGEST_VERSION": "ingest_events:2",
}
QUEUES = {
    "INBOX_QUEUE_URL": "InboxQueue",
    "WAITING_QUEUE_URL": "WaitingQueue",
    "DEAD_LETTER_QUEUE_URL": "DeadLetterQueue",
    "STREAM_DEAD_LETTER_QUEUE_URL": "StreamDeadLetterQueue",
    "OUTBOX_QUEUE_URL": "OutboxQueue",
    "OUTBOX_DEAD_LETTER_QUEUE_URL": "OutboxDeadLetterQueue",
}
PARAMETER = "arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter${{{}}}"
DEPLOYMENT = "arn:${AWS::Partition}:codedeploy:${AWS::Region}:${AWS::AccountId}:deploymentgroup:${AWS::StackName}-*"
KEPT_SECRET = "arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:${{{}}}-??????"


@dataclass(slots=True)
class Stage:
    """The functions on AWS in memory, and the recorder of their requests."""

    system: System
    recorder: Recorder
    urls: Mapping[str, str]
    last: str = ""

    def call(self, function: str, event: Any) -> Any:
        """Call a function, in a new container if another one was called before."""
        if function != self.last:
            forget_the_container()
        self.last = function
        with self.recorder.running(function):
            return getattr(app, function)(event, Context(900_000))

    def fail(self, operation: str, *faults: Fault | None) -> None:
        """Make the next requests of an operation fail so, within the next call only."""
        self.system.faults.clear()
        self.system.fail(operation, *faults)

    def overtake(self, request: Request, send: Callable[[Request], Any]) -> Any:
        """Let another writer change the account just before a write."""
        with self.recorder.aside():
            self.system.dynamodb.update_item(
                TableName=CREDITS_TABLE,
                Key={"merchant_id": {"S": SHOP}},
                UpdateExpression="SET version = version + :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        return send(request)

    def park(self, queue: str, body: str, **attributes: str) -> None:
        """Put a message into a queue, as AWS or a function would."""
        named: Any = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        self.system.sqs.send_message(QueueUrl=self.urls[queue], MessageBody=body, MessageAttributes=named)


@contextmanager
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Set up everything that the functions use."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws(), system_on(monkeypatch) as system:
        created(system.dynamodb, FIGURES_TABLE)
        created(system.dynamodb, DESK_TABLE, logical_id="DeskTable")
        outbound = {name: system.sqs.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES if "OUTBOX" in name}
        urls = {**system.urls, **outbound}
        system.configure(**urls)
        names = {
            CREDITS_TABLE: "CreditsTable",
            TRANSACTIONS_TABLE: "TransactionsTable",
            FIGURES_TABLE: "FiguresTable",
            LINKS_TABLE: "LinksTable",
            DESK_TABLE: "DeskTable",
            BUS: "CreditsBus",
            **FUNCTIONS,
            **FEED,
            "d-1": DEPLOYMENT,
            **{url: QUEUES[setting] for setting, url in urls.items()},
        }
        for key, parameter in (
            (TOKEN_KEY, "JwtKeyParameter"),
            (CURSOR_KEY, "CursorKeyParameter"),
            (REDIS, "RedisUrlParameter"),
            (SHOPIFY, "ShopifySecretParameter"),
            (STRIPE, "StripeSecretParameter"),
        ):
            names |= {f"GetParameter {key}": PARAMETER.format(parameter)}
            names |= {f"GetSecretValue {key}": KEPT_SECRET.format(parameter)}
        called = {name: _caller(name) for name in FUNCTIONS}
        recorder = Recorder(names=names, functions=called)
        with recorder.recording(monkeypatch):
            yield Stage(system, recorder, urls)
        forget_the_container()


def _caller(function: str) -> Callable[[Any], Any]:
    return lambda event: getattr(app, function)(event, Context())


def forget_the_container() -> None:
    """Make the next call the first one of its container."""
    for module in (for_posting, for_api, for_figures, for_orders, for_releases):
        for built_once in vars(module).values():
            if hasattr(built_once, "cache_clear"):
                built_once.cache_clear()
    settings.cache_clear()
    for_figures.counter_writer.cache_clear()


def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[Need]]:
    """Return the rights that each function needed, by its name in app.py."""
    let_no_poll_wait(monkeypatch)
    monkeypatch.setattr(checking, "LOOK_AGAIN_SECONDS", 0)
    with stage(monkeypatch) as on:
        _keys(on)
        _movements(on)
        _refusals(on)
        _races_and_faults(on)
        _streams(on)
        _requests(on)
        _dead_letters(on)
        on.system.dynamodb.put_item(
            TableName=FIGURES_TABLE, Item={"id": {"S": HEARTBEAT}, "at": {"S": "2025-06-01T12:00:00.000+00:00"}}
        )
        on.call("report_marks", dict.fromkeys(SCHEDULED, ""))
        _due(on)
        _releases(on)
        _reconciliation(on)
        _matching(on)
        return on.recorder.needs


def _keys(on: Stage) -> None:
    """Verify a token whose key is a secret, and another one whose key is a parameter."""
    ssm, secrets = boto3.client("ssm", region_name=REGION), boto3.client("secretsmanager", region_name=REGION)
    claims = {"iss": "https://identity.example", "aud": "credit-service", "sub": "shop", "exp": int(time.time()) + 600}
    token = "Bearer " + jwt.encode(claims, SECRET, algorithm="HS256")
    event = {"type": "TOKEN", "authorizationToken": token, "methodArn": "arn:aws:execute-api:eu-west-1:1:a/dev/GET/x"}
    for name in (TOKEN_KEY, CURSOR_KEY, SHOPIFY, STRIPE):
        secrets.create_secret(Name=name, SecretString=SECRET)
    on.call("authorize", event)
    assert on.call("app", _over_http(token))["statusCode"] == HTTPStatus.OK
    forget_the_container()
    secrets.create_secret(Name=REDIS, SecretString="no address")
    with on.recorder.running("app"):
        assert for_api.cursor_key() == SECRET
        assert for_api.webhook_secrets(SHOPIFY) == for_api.webhook_secrets(STRIPE) == (SECRET,)
        with pytest.raises(SettingError):
            for_api.shared_statuses()
    secrets.delete_secret(SecretId=REDIS, ForceDeleteWithoutRecovery=True)
    forget_the_container()
    for name in (TOKEN_KEY, CURSOR_KEY, SHOPIFY, STRIPE):
        ssm.put_parameter(Name=name, Value=SECRET, Type="SecureString")
    assert on.call("app", _over_http(token))["statusCode"] == HTTPStatus.OK
    allowed = on.call("authorize", event)
    assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"


def _over_http(token: str) -> dict[str, Any]:
    """Return a request over the HTTP API, where the function itself checks the token."""
    path = "/api/v1/credits/plugin-status/batch"
    context = {
        "resourcePath": path,
        "httpMethod": "POST",
        "path": path,
        "requestId": "r",
        "authorizer": {"claims": None},
    }
    return {
        "version": "1.0",
        "resource": path,
        "path": path,
        "httpMethod": "POST",
        "headers": {"authorization": token, "content-type": "application/json"},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        "body": json.dumps({"merchant_ids": [SHOP]}),
        "isBase64Encoded": False,
    }


def _movements(on: Stage) -> None:
    """Post every kind of movement, with duplicates, a refund of a stored order, poison, and a missing ground."""
    other = merchant("another")
    for messages in (
        [opened(), opened(other), paid("o1", "o2")],
        [refunded("o1"), paid("o2"), charged("p1", 500)],
        [charged("p1", 7), "no JSON", paid("o9", merchant_id=merchant("unknown"))],
        [paid(*(f"o{number}" for number in range(10, 90)))],
    ):
        records = [seen(message) for message in messages]
        on.call("ingest_events", batch(records))
    _webhooks(on)
    adjustment = {"merchant_id": SHOP, "operation_type": "DECREASE", "credits": 30, "reason": "r", "admin_id": "a"}
    for adjustment_id in ("a1", "a1", "a2"):
        on.call("adjust_credits", {**adjustment, "adjustment_id": adjustment_id})
    _second_person(on, adjustment)
    for threshold in (5, 10_000, None):
        asked = {"merchant_id": SHOP, "low_balance_threshold": threshold, "admin_id": "a", "correlation_id": "c"}
        assert "error" not in on.call("set_threshold", asked)


def _due(on: Stage) -> None:
    """Post what is due: the credits of a trial that have lapsed."""
    given = {"merchant_id": merchant("due"), "credits_to_use": 5, "expires_in_days": 1}
    on.call("ingest_events", batch([seen(asking("evt.account.created", given))]))
    with on.system.monkeypatch.context() as patched:
        patched.setattr(for_posting, "now", lambda: instant(datetime.now(UTC) + timedelta(days=1, minutes=1)))
        assert on.call("post_due", dict.fromkeys(SCHEDULED, ""))["brought"] == 1


def _second_person(on: Stage, adjustment: Mapping[str, Any]) -> None:
    """Ask for an adjustment above the limit, confirm it as another admin, and leave a second one to be withdrawn."""
    on.system.configure(ADJUSTMENT_CONFIRM_ABOVE="20")
    for key, admin in (("w1", "a"), ("w1", "b"), ("w1", "b"), ("w2", "a")):
        on.call("adjust_credits", {**adjustment, "adjustment_id": key, "admin_id": admin})
    on.system.unset("ADJUSTMENT_CONFIRM_ABOVE")


def _webhooks(on: Stage) -> None:
    """Link a shop and a customer, and post an order of the one and a payment of the other; and the taken name."""
    named = [
        asking(
            "evt.merchant.created",
            {"merchant_id": one, "links": [{"name": "shopify:" + DOMAIN, "label": label}, "stripe:cus_1"]},
        )
        for one, label in ((SHOP, "Teegeist"), (merchant("another"), "Teegeist"), (SHOP, "Teehaus"))
    ]
    on.call("ingest_events", batch([seen(message) for message in named]))
    forget_the_container()
    paid_order = from_request(LinkKind.SHOPIFY, text(order()), headers("orders/paid"))
    checkout = from_request(LinkKind.STRIPE, text(stripe("checkout.session.completed", session())), {})
    on.call("ingest_events", batch([seen(webhook.message()) for webhook in (paid_order, checkout)]))


def _refusals(on: Stage) -> None:
    """Request adjustments that are declined: too much, a key with other content, no account; and repeat them."""
    wanted = {"merchant_id": SHOP, "operation_type": "DECREASE", "credits": 10**6, "reason": "r", "admin_id": "a"}
    for changed, code in (
        ({"adjustment_id": "much"}, "INSUFFICIENT_CREDITS"),
        ({"adjustment_id": "a1", "credits": 29}, "KEY_REUSED"),
        ({"adjustment_id": "a3", "merchant_id": merchant("unknown")}, "ACCOUNT_MISSING"),
        ({"adjustment_id": "a4", "credits": -1}, None),
    ):
        for _ in range(2):
            forget_the_container()
            answer = on.call("adjust_credits", {**wanted, **changed})
            assert code in (None, answer["error"]["code"].upper()), answer
    for asked in ({"merchant_id": merchant("unknown")}, {"low_balance_threshold": -1}, {"low_balance_threshold": 5}):
        full = {"merchant_id": SHOP, "low_balance_threshold": 5, "admin_id": "a", "correlation_id": "c", **asked}
        on.call("set_threshold", full)
    # No charge is declined, but a refund of more than was charged is, and a movement that waits too long for its
    # ground.
    late = seen(paid("o9", merchant_id=merchant("unknown")), seconds_ago=7200, deliveries=9)
    on.call("ingest_events", batch([late, seen(refunded("o1")), seen(refunded("never"))]))


def _races_and_faults(on: Stage) -> None:
    """Let every writer lose races and answers, be throttled and find its account changed, first and in a row."""
    adjustment = {"merchant_id": SHOP, "operation_type": "DECREASE", "credits": 1, "reason": "r", "admin_id": "a"}
    threshold = {"merchant_id": SHOP, "admin_id": "a", "correlation_id": "c"}
    throttled = refusal("TransactWriteItems")
    in_turn: list[list[Fault]] = [[throttled], [lost_answer], [on.overtake], [on.overtake] * 3, [throttled] * 25]
    for number, faults in enumerate(in_turn):
        on.fail("TransactWriteItems", *faults)
        on.call("adjust_credits", {**adjustment, "adjustment_id": f"fault {number}"})
        on.fail("TransactWriteItems", *faults)
        on.call("adjust_credits", {**adjustment, "adjustment_id": f"much {number}", "credits": 10**6})
        for operation in ("TransactWriteItems", "UpdateItem"):
            on.fail(operation, *faults)
            on.call("set_threshold", {**threshold, "low_balance_threshold": 10 + number})
        on.fail("TransactWriteItems", *faults)
        on.call("ingest_events", batch([seen(paid(f"fault {number}")), seen(refunded(f"fault {number}"))]))
    on.fail("BatchGetItem", refusal("BatchGetItem"))
    forget_the_container()
    on.call("ingest_events", batch([seen(paid("unread"))]))
    # What waits long for its ground goes into the waiting queue, and an outage hides it there.
    on.fail("none")
    long_ago = seen(refunded("nowhere"), seconds_ago=600, deliveries=9)
    on.call("ingest_events", batch([long_ago]))
    waiting = on.urls["WAITING_QUEUE_URL"].rpartition("/")[2]
    on.fail("BatchGetItem", *[refusal("BatchGetItem")] * 50)
    on.call("ingest_events", batch([{**long_ago, "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{waiting}"}]))
    on.fail("none")
    on.fail("PutEvents", *[refusal("PutEvents", "InternalFailure", 500)] * 4)
    records = on.system.stream(TRANSACTIONS_TABLE)
    on.call("publish_transaction_events", batch(records))
    on.fail("PutEvents", lost_answer)
    on.call("publish_threshold_events", batch(on.system.stream(CREDITS_TABLE)))
    on.fail("TransactWriteItems", *[throttled] * 25)
    on.call("roll_up", batch(on.system.stream(CREDITS_TABLE)))
    on.system.faults.clear()


def _streams(on: Stage) -> None:
    """Deliver the streams, with unreadable records."""
    broken = stream_record({"merchant_id": {"S": SHOP}, "crossings": {"S": "{"}}, sequence_number=9)
    of_credits, of_transactions = (on.system.stream(table) for table in (CREDITS_TABLE, TRANSACTIONS_TABLE))
    for function, records in (
        ("publish_threshold_events", of_credits),
        ("publish_transaction_events", of_transactions),
        ("roll_up", [_of_another_day(of_credits[-1])]),
        ("roll_up", of_credits),
    ):
        # Another test of this process may have reported the fleet less than a minute ago.
        _FleetReport.at, _FleetDay.begun = float("-inf"), ""
        on.call(function, batch([*records, broken]))
        on.call(function, batch(records))


def _of_another_day(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a write that is the first one of its month."""
    images = record["dynamodb"]
    version = {"N": str(int(images["NewImage"]["version"]["N"]) - 1)}
    old = {**images["OldImage"], "version": version, "last_transaction_at": {"S": "2025-04-30T12:00:00.000Z"}}
    return {**record, "dynamodb": {**images, "OldImage": old}}


def _requests(on: Stage) -> None:
    """Request every route with every method, with all scopes; none may fail."""
    record = on.system.history()[-1]
    for path, methods in sorted(app.app.routes.items()):
        for method in sorted(methods):
            for query in _queries(path, record) if method == "GET" else [{}]:
                answer = on.call("app", _event(path, method, query, record))
                assert answer["statusCode"] < 500, f"{method} {path}: {answer['body']}"


def _queries(path: str, record: Transaction) -> list[dict[str, str]]:
    if path.endswith(("/transactions", "/transactions/merchant/{merchant_id}")):
        kinds = [{}, {"transaction_type": "MANUAL"}, {"start_date": "2025-01-01T00:00:00Z"}]
        return [
            {"merchant_id": SHOP, "limit": "1", **kind, **page} for kind, page in product(kinds, [{}, {"page": "2"}])
        ]
    if path.endswith("/stats"):
        return [{}, {"start_date": "2025-01-01T00:00:00Z"}]
    if path.endswith("/merchants"):
        return [{}, {"search": DOMAIN}]
    if path.endswith("/links"):
        return [{}, {"merchant_id": SHOP}]
    if path.endswith("/balance"):
        return [{}, {"at": record.created_at}]
    return [{"limit": "1"}] if path.endswith("-balance") else [{}]


def _event(path: str, method: str, query: Mapping[str, str], record: Transaction) -> dict[str, Any]:
    values = {"merchant_id": SHOP, "transaction_id": record.transaction_id, "month": "2025-05"}
    values |= {"kind": "shopify", "name": DOMAIN}
    if path.endswith("/waiting/{transaction_id}"):
        values["transaction_id"] = transaction_id(SHOP, adjustment_key("w2"))
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    body = {
        "merchant_ids": [SHOP],
        "csv": f"merchant_id,credits,reason\n{SHOP},1,r\n",
        "merchant_id": SHOP,
        "operation_type": "INCREASE",
        "credits": 1,
        "reason": "r",
        "low_balance_threshold": 3,
    }
    wanted = {name: body[name] for name in _members(path) if name in body}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Idempotency-Key": f"key {path}", "Content-Type": "application/json"},
        "multiValueHeaders": {"Idempotency-Key": [f"key {path}"], "Content-Type": ["application/json"]},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": {name: values.get(name, "unknown") for name in names} or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid4()),
            "resourcePath": path,
            "httpMethod": method,
            "path": path,
            "stage": "test",
            "authorizer": {**SCOPES, "expires_at": str(int(time.time()) + 600)},
        },
        "body": json.dumps(wanted) if method in ("POST", "PUT") else None,
        "isBase64Encoded": False,
    }


def _members(path: str) -> tuple[str, ...]:
    if path.endswith(("/batch", "/names")):
        return ("merchant_ids",)
    if path.endswith("/low-balance-threshold"):
        return ("low_balance_threshold",)
    if path.endswith("/preview"):
        return ("csv",)
    return ("merchant_id", "operation_type", "credits", "reason")


def _dead_letters(on: Stage) -> None:
    """List the parked messages, and put all of them back."""
    on.park("OUTBOX_DEAD_LETTER_QUEUE_URL", '{"detail-type": "evt.credits.adjusted", "detail": {}}')
    for function in ("publish_threshold_events", "publish_transaction_events", "roll_up"):
        record = stream_record({"merchant_id": {"S": SHOP}}, sequence_number=7)
        on.park("STREAM_DEAD_LETTER_QUEUE_URL", json.dumps(record), function=function, code="record_unreadable")
    forget_the_container()
    with on.recorder.running("app"):
        letters = for_api.dead_letters()
        listing = letters.listing(wanted=100)
        assert len(listing.letters) > 4
        discarded, by_route, *put_back = listing.letters
        why = Discarded(admin_id="admin-7", time="2026-11-28T10:00:00.000Z", reason="sent again")
        letters.remove(
            discarded.letter_id,
            seconds=20.0,
            first=lambda letter: for_figures.discarded_letters().keep(letter, why, days=400),
        )
        assert for_figures.discarded_letters().find(discarded.letter_id) is not None
        for letter in put_back:
            letters.redrive(letter.letter_id, seconds=20.0)
    route = "/api/v1/credits/admin/dead-letters/{letter_id}/redrive"
    event = _event(route, "POST", {}, on.system.history()[-1])
    answer = on.call("app", {**event, "pathParameters": {"letter_id": by_route.letter_id}})
    assert answer["statusCode"] == HTTPStatus.OK, answer["body"]


def _releases(on: Stage) -> None:
    """Try versions before and after the canary account was opened, and with a table that cannot be read."""
    hook = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e"}
    assert on.call("smoke_test", hook) == {"passed": True, "faults": []}
    on.call("ingest_events", batch([seen(body) for body in canary.bodies()]))
    assert on.call("smoke_test", hook) == {"passed": True, "faults": []}
    on.fail("BatchGetItem", *[refusal("BatchGetItem")] * 50)
    assert not on.call("smoke_test", hook)["passed"]
    on.system.faults.clear()


def _reconciliation(on: Stage) -> None:
    """Compare sound ledgers, and again after one was changed by hand."""
    on.call("reconcile", {})
    on.system.dynamodb.update_item(
        TableName=CREDITS_TABLE,
        Key={"merchant_id": {"S": SHOP}},
        UpdateExpression="SET balance = :other, version = version + :one",
        ExpressionAttributeValues={":other": {"N": "12345"}, ":one": {"N": "1"}},
    )
    assert on.call("reconcile", {})["drift"] > 0


def _matching(on: Stage) -> None:
    """Compare files of orders in two calls, one by the shop's domain; an order that is nowhere may be parked."""
    s3, lately = boto3.client("s3", region_name=REGION), datetime.now(UTC) - timedelta(hours=2)
    with on.recorder.aside():
        s3.create_bucket(Bucket=ORDERS, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(
            Bucket=ORDERS,
            Key=f"orders/{SHOP}/a.csv",
            Body=exported(order_row("7", at=lately), order_row("8", at=lately)),
        )
        s3.put_object(Bucket=ORDERS, Key=f"orders/{DOMAIN}/b.csv", Body=exported(order_row(2)))
        on.system.sqs.send_message(QueueUrl=on.urls["DEAD_LETTER_QUEUE_URL"], MessageBody="parked")
    event = dict.fromkeys(SCHEDULED, "")
    with on.recorder.running("match_orders"):
        assert app.match_orders(event, Context(1_000))["unfinished"]
        assert len(app.match_orders(event, Context(800_000))["compared"]) == 2

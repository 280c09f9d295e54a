"""Disasters rehearsed in the emulator, by the steps of infra/recovery/README.md.

What the emulator cannot do is said there: its restore knows only the present moment, and one region stands for two.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.domain.audit import rebuilt
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.transactions import Transaction
from chalicelib.domain.walk import Walk
from infra.deploying.emulator import emulator_client
from infra.deploying.outputs import resources_of
from infra.local.tokens import new_signer
from infra.packaging.build import package
from infra.recovery import adoption, again, agreement, writers
from infra.recovery.tables import Tables, restore, tables_of
from tests.oracles.published_chain import broken_links_in_answers
from tests.support.bridge_fakes import ENVIRONMENT
from tests.support.bridge_process import ROOT, Queues, bridge, unacknowledged
from tests.support.engines import FAKE_AWS_ENVIRONMENT, clean_environment, ministack, nats_server
from tests.support.fire import order_of, publish_surely
from tests.support.marketplace import happened
from tests.support.running_stack import until
from tests.support.service import Service

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("upgrade")]

SHOPS, CREDITS = 3, 1000
SETTLED_SECONDS = 300.0


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Service]:
    """A service that runs, with an account for each of a few shops."""
    with ministack(tmp_path) as endpoint:
        service = Service(endpoint=endpoint, signer=new_signer(tmp_path), name="credits-first")
        service.deploy(package("dev"))
        yield service


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    with nats_server(tmp_path) as url:
        yield url


def opened(service: Service) -> list[str]:
    """Open an account for each of a few shops and return their ids."""
    shops = [str(uuid4()) for _ in range(SHOPS)]
    service.send([happened("evt.account.created", shop, trial_id="t", credits_to_use=CREDITS) for shop in shops])
    until("the accounts", lambda: all(service.ask(f"/credits/accounts/{shop}")[0] == 200 for shop in shops), 120)
    return shops


def orders(shops: Sequence[str], numbers: range) -> list[bytes]:
    return [order_of(shops[number % SHOPS], number) for number in numbers]


@contextmanager
def bridged(service: Service, nats_url: str, tmp_path: Path) -> Iterator[None]:
    """Run a bridge from NATS to the service; left once nothing is under way in it."""
    queues = Queues(
        client=emulator_client(service.endpoint, "sqs"),
        endpoint=service.endpoint,
        inbox=service.outputs["InboxQueueUrl"],
        outbox=service.outputs["OutboxQueueUrl"],
    )
    with bridge(tmp_path, nats_url, queues):
        yield


def drained(service: Service, nats_url: str) -> None:
    until("NATS to be drained", lambda: unacknowledged(nats_url) == 0, SETTLED_SECONDS)
    until("the inbox to be drained", lambda: service.is_empty("InboxQueueUrl"), SETTLED_SECONDS)


def around(tables: Tables, old: Service, name: str) -> Service:
    """Make a new service around the tables."""
    service = Service(endpoint=old.endpoint, signer=old.signer, name=name)
    cloudformation = emulator_client(old.endpoint, "cloudformation")
    adoption.adopt(cloudformation, name, package("dev"), tables)
    service.deploy(package("dev"))
    assert tables_of(service.outputs) == tables
    return service


def assert_every_order_once(service: Service, shops: Sequence[str], numbers: range) -> None:
    for position, shop in enumerate(shops):
        ledger = service.ledger(shop)
        found = Counter(row["reference_id"] for row in ledger if row["transaction_type"] == "ORDER_PAID")
        assert found == Counter(str(number) for number in numbers if number % SHOPS == position)
        assert broken_links_in_answers(ledger) == []
        assert service.ask(f"/credits/accounts/{shop}")[1]["data"]["balance"] == CREDITS - len(ledger) + 1


def test_after_a_restore_what_was_lost_comes_back_out_of_nats(first: Service, nats_url: str, tmp_path: Path) -> None:
    shops = opened(first)
    since = datetime.now(UTC) - timedelta(minutes=1)
    with bridged(first, nats_url, tmp_path):
        publish_surely(nats_url, orders(shops, range(60)))
        drained(first, nats_url)
        tables = restore(
            emulator_client(first.endpoint, "dynamodb"), tables_of(first.outputs), "restored", at=None
        ).tables
        tear(first, tables, shops)
        publish_surely(nats_url, orders(shops, range(60, 120)))
        drained(first, nats_url)
    stop_writers(first)

    ledger = agreement.Ledger(credits=tables.credits, transactions=tables.transactions)
    torn = list(agreement.agree(emulator_client(first.endpoint, "dynamodb"), ledger, at=datetime.now(UTC)))
    assert {each.merchant_id: (each.taken_back, each.removed) for each in torn} == {
        shops[0]: (True, 0),
        shops[1]: (False, 0),
        shops[2]: (True, 2),
    }
    second = around(tables, first, "credits-second")
    for each in torn:
        mended = command(second, "rebuild", each.merchant_id, "--yes")
        assert mended.returncode == 0, mended.stdout + mended.stderr
    verified = command(second, "verify")
    assert verified.returncode == 0, verified.stdout
    replayed = subprocess.run(
        [sys.executable, "-m", "infra.bridge.replay", since.isoformat()],
        env=clean_environment({**ENVIRONMENT, "PYTHONPATH": str(ROOT), "NATS_URL": nats_url}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "UPSTREAM: 120 messages" in replayed.stdout
    with bridged(second, nats_url, tmp_path):
        drained(second, nats_url)
        assert_every_order_once(second, shops, range(120))
    assert command(second, "verify").returncode == 0


def stop_writers(service: Service) -> None:
    lambdas, dynamodb = (emulator_client(service.endpoint, one) for one in ("lambda", "dynamodb"))
    writers.stop(lambdas, dynamodb, service.outputs)


def tear(service: Service, restored: Tables, shops: Sequence[str]) -> None:
    """Tear the restored tables: an account is two transactions ahead, one three behind, and one lacks a transaction."""
    ahead, behind, gap = shops
    tables = emulator_client(service.endpoint, "dynamodb")
    reader = DynamoDBLedgerReader(tables, credits_table=restored.credits, transactions_table=restored.transactions)

    def transactions(shop: str) -> list[Transaction]:
        found = [transaction for page in reader.transactions(MerchantId(shop), 1, None) for transaction in page]
        return [transaction for transaction in found if isinstance(transaction, Transaction)]

    for transaction in [*transactions(ahead)[-2:], transactions(gap)[-3]]:
        tables.delete_item(TableName=restored.transactions, Key={"transaction_id": {"S": transaction.transaction_id}})
    walk = Walk(MerchantId(behind))
    for transaction in transactions(behind)[:-3]:
        walk.step(transaction)
    walk.close(None)
    earlier = rebuilt(walk, None, now=transactions(behind)[-4].created_at)
    tables.put_item(TableName=restored.credits, Item=account_item(replace(earlier, version=earlier.sequence)))


def command(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `credits` on the service as an operator does on a stage."""
    stage = service.name.removeprefix("credits-")
    environment = {**FAKE_AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": service.endpoint, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "infra.commands.cli", *arguments, "--stage", stage],
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_move_has_one_writer_at_each_moment_and_loses_nothing(first: Service, nats_url: str, tmp_path: Path) -> None:
    shops = opened(first)
    with bridged(first, nats_url, tmp_path):
        publish_surely(nats_url, orders(shops, range(60)))
        drained(first, nats_url)
        stop_writers(first)
        time.sleep(2)
        publish_surely(nats_url, orders(shops, range(60, 90)))
        until("the bridge to have forwarded the rest", lambda: unacknowledged(nats_url) == 0, SETTLED_SECONDS)
    publish_surely(nats_url, orders(shops, range(90, 120)))
    assert not first.is_empty("InboxQueueUrl")
    asked = {"merchant_id": shops[0], "operation_type": "INCREASE", "credits": 1, "reason": "r", "admin_id": "a"}
    with pytest.raises(ClientError, match="TooManyRequests"):
        invoke(first, {**asked, "adjustment_id": "1"})

    dynamodb = emulator_client(first.endpoint, "dynamodb")
    written = {
        "LinksTableName": {"name": {"S": "shopify#a"}},
        "DeskTableName": {"topic": {"S": "t"}, "place": {"S": "p"}},
    }
    for table, item in written.items():
        dynamodb.put_item(TableName=first.outputs[table], Item=item)
    tables = restore(dynamodb, tables_of(first.outputs), "moved", at=None).tables
    second = around(tables, first, "credits-second")
    for table, item in written.items():
        assert dynamodb.get_item(TableName=second.outputs[table], Key=item)["Item"] == item
    queues = emulator_client(first.endpoint, "sqs")
    moved = again.move(queues, first.outputs["InboxQueueUrl"], queues, second.outputs["InboxQueueUrl"])
    assert moved == 30
    with bridged(second, nats_url, tmp_path):
        drained(second, nats_url)
    assert_every_order_once(second, shops, range(120))
    assert_every_order_once(first, shops, range(60))


def invoke(service: Service, request: dict[str, object]) -> None:
    emulator_client(service.endpoint, "lambda").invoke(
        FunctionName=service.outputs["AdjustCreditsName"], Payload=json.dumps(request).encode()
    )


def test_a_day_out_of_the_archive_brings_back_what_never_arrived(first: Service) -> None:
    shops = opened(first)
    events, bus = emulator_client(first.endpoint, "events"), first.outputs["EventBusName"]
    resources = resources_of(emulator_client(first.endpoint, "cloudformation"), first.name)
    # The emulator makes no archive from a template.
    address = events.describe_event_bus(Name=bus)["Arn"]
    events.create_archive(ArchiveName="of-the-test", EventSourceArn=address)
    resources["CreditsArchive"] = "of-the-test"
    since = datetime.now(UTC) - timedelta(minutes=1)
    stop_writers(first)
    time.sleep(2)
    put(first, shops, range(40))
    queues = emulator_client(first.endpoint, "sqs")
    until("the rule", lambda: not first.is_empty("InboxQueueUrl"), SETTLED_SECONDS)
    queues.purge_queue(QueueUrl=first.outputs["InboxQueueUrl"])
    lambdas, dynamodb = (emulator_client(first.endpoint, service) for service in ("lambda", "dynamodb"))
    writers.let_go(lambdas, dynamodb, first.outputs)
    put(first, shops, range(40, 60))

    span = again.Span(since=since, until=datetime.now(UTC) + timedelta(minutes=1))
    again.replay(events, first.name, resources, span, now=span.until + again.SETTLED)
    until("the inbox to be drained", lambda: first.is_empty("InboxQueueUrl"), SETTLED_SECONDS)
    assert_every_order_once(first, shops, range(60))


def put(service: Service, shops: Sequence[str], numbers: range) -> None:
    bus = emulator_client(service.endpoint, "events")
    for number in numbers:
        entry = {
            "Source": "upstream",
            "DetailType": "evt.shopify.webhook.order_paid",
            "Detail": order_of(shops[number % SHOPS], number).decode(),
            "EventBusName": service.outputs["EventBusName"],
        }
        assert bus.put_events(Entries=[entry])["FailedEntryCount"] == 0

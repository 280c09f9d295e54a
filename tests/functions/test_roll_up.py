"""`roll_up` on raw stream events: exact figures whatever the stream does, and never a lost record."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws

from app import roll_up
from chalicelib import telemetry
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.figures import Figures, recount
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total
from chalicelib.handlers.roll_up import _FleetDay, _FleetReport
from chalicelib.settings import settings
from chalicelib.usecases import counting
from chalicelib.wiring import for_api, for_figures, for_posting
from tests.support.builders import SHOP, account_of, merchant
from tests.support.fake_figures import FakeFigures
from tests.support.figures_tables import FiguresTable, created
from tests.support.histories import images
from tests.support.stream_events import Context, event, raw_record, record

FIGURES_TABLE = "figures-test"
REGION = "eu-west-1"


BUILT_ONCE = (
    settings,
    for_posting.dynamodb,
    for_posting.queues,
    for_api.shared_statuses,
    for_figures.figures,
    for_figures.container_counters,
)


def forget_the_container() -> None:
    for built in BUILT_ONCE:
        built.cache_clear()
    for_figures.counter_writer.cache_clear()
    _FleetReport.at = float("-inf")
    _FleetDay.begun = ""
    telemetry.counters._values.clear()
    telemetry.counters.urgent = False


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("FIGURES_TABLE", FIGURES_TABLE)
    monkeypatch.setenv("STREAM_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/none")
    monkeypatch.setenv("CREDITS_TABLE", "credits-test")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "credits")
    with mock_aws():
        forget_the_container()
        yield
    forget_the_container()


@pytest.fixture
def table(container: None) -> FiguresTable:
    return created(boto3.client("dynamodb", region_name=REGION), FIGURES_TABLE)


@pytest.fixture
def parking(container: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    sqs = boto3.resource("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="stream-dead-letters")
    monkeypatch.setenv("STREAM_DEAD_LETTER_QUEUE_URL", queue.url)
    return queue


def some(balance: int, *, name: str = "shop", version: int = 1) -> Account:
    return replace(account_of(balance, of=merchant(name)), version=version)


def called(records: list[dict[str, Any]]) -> list[str]:
    """Return the numbers of the records that are to come again."""
    answer = roll_up(event(records), Context())
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_the_figures_are_those_of_the_accounts_written(table: FiguresTable) -> None:
    accounts = [some(0), some(5, name="low"), some(50, name="rich")]

    assert called([record(account) for account in accounts]) == []

    assert table.store.fleet() == recount(accounts)


def test_records_of_a_merchant_out_of_order_count_its_newest_only(table: FiguresTable) -> None:
    newer, older = some(3, version=8), some(9, version=7)

    called([record(newer), record(older)])
    called([record(older)])

    assert table.store.fleet() == recount([newer])


def test_batches_delivered_twice_and_resplit_count_once(table: FiguresTable) -> None:
    written, ledger = images(120, 6, seed=8)
    records = [record(account) for account in written]
    for start in range(0, len(records), 25):
        batch = records[start : start + 25]
        assert called(batch) == []
        assert called(batch[:9]) == called(batch[9:]) == []

    assert table.store.fleet() == recount(ledger.accounts.values())


def test_a_batch_tried_again_from_its_middle_counts_once(container: None, monkeypatch: pytest.MonkeyPatch) -> None:
    written, ledger = images(200, 12, seed=9)
    records = [record(account) for account in written]
    store = FakeFigures(before_effect=deque([None, RetryLater(Code.UNAVAILABLE, "throttled")] * 60))
    monkeypatch.setattr(for_figures, "figures", lambda: store)
    monkeypatch.setattr(counting, "ROUNDS_MAX", 1)

    rounds = 0
    while records and rounds < 100:
        failed = called(records)
        records = [one for one in records if failed and int(one["dynamodb"]["SequenceNumber"]) >= int(failed[0])]
        rounds += 1

    assert rounds > 1
    assert store.fleet() == recount(ledger.accounts.values())


def test_what_could_not_be_counted_comes_again_and_nothing_else(
    container: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = record(some(3)), record(some(4, name="other"))
    store = FakeFigures(before_effect=deque([RetryLater(Code.UNAVAILABLE, "throttled")] * 50))
    monkeypatch.setattr(for_figures, "figures", lambda: store)
    monkeypatch.setattr("chalicelib.wiring.for_posting.time.sleep", lambda _: None)

    assert called([one, other]) == [each["dynamodb"]["SequenceNumber"] for each in (one, other)]
    assert store.fleet() == Figures()


def test_a_record_that_cannot_be_read_is_parked_and_blocks_nobody(table: FiguresTable, parking: Any) -> None:
    broken = {**account_item(some(1)), "balance": {"S": "many"}}

    assert called([raw_record(broken, key=SHOP), record(some(4, name="other"))]) == []

    [message] = parking.receive_messages(MessageAttributeNames=["All"])
    assert message.message_attributes["code"]["StringValue"] == "record_unreadable"
    assert table.store.fleet() == recount([some(4, name="other")])


def test_a_record_that_cannot_be_parked_comes_again(table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/no-queue")
    broken = raw_record({"merchant_id": {"S": SHOP}}, key=SHOP)

    assert called([broken, record(some(4, name="other"))]) == [broken["dynamodb"]["SequenceNumber"]]


def test_a_deletion_changes_no_figure(table: FiguresTable) -> None:
    called([record(some(4))])

    assert called([raw_record(None, key=SHOP)]) == []

    assert table.store.fleet() == recount([some(4)])


class Shared:
    """The shared statuses, as far as `roll_up` knows them."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.learnt: list[Account] = []
        self._fault = fault

    def learn(self, accounts: Any) -> None:
        if self._fault:
            raise self._fault
        self.learnt += accounts


def test_shared_statuses_learn_of_every_account(table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    monkeypatch.setattr(for_api, "shared_statuses", lambda: shared)

    called([record(some(0)), record(some(4, name="other"))])

    assert [(account.merchant_id, account.enabled) for account in shared.learnt] == [
        (SHOP, False),
        (merchant("other"), True),
    ]


def test_shared_statuses_that_fail_hold_up_no_figure(
    table: FiguresTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(for_api, "shared_statuses", lambda: Shared(OSError("no Redis")))

    assert called([record(some(4))]) == []

    assert table.store.fleet() == recount([some(4)])
    assert "shared statuses not updated" in capsys.readouterr().out


def test_cloudwatch_is_told_of_the_fleet_once_a_minute(table: FiguresTable, capsys: pytest.CaptureFixture[str]) -> None:
    called([record(replace(some(0), debt=7))])
    called([record(some(0, name="other"))])

    said = capsys.readouterr().out
    assert said.count('"credits_merchants_zero_balance":[1.0]') == 1
    assert said.count("credits_merchants_low_balance") > 0
    assert said.count('"credits_debt":[7.0]') == 1
    assert said.count('"credits_merchants_zero_balance":[2.0]') == 0


def counters_sent(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return what CloudWatch got of the counters since the last call, by name, direction and type."""
    telemetry.flush_counted()
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    found = {}
    for line in lines:
        name = line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"]
        if name.endswith("_total"):
            found["|".join(filter(None, (name, line.get("type"), line.get("reference_type"))))] = sum(line[name])
    return found


def test_cloudwatch_gets_each_transaction_once_lapses_and_repaid_debt_included(
    table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = {Kind.TRIAL: Total(count=1, credits=9), Kind.ORDER_USED: Total(count=2, credits=4)}
    opened = replace(some(5, version=3), totals=totals)
    lapsed = replace(
        some(0, version=4),
        totals={**totals, Kind.EXPIRY: Total(count=1, credits=5), Kind.DEBT_REPAID: Total(count=1, credits=0)},
        total_shortfall=2,
    )
    called([record(opened)])
    counters_sent(capsys)

    called([record(opened), record(lapsed)])
    called([record(lapsed)])

    assert counters_sent(capsys) == {
        "credits_transactions_total|DECREASE|EXPIRY": 1,
        "credits_transactions_total|DECREASE|DEBT_REPAID": 1,
        "credits_balance_updated_total": 2,
        "credits_shortfall_total": 2,
    }


def test_a_rebuilt_account_with_less_does_not_lower_a_counter(
    table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    called([record(replace(some(5), totals={Kind.TRIAL: Total(count=1, credits=9)}, total_shortfall=3))])
    counters_sent(capsys)

    called([record(some(5, version=2))])

    assert counters_sent(capsys) == {}


@pytest.mark.slow
def test_five_thousand_mixed_events_with_every_batch_delivered_twice_equal_a_recount(
    container: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, ledger = images(5000, 120, seed=1)
    recounted = recount(ledger.accounts.values())
    assert min(recounted.zero, recounted.low, recounted.shortfall, len(recounted.totals) - 8) > 0, "a dull history"
    store = FakeFigures()
    monkeypatch.setattr(for_figures, "figures", lambda: store)
    records = [record(account) for account in written]
    random, batches = Random(2), []  # noqa: S311 - the same every time
    for start in range(0, len(records), 100):
        batch = records[start : start + 100]
        batches.append((start, batch))
        # The second delivery comes some batches later, now and then cut anew.
        later = start + random.choice([0, 100, 500]) + 50
        batches += [(later, batch)] if random.random() < 0.5 else [(later, batch[:37]), (later, batch[37:])]
    batches.sort(key=lambda each: each[0])

    for _, batch in batches:
        assert called(batch) == []

    assert sum(len(batch) for _, batch in batches) == 2 * len(records)
    assert store.fleet() == recounted

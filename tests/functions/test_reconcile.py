"""The ledger is made to prove itself: what a hand changed in it is found, named and told, and never repaired."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.fleet import RECONCILED
from chalicelib.adapters.dynamodb.items import transaction_from, transaction_item
from chalicelib.domain.ids import Instant, MerchantId, transaction_id
from chalicelib.domain.transactions import Transaction, transaction_hash
from chalicelib.usecases import reconciling
from chalicelib.wiring import for_figures
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE, Ledger
from tests.support.builders import LATER, NOON, SHOP, adjustment, merchant, order, payment, refund_of, trial
from tests.support.events import Context, paid, refunded
from tests.support.fakes import FakeLedger, settle
from tests.support.figures_tables import FiguresTable, created
from tests.support.system import System, refusal

OTHERS = [merchant(f"other {number}") for number in range(4)]
PLENTY = Context(900_000)


@dataclass
class Hand:
    """A hand in the tables, in one merchant's ledger."""

    system: System
    merchant_id: MerchantId = SHOP

    def change_account(self, **attributes: dict[str, Any]) -> None:
        """Change attributes of an account's item, as a person does in the console."""
        self._change(CREDITS_TABLE, "merchant_id", self.merchant_id, attributes)

    def change_record(self, sequence: int, /, **attributes: dict[str, Any]) -> None:
        """Change attributes of one of the merchant's transactions."""
        self._change(TRANSACTIONS_TABLE, "transaction_id", self.transaction(sequence).transaction_id, attributes)

    def transaction(self, sequence: int) -> Transaction:
        """Return the transaction as it stands; by the index, because moto takes its time for a scan."""
        [item] = self.system.dynamodb.query(
            TableName=TRANSACTIONS_TABLE,
            IndexName="by_merchant",
            KeyConditionExpression="merchant_id = :merchant AND #sequence = :sequence",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={":merchant": {"S": self.merchant_id}, ":sequence": {"N": str(sequence)}},
        )["Items"]
        return transaction_from(item)

    def remove_record(self, sequence: int) -> None:
        key = {"transaction_id": {"S": self.transaction(sequence).transaction_id}}
        self.system.dynamodb.delete_item(TableName=TRANSACTIONS_TABLE, Key=key)

    def remove_account(self) -> None:
        self.system.dynamodb.delete_item(TableName=CREDITS_TABLE, Key={"merchant_id": {"S": self.merchant_id}})

    def remove_from_account(self, name: str) -> None:
        """Remove an attribute of an account's item."""
        self.system.dynamodb.update_item(
            TableName=CREDITS_TABLE,
            Key={"merchant_id": {"S": self.merchant_id}},
            UpdateExpression="REMOVE #name",
            ExpressionAttributeNames={"#name": name},
        )

    def insert_record(self, sequence: int) -> None:
        """Insert a transaction that claims the sequence of another, well sealed."""
        forged = replace(
            self.transaction(sequence),
            transaction_id=transaction_id(self.merchant_id, "BILLING_PAYMENT_forged"),
            reference_id="forged",
        )
        sealed = replace(forged, hash=transaction_hash(forged))
        self.system.dynamodb.put_item(TableName=TRANSACTIONS_TABLE, Item=transaction_item(sealed))

    def _change(self, table: str, key: str, value: str, attributes: dict[str, dict[str, Any]]) -> None:
        self.system.dynamodb.update_item(
            TableName=table,
            Key={key: {"S": value}},
            UpdateExpression="SET " + ",".join(f"#{name}=:{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={f":{name}": attribute for name, attribute in attributes.items()},
        )


def tell(system: System, *merchants: MerchantId) -> None:
    """Let merchants have a ledger of eight transactions each, the second of them an order that was refunded in part."""
    written = FakeLedger()
    for one in merchants:
        sold = [trial(of=one), order("1", total="10.00", of=one), order("2", of=one), order("3", of=one)]
        settle(written, [*sold, payment("p1", 5, of=one)], now=NOON)
        later = [refund_of("1", amount="5.00", of=one), adjustment("a1", -90, of=one), refund_of("2", of=one)]
        settle(written, later, now=LATER)
    Ledger(system.dynamodb).copy(written)


@dataclass
class Books:
    """The ledger of five merchants, and a hand in its tables."""

    system: System
    figures: FiguresTable

    def reconcile(self, event: Any = None, context: Any = PLENTY) -> dict[str, Any]:
        """Call the function in a container of its own."""
        forget()
        answer: dict[str, Any] = app.reconcile({} if event is None else event, context)
        return answer

    def bookmark(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self.figures.item(RECONCILED)["sweep"]["S"])
        return kept

    def said(self) -> list[tuple[str, str, int]]:
        """Return what was heard on the bus since: the merchant, the kind and the sequence of each finding."""
        heard = [event["detail"] for event in self.system.heard()]
        assert {event["event_type"] for event in heard} <= {"evt.credits.drift_detected"}
        payloads = [event["payload"] for event in heard]
        return sorted((payload["merchant_id"], payload["kind"], payload["sequence"]) for payload in payloads)


def forget() -> None:
    for built_once in (for_figures.bookmarks, for_figures.ledger_reader, for_figures.container_counters):
        built_once.cache_clear()


@pytest.fixture
def books(system: System) -> Iterator[Books]:
    figures = created(system.dynamodb, "figures-test")
    system.configure(FIGURES_TABLE="figures-test")
    tell(system, SHOP, *OTHERS)
    system.requests.clear()
    yield Books(system, figures)
    forget()


def test_a_ledger_as_it_was_written_proves_itself(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    answer = books.reconcile()

    started_at = answer.pop("started_at")
    counted = {"accounts": 5, "walked": 5, "records": 40, "scanned": 40, "drift": 0, "newer_form": 0}
    assert answer == {"finished": True, **counted, "too_long": []}
    assert (books.said(), books.figures.item(RECONCILED)["drift"]) == ([], {"N": "0"})
    assert books.bookmark()["started_at"] == started_at
    assert '"credits_ledger_drift":[0' in capsys.readouterr().out
    assert books.system.lines()[-1]["message"] == "reconciled"


@pytest.mark.parametrize("of_records", [False, True])
def test_the_form_of_a_newer_release_is_no_drift_and_reported_as_what_it_is(books: Books, of_records: bool) -> None:
    hand, newer = Hand(books.system), {"schema_version": {"N": "3"}}
    if of_records:
        hand.change_record(3, **newer)
        hand.change_record(8, **newer)
    else:
        hand.change_account(**newer)

    answer = books.reconcile()

    assert (answer["drift"], answer["newer_form"], answer["accounts"]) == (0, 1, 5)
    assert books.said() == []
    assert books.figures.item(RECONCILED)["drift"] == {"N": "0"}


def test_drift_beside_a_newer_transaction_is_still_found(books: Books) -> None:
    hand = Hand(books.system)
    hand.change_record(7, schema_version={"N": "3"})
    hand.change_record(3, amount={"N": "-2"})

    assert (answer := books.reconcile())["newer_form"] == 1
    assert answer["drift"] == len(books.said()) == 1


PLANTED: dict[str, tuple[Callable[[Hand], None], str, int]] = {
    "a balance edited": (lambda hand: hand.change_account(balance={"N": "77"}), "account_balance", 8),
    "a counter wrong": (lambda hand: hand.change_account(total_shortfall={"N": "3"}), "account_counter", 8),
    "a transaction changed": (lambda hand: hand.change_record(4, amount={"N": "-2"}), "record_changed", 4),
    "a reference changed": (lambda hand: hand.change_record(5, reference_id={"S": "p2"}), "record_changed", 5),
    "a transaction removed": (lambda hand: hand.remove_record(3), "record_missing", 3),
    "the newest transaction removed": (lambda hand: hand.remove_record(8), "record_missing", 8),
    "a transaction inserted": (lambda hand: hand.insert_record(4), "record_inserted", 4),
    "a tally wrong": (lambda hand: hand.change_record(2, refunded_credits={"N": "1"}), "tally_wrong", 2),
    "a status edited": (
        lambda hand: hand.change_account(status_changed_at={"S": "2025-01-01T00:00:00.000Z"}),
        "account_status",
        8,
    ),
    "a transaction unreadable": (
        lambda hand: hand.change_record(4, transaction_type={"S": "GIFT"}),
        "record_unreadable",
        4,
    ),
    "an account unreadable": (lambda hand: hand.change_account(version={"S": "many"}), "account_unreadable", 0),
    "a time of opening edited": (
        lambda hand: hand.change_account(created_at={"S": "2025-01-01T00:00:00.000Z"}),
        "account_time",
        8,
    ),
    "an update in the future": (
        lambda hand: hand.change_account(updated_at={"S": "2099-01-01T00:00:00.000Z"}),
        "account_time",
        8,
    ),
    "an update before the newest transaction": (
        lambda hand: hand.change_account(updated_at={"S": "2025-01-01T00:00:00.000Z"}),
        "account_time",
        8,
    ),
    "a threshold that is not its own": (
        lambda hand: hand.change_account(low_balance_threshold={"N": "15"}),
        "account_threshold",
        8,
    ),
    "listed nowhere": (lambda hand: hand.remove_from_account("level"), "account_level", 8),
    "listed elsewhere": (lambda hand: hand.change_account(level={"S": "zero#1"}), "account_level", 8),
    "an account removed": (lambda hand: hand.remove_account(), "account_missing", 8),
    "a transaction given away": (lambda hand: hand.change_record(8, merchant_id={"S": OTHERS[0]}), "record_missing", 8),
}


def test_drift_planted_by_hand_is_found_named_and_told_and_not_repaired(books: Books) -> None:
    expected = []
    tell(books.system, *map(merchant, PLANTED))
    for planted, (plant, kind, sequence) in PLANTED.items():
        hand = Hand(books.system, merchant(planted))
        plant(hand)
        expected.append((hand.merchant_id, kind, sequence))
    # Who was given a transaction has two that claim the same sequence.
    expected.append((OTHERS[0], "record_inserted", 8))
    before = books.system.everything()

    answer = books.reconcile()

    assert (answer["drift"], answer["finished"]) == (len(expected), True)
    assert books.said() == sorted(expected)
    lines = [line for line in books.system.lines() if line["message"] == "drift"]
    assert sorted((line["merchant_id"], line["kind"], line["sequence"]) for line in lines) == sorted(expected)
    assert all(line["detail"] and line["level"] == "ERROR" for line in lines)
    assert books.system.everything() == before
    assert books.figures.item(RECONCILED)["drift"] == {"N": str(len(expected))}


def test_a_finding_has_the_same_event_id_every_day(books: Books) -> None:
    Hand(books.system).change_account(balance={"N": "77"})

    ids = []
    for _ in range(2):
        books.reconcile()
        [event] = books.system.heard()
        ids.append(event["detail"]["event_id"])
        assert event["detail"]["payload"]["detail"] == "the account's balance is 77, its ledger says 13"
        assert event["detail"]["payload"]["balance"] == 77
        assert event["source"] == "credits"
    assert ids[0] == ids[1]


def test_the_next_sweep_walks_what_has_changed_and_what_is_suspect(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "UNCHANGED_TRANSACTIONS_MAX", 0)
    monkeypatch.setattr(reconciling, "ROTATION_DAYS", 10**9)
    monkeypatch.setattr(reconciling, "OVERLAP", reconciling.OVERLAP * 0)
    Hand(books.system).remove_record(3)
    assert books.reconcile()["walked"] == 5

    # Behind a finding, an account is walked until it is whole; so is one that does not agree with itself.
    books.system.monkeypatch.setattr("chalicelib.wiring.for_posting.now", lambda: "2099-01-01T00:00:00.000Z")
    Hand(books.system, OTHERS[0]).change_account(balance={"N": "1000000"})
    books.said()
    answer = books.reconcile()
    assert (answer["walked"], answer["drift"]) == (2, 2)
    assert [finding[:2] for finding in books.said()] == sorted(
        [(SHOP, "record_missing"), (OTHERS[0], "account_balance")]
    )


def test_an_attribute_that_lists_an_account_wrongly_makes_it_suspect_also_where_nothing_has_changed(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "UNCHANGED_TRANSACTIONS_MAX", 0)
    monkeypatch.setattr(reconciling, "ROTATION_DAYS", 10**9)
    monkeypatch.setattr(reconciling, "OVERLAP", reconciling.OVERLAP * 0)
    books.reconcile()
    books.system.monkeypatch.setattr("chalicelib.wiring.for_posting.now", lambda: "2099-01-01T00:00:00.000Z")
    Hand(books.system).remove_from_account("level")
    Hand(books.system, OTHERS[0]).change_account(updated_at={"S": "2025-01-01T00:00:00.000Z"})

    answer = books.reconcile()
    assert (answer["walked"], answer["drift"]) == (2, 2)


@pytest.mark.slow
def test_transactions_are_gone_over_for_a_lost_account_some_each_day_and_it_is_found_again_every_day(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "TRANSACTIONS_SCANNED_MAX", 8)
    monkeypatch.setattr("chalicelib.adapters.dynamodb.ledger_reader.TRANSACTIONS_PAGE", 4)
    Hand(books.system).remove_account()

    days = [books.reconcile() for _ in range(5)]
    assert {(day["finished"], day["scanned"]) for day in days} == {(True, 8)}
    found = next(number for number, day in enumerate(days) if day["drift"])
    assert [day["drift"] for day in days] == [0] * found + [1] * (5 - found)
    assert books.said() == [(SHOP, "account_missing", 8)] * (5 - found)
    assert books.bookmark()["place"] is None

    assert [books.reconcile()["drift"] for _ in range(5)] == [1] * 5, "wherever the next round has come to"


@pytest.mark.slow
def test_every_account_has_its_turn_in_a_month(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "UNCHANGED_TRANSACTIONS_MAX", 0)
    monkeypatch.setattr(reconciling, "OVERLAP", reconciling.OVERLAP * 0)
    books.reconcile()

    walked = 0
    for day in range(1, 31):
        books.system.monkeypatch.setattr(
            "chalicelib.wiring.for_posting.now", lambda day=day: f"2099-01-{day:02}T03:17:00.000Z"
        )
        walked += books.reconcile()["walked"]
    assert walked == 5


def test_a_new_sweep_begins_with_what_the_last_one_knew() -> None:
    last = reconciling.LedgerSweep(
        started_at=NOON, finished_at=NOON, drift=3, drifted=frozenset({SHOP}), place="there", walked=9, found=3
    )
    now = Instant("2026-12-01T00:00:00.000Z")

    assert reconciling.sweep_to_continue(last, now=now) == reconciling.LedgerSweep(
        started_at=now, since=NOON, drift=3, suspects=frozenset({SHOP}), place="there"
    )


def test_a_small_ledger_is_walked_whole_every_day(books: Books) -> None:
    books.reconcile()
    books.system.monkeypatch.setattr("chalicelib.wiring.for_posting.now", lambda: "2099-01-01T00:00:00.000Z")
    Hand(books.system).change_record(4, reference_id={"S": "other"})

    answer = books.reconcile()
    assert (answer["walked"], answer["drift"]) == (5, 1)


class Running:
    """A context whose time runs out after so many questions for it."""

    aws_request_id = "8d3bf1f6-0000-4000-8000-000000000000"

    def __init__(self, questions: int) -> None:
        self.left = questions

    def get_remaining_time_in_millis(self) -> int:
        self.left -= 1
        return 900_000 if self.left >= 0 else 0


def test_a_call_that_is_short_of_time_stops_and_the_next_one_goes_on(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.adapters.dynamodb.ledger_reader.ACCOUNTS_PAGE", 2)
    Hand(books.system).remove_record(3)

    first = books.reconcile(context=Running(5))
    assert (first["finished"], first["walked"] < 5) == (False, True)
    assert books.bookmark()["finished_at"] is None
    calls = 1
    answer = first
    while not answer["finished"]:
        answer = books.reconcile({"only": "unfinished"}, Running(8))
        assert answer["started_at"] == first["started_at"]
        calls += 1
    assert calls > 2
    assert (answer["accounts"], answer["walked"], answer["drift"]) == (5, 5, 1)
    assert books.said() == [(SHOP, "record_missing", 3)]
    assert books.reconcile({"only": "unfinished"}) == {"finished": True}


def test_a_call_without_any_time_hands_everything_back(books: Books) -> None:
    answer = books.reconcile(context=Context(5_000))

    assert (answer["finished"], answer["accounts"], answer["walked"]) == (False, 0, 0)
    assert books.reconcile()["walked"] == 5


@pytest.mark.slow
def test_a_ledger_too_long_for_any_call_is_named_and_holds_up_nobody(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.adapters.dynamodb.ledger_reader.ACCOUNTS_PAGE", 1)
    calls = 0
    answer: dict[str, Any] = {"finished": False}
    while not answer["finished"]:
        answer = books.reconcile(context=Running(2))
        calls += 1
        assert calls < 20
    assert answer["accounts"] + len(answer["too_long"]) == 5
    assert answer["too_long"]
    assert books.system.lines()[-1]["level"] == "WARNING"


@pytest.mark.parametrize("operation", ["Scan", "Query", "GetItem", "BatchGetItem"])
def test_a_table_that_does_not_answer_leaves_the_sweep_where_it_was(books: Books, operation: str) -> None:
    answer = books.reconcile()
    Hand(books.system).change_account(balance={"N": "77"})
    reader = for_figures.ledger_reader()
    fails = {"left": 1}
    original = reader._client._make_api_call  # type: ignore[attr-defined]

    def call(name: str, request: Any) -> Any:
        if name == operation and fails["left"]:
            fails["left"] -= 1
            raise refusal(name, "InternalServerError", 500)
        return original(name, request)

    reader._client._make_api_call = call  # type: ignore[attr-defined]
    stopped = app.reconcile({}, PLENTY)
    # The accounts come first: what was found of them remains.
    found = 1 if operation == "BatchGetItem" else answer["drift"]
    assert (stopped["finished"], stopped["drift"]) == (False, found)
    assert (
        "did not answer"
        in next(line for line in books.system.lines() if line["message"] == "reconciling stopped")["reason"]
    )

    assert app.reconcile({}, PLENTY)["drift"] == 1


def test_drift_that_the_bus_does_not_take_is_counted_and_told_the_next_time(books: Books) -> None:
    Hand(books.system).change_account(balance={"N": "77"})
    books.system.fail("PutEvents", *[refusal("PutEvents", "InternalFailure", 500)] * 4)

    assert books.reconcile()["drift"] == 1
    assert books.said() == []
    assert books.reconcile()["drift"] == 1
    assert books.said() == [(SHOP, "account_balance", 8)]


def test_a_write_under_way_is_no_drift(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    # Between the reading of the account and that of its transactions, an order comes and is refunded.
    reader = for_figures.ledger_reader()
    original = reader.transactions
    came = {"left": 2}

    def transactions(*asked: Any) -> Any:
        if came["left"]:
            came["left"] -= 1
            number = came["left"]
            books.system.ingest(paid(f"late {number}"), refunded(3), refunded(f"late {number}"))
        return original(*asked)

    monkeypatch.setattr(reader, "transactions", transactions)
    answer = app.reconcile({}, PLENTY)

    assert (answer["drift"], books.said()) == (0, [])

"""`credits match`: every planted fault is named, none is invented, and what is sent counts once."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.scratch import SeenOrdersTable
from chalicelib.contracts.order_events import event
from chalicelib.contracts.order_files import Form, OrderFile
from chalicelib.domain.ids import TransactionId, instant, transaction_id
from chalicelib.domain.movements import order_key
from chalicelib.domain.orders import Tally
from chalicelib.domain.source_orders import BadRow, Difference, DifferenceKind, NotOrdersError, SourceOrder
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases.matching import Matching
from infra.commands import letters, match
from infra.commands.target import Target
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE, Aws
from tests.support.builders import NOON, SHOP, merchant, order, trial
from tests.support.command_line import said, target_of
from tests.support.events import opened, paid, refunded
from tests.support.fakes import FakeLedger, settle
from tests.support.order_exports import COLUMNS, NOW, exported, row
from tests.support.system import System, _client, let_no_poll_wait


@pytest.fixture
def shop(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> System:
    target = target_of(
        credits_table=CREDITS_TABLE,
        transactions_table=TRANSACTIONS_TABLE,
        inbox_queue_url=system.urls["INBOX_QUEUE_URL"],
        waiting_queue_url=system.urls["WAITING_QUEUE_URL"],
        dead_letter_queue_url=system.urls["DEAD_LETTER_QUEUE_URL"],
    )
    monkeypatch.setattr(Target, "client", lambda _target, service: _client(service, of="functions"))
    monkeypatch.setattr(match, "find", lambda *_: target)
    monkeypatch.setattr(letters, "find", lambda *_: target)
    monkeypatch.setattr("chalicelib.adapters.dead_letters.WAIT_SECONDS", 0)
    let_no_poll_wait(monkeypatch)
    monkeypatch.chdir(tmp_path)
    system.ingest(opened())
    return system


def compared(content: bytes, *more: str, name: str = "orders.csv", status: int = 0) -> Any:
    Path(name).write_bytes(content)
    told = said("match", name, "--merchant", SHOP, "--json", "--yes", *more)
    assert told.status == status, told.out + told.err
    return told.json


def kinds(told: Any) -> list[tuple[str, str | None]]:
    return sorted((one["kind"], one["order_id"]) for one in told["items"])


def sent(shop: System, *orders: tuple[str, str], at: datetime = NOW - timedelta(days=3)) -> None:
    for order_id, total in orders:
        body = json.loads(paid(order_id, total=total, currency="EUR"))
        body["timestamp"] = instant(at)
        shop.ingest(json.dumps(body))


def work_on(shop: System) -> None:
    """Let the service take what is in the inbox."""
    while records := list(shop.in_inbox()):
        shop.ingest(*records)


def test_a_file_that_agrees_says_so(shop: System) -> None:
    sent(shop, ("1", "24.90"), ("2", "10"))

    told = compared(exported(row(1), row(2, "10.00")))

    assert (told["total"], told["items"], told["next"], told["orders"]) == (0, [], None, {"recorded": 2})


def test_a_file_without_a_currency_is_not_compared_by_it(shop: System) -> None:
    sent(shop, ("1", "24.90"))
    assert compared(exported(row(1, Currency="XXX")))["total"] == 0


def test_what_is_sent_waits_in_the_group_of_its_merchant(shop: System, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[str | None] = []

    def sending(*, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == shop.urls["INBOX_QUEUE_URL"]
        groups.extend(entry.get("MessageGroupId") for entry in Entries)
        return {}

    sqs = _client("sqs", of="functions")
    monkeypatch.setattr(sqs, "send_message_batch", sending)

    compared(exported(row(1), row(2)), "--fix", status=1)

    assert groups == [SHOP, SHOP]


def test_a_missing_order_is_named_with_the_event_that_mends_it_and_twice_is_once(shop: System) -> None:
    sent(shop, ("1", "24.90"))
    young = datetime.now(UTC) - timedelta(minutes=5)
    content = exported(row(1), row(2, "10.00"), row(3), row(4, at=young), row(5, Financial_Status="pending"))

    told = compared(content, "--fix", status=1)

    assert kinds(told) == [("missing", "2"), ("missing", "3")]
    assert told["orders"] == {"recorded": 1, "on_its_way": 1, "not_paid": 1}
    assert told["sent"] == 2
    assert json.loads(told["items"][0]["event"])["payload"] == {
        "merchant_id": SHOP,
        "order_id": "2",
        "total": "10",
        "currency": "EUR",
    }
    work_on(shop)
    again = compared(content, "--fix")
    assert (again["total"], again["sent"], again["orders"]["recorded"]) == (0, 0, 3)
    assert shop.balance() == 97
    assert {(one.occurred_at or "")[:19] for one in shop.history()[1:]} == {instant(NOW - timedelta(days=3))[:19]}


def test_further_line_items_belong_to_their_order(shop: System) -> None:
    further = {"Name": "#7", "Email": "a@b.example", "Lineitem name": "a chair", "Lineitem quantity": "2"}

    told = compared(exported(row(7), further, further, row(8)), status=1)

    assert kinds(told) == [("missing", "7"), ("missing", "8")]
    assert json.loads(told["items"][0]["event"])["payload"]["order_items"] == [{}, {}, {}]


def test_a_parked_order_is_said_to_be_parked_and_is_not_sent_again(shop: System) -> None:
    shop.ingest(json.dumps({**json.loads(paid("66")), "payload": {"merchant_id": SHOP, "order_id": "66", "total": -1}}))
    shop.configure(ORDER_CREDIT_BASIS="total")
    poison = json.loads(paid("77"))
    shop.ingest(json.dumps(poison))

    told = compared(exported(row(77)), "--fix", status=1)

    assert kinds(told) == [("parked", "77")]
    assert told["sent"] == 0
    # A letter about order 77, of the day 28, is none about these two.
    assert kinds(compared(exported(row(28), row(7)), status=1)) == [("missing", "28"), ("missing", "7")]


def test_refunds_by_their_ids_are_looked_for_and_sent(shop: System) -> None:
    sent(shop, ("1", "20"), ("2", "20"))
    shop.ingest(refunded("1", refund_id="r1"))
    paid_at = instant(NOW - timedelta(days=3))
    lines = [
        {"order_id": 1, "total": "20", "paid_at": paid_at, "refunds": [{"refund_id": "r1"}]},
        {"order_id": "2", "total": 20, "paid_at": paid_at, "refunds": [{"refund_id": 5, "amount": "10.00"}]},
        {"order_id": "gid://shopify/Order/3", "total": "20", "currency": "EUR", "paid_at": paid_at, "refunds": []},
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()

    told = compared(content, "--fix", name="orders.jsonl", status=1)

    assert kinds(told) == [("missing", "3"), ("refund_missing", "2")]
    [mends] = [json.loads(one["event"])["payload"] for one in told["items"] if one["kind"] == "refund_missing"]
    assert mends == {
        "merchant_id": SHOP,
        "order_id": "2",
        "refund_id": "5",
        "refund_amount": "10",
        "order_total": "20",
    }
    work_on(shop)
    assert compared(content, name="orders.jsonl")["total"] == 0


def test_a_refund_of_another_amount_is_named_in_json_lines_as_in_a_csv(shop: System) -> None:
    sent(shop, *((str(number), "20") for number in range(1, 7)))
    for order_id, amount in (("1", "5"), ("3", "5"), ("5", "5")):
        shop.ingest(refunded(order_id, refund_id=f"r{order_id}", refund_amount=amount, order_total="20"))
    shop.ingest(*(refunded(order_id, refund_id=f"r{order_id}") for order_id in ("2", "4")))

    def of(*refunds: tuple[str, str | None]) -> list[dict[str, str | None]]:
        return [{"refund_id": name, "amount": amount} for name, amount in refunds]

    there = {
        "1": of(("r1", "5.00")),
        "2": of(("r2", "20.00")),
        "3": of(("r3", "8.00")),
        "4": of(),
        "5": of(("r5", "5.00"), ("r6", "2.00")),
        "6": None,
    }
    paid_at = instant(NOW - timedelta(days=3))
    lines = [{"order_id": one, "total": "20", "paid_at": paid_at, "refunds": there[one]} for one in there]

    told = compared("\n".join(map(json.dumps, lines)).encode(), name="orders.jsonl", status=1)

    assert [(one["kind"], one["order_id"], one["what"]) for one in told["items"]] == [
        ("other_refund", "3", "refunded 5 in the ledger, 8.00 in the file"),
        ("other_refund", "4", "refunded 20 in the ledger, 0 in the file"),
        ("refund_missing", "5", "refund r6 is not in the ledger"),
    ]


def test_a_refund_that_came_without_its_id_is_not_sent_once_more(shop: System) -> None:
    sent(shop, ("1", "20"), ("2", "20"), ("3", "20"))
    for one in ("1", "2", "3"):
        shop.ingest(refunded(one, refund_amount="5"))
    paid_at = instant(NOW - timedelta(days=3))
    there = {"1": [("r1", "5.00")], "2": [("r2", "8.00")], "3": [("r3", "2.00"), ("r4", "5.00")]}
    lines = [
        {
            "order_id": one,
            "total": "20",
            "paid_at": paid_at,
            "refunds": [{"refund_id": name, "amount": amount} for name, amount in refunds],
        }
        for one, refunds in there.items()
    ]

    told = compared("\n".join(map(json.dumps, lines)).encode(), name="orders.jsonl", status=1)

    assert [(one["kind"], one["order_id"], one["what"]) for one in told["items"]] == [
        ("other_refund", "2", "refunded 5 in the ledger, 8.00 in the file"),
        ("refund_missing", "3", "refund r3 is not in the ledger"),
    ]


def test_a_refund_without_its_id_is_found_under_the_name_of_its_recorded_order(shop: System) -> None:
    shop.ingest(paid("uuid-7", total="20", aliases=["1"]), refunded("1", refund_amount="5"))
    assert shop.history()[-1].idempotency_key == "SHOPIFY_REFUND_ORDER_uuid-7"
    paid_at = instant(NOW - timedelta(days=3))
    line = {"order_id": "1", "total": "20", "paid_at": paid_at, "refunds": [{"refund_id": "r1", "amount": "5.00"}]}

    assert compared(json.dumps(line).encode(), name="orders.jsonl")["total"] == 0


def test_a_full_refund_of_an_order_without_a_total_is_one_of_the_total_in_the_file(shop: System) -> None:
    shop.ingest(paid("1"), refunded("1"))
    content = exported(row(1, "24.90", Refunded_Amount="24.90"), row(2, "24.90"))
    shop.ingest(paid("2"), refunded("2"))

    assert kinds(compared(content, status=1)) == [("other_refund", "2")]


def test_a_hundred_orders_are_one_read(shop: System, aws: Aws) -> None:
    content = exported(*(row(number, at=datetime.now(UTC)) for number in range(250)))
    aws.calls.clear()

    compared(content)

    assert (
        aws.operations().count("BatchGetItem") == 3 + 2
    )  # The account: first, and to look for orders that are not there.


def of_file(content: bytes, name: str = "orders.csv") -> list[SourceOrder | BadRow]:
    return list(orders_of(content, name).orders())


def orders_of(content: bytes, name: str = "orders.csv") -> OrderFile:
    form = Form.named(name)
    assert form is not None
    return OrderFile([content], form, SHOP)


@pytest.mark.parametrize(
    ("bent", "column", "why"),
    [
        ({"Id": "5.12345E+12"}, "Id", "lost its digits"),
        ({"Id": "5,12E+12"}, "Id", "lost its digits"),
        ({"Id": "=1+1"}, "Id", "digits only"),
        ({"Id": "+5123"}, "Id", "digits only"),
        ({"Id": "@SUM(A1)"}, "Id", "digits only"),
        ({"Id": ""}, "Id", "digits only"),
        ({"Id": "512\u202e3"}, "Id", "RIGHT-TO-LEFT OVERRIDE"),
        ({"Id": "512\u200f3"}, "Id", "RIGHT-TO-LEFT MARK"),
        ({"Id": "٥١٢"}, "Id", "digits only"),
        ({"Id": "5123.0"}, "Id", "digits only"),
        ({"Total": "1,234.00"}, "Total", "not an amount of money"),
        ({"Total": "=12"}, "Total", "not an amount of money"),
        ({"Total": "-1"}, "Total", "not an amount of money"),
        ({"Total": "1.2E+3"}, "Total", "not an amount of money"),
        ({"Total": "€ 12"}, "Total", "not an amount of money"),
        ({"Total": ""}, "Total", "not an amount of money"),
        ({"Currency": "Euro"}, "Currency", "three letters"),
        ({"Paid at": "28/11/2026 10:00"}, "Paid at", "offset"),
        ({"Paid at": "2026-11-28 10:00:00"}, "Paid at", "offset"),
        ({"Paid at": "46354.4166"}, "Paid at", "offset"),
        ({"Refunded Amount": "all"}, "Refunded Amount", "not an amount of money"),
        ({"Financial Status": "pa\u200bid"}, "Financial Status", "ZERO WIDTH SPACE"),
    ],
)
def test_what_a_cell_does_not_tell_for_certain_is_said_with_line_and_column(
    bent: dict[str, str], column: str, why: str
) -> None:
    _, found, _ = of_file(exported(row(1), {**row(2), **bent}, row(3)))

    assert isinstance(found, BadRow)
    assert (found.line, found.column) == (3, column)
    assert why in found.why


def test_lines_are_counted_past_cells_with_line_ends() -> None:
    found = of_file(exported(row(1, Notes="two\nlines"), row(2), {**row(3), "Id": "x"}))

    assert [one.line for one in found] == [2, 4, 5]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (exported(row(1), row(2, Notes="é"), encoding="latin-1"), "line 3, byte"),
        (exported(row(1), encoding="utf-16"), "line 1: UTF-16"),
        (exported(row(1, Notes="x" * 10_000_000)), "line 2, Notes: the cell has more than 1,048,576"),
        (exported(row(1)) + b'"never closed\n\n', "line 3, Name: the quotation mark"),
        (exported(row(1)).replace(b"\n", b"\r"), "line 1, cell .*: the cell has a line break of old Macs"),
        (b'"Id","Total"\r"1","2"\r', "line 1, cell 2: the cell has a line break of old Macs"),
        (exported(row(1), columns=[name for name in COLUMNS if name != "Id"]), "no column 'Id'"),
        (exported(row(1), columns=[*COLUMNS, "Id"]), "the column 'Id' appears twice"),
        (b"", "no column"),
        (b"\x00\x01", "no column"),
    ],
    ids=[
        "latin-1",
        "utf-16",
        "long",
        "never closed",
        "old Mac",
        "old Mac, quoted",
        "no id",
        "two ids",
        "empty",
        "binary",
    ],
)
def test_a_file_that_cannot_be_read_says_where(content: bytes, why: str) -> None:
    with pytest.raises(NotOrdersError, match=why):
        of_file(content)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("{", ""),
        ("[]", ""),
        ('{"order_id": 5.1e12, "paid_at": "2026-11-01T00:00:00Z"}', "order_id"),
        ('{"order_id": true, "paid_at": "2026-11-01T00:00:00Z"}', "order_id"),
        ('{"paid_at": "2026-11-01T00:00:00Z"}', "order_id"),
        ('{"order_id": "5", "paid_at": "yesterday"}', "paid_at"),
        ('{"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", "total": NaN}', "total"),
        ('{"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", "refunds": 5}', "refunds"),
        ('{"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", "merchant_id": "x"}', "merchant_id"),
        ('{"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", "total": "5", "total": "50"}', "total"),
        ('{"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", "refunds": [{"amount": 1, "amount": 2}]}', "amount"),
        ("[" * 100_000, ""),
    ],
)
def test_a_line_of_json_that_tells_no_order_is_said(line: str, column: str) -> None:
    [found] = of_file(line.encode(), "orders.jsonl")

    assert isinstance(found, BadRow)
    assert (found.line, found.column) == (1, column)


@pytest.mark.parametrize(
    ("members", "is_paid"),
    [
        ({}, True),
        ({"financial_status": "Paid", "test": False}, True),
        ({"financial_status": "partially_refunded"}, True),
        ({"financial_status": "pending"}, False),
        ({"test": True}, False),
    ],
)
def test_a_line_of_json_counts_as_paid_as_its_event_does(members: dict[str, Any], is_paid: bool) -> None:
    line = {"order_id": "5", "paid_at": "2026-11-01T00:00:00Z", **members}
    [found] = of_file(json.dumps(line).encode(), "orders.jsonl")

    assert isinstance(found, SourceOrder)
    assert found.paid == is_paid


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_a_file_is_read_on_from_any_of_its_places(name: str) -> None:
    further = {"Name": "#2", "Lineitem name": "a chair"}
    lines = [{"order_id": number, "paid_at": instant(NOW)} for number in (1, "x\u202e", 3)]
    content = {
        "orders.csv": exported(row(1, Notes="é, two\nlines"), row(2), further, {**row(3), "Id": "x"}, row(4), row(5)),
        "orders.jsonl": "\n".join(map(json.dumps, lines)).encode(),
    }[name]
    whole = orders_of(content, name)
    rows, places = [], [whole.place]
    for one in whole.orders():
        rows.append(one)
        places.append(whole.place)

    for done, place in enumerate(places):
        rest = content[place.position :]
        # A chunk of a stream ends anywhere, also within a letter.
        chunks = (rest[at : at + 3] for at in range(0, len(rest), 3))
        assert list(OrderFile(chunks, whole.form, SHOP, place).orders()) == rows[done:]


def test_nothing_is_sent_while_a_row_is_bad(shop: System) -> None:
    Path("orders.csv").write_bytes(exported(row(1), {**row(2), "Id": "5.1E+12"}, row(3), row(3)))

    told = said("match", "orders.csv", "--merchant", SHOP, "--fix")

    assert told.status == 1
    assert "line 3, Id" in told.out
    assert "Nothing is sent" in told.err
    assert list(shop.in_inbox()) == []


def test_a_csv_needs_its_shop(shop: System) -> None:
    Path("orders.csv").write_bytes(exported(row(1)))

    told = said("match", "orders.csv")

    assert (told.status, "--merchant" in told.err) == (2, True)
    assert shop.balance() == 100


FAULTS: dict[int, tuple[str | None, dict[str, str], bool]] = {
    10: ("missing", {}, False),
    20: ("other_total", {"Total": "25.90"}, True),
    30: ("other_currency", {"Currency": "USD"}, True),
    40: ("other_refund", {"Refunded Amount": "3.00"}, True),
    50: ("not_paid_there", {"Financial Status": "voided"}, True),
    60: ("parked", {}, False),
    70: ("doubled", {}, True),
    80: ("bad_row", {"Id": "1.2E+9"}, False),
    90: (None, {"Financial Status": "pending"}, False),
    100: ("not_there", {}, True),
}
"""What is wrong with which order of a thousand: the kind, what the file says otherwise, and whether it is here."""


class Planted:
    """A ledger of `count` orders in memory, and a file of them, with faults of every kind at known places."""

    def __init__(self, count: int, path: Path) -> None:
        written = FakeLedger()
        settle(written, [trial(100), order("1", total="24.9")], now=NOON)
        self._transaction = written.history(SHOP)[1]
        self._begin = NOW - timedelta(days=30)
        self.ids: dict[TransactionId, int] = {}
        self.expected: dict[str, set[str]] = {kind.value: set() for kind in DifferenceKind}
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for number in range(count):
                writer.writerows(self._planted(number))

    def _planted(self, number: int) -> Iterator[dict[str, str]]:
        written, text = row(number, at=self.at(number)), str(number)
        kind, change, here = FAULTS.get(number % 1000, (None, {}, True))
        if kind is not None:
            self.expected[kind].add(text)
        if here:
            self.ids[transaction_id(SHOP, order_key(text))] = number
        if kind == "doubled":
            yield written
        if kind != "not_there":
            yield {**written, **change}

    def at(self, number: int) -> datetime:
        return self._begin + timedelta(seconds=number)

    def transaction(self, name: TransactionId) -> Transaction:
        number = self.ids[name]
        metadata = {**self._transaction.metadata, "total": "24.9", "currency": "EUR"}
        # One in three was refunded in part, as the file says of none but the planted ones.
        tally = Tally(count=1, credits=0, money=Decimal(0)) if number % 3 == 0 else None
        return replace(
            self._transaction,
            transaction_id=name,
            reference_id=str(number),
            occurred_at=instant(self.at(number)),
            metadata=metadata,
            tally=tally,
        )

    def lookup(self, wanted: Sequence[TransactionId]) -> dict[TransactionId, Transaction]:
        assert len(wanted) <= 100
        return {name: self.transaction(name) for name in wanted if name in self.ids}


@pytest.mark.slow
def test_a_hundred_thousand_lines_with_faults_of_every_kind_name_each_and_invent_none(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    planted = Planted(100_000, path)
    found: dict[str, set[str]] = {kind.value: set() for kind in DifferenceKind}
    lines: Callable[[Difference], str] = lambda one: one.order_id or f"line {one.line}"  # noqa: E731
    with path.open("rb") as file, closing(sqlite3.connect(tmp_path / "s.sqlite")) as scratch:
        matching = Matching(
            seen=SeenOrdersTable(scratch),
            lookup=planted.lookup,
            parked=lambda _, order_id: order_id in planted.expected["parked"],
            has_account=lambda _: True,
            now=NOW,
        )
        events = 0
        for one in matching.compare(OrderFile(file, Form.CSV, SHOP).orders()):
            found[one.kind.value].add(lines(one))
            events += event(one) is not None
        [(shop, first, last)] = matching.seen.spans()
        for one in matching.not_there(shop, first, last, map(planted.transaction, planted.ids)):
            found[one.kind.value].add(lines(one))

        assert events == len(planted.expected["missing"]) == 100
    assert len(found.pop("bad_row")) == len(planted.expected.pop("bad_row")) == 100
    # The first hour of the file's time is not judged: its events may be older than the file.
    judged = {text for text in planted.expected["not_there"] if int(text) >= 3600}
    assert found == {**planted.expected, "not_there": judged}


def test_an_order_under_another_of_its_names_is_there() -> None:
    written = FakeLedger()
    settle(written, [trial(100), order("gid-9", total="24.9")], now=NOON)
    transaction = written.history(SHOP)[1]
    with closing(sqlite3.connect(":memory:")) as scratch:
        matching = Matching(
            seen=SeenOrdersTable(scratch),
            lookup=lambda wanted: dict.fromkeys(wanted, transaction),
            parked=lambda *_: False,
            has_account=lambda _: True,
            now=NOW,
        )
        file = exported(row(9), row(10, at=NOW - timedelta(days=1)))
        assert list(matching.compare(orders_of(file).orders())) == []
        inside = replace(transaction, occurred_at=instant(NOW - timedelta(days=2)))
        unnamed = replace(inside, reference_id="gid-8")
        found = matching.not_there(*matching.seen.spans()[0], [inside, unnamed])
        assert [one.order_id for one in found] == ["gid-8"]


def test_a_merchant_without_account_is_refused_before_every_order_is_missing(shop: System) -> None:
    Path("orders.csv").write_bytes(exported(row(1)))

    told = said("match", "orders.csv", "--merchant", merchant("nobody"), "--json")

    assert (told.status, json.loads(told.err)["status"]) == (1, 404)
    assert "has no account" in json.loads(told.err)["detail"]


def test_merchants_of_the_lines_without_an_account_are_named_once_and_their_orders_are_not_missing(
    shop: System,
) -> None:
    nobody, other = merchant("nobody"), merchant("nobody else")
    owners = [nobody] * 130 + [other, SHOP]
    lines = [
        {
            "merchant_id": owner,
            "order_id": number,
            "total": "5",
            "currency": "EUR",
            "paid_at": instant(NOW - timedelta(days=3)),
        }
        for number, owner in enumerate(owners)
    ]
    Path("orders.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    told = said("match", "orders.jsonl", "--fix", "--yes")
    in_json = said("match", "orders.jsonl", "--json").json

    assert told.status == 1
    assert f"no account: line 1: merchant {nobody} has no account: open it first" in told.out
    assert f"no account: line 131: merchant {other} has no account: open it first" in told.out
    assert "131 orders of merchants without an account were left out." in told.out
    assert "3 differences: 1 missing, 2 merchants without an account." in told.out
    assert "1 event sent" in told.out
    assert in_json["found"] == {"missing": 1, "no_account": 2}
    assert in_json["orders"] == {"without_account": 131}
    assert [(one["merchant_id"], one["event"]) for one in in_json["items"][:2]] == [(nobody, None), (other, None)]


def test_lines_without_a_merchant_say_where_to_name_it(shop: System) -> None:
    Path("orders.jsonl").write_text('{"order_id": 1}\n')

    told = said("match", "orders.jsonl")

    assert "line 1, merchant_id: missing: give --merchant, or merchant_id in each line" in told.out

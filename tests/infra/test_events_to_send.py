"""What `credits emit` makes of a command line, and how it packs events for the bus."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from chalicelib.domain.ids import TransactionId
from chalicelib.domain.transactions import Transaction
from infra.bridge.settings import SQS_BATCH_ENTRIES
from infra.commands.channels import IN_FLIGHT, REQUEST_BYTES, Bus
from infra.commands.effects import Result
from infra.commands.emitting import _send
from infra.commands.events import NotAnEventError, Outgoing, event_type_named, made, payload_of, read_file
from infra.commands.output import progress_bar
from tests.support.builders import NOON, SHOP, order, trial
from tests.support.fakes import FakeLedger, settle


def test_values_are_what_they_look_like_and_decimals_lose_no_digit() -> None:
    payload = payload_of(
        ["order_id=1001", "total=24.90", "zip=00123", "paid=true", 'items=[{"order_id": 7}]', "note=[oops", "name=a=b"],
        '{"merchant_id": "m", "order_id": 1}',
    )

    assert payload == {
        "merchant_id": "m",
        "order_id": 1001,
        "total": "24.90",
        "zip": "00123",
        "paid": True,
        "items": [{"order_id": 7}],
        "note": "[oops",
        "name": "a=b",
    }


def test_a_type_is_known_by_its_end() -> None:
    assert event_type_named("order_paid") == "evt.shopify.webhook.order_paid"
    assert event_type_named("renewed") == "evt.subscription.renewed"
    assert event_type_named("evt.order.updated") == "evt.order.updated"


def test_an_unchecked_event_keeps_what_the_service_would_refuse() -> None:
    event = made("evt.billing.payment_succeeded", {"merchant_id": SHOP, "credits": -5}, checked=False)

    assert (event.event_type, event.movements) == ("evt.billing.payment_succeeded", ())
    assert json.loads(event.body)["payload"]["credits"] == -5


def test_a_line_of_a_file_may_be_an_envelope_of_the_bus(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    order = {"merchant_id": SHOP, "order_id": 1}
    file.write_text(json.dumps({"detail-type": "evt.shopify.webhook.order_paid", "detail": order}) + "\n\n[]\n")

    [(first, event), (third, bad)] = read_file(file, checked=True)

    assert (first, third) == (1, 3)
    assert isinstance(event, Outgoing)
    assert (event.event_type, json.loads(event.detail)) == ("evt.shopify.webhook.order_paid", order)
    assert isinstance(bad, NotAnEventError)


class FakeEvents:
    """Takes what the bus is given, but for one event."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, str]]] = []

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:  # noqa: N803
        self.requests.append(Entries)
        return {
            "Entries": [
                {"ErrorCode": "Throttled", "ErrorMessage": "later"} if "bad" in entry["Detail"] else {"EventId": "1"}
                for entry in Entries
            ]
        }


def test_the_bus_is_given_no_more_than_it_takes_and_says_what_it_did_not_take() -> None:
    events = FakeEvents()
    details = [*(f'"{number}"' for number in range(12)), "x" * REQUEST_BYTES, '"bad"']
    outgoing = [Outgoing(event_type="t", body=detail, detail=detail, movements=()) for detail in details]

    faults = Bus(events, "credits-test").send(outgoing)  # type: ignore[arg-type]

    assert [len(entries) for entries in events.requests] == [SQS_BATCH_ENTRIES, 2, 1, 1]
    assert faults == [*[None] * 13, "Throttled: later"]


class FakeReader:
    """Knows the transactions of a ledger that everything sent goes into at once."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.ledger = ledger

    def transactions(self, wanted: Iterable[TransactionId]) -> dict[TransactionId, Transaction]:
        known = {one.transaction_id: one for one in self.ledger.history(SHOP)}
        return {one: known[one] for one in wanted if one in known}


class QuickChannel:
    """Applies what it is sent before it returns."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.ledger = ledger

    def send(self, events: Sequence[Outgoing]) -> list[str | None]:
        settle(self.ledger, [movement for event in events for movement in event.movements], now=NOON)
        return [None] * len(events)


def test_an_order_that_comes_twice_in_one_file_was_not_recorded_before_it() -> None:
    ledger, result = FakeLedger(), Result()
    settle(ledger, [trial(), order("old")], now=NOON)
    names = ["old", *(str(number) for number in range(IN_FLIGHT)), "3"]
    events = [Outgoing(event_type="t", body="", detail="", movements=(order(name),)) for name in names]

    _send(QuickChannel(ledger), iter(events), result, FakeReader(ledger), progress_bar(visible=False))  # type: ignore[arg-type]

    assert result.sent == IN_FLIGHT + 2
    assert [fact.transactions[0].reference_id for fact in result.before.values()] == ["old"]


def test_a_long_file_that_nobody_waits_for_is_not_kept() -> None:
    result, events = Result(), (Outgoing(event_type="t", body="", detail="") for _ in range(IN_FLIGHT + 1))

    _send(QuickChannel(FakeLedger()), events, result, None, progress_bar(visible=False))  # type: ignore[arg-type]

    assert (result.sent, result.events) == (IN_FLIGHT + 1, [])

"""The lines that a person reads while the stack runs."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.local.shops import SHOPS
from infra.sample.outcomes import (
    Announcements,
    Ledger,
    ReceivedEvent,
    Transaction,
    again_line,
    parked_line,
    refused_line,
    transaction_line,
    transactions_in,
)

NOON = datetime(2026, 11, 21, 12, 3, 4, tzinfo=UTC)
SHOP = SHOPS[0]


def transaction(
    *, before: int, after: int, sequence: int = 7, kind: str = "ORDER_PAID", shortfall: int = 0
) -> Transaction:
    return Transaction(
        merchant_id=SHOP.merchant_id,
        sequence=sequence,
        transaction_type=kind,
        reference_id="1042",
        amount=after - before,
        balance_before=before,
        balance_after=after,
        threshold=20,
        shortfall=shortfall,
        created_at=NOON,
    )


def test_a_line_names_the_shop_the_order_the_change_and_the_balance() -> None:
    said = transaction_line(transaction(before=20, after=19)).plain
    assert said.split() == [
        f"{NOON.astimezone():%H:%M:%S}",
        *SHOP.name.split(),
        "order",
        "1042",
        "−1",
        "→",
        "19",
        "left",
    ]


@pytest.mark.parametrize(
    ("before", "after", "mark"),
    [
        (21, 20, "LOW BALANCE"),
        (1, 0, "RAN OUT, plugin off"),
        (21, 0, "RAN OUT, plugin off"),
        (0, 5, "PLUGIN ON AGAIN"),
        (0, 50, "PLUGIN ON AGAIN"),
        (20, 21, "recovered"),
    ],
)
def test_a_crossing_is_marked(before: int, after: int, mark: str) -> None:
    assert transaction_line(transaction(before=before, after=after)).plain.endswith(f"left   {mark}")


@pytest.mark.parametrize(("before", "after"), [(20, 19), (22, 21), (50, 30), (21, 30), (0, 0)])
def test_a_change_that_crosses_nothing_has_no_mark(before: int, after: int) -> None:
    assert transaction_line(transaction(before=before, after=after)).plain.endswith("left")


def test_the_opening_of_an_account_crosses_nothing() -> None:
    assert transaction_line(transaction(before=0, after=100, sequence=1, kind="TRIAL")).plain.endswith(
        "+100 → 100 left"
    )


def test_a_shortfall_is_said() -> None:
    assert transaction_line(transaction(before=0, after=0, shortfall=1)).plain.endswith("±0 →   0 left   1 short")


def test_a_record_is_read_from_an_item_of_the_table() -> None:
    item = {
        "merchant_id": {"S": SHOP.merchant_id},
        "transaction_type": {"S": "ORDER_PAID"},
        "reference_id": {"S": "1042"},
        "created_at": {"S": "2026-11-21T12:03:04.000Z"},
        **{
            name: {"N": number}
            for name, number in {
                "sequence": "7",
                "amount": "-1",
                "balance_before": "20",
                "balance_after": "19",
                "threshold": "20",
                "requested": "1",
            }.items()
        },
    }
    other_name = {"transaction_id": {"S": "another"}, "record_id": {"S": "one"}}
    assert transactions_in([item, other_name]) == [transaction(before=20, after=19)]


def test_what_the_api_refuses_is_shown_with_its_shop_and_why() -> None:
    assert refused_line(NOON, "Teegeist", "webhook of Shopify", "answered 401").plain.split()[1:] == [
        *("Teegeist", "webhook", "of", "Shopify", "answered", "401")
    ]


def test_a_repeat_is_reported_as_the_ledger_has_it() -> None:
    ledger = Ledger()
    ledger.note([transaction(before=20, after=19), transaction(before=19, after=18, kind="REFUND")])
    found = ledger.order(SHOP.merchant_id, "1042")
    assert found is not None
    assert again_line(NOON, *found).plain.endswith("delivered twice, recorded once (#7)")


def test_an_order_that_was_recorded_twice_would_be_said_loudly() -> None:
    ledger = Ledger()
    ledger.note([transaction(before=20, after=19), transaction(before=19, after=18, sequence=8)])
    found = ledger.order(SHOP.merchant_id, "1042")
    assert found is not None
    assert again_line(NOON, *found).plain.endswith("recorded 2 times")


def test_an_order_that_was_not_recorded_yet_is_not_found() -> None:
    assert Ledger().order(SHOP.merchant_id, "1042") is None


@pytest.mark.parametrize(
    "body",
    [
        f'{{"event_type": "x", "payload": {{"merchant_id": "{SHOP.merchant_id}"}}}}',
        f'{{"detail-type": "x", "detail": {{"merchant_id": "{SHOP.merchant_id}"}}}}',
        f'{{"detail-type": "x", "detail": {{"payload": {{"merchant_id": "{SHOP.merchant_id}"}}}}}}',
    ],
)
def test_a_parked_message_is_shown_with_its_shop_and_reason(body: str) -> None:
    attributes = {"code": {"StringValue": "credits_invalid"}, "reason": {"StringValue": "credits is 2.5"}}
    said = parked_line(NOON, {"Body": body, "MessageAttributes": attributes}).plain
    assert SHOP.name in said
    assert said.endswith("credits_invalid: credits is 2.5")


@pytest.mark.parametrize("body", ["not json", "[]", "{}", '{"payload": 5}', '"text"'])
def test_a_parked_message_that_cannot_be_read_is_shown_all_the_same(body: str) -> None:
    assert "somebody" in parked_line(NOON, {"Body": body}).plain


def told(event_type: str, sequence: int = 7) -> ReceivedEvent:
    return ReceivedEvent(
        time=NOON, event_type=f"evt.credits.{event_type}", merchant_id=SHOP.merchant_id, sequence=sequence
    )


def test_events_wait_for_the_line_of_their_transaction_and_share_one() -> None:
    ledger, announcements = Ledger(), Announcements()
    announcements.add(told("balance_exhausted"))
    announcements.add(told("plugin_status_changed"))
    announcements.add(told("refunded", sequence=8))
    assert announcements.due(ledger, NOON) == []
    ledger.note([transaction(before=1, after=0)])
    (line,) = announcements.due(ledger, NOON)
    assert line.plain.endswith("published on NATS: balance_exhausted, plugin_status_changed")


def test_an_event_is_given_out_once() -> None:
    ledger, announcements = Ledger(), Announcements()
    announcements.add(told("low_balance_reached", sequence=0))
    assert len(announcements.due(ledger, NOON)) == 1
    assert announcements.due(ledger, NOON) == []


def test_an_event_whose_transaction_is_never_read_is_shown_all_the_same() -> None:
    announcements = Announcements()
    announcements.add(told("refunded"))
    assert len(announcements.due(Ledger(), NOON + timedelta(seconds=4))) == 1

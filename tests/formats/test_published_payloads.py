"""Payloads of events out: plain dataclasses, whose types hold what the contract says of them."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from chalicelib.contracts.outbound.published import PUBLISHED, crossing_event, transaction_event
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.ledger import Crossing, CrossingType
from infra.interfaces.story import story
from tests.support.builders import NOON, SHOP

CROSSED = Crossing(
    type=CrossingType.LOW_BALANCE_REACHED,
    transaction_id=TransactionId("37618a8d-cd27-5f3c-9f0b-164a3855832e"),
    sequence=7,
    balance=15,
    threshold=20,
    time=NOON,
    correlation_id=None,
)


@pytest.mark.parametrize("crossing", [CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_RESTORED])
def test_a_changed_threshold_is_published_without_a_transaction(crossing: CrossingType) -> None:
    event = crossing_event(SHOP, replace(CROSSED, type=crossing, transaction_id=None), version=8)

    assert json.loads(event.detail())["payload"]["transaction_id"] is None


@pytest.mark.parametrize("crossing", [CrossingType.BALANCE_EXHAUSTED, CrossingType.GRACE_STARTED])
def test_what_only_an_order_can_do_names_its_transaction(crossing: CrossingType) -> None:
    with pytest.raises(ValueError, match="without its transaction"):
        crossing_event(SHOP, replace(CROSSED, type=crossing, transaction_id=None), version=8)


DETAILS: Mapping[CrossingType, Mapping[str, str | int]] = {
    CrossingType.EXPIRING: {"credits": 5, "expires_at": NOON, "days": 7},
    CrossingType.LEVEL_CROSSED: {"level": "week", "at": 7, "unit": "days", "direction": "down"},
    CrossingType.GRACE_STARTED: {"ends_at": NOON},
    CrossingType.GRACE_ENDED: {"reason": "time"},
}


@pytest.mark.parametrize("crossing", CrossingType)
def test_each_crossing_publishes_the_payload_of_its_type(crossing: CrossingType) -> None:
    event = crossing_event(SHOP, replace(CROSSED, type=crossing, details=DETAILS.get(crossing, {})), version=8)

    assert type(event.payload) is PUBLISHED[event.event_type]
    assert event.merchant_id == SHOP


def test_each_record_publishes_the_payload_of_its_type() -> None:
    events = [event for chapter in story() if (event := transaction_event(chapter.transaction)) is not None]

    assert [type(event.payload) for event in events] == [PUBLISHED[event.event_type] for event in events]
    assert {event.event_type.removeprefix("evt.credits.") for event in events} == {
        "account.created",
        "recharged",
        "refunded",
        "adjusted",
        "reversed",
    }

"""When credits lapse, as events say it and settings do (contract, section 16)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.contracts.inbound.admin_requests import adjustment
from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import FixedMovement
from chalicelib.domain.orders import Policy
from tests.formats.test_lenient import UNSET_TIMES
from tests.support.builders import READ_AT, SHOP
from tests.support.events import adjusted, asking, charged, opened, paid

TERMS = Terms(trial_credits=100, policy=Policy())
END = "2027-03-01T00:00:00.000Z"
RENEWED = {"subscription_id": "s1", "renewal_id": "r1", "credits_used": 30}


def read(body: str, terms: Terms = TERMS) -> FixedMovement:
    [movement] = read_event(body, terms, now=READ_AT).movements
    assert isinstance(movement, FixedMovement)
    return movement


def with_end(event_type: str, **end: Any) -> str:
    payloads: dict[str, dict[str, Any]] = {
        "evt.merchant.created": {},
        "evt.account.created": {"credits_to_use": 5},
        "evt.billing.payment_succeeded": {"payment_id": "p1", "credits": 50},
        "evt.subscription.renewed": RENEWED,
        "evt.credits.manual_adjustment": {"adjustment_id": "a1", "operation_type": "INCREASE", "credits": 5},
    }
    return asking(event_type, {**payloads[event_type], **end})


UNREADABLE: tuple[object, ...] = ("soon", "", True, {}, "2027-13-01")
NO_DAYS: tuple[object, ...] = (0, -1, 3651, "30", True, 1.5)
GIVE = (
    "evt.merchant.created",
    "evt.account.created",
    "evt.billing.payment_succeeded",
    "evt.subscription.renewed",
    "evt.credits.manual_adjustment",
)


@pytest.mark.parametrize("event_type", GIVE)
def test_whatever_gives_credits_may_say_when_they_lapse(event_type: str) -> None:
    movement = read(with_end(event_type, expires_at="2027-03-01"))
    assert (movement.expires_at, movement.expires_in_days, movement.expiry_stated) == (END, None, True)
    movement = read(with_end(event_type, expires_in_days=30))
    assert (movement.expires_at, movement.expires_in_days, movement.expiry_stated) == (None, 30, True)
    for nothing in ({}, {"expires_at": None, "expires_in_days": None}):
        movement = read(with_end(event_type, **nothing))
        assert (movement.expires_at, movement.expires_in_days, movement.expiry_stated) == (None, None, False)


@pytest.mark.parametrize("spelling", ["2027-03-01", "2027-03-01T01:00:00+01:00", 1803859200, 1803859200000])
def test_an_end_is_an_instant_in_any_spelling(spelling: object) -> None:
    assert read(charged(expires_at=spelling)).expires_at == END


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((charged(expires_at=bad), "payload.expires_at") for bad in UNREADABLE),
        *((charged(expires_in_days=bad), "payload.expires_in_days") for bad in NO_DAYS),
        (charged(expires_at="2027-03-01", expires_in_days=3), "payload.expires_in_days"),
        (adjusted("DECREASE", 5, expires_in_days=3), "payload.expires_in_days"),
        (adjusted("DECREASE", 5, expires_at="2027-03-01"), "payload.expires_at"),
        (paid(1, expires_at="2027-03-01"), "payload.expires_at"),
        (paid(1, expires_in_days=3), "payload.expires_in_days"),
        (
            asking("evt.shopify.webhook.order_paid", {"order_items": [{"order_id": 1, "expires_in_days": 3}]}),
            "payload.order_items.0.expires_in_days",
        ),
    ],
    ids=str,
)
def test_an_end_that_cannot_be_is_poison(body: str, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_event(body, TERMS, now=READ_AT)
    assert (caught.value.code, caught.value.field) == (Code.FIELD_INVALID, field)


@pytest.mark.parametrize("unset", UNSET_TIMES)
@pytest.mark.parametrize("event_type", GIVE)
def test_an_end_that_its_sender_never_set_is_none(event_type: str, unset: object) -> None:
    terms = replace(TERMS, trial_expires_days=14, renewal_expires_with_period=True)
    movement = read(with_end(event_type, expires_at=unset, period_end=unset), terms)
    assert (movement.expires_at, movement.expiry_stated) == (None, False)


@pytest.mark.parametrize("unset", UNSET_TIMES)
def test_an_end_that_its_sender_never_set_stops_nothing_that_cannot_lapse(unset: object) -> None:
    for body in (paid(1, expires_at=unset), adjusted("DECREASE", 5, expires_at=unset)):
        assert len(read_event(body, TERMS, now=READ_AT).movements) == 1


def test_the_settings_say_it_where_the_event_does_not() -> None:
    terms = replace(TERMS, trial_expires_days=14, renewal_expires_days=31)
    assert read(opened(), terms).expires_in_days == 14
    assert not read(opened(), terms).expiry_stated
    assert read(with_end("evt.account.created"), terms).expires_in_days == 14
    assert read(with_end("evt.subscription.renewed"), terms).expires_in_days == 31
    assert read(with_end("evt.subscription.renewed", expires_at="2027-03-01"), terms).expires_in_days is None
    assert read(charged(), terms).expires_in_days is None


def test_a_renewal_may_lapse_with_its_period() -> None:
    terms = replace(TERMS, renewal_expires_with_period=True)
    ending = asking("evt.subscription.renewed", {**RENEWED, "period_end": 1803859200})
    assert read(ending, terms).expires_at == END
    assert read(ending).expires_at is None
    assert read(asking("evt.subscription.renewed", RENEWED), terms).expires_at is None
    stated = asking("evt.subscription.renewed", {**RENEWED, "period_end": 1803859200, "expires_in_days": 3})
    assert (read(stated, terms).expires_at, read(stated, terms).expires_in_days) == (None, 3)


def test_a_period_end_that_cannot_be_read_stops_a_renewal_only_where_it_decides() -> None:
    broken = asking("evt.subscription.renewed", {**RENEWED, "period_end": "whenever"})
    assert read(broken).credits == 30
    with pytest.raises(Rejected) as caught:
        read(broken, replace(TERMS, renewal_expires_with_period=True))
    assert caught.value.field == "payload.period_end"


def test_an_adjustment_asked_for_directly_may_lapse_too() -> None:
    asked = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": 5, "reason": "goodwill"}
    request = json.loads(json.dumps({**asked, "admin_id": "admin-7", "adjustment_id": "a1", "expires_in_days": 9}))
    assert adjustment(request)[0].expires_in_days == 9
    with pytest.raises(Rejected) as caught:
        adjustment({**request, "operation_type": "DECREASE"})
    assert (caught.value.field, caught.value.message) == ("expires_in_days", "only credits that are added can lapse")

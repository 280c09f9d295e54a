"""The sample traffic: the same from the same seed, and valid events but for the poison."""

import json
import re
import uuid
from collections import Counter
from decimal import Decimal
from itertools import islice

import pytest

from chalicelib.domain.links import link_name_of
from infra.local.shops import SHOPS, Channel, Emission, Happening, emissions

INBOUND = {
    "evt.account.created": {"trial_id", "credits_to_use"},
    "evt.shopify.webhook.order_paid": {"order_id", "total", "currency"},
    "evt.shopify.webhook.order_refunded": {"order_id", "refund_id", "refund_amount", "order_total"},
    "evt.billing.payment_succeeded": {"payment_id", "credits"},
    "evt.subscription.renewed": {"subscription_id", "renewal_id", "credits_used"},
}
SPENDER = next(shop for shop in SHOPS if shop.spends_all)


@pytest.fixture(scope="module", params=[1, 2, 20261121])
def a_while(request: pytest.FixtureRequest) -> list[Emission]:
    return list(islice(emissions(request.param), 1000))


def payload(emission: Emission) -> dict[str, object]:
    found: dict[str, object] = json.loads(emission.body)["payload"]
    return found


def test_the_same_seed_gives_the_same_events() -> None:
    assert list(islice(emissions(5), 500)) == list(islice(emissions(5), 500))


def test_another_seed_gives_other_events() -> None:
    assert list(islice(emissions(5), 50)) != list(islice(emissions(6), 50))


def test_every_event_has_the_form_of_its_type(a_while: list[Emission]) -> None:
    for emission in a_while:
        envelope = json.loads(emission.body)
        assert envelope["event_type"] == emission.event_type
        assert set(envelope["payload"]) == INBOUND[emission.event_type] | {"merchant_id"}
        assert str(uuid.UUID(envelope["payload"]["merchant_id"])) == emission.shop.merchant_id


def test_every_shop_has_a_domain_by_which_it_can_be_linked() -> None:
    names = {link_name_of(f"shopify:{shop.domain}") for shop in SHOPS}

    assert len(names) == len(SHOPS)
    assert "shopify:last-penny-books.myshopify.com" in names


def test_only_poison_asks_for_credits_that_are_none(a_while: list[Emission]) -> None:
    names = ("credits", "credits_used", "credits_to_use")
    for emission in a_while:
        asked = [value for name, value in payload(emission).items() if name in names]
        good = all(type(value) is int and value > 0 for value in asked)
        assert good == (emission.happening is not Happening.POISON)


def test_deliveries_have_ids_of_their_own(a_while: list[Emission]) -> None:
    ids = [json.loads(emission.body)["event_id"] for emission in a_while]
    assert len(set(ids)) == len(ids)


def test_an_order_sent_again_has_the_payload_of_the_first_delivery(a_while: list[Emission]) -> None:
    orders = {payload(emission)["order_id"]: emission for emission in a_while if emission.happening is Happening.ORDER}
    again = [emission for emission in a_while if emission.happening is Happening.AGAIN]
    assert again
    assert all(payload(orders[payload(repeat)["order_id"]]) == payload(repeat) for repeat in again)


def test_a_refund_follows_its_order_and_gives_all_of_its_money_back_once(a_while: list[Emission]) -> None:
    totals: dict[object, object] = {}
    refunded = Counter[object]()
    for emission in a_while:
        content = payload(emission)
        if emission.happening is Happening.ORDER:
            totals[content["order_id"]] = content["total"]
        if emission.happening is Happening.REFUND:
            refunded[content["order_id"]] += 1
            assert content["refund_amount"] == content["order_total"] == totals[content["order_id"]]
    assert set(refunded.values()) == {1}


def test_money_has_two_decimals_at_most(a_while: list[Emission]) -> None:
    totals = [str(payload(emission)["total"]) for emission in a_while if emission.happening is Happening.ORDER]
    assert all(re.fullmatch(r"\d+(\.\d{1,2})?", total) and Decimal(total) > 0 for total in totals)


def test_every_shop_opens_before_anything_else_happens(a_while: list[Emission]) -> None:
    opened = a_while[: len(SHOPS)]
    assert {emission.shop for emission in opened} == set(SHOPS)
    assert {emission.happening for emission in opened} == {Happening.OPENED}
    assert Happening.OPENED not in {emission.happening for emission in a_while[len(SHOPS) :]}


def test_one_shop_runs_out_within_three_minutes_and_pays_only_then(a_while: list[Emission]) -> None:
    balance, elapsed, ran_out_at = 0, 0.0, None
    for emission in a_while:
        elapsed += emission.pause_seconds
        if emission.shop is not SPENDER:
            continue
        if emission.happening is Happening.PAYMENT:
            break
        balance += {Happening.OPENED: SPENDER.credits, Happening.ORDER: -1, Happening.REFUND: 1}.get(
            emission.happening, 10 if emission.happening is Happening.RENEWAL else 0
        )
        balance = max(0, balance)
        ran_out_at = elapsed if balance == 0 and ran_out_at is None else ran_out_at
    assert balance == 0
    assert ran_out_at is not None
    assert ran_out_at < 180


def test_both_channels_and_every_happening_occur_at_a_human_pace(a_while: list[Emission]) -> None:
    assert {emission.channel for emission in a_while} == set(Channel)
    assert {emission.happening for emission in a_while} == set(Happening)
    assert 1 <= len(a_while) / sum(emission.pause_seconds for emission in a_while) <= 2

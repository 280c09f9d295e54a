"""What holds for every webhook: cut, it reads as the whole one does, and nothing of it but `Rejected` is raised."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.sources import shopify, stripe
from chalicelib.contracts.sources.fields import COUNT, Shape, as_json, cut, decoded
from chalicelib.contracts.sources.webhooks import SourceTerms, Webhook
from chalicelib.domain.errors import Code, Rejected
from tests.support import webhooks as made
from tests.support.examples import examples
from tests.support.timing import cpu_seconds
from tests.support.webhooks import CANARY, headers, text

TERMS = SourceTerms(credits_by_price={"price_pro": 1000, "price_seat": 10})
COUNTING = SourceTerms(credits_by_price={"price_pro": 7, "price_new": 3}, count_test_orders=True)
Outcome = Webhook | tuple[Code, str | None]

SHOPIFY_TOPICS = ["orders/paid", "orders/updated", "refunds/create", "app/uninstalled", "orders/edited", "shop/redact"]
STRIPE_TYPES = [
    "invoice.paid",
    "checkout.session.completed",
    "charge.refunded",
    "refund.created",
    "refund.failed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.succeeded",
    "invoice_payment.paid",
    "customer.created",
]
SHOPIFY_BODIES = {
    "orders/paid": made.order(),
    "orders/updated": made.order(financial_status="refunded", refunds=[made.refund(made.transaction())]),
    "refunds/create": made.refund(made.transaction("75.00"), made.transaction("10.00")),
    "app/uninstalled": made.SHOP_BODY,
    "app/scopes_update": made.SCOPES_BODY,
    "app_subscriptions/update": made.SUBSCRIPTION_BODY,
    "customers/redact": made.PRIVACY_BODY,
    "customers/data_request": made.PRIVACY_BODY,
    "shop/redact": made.PRIVACY_BODY,
    "orders/edited": made.EDIT_BODY,
}
STRIPE_BODIES = [
    made.stripe("invoice.paid", made.invoice(made.line(), made.line("price_seat", start=made.NEXT_PERIOD))),
    made.stripe("invoice.paid", made.invoice(made.line(old=True), old=True)),
    made.stripe("invoice.paid", made.invoice(billing_reason="manual")),
    made.stripe("invoice.paid", made.invoice(amount_paid=0, total=0)),
    made.stripe("checkout.session.completed", made.session()),
    made.stripe("charge.refunded", made.charge(customer={"id": "cus_1", "email": CANARY})),
    made.stripe("refund.created", made.stripe_refund(charge=made.charge())),
    made.stripe(
        "charge.dispute.funds_withdrawn",
        made.dispute(charge=made.charge(), payment_intent={"id": "pi_1", "description": CANARY}),
    ),
    made.stripe("charge.dispute.funds_reinstated", made.dispute()),
    made.stripe("charge.succeeded", made.charge()),
    made.stripe("customer.created", {"id": "cus_1", "object": "customer", "email": CANARY}),
]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.integers(2**53 - 9, 2**66)
    | st.decimals(allow_nan=False, allow_infinity=False, places=2).map(abs)
    | st.sampled_from(["", "refund", "success", "pending", "paid", "12.50", "EUR", "1E+5", "x" * 300, made.MERCHANT])
    | st.sampled_from(["gid://shopify/Order/12", "gid://shopify/Refund/12", "subscription_cycle", "price_pro", "ü"])
    | st.text(max_size=5)
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)


def part(whole: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return whole | st.lists(whole, max_size=2) | ANYTHING


def shaped(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that have any of the fields that decide, mostly of the right form, and others."""
    fields = {name: field(inner) for name, inner in shape.items()}
    return st.fixed_dictionaries({}, optional={**fields, "email": st.just(CANARY)})


def field(shape: Any) -> st.SearchStrategy[Any]:
    if shape == COUNT:
        return st.lists(SCALARS, max_size=3) | ANYTHING
    return SCALARS | ANYTHING if shape is None else part(shaped(shape))


def told(read: Callable[[], Webhook]) -> Outcome:
    try:
        return read()
    except Rejected as error:
        return error.code, error.field if CANARY not in str(error) else "leaked"


def dumped(body: Any) -> str:
    class Numbers(json.JSONEncoder):
        def default(self, o: Any) -> Any:
            return float(o) if isinstance(o, Decimal) else super().default(o)

    return json.dumps(body, cls=Numbers)


def trimmed_shopify(body: str) -> str:
    return as_json(cut(decoded(body), shopify.SHAPE))


def trimmed_stripe(body: str) -> str:
    return as_json(cut(decoded(body), stripe.SHAPE))


def check(body: str, trimmed: Callable[[str], str], read: Callable[[dict[str, Any]], Webhook]) -> None:
    small = trimmed(body)
    assert CANARY not in small
    assert trimmed(small) == small
    whole = told(lambda: read(read_object(body)))
    assert not isinstance(whole, tuple) or whole[1] != "leaked"
    assert told(lambda: read(read_object(small))) == whole
    if isinstance(whole, Webhook):
        assert whole.parts
        for event in whole.bodies(made.MERCHANT):  # type: ignore[arg-type]
            assert CANARY not in event
            assert read_object(event)["payload"]["merchant_id"] == made.MERCHANT


@settings(deadline=None)
@given(st.sampled_from(SHOPIFY_TOPICS), shaped(shopify.SHAPE), st.sampled_from([TERMS, COUNTING]))
def test_any_body_of_shopify_is_read_or_rejected_and_cut_reads_alike(
    topic: str, body: dict[str, Any], terms: SourceTerms
) -> None:
    check(dumped(body), trimmed_shopify, lambda fields: shopify.read(fields, headers(topic), terms))


@settings(deadline=None)
@given(st.sampled_from(STRIPE_TYPES), shaped(stripe.SHAPE), st.sampled_from([TERMS, COUNTING]))
def test_any_event_of_stripe_is_read_or_rejected_and_cut_reads_alike(
    event_type: str, body: dict[str, Any], terms: SourceTerms
) -> None:
    check(dumped({**body, "type": event_type}), trimmed_stripe, lambda fields: stripe.read(fields, terms))


@given(st.dictionaries(st.text(max_size=40), ANYTHING, max_size=3))
def test_no_headers_are_more_than_rejected(named: dict[str, Any]) -> None:
    told(lambda: shopify.read(made.order(), {**headers("orders/paid"), **named}, TERMS))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, one in inner for place in [(*at, name), *places(one, (*at, name))]]


def changed(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(body))
    inner = copy
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = value
    return copy


@settings(deadline=None, max_examples=examples(200))
@given(st.data())
def test_a_real_webhook_with_one_field_changed_reads_alike_when_it_is_cut(data: st.DataObject) -> None:
    topic = data.draw(st.sampled_from([*SHOPIFY_BODIES, *range(len(STRIPE_BODIES))]))
    body = SHOPIFY_BODIES[topic] if isinstance(topic, str) else STRIPE_BODIES[topic]
    at = data.draw(st.sampled_from(places(body)))
    text_of = dumped(changed(body, at, data.draw(ANYTHING)))
    if isinstance(topic, str):
        check(text_of, trimmed_shopify, lambda fields: shopify.read(fields, headers(topic), TERMS))
    else:
        check(text_of, trimmed_stripe, lambda fields: stripe.read(fields, TERMS))


@pytest.mark.parametrize("topic", SHOPIFY_BODIES)
def test_a_real_webhook_of_shopify_is_cut_to_what_decides(topic: str) -> None:
    body = text(SHOPIFY_BODIES[topic])
    check(body, trimmed_shopify, lambda fields: shopify.read(fields, headers(topic), TERMS))
    assert len(trimmed_shopify(body)) < 1600


@pytest.mark.parametrize("body", STRIPE_BODIES)
def test_a_real_event_of_stripe_is_cut_to_what_decides(body: dict[str, Any]) -> None:
    check(text(body), trimmed_stripe, lambda fields: stripe.read(fields, TERMS))
    assert len(trimmed_stripe(text(body))) < 2000


def test_every_personal_field_of_a_whole_order_is_gone() -> None:
    body = made.order()
    kept = json.loads(trimmed_shopify(text(body)))
    assert kept.keys() <= shopify.SHAPE.keys()
    assert kept["line_items"] == 1


@pytest.mark.parametrize("lines", [[CANARY, {"name": CANARY}, [CANARY]], CANARY, {"name": CANARY}, {CANARY: 1}, True])
def test_of_the_lines_of_an_order_only_their_number_is_kept(lines: Any) -> None:
    kept = json.loads(trimmed_shopify(text(made.order(line_items=lines))))["line_items"]
    assert kept == (3 if isinstance(lines, list) else {})


def test_cutting_keeps_every_digit() -> None:
    body = '{"id":820982911946154508,"total_price":12345678901234.50,"transactions":[{"amount":0.10}]}'
    assert trimmed_shopify(body) == (
        '{"id":820982911946154508,"transactions":[{"amount":0.10}],"total_price":12345678901234.50}'
    )


HOSTILE = [
    ("", Code.NOT_JSON),
    ("[]", Code.NOT_JSON),
    ("null", Code.NOT_JSON),
    ('{"id":NaN}', Code.NOT_JSON),
    ('{"id":1e99999999999999999999}', Code.NOT_JSON),
    ('{"id":' + "9" * 5000 + "}", Code.NOT_JSON),
    ('{"id":1,"id":2}', Code.DUPLICATE_FIELD),
    ('{"data":{"object":{"id":"a","id":"b"}}}', Code.DUPLICATE_FIELD),
    ('{"customer":{"email":"a","email":"b"}}', Code.DUPLICATE_FIELD),
    ("[" * 100_000, Code.NOT_JSON),
    ('{"a":' * 100_000, Code.NOT_JSON),
    ('{"transactions":' + "[" * 100_000 + "]" * 100_000 + "}", Code.NOT_JSON),
    ('{"id":1}{"id":2}', Code.NOT_JSON),
    ("\ufeff{}", Code.NOT_JSON),
]


@pytest.mark.parametrize(("body", "code"), HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("trimmed", [trimmed_shopify, trimmed_stripe])
def test_a_hostile_body_is_rejected_before_it_is_read(trimmed: Callable[[str], str], body: str, code: Code) -> None:
    with pytest.raises(Rejected) as caught:
        trimmed(body)
    assert (caught.value.code, caught.value.field) == (code, None)


def test_a_name_that_is_there_twice_is_not_repeated() -> None:
    with pytest.raises(Rejected) as caught:
        trimmed_shopify(f'{{"note_attributes":{{"{CANARY}":1,"{CANARY}":2}}}}')
    assert CANARY not in str((caught.value, caught.value.field))


MEGABYTE = "y" * 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        made.order(note=MEGABYTE),
        made.order(id=MEGABYTE),
        made.order(currency=MEGABYTE, total_price=MEGABYTE),
        made.order(refunds={MEGABYTE: MEGABYTE}),
        made.order(line_items=[[[]]] * 30_000),
        made.order(refunds=[[MEGABYTE]]),
        made.stripe("invoice.paid", made.invoice(metadata={"credits": MEGABYTE, "merchant_id": MEGABYTE})),
        made.stripe("invoice.paid", made.invoice(lines={"data": [[[]]] * 30_000})),
        made.stripe("invoice.paid", {MEGABYTE: MEGABYTE}),
    ],
    ids=range(9),
)
def test_a_megabyte_is_read_quickly_and_cut_small(body: dict[str, Any]) -> None:
    whole = text(body)
    if "type" in body:
        trimmed, read = trimmed_stripe, lambda fields: stripe.read(fields, TERMS)
    else:
        trimmed, read = trimmed_shopify, lambda fields: shopify.read(fields, headers("orders/updated"), TERMS)
    # A sixth is usual. What compares each part with all others takes minutes.
    assert cpu_seconds(lambda: check(whole, trimmed, read)) < 2
    small = trimmed(whole)
    assert "yyy" not in small
    assert len(small) < 100_000


def test_depth_that_decodes_is_cut_away() -> None:
    deep = (
        '{"id":7,"currency":"EUR","refunds":'
        + '[{"refunds":' * 200
        + "1"
        + "}]" * 200
        + ',"note":'
        + "[" * 300
        + "]" * 300
        + "}"
    )
    assert trimmed_shopify(deep) == '{"id":7,"currency":"EUR","refunds":[{}]}'

"""Webhooks as Shopify and Stripe send them, through the function and the tables (contract, section 15)."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

import app
from chalicelib.contracts.sources.raw import from_request
from chalicelib.domain.audit import audit
from chalicelib.domain.links import LinkKind, merchant_of_name
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, adjusted, asking, batch, sqs_record
from tests.support.system import System, refusal
from tests.support.webhooks import (
    CANARY,
    DOMAIN,
    NEXT_PERIOD,
    ORDER_ID,
    PRIVACY_BODY,
    SCOPES_BODY,
    SESSION,
    SHOP_BODY,
    SUBSCRIPTION_BODY,
    charge,
    dispute,
    headers,
    invoice,
    line,
    order,
    refund,
    session,
    stripe,
    stripe_refund,
    text,
    transaction,
)

LINKS = [f"shopify:{DOMAIN}", "stripe:cus_1"]
PRICES = {"CREDITS_BY_PRICE": '{"price_pro": 500, "price_more": 200}'}
OTHER = merchant("another shop")
LATER = "2026-11-20T11:00:00-05:00"

Sent = tuple[LinkKind, str, dict[str, Any]]
"""A webhook: who sends it, its topic or type, and its body."""


def shop(topic: str, body: dict[str, Any]) -> Sent:
    return LinkKind.SHOPIFY, topic, body


def paid_by(event_type: str, thing: dict[str, Any], **fields: Any) -> Sent:
    return LinkKind.STRIPE, event_type, stripe(event_type, thing, **fields)


def numbered(order_id: int, **fields: Any) -> dict[str, Any]:
    """Return an order of another id."""
    return order(id=order_id, admin_graphql_api_id=f"gid://shopify/Order/{order_id}", **fields)


def arrived(body: str, **attributes: Any) -> dict[str, Any]:
    """Return the record of a message that came just now."""
    return sqs_record(body, first_received_ms=round(datetime.now(UTC).timestamp() * 1000), **attributes)


def over_http(sent: Sent) -> dict[str, Any]:
    """Return the record of a webhook that came through the route."""
    source, topic, body = sent
    named = headers(topic) if source is LinkKind.SHOPIFY else {}
    return arrived(from_request(source, text(body), named).message())


def on_the_bus(sent: Sent) -> dict[str, Any]:
    """Return the record of a webhook that came over the sender's partner bus, whole."""
    source, topic, body = sent
    if source is LinkKind.SHOPIFY:
        detail, kind = {"metadata": headers(topic), "payload": body}, "shopifyWebhook"
    else:
        detail, kind = body, topic
    return arrived(json.dumps({"source": f"aws.partner/{source}.com/1", "detail-type": kind, "detail": detail}))


def over_nats(sent: Sent) -> dict[str, Any]:
    """Return the record of a webhook that a service put on NATS, whole."""
    source, topic, body = sent
    message = {"headers": headers(topic) if source is LinkKind.SHOPIFY else {}, "payload": body}
    return arrived(json.dumps(message), origin="nats", subject=f"evt.{source}.webhook.raw")


WAYS = (over_http, on_the_bus, over_nats)


def created(*links: Any, merchant_id: str = SHOP) -> str:
    return asking("evt.merchant.created", {"merchant_id": merchant_id, "links": list(links or LINKS)})


@pytest.fixture
def linked(system: System) -> System:
    system.configure(**PRICES)
    assert system.ingest(created()) == []
    return system


def transactions(system: System) -> list[tuple[str, int]]:
    return [(transaction.idempotency_key, transaction.amount) for transaction in system.history()][1:]


def codes(system: System) -> list[str]:
    return sorted(letter.attributes["code"] for letter in system.parked())


def ignored(system: System) -> list[str]:
    return [line["reason"] for line in system.lines() if line["message"] == "ignored"]


PAID = shop("orders/paid", order())
EDITED = shop("orders/updated", order(total_price="50.00", updated_at=LATER))
REFUNDED = shop("refunds/create", refund(transaction("30.00"), transaction("15.00")))
BIG = 2**60 + 1
INVOICE = paid_by("invoice.paid", invoice(line(), line("price_more", start=NEXT_PERIOD)))
CHECKOUT = paid_by("checkout.session.completed", session())
BY_METADATA = {"metadata": {"merchant_id": SHOP, "credits": "70"}, "customer": "cus_unknown"}
CASES: dict[str, tuple[list[Sent], list[tuple[str, int]]]] = {
    "a paid order": ([PAID], [(f"SHOPIFY_ORDER_{ORDER_ID}", -1)]),
    "an order by its gid beyond 2^53": (
        [shop("orders/paid", order(id=2**60, admin_graphql_api_id=f"gid://shopify/Order/{BIG}"))],
        [(f"SHOPIFY_ORDER_{BIG}", -1)],
    ),
    "a topic as GraphQL spells it": ([shop("ORDERS_PAID", order())], [(f"SHOPIFY_ORDER_{ORDER_ID}", -1)]),
    "a refund by two payments": (
        [PAID, REFUNDED],
        [(f"SHOPIFY_ORDER_{ORDER_ID}", -1), ("SHOPIFY_REFUND_890088186047", 0)],
    ),
    "a restock": (
        [PAID, shop("refunds/create", refund())],
        [(f"SHOPIFY_ORDER_{ORDER_ID}", -1), ("SHOPIFY_REFUND_890088186047", 0)],
    ),
    "a full refund": (
        [PAID, shop("refunds/create", refund(transaction("100.00")))],
        [(f"SHOPIFY_ORDER_{ORDER_ID}", -1), ("SHOPIFY_REFUND_890088186047", 1)],
    ),
    "a refund that is pending at first": (
        [
            PAID,
            shop("refunds/create", refund(transaction("100.00", status="pending"))),
            shop(
                "orders/updated",
                order(financial_status="refunded", refunds=[refund(transaction("100.00"))], updated_at=LATER),
            ),
        ],
        [(f"SHOPIFY_ORDER_{ORDER_ID}", -1), ("SHOPIFY_REFUND_890088186047", 1)],
    ),
    "an unpaid order and a test": (
        [shop("orders/updated", order(financial_status="pending")), shop("orders/paid", numbered(7, test=True))],
        [],
    ),
    "an invoice of two periods": (
        [INVOICE],
        [("SUBSCRIPTION_RENEWAL_sub%5F1_1793491200000", 500), ("SUBSCRIPTION_RENEWAL_sub%5F1_1796083200000", 200)],
    ),
    "a change that is charged from the start of the period": (
        [
            paid_by("invoice.paid", invoice()),
            paid_by(
                "invoice.paid",
                invoice(
                    line(proration=True),
                    id="in_2",
                    billing_reason="subscription_update",
                    metadata={"credits": "500"},
                ),
            ),
        ],
        [("SUBSCRIPTION_RENEWAL_sub%5F1_1793491200000", 500), ("SUBSCRIPTION_RENEWAL_sub%5F1_in%5F2", 500)],
    ),
    "an invoice of the older era": (
        [paid_by("invoice.paid", invoice(line(old=True), old=True))],
        [("SUBSCRIPTION_RENEWAL_sub%5F1_1793491200000", 500)],
    ),
    "a trial's invoice of nothing": ([paid_by("invoice.paid", invoice(amount_paid=0, amount_due=0, total=0))], []),
    "a checkout that is known by its session alone": (
        [paid_by("checkout.session.completed", session(payment_intent=None))],
        [(f"BILLING_PAYMENT_{SESSION}", 500)],
    ),
    "a checkout": ([CHECKOUT], [("BILLING_PAYMENT_pi_1", 500)]),
    "a checkout of a merchant that Stripe itself names": (
        [paid_by("checkout.session.completed", session(**BY_METADATA))],
        [("BILLING_PAYMENT_pi_1", 70)],
    ),
    "a charge that is refunded in two steps": (
        [
            CHECKOUT,
            paid_by("charge.refunded", charge(amount_refunded=500)),
            paid_by("charge.refunded", charge(amount_refunded=2000)),
        ],
        [
            ("BILLING_PAYMENT_pi_1", 500),
            ("BILLING_REVERSAL_pi_1_TO_5", -125),
            ("BILLING_REVERSAL_pi_1_TO_20", -375),
        ],
    ),
    "a refund named twice": ([CHECKOUT, paid_by("refund.created", stripe_refund())], [("BILLING_PAYMENT_pi_1", 500)]),
    "a dispute, which names no customer, lost and won": (
        [
            CHECKOUT,
            paid_by("charge.dispute.funds_withdrawn", dispute()),
            paid_by("charge.dispute.funds_reinstated", dispute(status="won")),
        ],
        [("BILLING_PAYMENT_pi_1", 500), ("BILLING_DISPUTE_dp_1", -500), ("BILLING_DISPUTE_WON_dp_1", 500)],
    ),
    "topics that move nothing": (
        [
            shop("app/scopes_update", SCOPES_BODY),
            shop("app_subscriptions/update", SUBSCRIPTION_BODY),
            shop("customers/redact", PRIVACY_BODY),
            shop("customers/data_request", PRIVACY_BODY),
            shop("shop/redact", PRIVACY_BODY),
            shop("products/create", {"id": 1}),
        ],
        [],
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_a_webhook_moves_what_it_should_whichever_way_it_comes(
    linked: System, sent: list[Sent], expected: list[tuple[str, int]], way: Any
) -> None:
    for one in sent:
        assert linked.ingest(way(one)) == []

    assert transactions(linked) == expected
    assert codes(linked) == []


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_repeated_shuffled_and_by_every_way_at_once_it_moves_once(
    linked: System, sent: list[Sent], expected: list[tuple[str, int]]
) -> None:
    deliveries = [way(one) for one in sent for way in WAYS] * 2
    random.Random(15).shuffle(deliveries)  # noqa: S311 - the same order in each run
    # What came before its ground comes again, as the queue sees to it.
    for _ in range(3):
        linked.ingest(*deliveries)

    assert sum(amount for _, amount in transactions(linked)) == sum(amount for _, amount in expected)
    assert {key for key, _ in transactions(linked)} >= {key for key, _ in expected if "_TO_" not in key}
    assert codes(linked) == []


def everything(system: System) -> str:
    queues = [letter for queue in system.urls for letter in system.parked(queue)]
    tables = [system.items(table) for table in (CREDITS_TABLE, TRANSACTIONS_TABLE, LINKS_TABLE)]
    return f"{queues}{tables}{system.log.getvalue()}{system.asked}"


POISON: list[Sent] = [
    shop("orders/paid", order(id=None, admin_graphql_api_id=None)),
    shop("orders/paid", refund(transaction())),
    shop("refunds/create", refund(transaction(currency="JPY"))),
    shop("app/uninstalled", {**SHOP_BODY, "myshopify_domain": "other.myshopify.com"}),
    paid_by("invoice.paid", invoice(line("price_unknown"))),
    paid_by("refund.failed", stripe_refund(status="failed")),
    paid_by("invoice.paid", charge()),
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_canary_in_every_personal_field_is_nowhere_afterwards(linked: System, way: Any) -> None:
    every = [one for sent, _ in CASES.values() for one in sent]
    for one in [*every, *POISON]:
        assert CANARY in text(one[2]) or one[2] in (SCOPES_BODY, SUBSCRIPTION_BODY, {"id": 1})
        linked.ingest(way(one))
    linked.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    linked.ingest(
        way(
            (
                LinkKind.STRIPE,
                "charge.refunded",
                stripe("charge.refunded", charge(customer="cus_9", payment_intent="pi_9", id="ch_9")),
            )
        )
    )

    assert CANARY not in everything(linked)


def test_poison_is_parked_cut_with_its_reason_and_can_be_put_back(linked: System) -> None:
    for one in POISON:
        assert linked.ingest(on_the_bus(one)) == []

    letters = linked.parked()
    assert sorted(letter.attributes["code"] for letter in letters) == sorted(
        [
            "field_missing",
            "topic_contradicts_body",
            "currency_mismatch",
            "topic_contradicts_body",
            "credits_unknown",
            "refund_failed",
            "topic_contradicts_body",
        ]
    )
    assert all(".webhook.raw" in letter.body for letter in letters)

    linked.configure(CREDITS_BY_PRICE='{"price_unknown": 40}')
    for letter in letters:
        linked.ingest(arrived(letter.body, origin=letter.attributes["origin"], redriven="1"))
    assert transactions(linked) == [("SUBSCRIPTION_RENEWAL_sub%5F1_1793491200000", 40)]


UNPAID = ("checkout.session.completed", session(payment_status="unpaid"))
CAPTURED = ("charge.captured", charge(amount_refunded=0, customer=None))
BY_INTENT = ("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "capture_method": "manual"})


@pytest.mark.parametrize(
    "events",
    [(UNPAID, CAPTURED), (CAPTURED, UNPAID), (UNPAID, BY_INTENT, CAPTURED), (BY_INTENT, CAPTURED, UNPAID, CAPTURED)],
)
def test_a_session_with_manual_capture_counts_in_whatever_order_its_events_arrive(linked: System, events: Any) -> None:
    linked.ingest(over_http((LinkKind.STRIPE, "charge.succeeded", stripe("charge.succeeded", charge(captured=False)))))
    for event_type, thing in events:
        assert linked.ingest(on_the_bus((LinkKind.STRIPE, event_type, stripe(event_type, thing)))) == []

    assert (transactions(linked), codes(linked)) == ([("BILLING_PAYMENT_pi_1", 500)], [])
    refunded = stripe("charge.refunded", charge(amount_refunded=2000))
    linked.ingest(over_http((LinkKind.STRIPE, "charge.refunded", refunded)))
    assert linked.balance() == 100


@pytest.mark.parametrize(
    ("metadata", "parked"), [({}, ["credits_unknown"]), ({"credits": "0"}, []), ({"credits": "x"}, ["credits_unknown"])]
)
def test_a_session_without_credits_is_one_dead_letter_once_it_is_captured(
    linked: System, metadata: Any, parked: list[str]
) -> None:
    unpaid = session(payment_status="unpaid", metadata=metadata)
    for event_type, thing in ((UNPAID[0], unpaid), CAPTURED, BY_INTENT):
        assert linked.ingest(over_http((LinkKind.STRIPE, event_type, stripe(event_type, thing)))) == []

    assert (transactions(linked), codes(linked)) == ([], parked)


def test_a_captured_payment_whose_price_was_not_known_counts_when_its_session_is_sent_again(linked: System) -> None:
    bought = {"has_more": False, "data": [{"price": {"id": "price_new"}, "quantity": 1}]}
    unpaid = (UNPAID[0], session(payment_status="unpaid", metadata={}, line_items=bought))
    for event_type, thing in (unpaid, CAPTURED):
        linked.ingest(over_http((LinkKind.STRIPE, event_type, stripe(event_type, thing))))
    assert codes(linked) == ["credits_unknown"]

    linked.configure(CREDITS_BY_PRICE='{"price_new": 40}')
    linked.ingest(over_http((LinkKind.STRIPE, unpaid[0], stripe(*unpaid))))

    assert (transactions(linked), codes(linked)) == ([("BILLING_PAYMENT_pi_1", 40)], [])


def test_what_is_captured_without_a_session_moves_nothing(linked: System) -> None:
    for event_type, thing in (CAPTURED, BY_INTENT):
        assert linked.ingest(over_http((LinkKind.STRIPE, event_type, stripe(event_type, thing)))) == []
    assert (transactions(linked), codes(linked)) == ([], [])


def test_a_refund_of_stripe_that_fails_is_one_dead_letter_whichever_events_report_it(linked: System) -> None:
    failed = stripe_refund(status="failed")
    for event_type in ("charge.refund.updated", "refund.failed", "refund.updated"):
        assert linked.ingest(over_http((LinkKind.STRIPE, event_type, stripe(event_type, failed)))) == []
    later = stripe("refund.updated", {**failed, "reason": "duplicate"}, id="evt_later")
    other = stripe("refund.failed", stripe_refund(id="re_2", status="failed"))
    for event in (later, other):
        assert linked.ingest(on_the_bus((LinkKind.STRIPE, event["type"], event))) == []

    assert codes(linked) == ["refund_failed", "refund_failed"]


@pytest.mark.parametrize("start", ["2026-11-01 00:00:00+00", "Sun, 01 Nov 2026 00:00:00 GMT", "20261101T000000Z"])
def test_a_period_that_an_invoice_paid_for_is_not_counted_again_in_another_spelling(linked: System, start: str) -> None:
    linked.ingest(over_http(paid_by("invoice.paid", invoice())))
    renewed = {"subscription_id": "sub_1", "credits_used": 500, "period_start": start}
    assert linked.ingest(asking("evt.subscription.renewed", renewed)) == []

    assert (linked.balance(), codes(linked)) == (600, [])


BY_INVOICE = asking(
    "evt.subscription.renewed", {"subscription_id": "sub_1", "renewal_id": "in_1Abc", "credits_used": 500}
)


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_renewal_that_another_service_names_by_its_invoice_counts_once(linked: System, ours_first: bool) -> None:
    sent: list[Any] = [BY_INVOICE, over_http(paid_by("invoice.paid", invoice()))]
    for record in sent if ours_first else reversed(sent):
        assert linked.ingest(record) == []

    assert (len(transactions(linked)), linked.balance(), codes(linked)) == (1, 600, [])


def test_what_is_linked_to_nobody_waits_and_is_posted_once_it_is(system: System) -> None:
    record = over_http(PAID)
    assert system.ingest(record) == [record["messageId"]]
    system.ingest(created())
    assert system.ingest(record) == []

    assert transactions(system) == [(f"SHOPIFY_ORDER_{ORDER_ID}", -1)]


def test_what_stays_linked_to_nobody_is_parked(system: System) -> None:
    system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    gone = shop("app/uninstalled", SHOP_BODY)
    system.ingest(over_http(PAID), over_http(gone), on_the_bus(paid_by("charge.dispute.funds_withdrawn", dispute())))

    letters = system.parked()
    assert len(letters) == 3
    assert {letter.attributes["code"] for letter in letters} == {"merchant_unlinked"}
    reasons = " ".join(letter.attributes["reason"] for letter in letters)
    assert f"shopify:{DOMAIN}" in reasons
    assert "stripe:pi_1" in reasons


@pytest.mark.parametrize("unlinked", ["wait", "open"])
@pytest.mark.parametrize("way", WAYS)
def test_an_order_that_moves_nothing_needs_no_link(system: System, way: Callable[[Sent], Any], unlinked: str) -> None:
    system.configure(UNLINKED=unlinked)
    unpaid = shop("orders/updated", order(financial_status="pending"))
    assert system.ingest(way(unpaid), way(shop("orders/paid", numbered(7, test=True)))) == []

    said = [(line["reason"], line["reference_id"]) for line in system.lines() if line["message"] == "ignored"]
    assert said == [("order_not_paid", str(ORDER_ID)), ("test_order", "7")]
    assert (system.items(CREDITS_TABLE), system.items(LINKS_TABLE), system.parked()) == ([], [], [])


def test_an_open_house_opens_one_account_for_a_shop_that_nobody_linked(system: System) -> None:
    system.configure(UNLINKED="open")
    own = merchant_of_name(f"shopify:{DOMAIN}")
    for _ in range(2):
        assert system.ingest(over_http(PAID), on_the_bus(PAID), over_http(shop("orders/paid", numbered(8)))) == []

    assert [transaction.amount for transaction in system.history(own)] == [100, -1, -1]
    assert [item["name"]["S"] for item in system.items(LINKS_TABLE) if "kind" in item] == [f"shopify:{DOMAIN}"]


def test_a_link_that_outlived_the_write_that_was_to_open_the_account_opens_it_later(system: System) -> None:
    system.configure(UNLINKED="open")
    system.fail("TransactWriteItems", None, *[refusal("TransactWriteItems")] * 30)
    first = over_http(PAID)
    assert system.ingest(first) == [first["messageId"]]
    system.faults.clear()
    system.configure()
    first["attributes"]["ApproximateReceiveCount"] = "2"

    assert system.ingest(first) == []
    assert [transaction.amount for transaction in system.history(merchant_of_name(f"shopify:{DOMAIN}"))] == [100, -1]


def test_a_test_order_opens_no_account_either_where_the_link_is_there_and_it_comes_again(system: System) -> None:
    system.configure(UNLINKED="open")
    system.fail("TransactWriteItems", None, *[refusal("TransactWriteItems")] * 30)
    assert system.ingest(over_http(PAID)) != []
    system.faults.clear()
    system.configure()
    test_order = over_http(shop("orders/paid", order(test=True)))
    test_order["attributes"]["ApproximateReceiveCount"] = "2"

    assert system.ingest(test_order) == []
    assert system.items(CREDITS_TABLE) == []


def test_a_name_that_belongs_to_another_merchant_is_not_moved(linked: System) -> None:
    assert linked.ingest(created(merchant_id=OTHER)) == []

    [letter] = linked.parked()
    assert (letter.attributes["code"], SHOP in letter.attributes["reason"]) == ("link_taken", True)
    assert linked.balance(OTHER) == 100
    linked.ingest(over_http(PAID))
    assert transactions(linked) == [(f"SHOPIFY_ORDER_{ORDER_ID}", -1)]


@pytest.mark.parametrize(
    "link",
    [
        *("teegeist", "paypal:x", {"name": 5}, 7, {"label": "x"}, "shopify:not a domain"),
        *({"name": LINKS[0], "label": label} for label in (5, "a\nb", "x" * 101, "half a pair: \ud83d")),
    ],
)
def test_a_link_that_is_none_is_poison(system: System, link: Any) -> None:
    system.ingest(created(link))

    assert codes(system) in (["field_invalid"], ["field_missing"])
    assert system.items(CREDITS_TABLE) == []


@pytest.mark.parametrize(("label", "kept"), [(" 紅茶\u3000の店 ", "紅茶\u3000の店"), ("", None), (None, None)])
def test_an_event_says_what_its_shop_is_called(system: System, label: str | None, kept: str | None) -> None:
    system.ingest(created({"name": LINKS[0], "label": label}))

    [link] = [item for item in system.items(LINKS_TABLE) if item["name"] == {"S": LINKS[0]}]
    assert link.get("label") == (kept and {"S": kept})


def test_links_that_cannot_be_read_stop_no_order(linked: System) -> None:
    linked.configure()
    linked.fail("BatchGetItem", refusal("BatchGetItem"))
    waiting = over_http(PAID)

    failed = linked.ingest(waiting, asking("evt.billing.payment_succeeded", {"payment_id": "p", "credits": 5}))
    assert (failed, transactions(linked)) == ([waiting["messageId"]], [("BILLING_PAYMENT_p", 5)])

    linked.faults.clear()
    assert linked.ingest(waiting) == []
    assert transactions(linked)[-1] == (f"SHOPIFY_ORDER_{ORDER_ID}", -1)


def test_links_are_read_once_for_a_batch_and_then_known(linked: System) -> None:
    linked.configure()
    linked.requests.clear()
    linked.ingest(*[over_http(shop("orders/paid", numbered(number))) for number in range(5)])
    assert linked.requests.count("BatchGetItem") == 2
    linked.ingest(*[over_http(shop("orders/paid", numbered(number))) for number in range(5, 9)])
    assert linked.requests.count("BatchGetItem") == 2


def test_an_ordinary_order_asks_nothing_of_the_links(linked: System) -> None:
    linked.configure()
    linked.asked.clear()
    linked.ingest(asking("evt.shopify.webhook.order_paid", {"order_id": 1}))

    assert [operation for operation, _ in linked.asked] == ["BatchGetItem", "TransactWriteItems"]
    assert LINKS_TABLE not in str(linked.asked)


@pytest.mark.parametrize("reason", ["customers_redact", "customers_data_request", "shop_redact"])
def test_a_privacy_request_is_answered_in_the_log_that_ids_alone_are_kept(system: System, reason: str) -> None:
    assert system.ingest(over_http(shop(reason.replace("_", "/", 1), PRIVACY_BODY))) == []

    [line] = [line for line in system.lines() if line["message"] == "ignored"]
    assert (line["reason"], line["reference_id"]) == (reason, f"shopify:{DOMAIN}")
    assert "ids alone" in line["note"]
    assert CANARY not in system.log.getvalue()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"event_type": "evt.billing.payment_succeeded"}, "type_contradicts_subject"),
        (
            {"source": "aws.partner/stripe.com/1", "detail-type": "invoice.paid", "detail": {}},
            "type_contradicts_subject",
        ),
        ({"payload": 7}, "field_missing"),
        ({}, "field_missing"),
    ],
)
def test_a_subject_for_webhooks_mints_nothing_else(linked: System, fields: Mapping[str, Any], code: str) -> None:
    linked.ingest(sqs_record(json.dumps(fields), origin="nats", subject="evt.stripe.webhook.raw"))

    assert codes(linked) == [code]
    assert transactions(linked) == []


@pytest.mark.parametrize(
    "fields",
    [
        order(),
        {"event_type": "x", "headers": headers("orders/paid"), "payload": order()},
        {"event_type": "x", "payload": {"metadata": headers("orders/paid"), "payload": order()}},
        {"source": "aws.partner/shopify.com/1", "detail": {"metadata": headers("orders/paid"), "payload": order()}},
        {"headers": headers("orders/paid"), "body": order()},
        {"headers": headers("orders/paid"), "body": text(order())},
        {"headers": headers("orders/paid"), "payload": {"body": order()}},
        {"payload": text({"headers": headers("orders/paid"), "body": text(order())})},
        {"headers": headers("orders/paid"), "payload": [order()]},
        [{"headers": headers("orders/paid"), "payload": order()}],
        {"specversion": "1.0", "type": "x", "data": {"headers": headers("orders/paid"), "payload": order()}},
    ],
)
def test_what_came_on_a_webhooks_subject_in_another_form_is_parked_cut(linked: System, fields: dict[str, Any]) -> None:
    assert linked.ingest(arrived(json.dumps(fields), origin="nats", subject="evt.shopify.webhook.raw")) == []

    [letter] = linked.parked()
    assert CANARY not in letter.body
    assert (str(ORDER_ID) in letter.body, '"total_price": "100.00"' in letter.body.replace(":", ": ")) == (True, True)
    assert transactions(linked) == []


def test_another_subject_brings_no_webhook(linked: System) -> None:
    body = json.loads(over_http(INVOICE)["body"])
    linked.ingest(sqs_record(json.dumps(body), origin="nats", subject="evt.order.updated"))

    assert codes(linked) == ["type_contradicts_subject"]
    assert transactions(linked) == []


def uninstalled(at: str = "2026-11-21T10:00:00Z") -> dict[str, Any]:
    named = {**headers("app/uninstalled"), "X-Shopify-Triggered-At": at}
    return arrived(from_request(LinkKind.SHOPIFY, text(SHOP_BODY), named).message())


def came_back(at: str | None = "2026-11-22T10:00:00Z") -> str:
    return asking("evt.merchant.created", {"links": LINKS}, **({"timestamp": at} if at else {}))


def statuses(system: System) -> list[tuple[str, str, Any]]:
    app.publish_threshold_events(batch(system.stream(CREDITS_TABLE)), Context())
    heard = [event["detail"]["payload"] for event in system.heard() if "status_changed" in event["detail-type"]]
    return [(one["current_status"], one["reason"], one["transaction_id"]) for one in heard]


def test_a_shop_that_removes_the_app_is_closed_with_its_balance_and_goes_on_being_recorded(linked: System) -> None:
    assert linked.ingest(uninstalled(), uninstalled()) == []
    account = linked.account()
    assert (account.balance, account.closed, account.enabled) == (100, True, False)

    assert linked.ingest(over_http(PAID)) == []
    assert transactions(linked) == [(f"SHOPIFY_ORDER_{ORDER_ID}", -1)]
    assert linked.account().closed
    assert statuses(linked) == [("disabled", "Account closed", None)]
    assert [finding.kind for finding in audit(SHOP, linked.account(), linked.history())] == []


@pytest.mark.parametrize("at", ["2026-11-22T10:00:00Z", None])
def test_a_shop_that_comes_back_is_open_again_without_a_second_trial(linked: System, at: str | None) -> None:
    linked.ingest(uninstalled())
    for _ in range(2):
        assert linked.ingest(came_back(at)) == []

    account = linked.account()
    assert (account.balance, account.closed, account.enabled) == (100, False, True)
    assert statuses(linked) == [("disabled", "Account closed", None), ("enabled", "Account reopened", None)]


def test_late_repeats_neither_close_a_shop_that_came_back_nor_open_one_that_went(linked: System) -> None:
    linked.ingest(uninstalled())
    linked.ingest(came_back("2026-11-20T10:00:00Z"))
    assert linked.account().closed

    linked.ingest(came_back())
    linked.ingest(uninstalled())
    assert not linked.account().closed
    linked.ingest(uninstalled("2026-11-23T10:00:00Z"))
    assert linked.account().closed


def test_a_closed_account_publishes_no_status_when_its_credits_run_out_or_come(linked: System) -> None:
    linked.ingest(uninstalled())
    linked.ingest(adjusted("DECREASE", 100))
    linked.ingest(asking("evt.billing.payment_succeeded", {"payment_id": "p", "credits": 5}))

    assert statuses(linked) == [("disabled", "Account closed", None)]
    assert [finding.kind for finding in audit(SHOP, linked.account(), linked.history())] == []
    linked.ingest(came_back())
    assert linked.account().enabled


def test_closing_an_account_whose_write_fails_comes_again(linked: System) -> None:
    linked.fail("TransactWriteItems", *[refusal("TransactWriteItems")] * 30)
    linked.fail("PutItem", *[refusal("PutItem")] * 30)
    linked.fail("UpdateItem", *[refusal("UpdateItem")] * 30)
    record = uninstalled()
    assert linked.ingest(record) == [record["messageId"]]
    linked.faults.clear()

    assert linked.ingest(record) == []
    assert linked.account().closed


NAMED = {name.lower(): [value] for name, value in headers("orders/paid").items()}
WHOLE = json.dumps({"headers": NAMED, "payload": order()})
UNREADABLE = {
    "a list": f"[{WHOLE}]",
    "a byte order mark": f"\ufeff{WHOLE}",
    "another name for the body": json.dumps({"headers": NAMED, "body": order()}),
    "a personal field twice": WHOLE.replace('"note":', '"note": "x", "note":'),
    "its total twice": WHOLE.replace('"total_price":', '"total_price": "7.00", "total_price":'),
    "its payload twice": WHOLE.replace('"payload":', f'"payload": {json.dumps(order())}, "payload":'),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_webhook_that_cannot_be_read_is_parked_with_what_decides_and_nothing_else(linked: System, body: str) -> None:
    assert linked.ingest(arrived(body, origin="nats", subject="evt.shopify.webhook.raw")) == []

    [letter] = linked.parked()
    assert CANARY in body
    assert CANARY not in letter.body
    for decides in (str(ORDER_ID), "orders/paid", DOMAIN, "100.00", "2026-11-20T10:00:01-05:00"):
        assert decides in letter.body
    assert transactions(linked) == []


def test_a_total_that_was_there_twice_is_poison_for_ever(linked: System) -> None:
    subject = {"origin": "nats", "subject": "evt.shopify.webhook.raw"}
    linked.ingest(arrived(UNREADABLE["its total twice"], **subject))
    [letter] = linked.parked()
    assert '"total_price":["7.00","100.00"]' in letter.body

    linked.configure(ORDER_CREDIT_BASIS="total")
    linked.ingest(arrived(letter.body, **subject, redriven="1"))
    assert transactions(linked) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "aws.partner/shopify.com/1", "detail-type": "x", "detail": [order()]},
        {
            "source": "orders",
            "detail-type": "evt.shopify.webhook.raw",
            "detail": {"headers": NAMED, "payload": order()},
        },
        {"event_type": "evt.shopify.webhook.raw", "headers": NAMED, "body": order()},
        [{"event_type": "evt.shopify.webhook.raw", "headers": NAMED, "payload": order()}],
    ],
)
def test_a_webhook_that_cannot_be_read_on_the_queue_itself_is_parked_cut_too(linked: System, fields: Any) -> None:
    linked.ingest(arrived(json.dumps(fields)))

    [letter] = linked.parked()
    assert (CANARY in letter.body, str(ORDER_ID) in letter.body) == (False, True)
    kept = json.loads(letter.body)
    assert isinstance(fields, list) or kept.keys() >= fields.keys() & {"event_type", "detail-type"}


@pytest.mark.parametrize("body", ["not json", "[" * 3000 + "]" * 3000], ids=["a text", "nested too deep"])
def test_what_is_no_json_is_parked_as_it_came(linked: System, body: str) -> None:
    linked.ingest(arrived(body, origin="nats", subject="evt.shopify.webhook.raw"))
    assert [letter.body for letter in linked.parked()] == [body]


@pytest.mark.parametrize("levels", [600, 980, 3000])
@pytest.mark.parametrize("around", ["[{}]", '{{"data":{}}}', '{{"event_type":"evt.stripe.webhook.raw","data":{}}}'])
def test_brackets_in_brackets_stop_no_neighbour(linked: System, levels: int, around: str) -> None:
    body = "{}"
    for _ in range(levels):
        body = around.format(body)

    assert linked.ingest(arrived(body), asking("evt.shopify.webhook.order_paid", {"order_id": 1})) == []

    assert (len(linked.parked()), transactions(linked)[-1]) == (1, ("SHOPIFY_ORDER_1", -1))


RAW_STRIPE = {"event_type": "evt.stripe.webhook.raw", "payload": {"email": CANARY, "id": "evt_1"}}
OF_A_WEBHOOK = {
    "its type twice": json.dumps(RAW_STRIPE).replace('"payload"', '"event_type": "evt.stripe.webhook.raw", "payload"'),
    "in an envelope without a type": json.dumps({"data": RAW_STRIPE}),
    "in two of them": json.dumps({"payload": [{"data": RAW_STRIPE}]}),
    "a number of 5,000 digits": json.dumps(RAW_STRIPE).replace('"evt_1"', "9" * 5000),
}


@pytest.mark.parametrize("body", OF_A_WEBHOOK.values(), ids=OF_A_WEBHOOK)
def test_what_means_to_hold_a_webhook_is_parked_cut_wherever_it_says_so(linked: System, body: str) -> None:
    linked.ingest(arrived(body))

    [letter] = linked.parked()
    assert CANARY not in letter.body

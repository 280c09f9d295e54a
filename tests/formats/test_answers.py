"""What the routes say: accounts, transactions, plugin statuses and pages."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.api.routing import json_text
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.pages import PagePosition, PageRequest, link_header
from chalicelib.contracts.api.plugin_status import cache_control, data, entity_tag
from chalicelib.domain.ids import Instant, MerchantId, credit_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Movement
from chalicelib.domain.plugin_status import PluginStatus, Reason
from chalicelib.domain.transactions import Transaction
from tests.support.builders import LATER, NOON, SHOP, TEN_EARNED, adjustment, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle

META = {"request_id": "r", "correlation_id": "c", "timestamp": "2025-06-01T12:00:00.000Z"}


HASHED = (
    "schema_version",
    "transaction_id",
    "merchant_id",
    "sequence",
    "operation_type",
    "transaction_type",
    "amount",
    "requested",
    "shortfall",
    "threshold",
    "balance_before",
    "balance_after",
    "idempotency_key",
    "reference_id",
    "extra_metadata",
    "correlation_id",
    "occurred_at",
    "created_at",
)


def last_link(said: Sequence[dict[str, Any]]) -> str:
    """Return the newest hash of a chain of answers, recomputed from nothing but what they say."""
    link = "0" * 64
    for answer in said:
        transaction = {**answer, "transaction_id": answer["id"]}
        form = {name: transaction[name] for name in HASHED if transaction[name] is not None}
        text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        link = hashlib.sha256(f"{link}\n{text}".encode()).hexdigest()
    return link


def ledger_after(*movements: Movement) -> tuple[Account, list[Transaction]]:
    store = FakeLedger()
    settle(store, movements, now=NOON)
    return store.accounts[SHOP], sorted(store.transactions.values(), key=lambda transaction: transaction.sequence)


def test_an_account_says_its_figures_by_type_and_direction() -> None:
    account, transactions = ledger_after(
        trial(3), order("1"), order("2"), order("3"), order("4"), order("5", policy=TEN_EARNED), refund_of("1")
    )

    said = answers.Account.of(account, now=NOON).model_dump(mode="json")

    assert said["id"] == credit_id(SHOP)
    assert said["balance"] == transactions[-1].balance_after == 11
    assert said["total_shortfall"] == 1
    assert said["totals"]["ORDER_PAID"] == {"increases": 1, "decreases": 4, "credits_in": 10, "credits_out": 3}
    assert said["totals"]["REFUND"] == {"increases": 1, "decreases": 0, "credits_in": 1, "credits_out": 0}
    assert said["plugin_status"] == {
        "status": "enabled",
        "reason": "sufficient_credits",
        "since": NOON,
        "transaction_id": account.status_transaction_id,
    }


def test_an_empty_account_is_disabled_since_the_order_that_emptied_it() -> None:
    account, transactions = ledger_after(trial(1), order("1"))

    said = answers.Account.of(account, now=NOON).plugin_status

    assert (said.status, said.reason) == ("disabled", Reason.INSUFFICIENT_CREDITS)
    assert said.transaction_id == transactions[-1].transaction_id


def test_the_answers_of_a_ledger_prove_its_hash_chain_to_anybody() -> None:
    account, transactions = ledger_after(
        trial(5),
        order("1", total="12.50"),
        payment(),
        adjustment("a", -2),
        refund_of("1", amount="3", order_total="12.5"),
    )

    said = [answers.Transaction.of(transaction).model_dump(mode="json") for transaction in transactions]

    assert last_link(said) == account.hash


def test_a_transaction_says_its_amount_signed_and_unsigned() -> None:
    _, transactions = ledger_after(trial(5), order("1"))

    said = answers.Transaction.of(transactions[1])

    assert (said.operation_type, said.transaction_type) == ("DECREASE", "ORDER_PAID")
    assert (said.amount, said.credits_used) == (-1, 1)


def test_a_refund_touches_the_time_of_its_order_s_record() -> None:
    _, transactions = ledger_after(trial(5), order("1"))

    refunded = replace(transactions[1], refunded_at=LATER)

    assert answers.Transaction.of(transactions[1]).updated_at == NOON
    assert answers.Transaction.of(refunded).updated_at == LATER


@pytest.mark.parametrize("reason", Reason)
def test_the_status_route_says_what_the_document_says_it_does(reason: Reason) -> None:
    status = PluginStatus(reason=reason, as_of=NOON, fresh_seconds=15, stale=reason is Reason.SUFFICIENT_CREDITS)

    said = answers.Answer[answers.PluginStatus].model_validate_json(json_text(data(status), META))

    on = reason in (Reason.SUFFICIENT_CREDITS, Reason.GRACE)
    assert said.data.status == ("enabled" if on else "disabled")
    assert json.loads(said.model_dump_json())["data"] == data(status)


def test_an_entity_tag_tells_statuses_apart_and_not_times() -> None:
    on = PluginStatus(reason=Reason.SUFFICIENT_CREDITS, as_of=NOON, fresh_seconds=15)
    later = replace(on, as_of=LATER, fresh_seconds=3)
    off = replace(on, reason=Reason.INSUFFICIENT_CREDITS)

    assert entity_tag(on) == entity_tag(later) != entity_tag(off)


def test_an_unavailable_status_is_never_kept_and_has_no_tag() -> None:
    status = PluginStatus(reason=Reason.UNAVAILABLE, as_of=NOON, fresh_seconds=15)

    assert cache_control(status) == "no-store"
    assert entity_tag(status) is None


def place(page: int, *, total: int | None, limit: int = 20) -> PagePosition:
    asked = PageRequest(page=page, limit=limit)
    has_next = total is not None and asked.skipped + limit < total
    return PagePosition(request=asked, total=total, has_next=has_next, has_previous=page > 1, next_cursor=None)


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1), (21, 2), (200_000, 10_000)])
def test_pages_are_counted_whole(total: int, pages: int) -> None:
    assert place(1, total=total).pages == pages


def test_the_links_of_a_page_in_the_middle_lead_everywhere() -> None:
    links = place(2, total=50).links("/list", {"merchant_id": "m", "start_date": None})

    assert links == {
        "self": "/list?merchant_id=m&limit=20&page=2",
        "next": "/list?merchant_id=m&limit=20&page=3",
        "previous": "/list?merchant_id=m&limit=20&page=1",
        "first": "/list?merchant_id=m&limit=20&page=1",
        "last": "/list?merchant_id=m&limit=20&page=3",
    }
    assert '</list?merchant_id=m&limit=20&page=1>; rel="prev"' in link_header(links)


def test_from_behind_the_end_the_way_back_leads_to_the_last_page() -> None:
    links = place(9, total=50).links("/list", {})

    assert links["next"] is None
    assert links["previous"] == links["last"] == "/list?limit=20&page=3"


def test_a_page_reached_by_cursor_has_no_number_and_no_way_back() -> None:
    reached = PagePosition(
        request=PageRequest(cursor="here", limit=5), total=50, has_next=True, has_previous=True, next_cursor="there"
    )

    assert reached.pagination()["page"] is None
    assert reached.links("/list", {})["next"] == "/list?limit=5&cursor=there"
    assert reached.links("/list", {})["previous"] is None


def test_a_listing_is_what_the_document_says_it_is() -> None:
    reached = place(2, total=50)

    listing = answers.Listing[answers.Balance](
        data=[answers.Balance(merchant_id=MerchantId("m"), balance=3, as_of=Instant(NOON))],
        meta=answers.Meta.model_validate(META),
        pagination=answers.Pagination.model_validate(reached.pagination()),
        links=answers.Links.model_validate(reached.links("/list", {})),
    )

    assert set(json.loads(listing.model_dump_json())) == {"data", "meta", "pagination", "links"}
    assert datetime.fromisoformat(listing.data[0].as_of) == datetime(2025, 6, 1, 12, tzinfo=UTC)

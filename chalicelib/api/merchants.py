"""The routes about one merchant (contract, section 6): who may call each, and its answer.

Heavy imports wait for the route that needs them: plugin status and health come without pydantic and PynamoDB.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from chalice.app import Blueprint, Chalice, Request, Response

from chalicelib.api.access import Access
from chalicelib.api.requests import Call, merchant_of, transaction_of
from chalicelib.api.routing import Reply, Routes, about, json_text, refusal_of_the_framework
from chalicelib.contracts.api.plugin_status import cache_control, data, entity_tag, merchants_asked
from chalicelib.contracts.api.problems import bad_request, not_found
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.plugin_status import PluginStatus, Reason
from chalicelib.settings import settings
from chalicelib.telemetry import add_up, count, logger, sample
from chalicelib.wiring import for_api

if TYPE_CHECKING:
    from chalicelib.domain.ledger import Account

CHECKS = {
    status: sample("credits_plugin_status_checks_total", {"status": status}) for status in ("enabled", "disabled")
}
"""Counters of answers by status; each key is made once, not for each answer."""

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


def configure(app: Chalice) -> None:
    """Turn Chalice's own refusals (a method, a content type) into problems too, without stack traces."""
    app.debug = False

    @app.middleware("http")
    def _problems(request: Request, get_response: Callable[[Request], Response]) -> Response:
        return refusal_of_the_framework(request, get_response(request))


@routes.get("/api/v1/health", "/api/v1/credits/health", access=Access.ANYONE, summary="Is the API alive?")
def health(call: Call) -> Reply:
    """Report that the API's process is alive; nothing is read for it."""
    data = {"status": "ok", "service": logger.service, "stage": settings().stage}
    return Reply(body=json_text(data, call.meta()))


@routes.get(
    "/api/v1/credits/plugin-status/{merchant_id}",
    "/api/v1/plugin-status/{merchant_id}",
    open_to_all_origins=True,
    access=Access.ANYONE,
    summary="Is this shop's plugin on?",
)
def plugin_status(call: Call, merchant_id: str) -> Reply:
    """Return whether the shop's plugin is on: 200 for every well-formed id, or 304 if the caller's copy is current."""
    merchant = merchant_of(merchant_id)
    status = for_api.plugin_statuses().of(merchant, now=call.now)
    _count([status])
    headers = {"Cache-Control": cache_control(status)}
    more: dict[str, int | None] = {}
    # A page that may not show the days gets the same answer as without the parameter, byte for byte.
    if call.parameters.get("days_left") == ["1"] and merchant in settings().widget_days_left:
        more["days_left"] = _days_left(status, merchant, call.now)
    if (tag := entity_tag(status, more)) is not None:
        headers["ETag"] = tag
        if call.holds(tag):
            return Reply(body="", status=HTTPStatus.NOT_MODIFIED, headers=headers, merchant_id=merchant)
    return Reply(body=json_text(data(status) | more, call.meta()), headers=headers, merchant_id=merchant)


@routes.post("/api/v1/credits/plugin-status/batch", access=Access.TOKEN, summary="Are these shops' plugins on?")
def plugin_statuses(call: Call) -> Reply:
    """Return the plugin statuses of up to 100 shops, with one read for all that are not cached."""
    merchants = merchants_asked(call.json_object())
    statuses = for_api.plugin_statuses().of_many(merchants, now=call.now)
    _count(statuses.values())
    found = {merchant: data(status) for merchant, status in statuses.items()}
    return Reply(body=json_text({"statuses": found}, call.meta()))


@routes.get(
    "/api/v1/credits/accounts/{merchant_id}",
    "/api/v1/credits/{merchant_id}",
    access=Access.OWNER,
    summary="A merchant's account",
    resource="account",
)
def account(call: Call, merchant_id: str) -> Reply:
    """Return the merchant's current account."""
    from chalicelib.contracts.api import answers

    found = _account(merchant_id)
    return about(call, answers.Account.of(found, now=instant(call.now)), found.merchant_id)


@routes.get(
    "/api/v1/credits/accounts/{merchant_id}/balance",
    access=Access.OWNER,
    summary="A merchant's balance",
    resource="account",
)
def balance(call: Call, merchant_id: str) -> Reply:
    """Return the merchant's current balance, or with the parameter `at` the one of that time."""
    from chalicelib.contracts.api import answers
    from chalicelib.contracts.api.alerts import Runway
    from chalicelib.domain.due import as_of

    if (at := call.moment("at", last=True)) is not None:
        from chalicelib.api.statements import balance_at

        merchant = merchant_of(merchant_id)
        then = balance_at(call, merchant, at, past=for_api.past())
        return about(call, then, merchant)
    now = instant(call.now)
    found = as_of(_account(merchant_id), now)
    data = answers.Balance(
        merchant_id=found.merchant_id,
        balance=found.balance,
        runway=Runway.of(found, now=now),
        as_of=now,
    )
    return about(call, data, found.merchant_id)


@routes.get(
    "/api/v1/credits/accounts/{merchant_id}/statements/{month}",
    access=Access.OWNER,
    summary="A merchant's statement of a month",
    resource="account",
)
def statement(call: Call, merchant_id: str, month: str) -> Reply:
    """Return the merchant's statement of a month: JSON, or a page that prints where HTML is preferred."""
    from chalicelib.api.statements import statement_of
    from chalicelib.contracts.api.statements import CONTENT_SECURITY_POLICY, MEDIA_TYPE, page

    merchant = merchant_of(merchant_id)
    found = statement_of(call, merchant, unquote(month), past=for_api.past())
    if call.preferred("application/json", MEDIA_TYPE) != MEDIA_TYPE:
        reply = about(call, found, merchant)
        return replace(reply, headers={"Vary": "Accept, Origin"})
    headers = {
        "Content-Type": f"{MEDIA_TYPE}; charset=utf-8",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Vary": "Accept, Origin",
    }
    return Reply(body=page(found, made_at=instant(call.now)), headers=headers, merchant_id=merchant)


@routes.get(
    "/api/v1/credits/accounts/{merchant_id}/story",
    access=Access.OWNER,
    summary="Why is this plugin off, or on?",
    resource="account",
)
def story(call: Call, merchant_id: str) -> Reply:
    """Return why the merchant's plugin is off or on, in order, and what was published."""
    from chalicelib.contracts.api.story import story_of
    from chalicelib.domain.status import deciding_transaction
    from chalicelib.usecases.explaining import excerpt_of

    found, history = _account(merchant_id), for_api.history()
    deciding = deciding_transaction(found)
    decided = history.transaction(deciding) if deciding else None
    excerpt = excerpt_of(found, decided, lambda _, lowest, highest: history.transactions(found, lowest, highest))
    return about(call, story_of(found, excerpt), found.merchant_id)


@routes.get("/api/v1/credits/transactions", access=Access.OWNER, summary="A merchant's history")
def transactions(call: Call) -> Reply:
    """Return a page of the history of the merchant in the parameter `merchant_id`, newest first."""
    merchant_id = call.text("merchant_id")
    if merchant_id is None:
        raise bad_request("merchant_id", "The parameter merchant_id is missing.")
    call.caller.require_merchant(merchant_of(merchant_id), "merchant")
    return merchant_transactions(call, merchant_id)


@routes.get(
    "/api/v1/credits/transactions/merchant/{merchant_id}", access=Access.OWNER, summary="A merchant's history, by path"
)
def merchant_transactions(call: Call, merchant_id: str) -> Reply:
    """Return a page of the merchant's history, newest first: as JSON, CSV or JSON Lines, by `Accept`."""
    from chalicelib.api.listing import history_page

    merchant = merchant_of(merchant_id)
    return history_page(call, merchant, history=for_api.history(), key=for_api.cursor_key())


@routes.get(
    "/api/v1/credits/transactions/merchant/{merchant_id}/stats",
    access=Access.OWNER,
    summary="What a merchant's transactions add up to",
)
def stats(call: Call, merchant_id: str) -> Reply:
    """Return the sums of the merchant's transactions, all or those of a range of dates."""
    from chalicelib.api.statements import stats_of

    merchant = merchant_of(merchant_id)
    return about(call, stats_of(call, merchant, past=for_api.past()), merchant)


@routes.get("/api/v1/credits/transactions/{transaction_id}", access=Access.OWNER, summary="One transaction")
def transaction(call: Call, transaction_id: str) -> Reply:
    """Return one transaction."""
    from chalicelib.contracts.api import answers

    found = for_api.history().transaction(transaction_of(transaction_id))
    if found is None:
        raise not_found("transaction")
    call.caller.require_merchant(found.merchant_id, "transaction")
    return about(call, answers.Transaction.of(found), found.merchant_id)


def _count(statuses: Collection[PluginStatus]) -> None:
    for status in statuses:
        add_up(CHECKS[status.status])
    unreadable = sum(status.stale or status.reason is Reason.UNAVAILABLE for status in statuses)
    count("credits_plugin_status_unavailable_total", unreadable)


def _days_left(status: PluginStatus, merchant: MerchantId, now: datetime) -> int | None:
    if status.stale or status.reason in (Reason.ACCOUNT_NOT_FOUND, Reason.UNAVAILABLE):
        return None
    from chalicelib.domain.due import as_of
    from chalicelib.domain.errors import RetryLater
    from chalicelib.domain.ledger import runway_of

    try:
        found = for_api.history().account(merchant)
    except RetryLater:
        return None
    runway = runway_of(as_of(found, instant(now)), now=instant(now)) if found is not None else None
    return None if runway is None else runway.days_left


def _account(text: str) -> "Account":
    found = for_api.history().account(merchant_of(text))
    if found is None:
        raise not_found("account")
    return found

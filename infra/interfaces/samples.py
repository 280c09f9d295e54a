"""Examples of requests and answers, made from the story by the code that makes the real ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.adapters.dynamodb.recent_events import RecentEvent
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.dead_letters import DeadLetter, Discarded, LetterGroup, letters_text
from chalicelib.contracts.api.fleet import Activity, FleetStatus, ThresholdEvent, Waiting
from chalicelib.contracts.api.health import Component, DetailedHealth, Overall, State
from chalicelib.contracts.api.model import Model
from chalicelib.contracts.api.pages import LIMIT_DEFAULT, LIMIT_MAX, PagePosition, PageRequest
from chalicelib.contracts.api.plugin_status import data
from chalicelib.contracts.api.problems import (
    STATUS,
    Problem,
    Refusal,
    bad_request,
    forbidden,
    from_error,
    internal_error,
    not_found,
    unauthorized,
)
from chalicelib.contracts.api.statements import Statement
from chalicelib.contracts.api.story import Story, story_of
from chalicelib.contracts.letters import Parking
from chalicelib.domain import statements
from chalicelib.domain.derivation import Excerpt
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.figures import recount
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account, CrossingType
from chalicelib.domain.plugin_status import PluginStatus, Reason
from chalicelib.domain.runway import ORDERS_MIN, Use
from infra.interfaces.story import MERCHANT, OPENED, envelope, story

META = {
    "request_id": "f1b7a2de-6c0e-4c7e-9b43-0a5f7c1e2d34",
    "correlation_id": "req-7042",
    "timestamp": "2026-11-21T10:30:00.000Z",
}
ORDER, LOW, ADDED, EMPTIED = story()[5], story()[9], story()[10], story()[11]
LETTER_ID = "0d5d4b3e-7f5a-4a4e-9d6f-3c1b2a190807"
CROSSING_TYPES = {f"evt.credits.{crossing}" for crossing in CrossingType}
CURSOR = "AAAAAAAAAAcy8mB0bqXK1vXjGk3mZ1pT"


def answer(data: Model) -> Any:
    """Return an answer about one thing."""
    return json.loads(answers.answer_text(data, META))


def listing(rows: list[answers.Transaction], path: str, *, total: int) -> Any:
    """Return the first page of a list, as long as its rows."""
    place = PagePosition(
        request=PageRequest(limit=len(rows)),
        total=total,
        has_next=len(rows) < total,
        has_previous=False,
        next_cursor=CURSOR,
    )
    links = place.links(path, {"merchant_id": MERCHANT})
    return json.loads(answers.listing_text(rows, META, place.pagination(), links))


def status(reason: Reason, *, stale: bool = False) -> Any:
    """Return a plugin-status answer."""
    said = PluginStatus(reason=reason, as_of=ORDER.account.updated_at, fresh_seconds=15, stale=stale)
    return {"data": json.loads(json.dumps(data(said))), "meta": META}


def status_with_days(days_left: int) -> Any:
    """Return a plugin-status answer that says how long the credits last."""
    said = status(Reason.SUFFICIENT_CREDITS)
    return said | {"data": said["data"] | {"days_left": days_left}}


def statuses(reasons: Mapping[MerchantId, Reason]) -> Any:
    """Return the answer about many shops."""
    return {
        "data": {"statuses": {merchant: status(reason)["data"] for merchant, reason in reasons.items()}},
        "meta": META,
    }


def level_listing(rows: Sequence[Model], name: str) -> Any:
    """Return the only page of a list for admins, which has no numbers."""
    place = PagePosition(
        request=PageRequest(), total=None, has_next=False, has_previous=False, next_cursor=None, numbered=False
    )
    links = place.links(f"/api/v1/credits/admin/{name}", {})
    return json.loads(answers.listing_text(rows, META, place.pagination(), links))


def stats() -> answers.Stats:
    """Return what the whole story adds up to."""
    account = EMPTIED.account
    return answers.Stats.of(
        account.merchant_id,
        totals=account.totals,
        total_shortfall=account.total_shortfall,
        last_transaction_at=account.last_transaction_at,
    )


def statement() -> Statement:
    """Return the statement of the story's month, while it runs."""
    account = EMPTIED.account
    return Statement.of(
        statements.Statement(
            merchant_id=account.merchant_id,
            month=statements.month_of(account.updated_at),
            opening=statements.NOTHING,
            closing=statements.Closing.of(account),
            totals=account.totals,
            total_shortfall=account.total_shortfall,
            open=True,
        )
    )


def with_threshold(threshold: int) -> answers.Account:
    """Return an account with a threshold of its own."""
    return account(replace(ORDER.account, low_balance_threshold=threshold, threshold=threshold))


def account(found: Account) -> answers.Account:
    """Return the answer about an account of the story, as if it had sold for weeks."""
    since = datetime.fromisoformat(found.updated_at) - timedelta(days=40)
    use = Use(weighted=found.balance * 450, since=int(since.timestamp()) // 60, orders=ORDERS_MIN)
    return answers.Account.of(replace(found, use=use), now=found.updated_at)


def fleet() -> FleetStatus:
    """Return the figures of the story's shop at three of its times, as if they were three shops."""
    return FleetStatus.of(recount([ORDER.account, LOW.account, EMPTIED.account]))


def why_off() -> Story:
    """Return why the plugin is off at the story's end."""
    return story_of(EMPTIED.account, Excerpt([one.transaction for one in story()], complete=True))


def health() -> DetailedHealth:
    """Return the health of a service whose bridge has stopped."""
    tables = ("credits", "transactions", "figures", "links", "desk")
    well = {name: Component(status=State.OK, latency_ms=3.2, detail=None) for name in tables}
    bridge = Component(status=State.FAILING, latency_ms=2.9, detail="The last heartbeat is 412 s old.")
    return DetailedHealth(
        status=Overall.DEGRADED, service="credit-service", stage="prod", components={**well, "bridge": bridge}
    )


def activity() -> Activity:
    """Return the figures of that fleet as a live view has them."""
    figures = recount([ORDER.account, LOW.account, EMPTIED.account])
    return Activity(
        as_of=META["timestamp"],
        fleet=fleet(),
        transactions=figures.transactions,
        orders=figures.orders,
        duplicates=2,
        conflicts=0,
        ignored=1,
        parked=1,
        shortfall=figures.shortfall,
        batches=9,
        oldest_message_seconds=3.15,
        inbox=Waiting(waiting=0, under_way=1),
        dead_letters=1,
        bridge_seen_at="2026-11-21T10:29:55.000Z",
        drift=0,
        threshold_events=[
            ThresholdEvent.model_validate(RecentEvent.of(event))
            for event in reversed(EMPTIED.published)
            if event.event_type in CROSSING_TYPES
        ],
    )


def dead_letter() -> DeadLetter:
    """Return a message that is parked because its credits are none."""
    body = json.dumps(envelope("evt.billing.payment_succeeded", {"merchant_id": MERCHANT}, number=77, happened=OPENED))
    return DeadLetter(
        id=LETTER_ID,
        parking=Parking.INBOX,
        code=Code.FIELD_MISSING,
        reason="payload.payment_id is missing",
        field="payload.payment_id",
        origin="nats",
        function=None,
        redriven=0,
        first_seen="2026-11-21T09:58:00.400Z",
        parked_at="2026-11-21T09:58:00.900Z",
        event_type="evt.billing.payment_succeeded",
        merchant_id=MERCHANT,
        redrivable=True,
        body=body,
        body_length=len(body),
        body_cut=False,
    )


def discarded_letter() -> DeadLetter:
    """Return that message once it is discarded."""
    why = Discarded(admin_id="support", time="2026-11-21T10:12:00.000Z", reason="The sender sent it again, corrected")
    return dead_letter().model_copy(update={"discarded": why})


def dead_letters() -> Any:
    """Return the list of that one message."""
    return _one_of_the_desk(dead_letter(), "/api/v1/credits/admin/dead-letters", limit=LIMIT_DEFAULT)


def dead_letter_groups() -> Any:
    """Return the groups where that message is all there is."""
    one = dead_letter()
    group = LetterGroup(
        code=one.code, merchant_id=one.merchant_id, letters=1, oldest=one.parked_at, newest=one.parked_at
    )
    return _one_of_the_desk(group, "/api/v1/credits/admin/dead-letters/groups", limit=LIMIT_MAX)


def _one_of_the_desk(row: DeadLetter | LetterGroup, path: str, *, limit: int) -> Any:
    asked = PageRequest(limit=limit)
    place = PagePosition(request=asked, total=1, has_next=False, has_previous=False, next_cursor=None, numbered=False)
    pagination = {**place.pagination(), "pages": None, "complete": True}
    return json.loads(letters_text([row], META, pagination, {**place.links(path, {}), "last": None}))


def transactions() -> list[answers.Transaction]:
    """Return the two newest transactions before the account was emptied, newest first."""
    return [answers.Transaction.of(one.transaction) for one in story()[10:8:-1]]


_OF_EVENTS = {
    Code.INTERNAL,
    Code.UNKNOWN_EVENT_TYPE,
    Code.PERIOD_MISSING,
    Code.ORDER_AMBIGUOUS,
    Code.ORDER_MISSING,
    Code.PAYMENT_MISSING,
    Code.DISPUTE_MISSING,
    Code.REFUND_AMBIGUOUS,
    Code.TOTAL_MISSING,
    Code.MERCHANT_UNLINKED,
    Code.TOPIC_CONTRADICTS_BODY,
    Code.CREDITS_UNKNOWN,
    Code.LINES_MISSING,
    Code.REFUND_FAILED,
}
"""Codes that no request can cause, or that are answered as another one."""
_REFUSALS: dict[int, Problem] = {
    400: bad_request("limit", "The parameter limit is a whole number from 1 to 100."),
    401: unauthorized("A valid bearer token is required."),
    403: forbidden("credits:admin"),
    404: not_found("account"),
    409: from_error(
        Rejected(Code.KEY_REUSED, "MANUAL_ADJUSTMENT_adj-42 was recorded before with other content", field="credits")
    ),
    413: Problem(Refusal.PAYLOAD_TOO_LARGE, "A body may have at most 65536 bytes."),
    415: Problem(Refusal.UNSUPPORTED_MEDIA_TYPE, "Send JSON in UTF-8, as application/json."),
    422: from_error(
        Rejected(Code.INSUFFICIENT_CREDITS, "the balance is 15, 20 credits cannot be taken from it", field="credits")
    ),
    500: internal_error(),
    503: from_error(RetryLater(Code.UNAVAILABLE, "")),
}


def problem(status_code: int, path: str) -> Any:
    """Return the body of a refusal with this status; 429 is the gateway's own, which names no time."""
    if status_code == 429:  # noqa: PLR2004 - Too Many Requests
        return _throttled()
    return _REFUSALS[status_code].body(instance=path, meta=META)


def _throttled() -> Any:
    request_id = META["request_id"]
    said = "Try again in a second."
    return {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": said,
        "instance": f"urn:uuid:{request_id}",
        "error": {"code": "TOO_MANY_REQUESTS", "message": said, "details": {}},
        "meta": {"request_id": request_id, "correlation_id": request_id, "timestamp": "1795257000000"},
    }


def title(status_code: int) -> str:
    """Return the status in words, as problems say it."""
    said: str = problem(status_code, "/")["title"]
    return said


def codes(status_code: int) -> list[str]:
    """Return what `error.code` may say over HTTP beside this status."""
    if status_code == 429:  # noqa: PLR2004 - Too Many Requests
        return ["TOO_MANY_REQUESTS"]
    return sorted({code.upper() for code, status in STATUS.items() if status == status_code and code not in _OF_EVENTS})

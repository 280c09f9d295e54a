"""The routes for admins: adjustments, one or many, thresholds, freezes, and the accounts at zero or low."""

from collections.abc import Mapping
from typing import Any

from chalicelib.api.bulk import ROWS_MAX
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.bulk import Plan, PlannedRow, WaitingAdjustment, WaitingAdjustments
from chalicelib.contracts.inbound.admin_requests import FreezeRequest, GraceRequest, LevelsRequest, ThresholdRequest
from chalicelib.contracts.inbound.payloads import AdjustmentRequest
from chalicelib.domain.ids import MerchantId, transaction_id
from chalicelib.domain.movements import adjustment_key
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.runway import DAYS_MAX
from infra.interfaces import samples, samples_more
from infra.interfaces.bodies import PreviewRequest
from infra.interfaces.operations import (
    API,
    BODY_ERRORS,
    CURSOR,
    DIRECTION,
    IDEMPOTENCY_KEY,
    LIMIT,
    LIST_ERRORS,
    MERCHANT_IN_PATH,
    MERCHANT_IN_QUERY,
    READ_ERRORS,
    REASON,
    STORE_ERRORS,
    TEXT,
    Body,
    Route,
    accounts_listed,
    answered,
    in_path,
    query,
    whole,
)
from infra.interfaces.story import MERCHANT

_ADDED = answers.Transaction.of(samples.ADDED.transaction)
_POSTED = {
    201: answered("Recorded now.", {"credits added": _ADDED})[200],
    **answered("Recorded before, under the same key with the same content: the same `data`.", {"again": _ADDED}),
}
_ADJUSTMENT_ERRORS = (*READ_ERRORS, 409, *BODY_ERRORS, 422)


def _setting(
    view: str,
    *,
    description: str,
    body: Body | None = None,
    changed: answers.Account,
    parameters: tuple[Mapping[str, Any], ...] = (),
    errors: tuple[int, ...] = (),
) -> Route:
    """Return a route that sets something for one account, and answers the account as `changed` shows it."""
    return Route(
        view=view,
        description=description,
        parameters=(MERCHANT_IN_PATH, *parameters),
        body=body,
        answers=answered("The account as it is now.", {"changed": changed}),
        errors=(*READ_ERRORS, *errors, *(BODY_ERRORS if body else ())),
    )


ADMIN = (
    Route(
        view="adjust",
        description=(
            "Posted once under its `Idempotency-Key`, however often it is sent: a repeat is answered 200 with the same "
            "`data`, other content 409. A removal below 0 is declined with 422 and changes nothing, so the same key "
            "may succeed later. The admin is the token's subject. Above `ADJUSTMENT_CONFIRM_ABOVE` credits, or as a "
            "row of a batch above it (`batch_credits`), it is 409 with `CONFIRMATION_NEEDED` until another admin sends "
            "the same. The amount may also be called `credits_to_use` or `credits_used`."
        ),
        parameters=(IDEMPOTENCY_KEY,),
        body=Body(
            model=AdjustmentRequest,
            name="Adjustment",
            members=("merchant_id", "operation_type", "credits", "reason"),
            optional=("batch_credits", "expires_at", "expires_in_days"),
            examples={
                "goodwill": {
                    "merchant_id": MERCHANT,
                    "operation_type": "INCREASE",
                    "credits": 10,
                    "reason": "Goodwill after an outage",
                }
            },
        ),
        answers=_POSTED,
        errors=_ADJUSTMENT_ERRORS,
    ),
    Route(
        view="adjust_by_the_old_route",
        description=(
            f"The old service's route: as `{API}/credits/admin/adjustments`, whose body it takes as well. `admin_id` "
            "is ignored, the admin is the token's subject; the key is required here too."
        ),
        parameters=(
            IDEMPOTENCY_KEY,
            MERCHANT_IN_QUERY,
            query("operation_type", DIRECTION, "Which way.", required=True),
            query("credits", whole(1, CREDITS_MAX), "Whole credits.", required=True, example=10),
            {**REASON, "required": True, "example": "Goodwill after an outage"},
        ),
        answers=_POSTED,
        errors=_ADJUSTMENT_ERRORS,
    ),
    _setting(
        view="set_threshold",
        description=(
            "Null restores the default. If the change puts the balance on the threshold's other side, an event is "
            "published."
        ),
        body=Body(
            model=ThresholdRequest,
            name="Threshold",
            members=("low_balance_threshold",),
            examples={"own": {"low_balance_threshold": 50}, "default": {"low_balance_threshold": None}},
        ),
        changed=samples.with_threshold(50),
    ),
    _setting(
        view="set_levels",
        description=(
            "Levels in credits, in percent of the balance after the last inflow, or in days of runway. Each crossing "
            "is published once, in both directions. Setting levels publishes an event for each level that the account "
            "is now on the other side of."
        ),
        body=Body(
            model=LevelsRequest,
            members=("levels",),
            examples={
                "own": {
                    "levels": [{"name": "week", "at": 7, "unit": "days"}, {"name": "half", "at": 50, "unit": "percent"}]
                },
                "none": {"levels": []},
                "fleet": {"levels": None},
            },
        ),
        changed=samples_more.with_levels(),
    ),
    _setting(
        view="set_grace",
        description=(
            "How long the plugin stays on without credits, and how many may be owed meanwhile. A running grace keeps "
            "the limits that it started with."
        ),
        body=Body(
            model=GraceRequest,
            members=("grace",),
            examples={
                "own": {"grace": {"hours": 48, "credits": 100}},
                "none": {"grace": {"hours": 0, "credits": 0}},
                "fleet": {"grace": None},
            },
        ),
        changed=samples_more.with_grace(),
    ),
    _setting(
        view="freeze",
        description=(
            "The plugin is off with the reason `frozen`, whatever the balance and a grace; movements are still "
            "recorded. Recorded once under its `Idempotency-Key` as a transaction of type `MANUAL` with 0 credits: a "
            "repeat changes nothing, another end under the same key is 409. It lasts until `until`, or without an end; "
            "an `until` in the past is 422. Freezing again replaces reason and end."
        ),
        parameters=(IDEMPOTENCY_KEY,),
        body=Body(
            model=FreezeRequest,
            members=("reason",),
            optional=("until",),
            examples={
                "for a week": {"reason": "Chargebacks, ticket 4711", "until": "2026-11-28T12:00:00Z"},
                "without an end": {"reason": "Chargebacks, ticket 4711"},
            },
        ),
        changed=samples_more.frozen(),
        errors=(409, 422),
    ),
    _setting(
        view="unfreeze",
        description=(
            "The plugin is on again if there are credits or a grace. Recorded once under its `Idempotency-Key`, as a "
            "freeze is; 409 `NOT_FROZEN` if the account is not frozen."
        ),
        parameters=(IDEMPOTENCY_KEY, {**REASON, "example": "Settled with the shop"}),
        changed=samples_more.unfrozen(),
        errors=(409,),
    ),
    Route(
        view="zero_balance",
        description="By cursor, from an index, in no particular order. `total` and `pages` are null.",
        parameters=(LIMIT, CURSOR),
        answers=accounts_listed(samples.EMPTIED.account, "zero-balance"),
        errors=LIST_ERRORS,
    ),
    Route(
        view="low_balance",
        description=(
            "Accounts above zero and at or below their own threshold, by cursor, from an index. `threshold` and `days` "
            "narrow the list; it never has an account above its own threshold. A page may be short, even empty, and "
            "still have a next one."
        ),
        parameters=(
            LIMIT,
            CURSOR,
            query("threshold", whole(0, CREDITS_MAX), "Only accounts with up to this many credits."),
            query(
                "days",
                whole(0, DAYS_MAX),
                "Only accounts whose runway is at most this many days; accounts without a runway are omitted.",
            ),
        ),
        answers=accounts_listed(samples.LOW.account, "low-balance"),
        errors=LIST_ERRORS,
    ),
)


_BATCH = "batch-5d41402abc4b"
_FILE = f'merchant_id,credits,reason\n{MERCHANT},25,"goodwill, ticket 4711"\n'
_PLAN = Plan(
    batch=_BATCH,
    batch_credits=25,
    needs_confirming=False,
    rows=[
        PlannedRow(
            line=2,
            merchant_id=MERCHANT,
            adjustment_id=f"{_BATCH}-1",
            credits=25,
            reason="goodwill, ticket 4711",
            state="apply",
            before=0,
            after=25,
            turns="on",
            why=None,
        )
    ],
    bad=[],
)
_WAITING = WaitingAdjustment(
    transaction_id=transaction_id(MerchantId(MERCHANT), adjustment_key(f"{_BATCH}-1")),
    merchant_id=MERCHANT,
    adjustment_id=f"{_BATCH}-1",
    operation_type="INCREASE",
    credits=25,
    batch_credits=60_000,
    reason="goodwill, ticket 4711",
    asked_by="ada",
    asked_at="2025-06-01T10:00:00.000Z",
    expires_at=None,
    expires_in_days=None,
)

MANY = (
    Route(
        view="preview",
        description=(
            f"A CSV of up to {ROWS_MAX:,} rows, `merchant_id,credits,reason`, credits signed. Nothing is changed: "
            "apply each row of `state` `apply` with the route for adjustments, in their order, its `adjustment_id` as "
            "`Idempotency-Key` and the plan's `batch_credits`. The same text is the same batch, so an interrupted run "
            "can be repeated. With `undo` the plan undoes the same file, the last row first."
        ),
        body=Body(model=PreviewRequest, examples={"one row": {"csv": _FILE, "undo": False}}),
        answers=answered("The plan.", {"one row": _PLAN}),
        errors=(*LIST_ERRORS, *BODY_ERRORS),
    ),
    Route(
        view="waiting",
        description="Adjustments above `ADJUSTMENT_CONFIRM_ABOVE`, the oldest first, without pages.",
        answers=answered("The waiting adjustments.", {"one": WaitingAdjustments(waiting=[_WAITING], more=False)}),
        errors=(401, 403, *STORE_ERRORS),
    ),
    Route(
        view="withdraw",
        description="Any admin may withdraw it. It may be asked for again.",
        parameters=(
            in_path(
                "transaction_id",
                {**TEXT, "format": "uuid"},
                "The id that its transaction would have.",
                example=_WAITING.transaction_id,
            ),
        ),
        answers=answered("What was withdrawn.", {"one": _WAITING}),
        errors=READ_ERRORS,
    ),
)

"""The routes for many adjustments at once."""

from chalicelib.api.bulk import ROWS_MAX
from chalicelib.contracts.api.bulk import Plan, PlannedRow, WaitingAdjustment, WaitingAdjustments
from chalicelib.domain.ids import MerchantId, transaction_id
from chalicelib.domain.movements import adjustment_key
from infra.interfaces.bodies import PreviewRequest
from infra.interfaces.operations import (
    BODY_ERRORS,
    LIST_ERRORS,
    READ_ERRORS,
    STORE_ERRORS,
    TEXT,
    Body,
    Route,
    Tag,
    answered,
    parameter,
)
from infra.interfaces.story import MERCHANT

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

_PREVIEW = Route(
    view="preview",
    tag=Tag.ADMIN,
    description=(
        f"A CSV of up to {ROWS_MAX:,} rows, `merchant_id,credits,reason`, credits signed. Nothing is changed: apply "
        "each row of `state` `apply` with the route for adjustments, in their order, its `adjustment_id` as "
        "`Idempotency-Key` and the plan's `batch_credits`. The same text is the same batch, so an interrupted run can "
        "be repeated. With `undo` the plan undoes the same file, the last row first."
    ),
    body=Body(model=PreviewRequest, examples={"one row": {"csv": _FILE, "undo": False}}),
    answers=answered("The plan.", {"one row": _PLAN}),
    errors=(*LIST_ERRORS, *BODY_ERRORS),
)

_LIST = Route(
    view="waiting",
    tag=Tag.ADMIN,
    description="Adjustments above `ADJUSTMENT_CONFIRM_ABOVE`, the oldest first, without pages.",
    answers=answered("The waiting adjustments.", {"one": WaitingAdjustments(waiting=[_WAITING], more=False)}),
    errors=(401, 403, *STORE_ERRORS),
)

_WITHDRAW = Route(
    view="withdraw",
    tag=Tag.ADMIN,
    description="Any admin may withdraw it. It may be asked for again.",
    parameters=(
        parameter(
            "transaction_id",
            "path",
            {**TEXT, "format": "uuid"},
            "The id that its transaction would have.",
            example=_WAITING.transaction_id,
        ),
    ),
    answers=answered("What was withdrawn.", {"one": _WAITING}),
    errors=READ_ERRORS,
)

MANY = (_PREVIEW, _LIST, _WITHDRAW)

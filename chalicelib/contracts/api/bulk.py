"""Many adjustments at once, as admins see them: a plan of a file, and what waits for another admin."""

from dataclasses import asdict
from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain import bulk, confirming
from chalicelib.domain.orders import Direction
from chalicelib.domain.source_orders import BadRow


class PlannedRow(Model):
    """A row and what it would do: the balance before and after it, and whether the plugin goes `on` or `off`.

    `state` is `apply`, `done` (before), `skipped` (an undo of what was never applied) or `refused`, with `why`.
    """

    line: int
    merchant_id: str
    adjustment_id: str
    credits: int
    reason: str
    state: str
    before: int | None
    after: int | None
    turns: str | None
    why: str | None


class Bad(Model):
    """A row that cannot be read, with its line and column."""

    line: int
    column: str
    why: str


class Plan(Model):
    """What a file of adjustments would do. `batch_credits` are all credits that it moves, unsigned.

    `needs_confirming`: another admin has to ask for the same before any row counts.
    """

    batch: str
    batch_credits: int
    needs_confirming: bool
    rows: list[PlannedRow]
    bad: list[Bad]

    @classmethod
    def of(cls, batch: str, planned: list[bulk.Planned], bad: list[BadRow], *, limit: int | None) -> Self:
        """Return the plan of these rows and of the bad ones; `limit` is `ADJUSTMENT_CONFIRM_ABOVE`, None: no rule."""
        credits_moved = bulk.moved(planned)
        return cls(
            batch=batch,
            batch_credits=credits_moved,
            needs_confirming=confirming.needs_confirming(0, batch_credits=credits_moved, limit=limit),
            rows=[PlannedRow.model_validate(one) for one in planned],
            bad=[Bad.model_validate(row) for row in bad],
        )


class WaitingAdjustment(Model):
    """An adjustment that counts once another admin than `asked_by` asks for the same under its id."""

    transaction_id: str
    merchant_id: str
    adjustment_id: str
    operation_type: str
    credits: int
    batch_credits: int
    reason: str
    asked_by: str
    asked_at: str
    expires_at: str | None
    expires_in_days: int | None

    @classmethod
    def of(cls, waiting: confirming.WaitingAdjustment) -> Self:
        """Return the answer's row; its credits have no sign, as in a request."""
        direction = Direction.INCREASE if waiting.credits > 0 else Direction.DECREASE
        return cls(**{**asdict(waiting), "credits": abs(waiting.credits), "operation_type": direction.value})


class WaitingAdjustments(Model):
    """The waiting adjustments, the oldest first; `more`: not all are listed."""

    waiting: list[WaitingAdjustment]
    more: bool

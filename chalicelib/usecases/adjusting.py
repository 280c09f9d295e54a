"""Adjusts credits for an admin: at once, or above a limit after another admin confirmed it (contract, section 17)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from chalicelib.domain.confirming import WaitingAdjustment, confirmed_reason, needs_confirming, same_person
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import FixedMovement, Kind
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.ports import CallTime, LedgerStore
from chalicelib.usecases.posting import Posting


class WaitingList(Protocol):
    """The adjustments that wait for another admin. Every method may raise `RetryLater` (`unavailable`)."""

    def put_waiting(self, waiting: WaitingAdjustment) -> None:
        """Add an adjustment, unless one waits under its transaction's id."""
        ...

    def waiting(self, transaction_id: TransactionId) -> WaitingAdjustment | None:
        """Return the adjustment that waits under this id, None if there is none."""
        ...

    def remove_waiting(self, transaction_id: TransactionId) -> bool:
        """Remove an adjustment; return whether it was in the list."""
        ...


class Adjusting:
    """Adjusts credits; above `limit`, a second person has to confirm (None: no limit).

    `waiting` returns the list of what waits; it is called only for an adjustment above the limit.
    """

    def __init__(
        self,
        posting: Posting,
        store: LedgerStore,
        waiting: Callable[[], WaitingList],
        *,
        limit: int | None,
        reason_length: int,
    ) -> None:
        self._posting = posting
        self._store = store
        self._waiting = waiting
        self._limit = limit
        self._reason_length = reason_length

    def adjust(
        self, movement: FixedMovement, *, batch_credits: int, confirmed_by: str | None, time: CallTime
    ) -> Posted | Duplicate:
        """Post an adjustment, or let it wait for another admin, who is then recorded with its reason.

        `confirmed_by` is another person whom the caller vouches for. Without one, the other admin confirms by asking
        for the same adjustment.

        Raises:
            Rejected: it can never be posted as it is, or (`confirmation_needed`) it waits for another admin.
            RetryLater: it was not posted yet.
        """
        if not needs_confirming(movement.credits, batch_credits=batch_credits, limit=self._limit):
            return self._posting.post_one(self._with(movement, confirmed_by), time=time)
        asked = _waiting(movement, batch_credits, time)
        if confirmed_by is not None:
            self._refuse_oneself(asked.asked_by, confirmed_by)
            return self._confirmed(movement, confirmed_by, time)
        found = self._waiting().waiting(asked.transaction_id)
        if asked.transaction_id in self._store.read([], [asked.transaction_id]).transactions:
            # It was recorded before: a duplicate, or refused as another content.
            outcome = self._posting.post_one(movement, time=time)
            if found is not None:
                self._waiting().remove_waiting(asked.transaction_id)
            return outcome
        if found is None:
            self._waiting().put_waiting(asked)
            # Another admin may have asked at the same moment: whose request stays is the one that waits.
            found = self._waiting().waiting(asked.transaction_id) or asked
        if found.content != asked.content:
            raise Rejected(Code.KEY_REUSED, f"{movement.key} waits with other content: {found.credits:+d} credits.")
        if same_person(found.asked_by, asked.asked_by):
            raise self._needed(asked)
        named = {**movement.metadata, "admin_id": found.asked_by, "reason": found.reason}
        return self._confirmed(replace(movement, metadata=named), asked.asked_by, time)

    def _confirmed(self, movement: FixedMovement, confirmed_by: str, time: CallTime) -> Posted | Duplicate:
        outcome = self._posting.post_one(self._with(movement, confirmed_by), time=time)
        self._waiting().remove_waiting(movement.transaction_id)
        return outcome

    def _with(self, movement: FixedMovement, confirmed_by: str | None) -> FixedMovement:
        if confirmed_by is None:
            return movement
        reason = confirmed_reason(str(movement.metadata["reason"]), confirmed_by, longest=self._reason_length)
        return replace(movement, metadata={**movement.metadata, "reason": reason})

    def _refuse_oneself(self, admin: str, confirmed_by: str) -> None:
        if same_person(admin, confirmed_by):
            raise Rejected(
                Code.CONFIRMATION_NEEDED,
                f"{confirmed_by.strip()} is the admin here and cannot confirm it too: somebody else has to.",
                field="confirmed_by",
            )

    def _needed(self, asked: WaitingAdjustment) -> Rejected:
        moved = max(abs(asked.credits), asked.batch_credits)
        return Rejected(
            Code.CONFIRMATION_NEEDED,
            f"{moved:,} credits are more than ADJUSTMENT_CONFIRM_ABOVE ({self._limit:,}): the adjustment waits, and "
            "counts as soon as another admin asks for the same",
        )


def _waiting(movement: FixedMovement, batch_credits: int, time: CallTime) -> WaitingAdjustment:
    return WaitingAdjustment(
        transaction_id=movement.transaction_id,
        merchant_id=movement.merchant_id,
        adjustment_id=movement.reference_id,
        credits=movement.credits if movement.kind is Kind.MANUAL_ADDED else -movement.credits,
        batch_credits=batch_credits,
        reason=str(movement.metadata["reason"]),
        asked_by=str(movement.metadata["admin_id"]),
        asked_at=time.now(),
        expires_at=movement.expires_at,
        expires_in_days=movement.expires_in_days,
    )

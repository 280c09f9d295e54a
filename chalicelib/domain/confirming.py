"""The second person: above a limit, an adjustment counts only after another admin has confirmed it."""

from dataclasses import dataclass

from chalicelib.domain.ids import Instant, MerchantId, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAdjustment:
    """An adjustment that waits for another admin than `asked_by`; `credits` are signed.

    `batch_credits` are all credits that its batch moves, its own included.
    """

    transaction_id: TransactionId
    merchant_id: MerchantId
    adjustment_id: str
    credits: int
    batch_credits: int
    reason: str
    asked_by: str
    asked_at: Instant
    expires_at: Instant | None = None
    expires_in_days: int | None = None

    @property
    def content(self) -> tuple[int, Instant | None, int | None]:
        """What the other admin's request must repeat: the credits, and when they lapse."""
        return self.credits, self.expires_at, self.expires_in_days


def needs_confirming(credits_moved: int, *, batch_credits: int, limit: int | None) -> bool:
    """Return whether another person has to confirm this many credits, alone or in a batch; `limit` None: no limit."""
    return limit is not None and max(abs(credits_moved), batch_credits) > limit


def same_person(one: str, other: str) -> bool:
    """Return whether two names are the same person's, ignoring case and surrounding spaces."""
    return one.strip().casefold() == other.strip().casefold()


def confirmed_reason(reason: str, confirmed_by: str, *, longest: int) -> str:
    """Return the reason that is recorded: what was asked for, and who confirmed it."""
    note = f" (confirmed by {confirmed_by.strip()})"
    return f"{reason[: longest - len(note)]}{note}"

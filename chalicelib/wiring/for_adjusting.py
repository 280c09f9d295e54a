"""Builds what adjusts credits for admins."""

from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.domain.confirming import Waiting
from chalicelib.domain.ids import TransactionId
from chalicelib.settings import settings
from chalicelib.usecases.adjusting import Adjusting
from chalicelib.wiring import for_figures, for_posting


class _Desk:
    """The desk's list of what waits, which is needed only where there is a limit."""

    def put_waiting(self, waiting: Waiting) -> None:
        for_figures.desk_reader().put_waiting(waiting)

    def waiting(self, transaction_id: TransactionId) -> Waiting | None:
        return for_figures.desk_reader().waiting(transaction_id)

    def remove_waiting(self, transaction_id: TransactionId) -> bool:
        return for_figures.desk_reader().remove_waiting(transaction_id)


def adjusting() -> Adjusting:
    """Return what adjusts credits, under the rule of the second person."""
    return Adjusting(
        for_posting.posting(),
        for_posting.ledger(),
        _Desk(),
        limit=settings().confirm_above,
        reason_length=REASON_LENGTH_MAX,
    )

"""Builds what adjusts credits for admins."""

from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.settings import settings
from chalicelib.usecases.adjusting import Adjusting
from chalicelib.wiring import for_figures, for_posting


def adjusting() -> Adjusting:
    """Return what adjusts credits, under the rule of the second person."""
    return Adjusting(
        for_posting.posting(),
        for_posting.ledger(),
        for_figures.desk_reader,
        limit=settings().confirm_above,
        reason_length=REASON_LENGTH_MAX,
    )

"""Debt: credits that a reversed payment or an order in a grace took beyond the balance; the next inflow pays it.

(contract, sections 14 and 16)
"""

from collections.abc import Mapping
from typing import Final

from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import FixedMovement, Kind, Movement
from chalicelib.domain.orders import Direction

DEBT: Final = "debt"
"""In the metadata of a reversal, or of an order in a grace: how many of its credits are owed since."""


def owed_by(kind: Kind, amount: int, metadata: Mapping[str, str | int]) -> int:
    """Return by how much a transaction changes what its account owes, in credits."""
    if kind is Kind.DEBT_REPAID:
        return -abs(amount)
    return int(metadata.get(DEBT, 0))


def repayment_key(inflow: TransactionId) -> str:
    """Return the idempotency key under which an inflow pays debt."""
    return f"DEBT_REPAID_{inflow}"


def repays(kind: Kind) -> bool:
    """Return whether a transaction of this kind is an inflow, which pays debt before anything else."""
    return kind.direction is Direction.INCREASE


def repayment(inflow: Movement, *, debt: int, balance: int) -> FixedMovement | None:
    """Return the repayment that follows an inflow in the same write, None if nothing is owed or nothing came in."""
    paid = min(debt, balance)
    if not paid:
        return None
    return FixedMovement(
        merchant_id=inflow.merchant_id,
        key=repayment_key(inflow.transaction_id),
        reference_id=inflow.transaction_id,
        occurred_at=inflow.occurred_at,
        correlation_id=inflow.correlation_id,
        kind=Kind.DEBT_REPAID,
        credits=paid,
    )

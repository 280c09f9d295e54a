"""Credits that a reversed payment took back and the account did not have: owed until the next inflow.

(contract, section 14)
"""

from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import FixedMovement, Kind, Movement
from chalicelib.domain.orders import Direction


def repayment_key(inflow: TransactionId) -> str:
    """Return the idempotency key under which an inflow pays debt."""
    return f"DEBT_REPAID_{inflow}"


def repays(kind: Kind) -> bool:
    """Return whether a transaction of this kind is an inflow, which pays debt before anything else."""
    return kind.direction is Direction.INCREASE


def repayment(inflow: Movement, *, debt: int, balance: int) -> FixedMovement | None:
    """Return what follows an inflow's transaction in the same write, None where nothing is owed or nothing came in."""
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

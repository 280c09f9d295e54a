"""The sentences of a story about payments that went back, so that support can read them to the shop."""

from chalicelib.domain.debt import DEBT
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import Kind

OF_PAYMENTS = frozenset({Kind.REVERSAL, Kind.REVERSAL_RETURNED, Kind.DEBT_REPAID})
"""The kinds of records that a story always tells: they are rare, and the shop asks about them."""


def went_back(record: Transaction) -> str:
    """Return what a record of one of the kinds `OF_PAYMENTS` was, in a sentence."""
    moved = counted(abs(record.amount))
    if record.kind is Kind.DEBT_REPAID:
        return f"Of it, {moved} paid what was owed."
    payment, dispute = record.metadata["payment_id"], record.metadata.get("dispute_id")
    if record.kind is Kind.REVERSAL_RETURNED:
        return f"Dispute {dispute} of payment {payment} was won: {moved} came back."
    what = f"Payment {payment} was {'refunded' if dispute is None else f'disputed ({dispute})'}"
    if not record.shortfall:
        return f"{what}: {moved} taken back."
    owed = int(record.metadata.get(DEBT, 0))
    rest = f"{owed} {'is' if owed == 1 else 'are'} owed" if owed else f"{record.shortfall} forgiven"
    return f"{what}: of {counted(record.requested)}, {abs(record.amount)} taken back, {rest}."


def counted(number: int) -> str:
    """Return a number of credits in words."""
    return "1 credit" if number == 1 else f"{number} credits"

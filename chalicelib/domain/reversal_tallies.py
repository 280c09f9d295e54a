"""The reversals of each payment, replayed from their transactions (contract, section 14).

Like an order's, a payment's tally is the only part of its transaction that no hash seals; the reversals prove it.
"""

from dataclasses import dataclass

from chalicelib.domain.debt import DEBT
from chalicelib.domain.errors import Rejected
from chalicelib.domain.findings import Drift
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.movements import Kind, payment_key
from chalicelib.domain.orders import Tally
from chalicelib.domain.reversals import PaymentTally, Portion, holding, reverse, win
from chalicelib.domain.transactions import Transaction

PAYMENT_KINDS = (Kind.PAYMENT, Kind.REVERSAL, Kind.REVERSAL_RETURNED)


@dataclass(slots=True)
class Reversed:
    """A reversed payment: the tally on its transaction, and its reversals replayed so far."""

    sequence: int
    given: int
    recorded: Tally | None
    replayed: PaymentTally
    reversed_at: Instant

    @property
    def wrong(self) -> bool:
        """Whether the transaction's tally differs from the reversals."""
        return (self.recorded or PaymentTally()) != self.replayed


class PaymentTallies:
    """The reversed payments of one merchant, counted transaction by transaction; as `tallies.Tallies` for orders."""

    def __init__(self, merchant_id: MerchantId, uncounted: set[TransactionId]) -> None:
        self.payments: dict[TransactionId, Reversed] = {}
        self._merchant_id = merchant_id
        self._uncounted = uncounted

    def take(self, transaction: Transaction) -> tuple[Drift, str] | None:
        """Add the next transaction, of one of `PAYMENT_KINDS`; return what is wrong with it, in a sentence."""
        if transaction.kind is not Kind.PAYMENT:
            return self._replay(transaction)
        if transaction.tally is not None or transaction.transaction_id in self._uncounted:
            self.payments[transaction.transaction_id] = Reversed(
                sequence=transaction.sequence,
                given=transaction.amount,
                recorded=transaction.tally,
                replayed=PaymentTally(),
                reversed_at=transaction.refunded_at or transaction.created_at,
            )
        return None

    def _replay(self, transaction: Transaction) -> tuple[Drift, str] | None:
        named = str(transaction.metadata.get("payment_id"))
        identity = transaction_id(self._merchant_id, payment_key(named))
        payment = self.payments.get(identity)
        if payment is None:
            self._uncounted.add(identity)
            return Drift.TALLY_WRONG, f"the reversal is not counted on the transaction of payment {named}"
        payment.reversed_at = transaction.created_at
        if transaction.kind is Kind.REVERSAL_RETURNED:
            if not payment.replayed.disputes:
                return Drift.REFUND_WRONG, f"no dispute of payment {named} is open that could be won"
            due, payment.replayed = win(payment.replayed, given=payment.given)
        else:
            portion = Portion.recorded(transaction.metadata)
            try:
                due, replayed = reverse(payment.replayed, portion, given=payment.given)
            except Rejected as error:
                return Drift.REFUND_WRONG, error.message
            got = abs(transaction.amount) + int(transaction.metadata.get(DEBT, 0))
            payment.replayed = holding(replayed, portion, got)
        if due != transaction.requested:
            return Drift.REFUND_WRONG, f"it asked for {transaction.requested} credits, {due} were due"
        return None


def in_words(tally: PaymentTally) -> str:
    """Return a payment's tally in words."""
    disputes = f", {tally.disputes} disputes open" if tally.disputes else ""
    return f"{tally.credits} credits in {tally.count} reversals{disputes}"

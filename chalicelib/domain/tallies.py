"""The refunds and edits of each order and the reversals of each payment, replayed from their transactions.

A tally is the only part of a transaction that changes and that no hash seals; refunds and edits prove it (contract,
"Refund arithmetic"). A newer version of an order that moved nothing has no transaction: the tally may hold such a
version and its total, unproven.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from chalicelib.domain import edits
from chalicelib.domain.errors import Rejected
from chalicelib.domain.findings import Drift, Finding
from chalicelib.domain.grace import DEBT
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import TallyChange
from chalicelib.domain.movements import Kind, order_key, payment_key
from chalicelib.domain.orders import Edits, Tally, refund
from chalicelib.domain.outcomes import recorded_money
from chalicelib.domain.reversals import PaymentTally, Portion, holding, reverse, win
from chalicelib.domain.transactions import Transaction

_REFUNDS = (Kind.REFUND_RETURNED, Kind.REFUND_TAKEN)
_EDITS = (Kind.EDIT_ADDED, Kind.EDIT_REMOVED)
_PAYMENT_KINDS = (Kind.PAYMENT, Kind.REVERSAL, Kind.REVERSAL_RETURNED)


@dataclass(slots=True)
class _Tallied:
    """An order that was refunded or edited, and its refunds and edits replayed so far, the last of them at `time`."""

    transaction: Transaction
    replayed: Tally
    time: Instant

    @property
    def recorded(self) -> Tally:
        """The tally on its transaction."""
        return self.transaction.tally or Tally()

    @property
    def proven(self) -> Tally:
        """The tally that should be there: the replayed one, with a later version that moved nothing.

        A version that would have moved credits does not count without its transaction: when redelivered, it must move
        them.
        """
        recorded, shown = self.recorded.edits, edits.newest(self.transaction, self.replayed)
        if recorded is None or (recorded.charged, recorded.taken) != (shown.charged, shown.taken):
            return self.replayed
        if (recorded.updated_at or "") < (shown.updated_at or ""):
            return self.replayed
        total = shown.total if recorded.updated_at == shown.updated_at else recorded.total
        return replace(self.replayed, edits=replace(shown, updated_at=recorded.updated_at, total=total))


class Tallies:
    """The refunded and edited orders and reversed payments of one merchant, counted transaction by transaction.

    Each is found by the tally on its transaction; those in `uncounted` are given. After the walk `uncounted` also holds
    every refunded or edited order and reversed payment whose transaction has no tally.
    """

    def __init__(self, merchant_id: MerchantId, *, uncounted: Collection[TransactionId] = ()) -> None:
        self.uncounted = set(uncounted)
        self._merchant_id = merchant_id
        self._orders: dict[TransactionId, _Tallied] = {}
        self._payments = _PaymentTallies(merchant_id, self.uncounted)

    def take(self, transaction: Transaction) -> Iterator[Finding]:
        """Add the next transaction; yield what is wrong with it if it is a refund, an edit or a reversal."""
        wrong = None
        if transaction.kind in _PAYMENT_KINDS:
            wrong = self._payments.take(transaction)
        elif transaction.kind.is_order:
            if transaction.tally is not None or transaction.transaction_id in self.uncounted:
                self._orders[transaction.transaction_id] = _Tallied(
                    transaction=transaction, replayed=Tally(), time=transaction.refunded_at or transaction.created_at
                )
        elif transaction.kind in (*_REFUNDS, *_EDITS):
            wrong = self._replay(transaction)
        if wrong is not None:
            kind, detail = wrong
            yield self._finding(kind, transaction.transaction_id, transaction.sequence, detail)

    def differences(self) -> Iterator[Finding]:
        """Yield every order and payment whose tally differs from its replayed refunds, edits or reversals."""
        for order_id, order in self._orders.items():
            if order.recorded != order.proven:
                recorded, proven = in_words(order.recorded), in_words(order.proven)
                detail = f"the order's transaction says {recorded}, its refunds and edits say {proven}"
                yield self._finding(Drift.TALLY_WRONG, order_id, order.transaction.sequence, detail)
        for payment_id, payment in self._payments.payments.items():
            if payment.wrong:
                recorded, proven = in_words(payment.recorded or PaymentTally()), in_words(payment.replayed)
                detail = f"the payment's transaction says {recorded}, its reversals say {proven}"
                yield self._finding(Drift.TALLY_WRONG, payment_id, payment.sequence, detail)

    def _finding(self, kind: Drift, of: TransactionId, sequence: int, detail: str) -> Finding:
        return Finding(kind=kind, merchant_id=self._merchant_id, sequence=sequence, detail=detail, transaction_id=of)

    def corrections(self) -> Iterator[TallyChange]:
        """Yield the proven tally of every order and payment whose transaction has another."""
        for order_id, order in self._orders.items():
            if order.recorded != order.proven:
                yield TallyChange(
                    transaction_id=order_id, before=order.transaction.tally, after=order.proven, time=order.time
                )
        for payment_id, payment in self._payments.payments.items():
            if payment.wrong:
                yield TallyChange(
                    transaction_id=payment_id, before=payment.recorded, after=payment.replayed, time=payment.reversed_at
                )

    def _replay(self, transaction: Transaction) -> tuple[Drift, str] | None:
        named = str(transaction.metadata.get("order_id"))
        order_id = transaction_id(self._merchant_id, order_key(named))
        order = self._orders.get(order_id)
        if order is None:
            self.uncounted.add(order_id)
            word = "edit" if transaction.kind in _EDITS else "refund"
            return Drift.TALLY_WRONG, f"the {word} is not counted on the transaction of order {named}"
        order.time = transaction.created_at
        return _edit(order, transaction) if transaction.kind in _EDITS else self._refund(order, transaction)

    @staticmethod
    def _refund(order: _Tallied, transaction: Transaction) -> tuple[Drift, str] | None:
        before = _counted_by(transaction, order)
        try:
            due, order.replayed = refund(
                before,
                taken=edits.taken(order.transaction, before),
                recorded_total=recorded_money(order.transaction, "total"),
                amount=recorded_money(transaction, "refund_amount"),
                order_total=recorded_money(transaction, "order_total"),
            )
        except Rejected as error:
            return Drift.REFUND_WRONG, error.message
        if due != transaction.requested:
            return Drift.REFUND_WRONG, f"it asked back {transaction.requested} credits, {due} were due"
        return None


def _counted_by(refund: Transaction, order: _Tallied) -> Tally:
    """Return the tally as it was before the refund, with the newest total that the refund's transaction names.

    A version that changed only the total has no transaction: the refund's proves it.
    """
    total = edits.newest_total(refund)
    if total is None:
        return order.replayed
    seen: Edits = edits.newest(order.transaction, order.replayed)
    return replace(order.replayed, edits=replace(seen, total=total))


def _edit(order: _Tallied, transaction: Transaction) -> tuple[Drift, str] | None:
    try:
        edit = edits.replayed(transaction, order.transaction, order.replayed)
    except (KeyError, ValueError, Rejected) as error:
        return Drift.EDIT_WRONG, f"its charge cannot be computed: {error}"
    order.replayed = replace(order.replayed, edits=edits.moved(edit, transaction, order.transaction))
    if (edit.kind, edit.requested) != (transaction.kind, transaction.requested):
        due = "nothing" if edit.kind is None else f"{edit.requested} credits as {edit.kind.direction}"
        return (
            Drift.EDIT_WRONG,
            f"it asked for {transaction.requested} credits as {transaction.kind.direction}, due was {due}",
        )
    return None


def in_words(tally: Tally) -> str:
    """Return a tally in words."""
    if isinstance(tally, PaymentTally):
        return _payment_in_words(tally)
    part = "all of it" if tally.full else f"{tally.money:f} of {tally.total if tally.total is not None else 'unknown'}"
    refunded = f"{tally.credits} credits in {tally.count} refunds ({part})"
    if tally.edits is None:
        return refunded
    seen = tally.edits
    total = "unknown" if seen.total is None else f"{seen.total:f}"
    return (
        f"{refunded}; charged {seen.charged}, {seen.taken} by edits, total {total}, as of {seen.updated_at or 'none'}"
    )


@dataclass(slots=True)
class _Reversed:
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


class _PaymentTallies:
    """The reversed payments of one merchant, counted transaction by transaction; as `Tallies` for orders."""

    def __init__(self, merchant_id: MerchantId, uncounted: set[TransactionId]) -> None:
        self.payments: dict[TransactionId, _Reversed] = {}
        self._merchant_id = merchant_id
        self._uncounted = uncounted

    def take(self, transaction: Transaction) -> tuple[Drift, str] | None:
        """Add the next transaction, of one of `_PAYMENT_KINDS`; return what is wrong with it, in a sentence."""
        if transaction.kind is not Kind.PAYMENT:
            return self._replay(transaction)
        if transaction.tally is not None or transaction.transaction_id in self._uncounted:
            self.payments[transaction.transaction_id] = _Reversed(
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


def _payment_in_words(tally: PaymentTally) -> str:
    disputes = f", {tally.disputes} disputes open" if tally.disputes else ""
    return f"{tally.credits} credits in {tally.count} reversals{disputes}"

"""Many movements of one merchant, decided together for one atomic write.

`fold` is pure: what the store knows goes in, what to write comes out, beside an outcome for every movement.
Nothing is final before the write is confirmed: after a lost race all of it is decided again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.domain import edits
from chalicelib.domain.compensating import Effect, of_an_amount, refunded_by, returned_by, reversed_by
from chalicelib.domain.due import next_at, post_due
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.grace import repayment, repays
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, later_than
from chalicelib.domain.ledger import Account, Commit, Crossing, TallyChange, open_account
from chalicelib.domain.lots import Lots, given_back, grant, revived
from chalicelib.domain.movements import (
    OPENS,
    FixedMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
    arranged,
)
from chalicelib.domain.moving import apply
from chalicelib.domain.names import DependentMovement, FactNames, Guards, ground_of, version_of
from chalicelib.domain.orders import Direction, Tally, charge, total_missing
from chalicelib.domain.outcomes import Duplicate, Fold, Outcome, Posted, compare
from chalicelib.domain.terms import TIME_TERMS, TimeTerms
from chalicelib.domain.transactions import Transaction

ITEMS_MAX = 100
"""Distinct items in one atomic write, DynamoDB's limit: the account, the transactions, their guards, the grounds whose
tallies change."""
NO_GUARDS: Guards = {}


def fold(  # noqa: PLR0913 - each is a fact of its own
    merchant_id: MerchantId,
    account: Account | None,
    movements: Sequence[Movement],
    *,
    stored: Mapping[TransactionId, Transaction],
    default_threshold: int,
    now: Instant,
    foresee: bool = False,
    guards: Guards = NO_GUARDS,
    terms: TimeTerms = TIME_TERMS,
) -> Fold:
    """Decide `movements` one after another, as if each were written alone, and return them as one write.

    What time has changed of the account until `now` comes first, in the same write; `terms` say what that is.

    `stored` holds the transactions that are known: duplicates met before and the orders that refunds need, and
    `guards` the other names of some of them.
    `default_threshold` is the low-balance threshold, in credits, of accounts without one of their own. With
    `foresee`, what does not fit into the write is decided too, and only foreseen.
    """
    write = _Write(
        merchant_id, account, stored=stored, guards=guards, default_threshold=default_threshold, now=now, terms=terms
    )
    outcomes: list[Outcome | None] = [None] * len(movements)
    order = iter(arranged(movements, stored=stored.keys() | guards.keys()))
    left = []
    for index in order:
        if write.full_for(movements[index]):
            left = [index, *order]
            break
        outcomes[index] = write.decide(movements[index])
    commit, foreseen = write.commit(), list(outcomes)
    if foresee:
        for index in left:
            foreseen[index] = write.decide(movements[index])
    return Fold(commit=commit, outcomes=tuple(outcomes), foreseen=tuple(foreseen))


class _Write:
    """One atomic write in the making: what is known, and what has been decided so far."""

    def __init__(
        self,
        merchant_id: MerchantId,
        account: Account | None,
        *,
        stored: Mapping[TransactionId, Transaction],
        guards: Guards,
        default_threshold: int,
        now: Instant,
        terms: TimeTerms,
    ) -> None:
        self._merchant_id = merchant_id
        self._before = account
        self._account = account
        self._default_threshold = default_threshold
        # If this clock is slower than the last writer's, time must not run backwards within the account.
        self._now = max(now, account.updated_at) if account else now
        self._terms = terms
        self._transactions: dict[TransactionId, Transaction] = {}
        self._names = FactNames(guards, stored=stored, transactions=self._transactions)
        self._tallies: dict[TransactionId, TallyChange] = {}
        self._crossings: list[Crossing] = []
        self._due = account is not None and account.is_due(self._now)
        if account is not None and self._due:
            # Later than the newest transaction, so that `audit` can see whose crossings the account carries.
            self._now = later_than(account.updated_at, now=self._now)
            posted = post_due(account, terms=terms, default_threshold=default_threshold, now=self._now)
            self._account = posted.account
            self._transactions.update({one.transaction_id: one for one in posted.transactions})
            self._crossings.extend(posted.crossings)

    def full_for(self, movement: Movement) -> bool:
        """Whether the write has no room for the items that `movement` may need."""
        ground = None
        if isinstance(movement, DependentMovement):
            movement = self._names.as_recorded(movement)
            ground = ground_of(movement)
        elif isinstance(movement, OrderMovement) and (known := self._known(movement.transaction_id)) is not None:
            ground = known.transaction_id
        # If the account owes credits, an inflow pays them back, which adds a second transaction.
        needed = 1 + len(movement.other_keys) + (self._account is not None and self._account.debt > 0)
        if ground is not None:
            needed += ground not in self._transactions and ground not in self._tallies
        return 1 + len(self._transactions) + len(self._names.added) + len(self._tallies) + needed > ITEMS_MAX

    def decide(self, movement: Movement) -> Outcome:
        """Apply the movement to what has been decided so far, and return its outcome if the write succeeds."""
        assert movement.merchant_id == self._merchant_id, "a fold is one merchant's"
        movement, known = self._named(movement)
        if isinstance(known, Rejected):
            return known
        if known is not None:
            return self._again(movement, known)
        try:
            if isinstance(movement, FixedMovement):
                return self._post_fixed(movement)
            if isinstance(movement, OrderMovement):
                return self._post_order(self._account, movement)
            if self._account is None:
                return _account_missing(self._merchant_id)
            if isinstance(movement, DependentMovement):
                return self._post_dependent(self._account, movement)
        except Rejected as error:
            return error
        raise AssertionError(movement)

    def _again(self, movement: Movement, known: Transaction) -> Outcome:
        """Return the outcome of a movement whose fact is recorded: a repeat, a newer version, or a conflict."""
        if isinstance(movement, OrderMovement) and known.kind.is_order:
            outcome = self._post_version(version_of(movement, known), known)
        else:
            outcome = compare(movement, known)
        if isinstance(outcome, Posted | Duplicate):
            self._names.add(known, movement)
        # A refund that would be impossible under any key is not just a conflict: its message is poison.
        impossible = isinstance(outcome, Rejected) and of_an_amount(movement) and self._untotalled(movement)
        return total_missing() if impossible else outcome

    def _named(self, movement: Movement) -> tuple[Movement, Transaction | Rejected | None]:
        """Return the movement, naming its grounds as recorded, and its transaction if it has one already."""
        if isinstance(movement, DependentMovement):
            movement = self._names.as_recorded(movement)
        return movement, self._names.recorded(movement)

    def _known(self, name: TransactionId | None) -> Transaction | None:
        """Return the transaction of this name as decided so far, else as stored, None where neither is known."""
        return None if name is None else self._names.find(name)

    def _tally_of(self, order: Transaction) -> Tally | None:
        """Return the order's tally as it is decided so far."""
        change = self._tallies.get(order.transaction_id)
        return change.after if change else order.tally

    def _set_tally(self, order: Transaction, tally: Tally, time: Instant) -> None:
        # An item may occur once in a write: an order of this very write takes its tally along, and several
        # refunds and edits of a stored order are one change.
        order_id = order.transaction_id
        if order_id in self._transactions:
            self._transactions[order_id] = replace(order, tally=tally, refunded_at=time)
            return
        change = self._tallies.get(order_id)
        before = change.before if change else order.tally
        self._tallies[order_id] = TallyChange(transaction_id=order_id, before=before, after=tally, time=time)

    def _untotalled(self, movement: RefundMovement) -> bool:
        """Whether the refund's order is known, and no total of it."""
        order = self._known(movement.order_transaction_id)
        return order is not None and edits.known_total(order, self._tally_of(order)) is None

    def commit(self) -> Commit | None:
        """Return the write, or None where nothing is to be written."""
        guards = tuple(self._names.added)
        if self._account is None or not (self._transactions or self._tallies or guards or self._due):
            return None
        return Commit(
            merchant_id=self._merchant_id,
            before=self._before,
            after=self._written(self._account),
            transactions=tuple(self._transactions.values()),
            tallies=tuple(self._tallies.values()),
            crossings=tuple(self._crossings),
            guards=guards,
        )

    def _written(self, account: Account) -> Account:
        """Return the account as the write leaves it."""
        if not (self._transactions or self._due):
            # Newer versions of orders with the same charge, and new names, move nothing: the account is not written.
            return account
        due_at = next_at(account, self._terms, after=self._now)
        return replace(account, version=account.version + 1, due_at=due_at, updated_at=self._now)

    def _post_fixed(self, movement: FixedMovement) -> Outcome:
        account = self._account
        if movement.kind in OPENS:
            if account is not None:
                # Only a trial opens an account, so there has been one, and a merchant gets one.
                return Duplicate(None)
            account = open_account(self._merchant_id, threshold=self._default_threshold, now=self._now)
        elif account is None:
            return _account_missing(self._merchant_id)
        parts = grant(movement.credits, movement.expires_at, movement.expires_in_days, now=self._now)
        return self._post(account, movement, movement.kind, movement.credits, movement.metadata, parts=parts)

    def _post_order(self, account: Account | None, movement: OrderMovement) -> Outcome:
        policy = movement.policy
        kind = Kind.ORDER_USED if policy.direction is Direction.DECREASE else Kind.ORDER_EARNED
        # First, because an order that cannot be charged waits for no account.
        requested = charge(policy, lines=movement.lines, total=movement.total)
        if account is None:
            return _account_missing(self._merchant_id)
        return self._post(account, movement, kind, requested, {**movement.metadata, "policy": str(policy)})

    def _post_version(self, movement: OrderMovement, order: Transaction) -> Outcome:
        """Post the difference that a newer version of a recorded order makes, or note it where it makes none."""
        recorded, tally = self._known(edits.edit_id(movement)), self._tally_of(order)
        if recorded is not None and edits.repeated(movement, recorded):
            return Duplicate(recorded)
        edit = edits.version(movement, order, tally)
        if not isinstance(edit, edits.Edit):
            return edit
        account = self._account
        if account is None:
            return _account_missing(self._merchant_id)
        before = tally or Tally()
        parts: Lots = ()
        if edit.kind is Kind.EDIT_ADDED:
            parts = given_back(order.drawn, held=edits.left(order, tally), credits_back=edit.requested)
        if edit.kind is None:
            self._set_tally(order, replace(before, edits=edit.edits), max(self._now, account.updated_at))
            return Duplicate(order)
        posted = self._post(
            account,
            edits.as_edit(movement),
            edit.kind,
            edit.requested,
            edits.edit_metadata(movement, order, edit.edits),
            parts=parts,
        )
        after = replace(before, edits=edits.moved(edit, posted.transaction, order))
        self._set_tally(order, after, posted.transaction.created_at)
        return posted

    def _post_dependent(self, account: Account, movement: DependentMovement) -> Outcome:
        ground = self._known(ground_of(movement))
        tally = self._tally_of(ground) if ground else None
        effect: Effect | Outcome
        if isinstance(movement, RefundMovement):
            effect = refunded_by(movement, ground, tally)
        elif isinstance(movement, ReversalMovement):
            effect = reversed_by(movement, ground, tally, balance=account.balance)
        else:
            effect = returned_by(movement, ground, tally, self._known(movement.dispute_transaction_id))
        if not isinstance(effect, Effect):
            return effect
        assert ground is not None, "without it nothing goes back"
        posted = self._post(account, movement, effect.kind, effect.requested, effect.metadata, parts=effect.parts)
        self._set_tally(ground, effect.tally, posted.transaction.created_at)
        return posted

    def _post(
        self,
        account: Account,
        movement: Movement,
        kind: Kind,
        requested: int,
        metadata: Mapping[str, str | int],
        *,
        parts: Lots = (),
    ) -> Posted:
        if parts and kind.direction is Direction.INCREASE:
            parts = revived(parts, now=self._now, grace_days=self._terms.refund_grace_days)
        after, transaction, crossed = apply(
            account,
            movement,
            kind=kind,
            requested=requested,
            metadata=metadata,
            default_threshold=self._default_threshold,
            now=self._now,
            terms=self._terms,
            parts=parts,
        )
        self._account = after
        self._transactions[transaction.transaction_id] = transaction
        self._names.add(transaction, movement)
        self._crossings.extend(crossed)
        if after.debt and repays(kind):
            paid = repayment(movement, debt=after.debt, balance=after.balance)
            if paid is not None:
                self._post(after, paid, paid.kind, paid.credits, paid.metadata)
        return Posted(transaction)


def _account_missing(merchant_id: MerchantId) -> RetryLater:
    return RetryLater(Code.ACCOUNT_MISSING, f"merchant {merchant_id} has no account yet", field="merchant_id")

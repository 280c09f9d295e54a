"""What the ledger holds of what was sent: under any of a fact's names, or in a later figure that has it in it."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import Movement, ReversalMovement, grounds, names_of
from chalicelib.domain.names import DependentMovement, FactNames
from chalicelib.domain.reversals import outdated
from chalicelib.domain.transactions import Transaction
from infra.commands.ledger import TargetLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Transactions that a movement is known by: one, or several where its names belong to more than one fact.

    None for a figure that a greater one of the same payment has in it (contract, section 14): nothing is recorded of
    that. `movement` names what it builds on as recorded, whichever names the event gave.
    """

    movement: Movement | None = None
    transactions: tuple[Transaction, ...] = ()

    @property
    def transaction(self) -> Transaction | None:
        """The first of the transactions."""
        return self.transactions[0] if self.transactions else None


def facts(reader: TargetLedger, movements: Iterable[Movement]) -> dict[TransactionId, Fact]:
    """Return what the ledger holds of each movement, by the id of its own transaction; others are left out."""
    wanted = {movement.transaction_id: movement for movement in movements}
    asked = {name for movement in wanted.values() for name in names_of(movement)}
    asked |= {name for movement in wanted.values() for name in grounds(movement)}
    stored = reader.transactions(asked)
    names = FactNames({}, stored=stored, transactions={})
    found: dict[TransactionId, Fact] = {}
    for own, movement in wanted.items():
        transactions = {stored[name].transaction_id: stored[name] for name in names_of(movement) if name in stored}
        if transactions:
            known = names.as_recorded(movement) if isinstance(movement, DependentMovement) else movement
            found[own] = Fact(movement=known, transactions=tuple(transactions.values()))
        elif isinstance(movement, ReversalMovement):
            payment = stored.get(movement.payment_transaction_id)
            if payment is not None and outdated(payment.tally, movement.portion):
                found[own] = Fact()
    return found

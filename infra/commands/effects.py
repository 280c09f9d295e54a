"""Reads the ledger until it holds the effects of the events that a command has sent, and reports them.

An effect is found under any of a fact's names, or in a later cumulative figure that includes it.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rich.progress import Progress

from chalicelib.contracts.api import answers
from chalicelib.contracts.inbound.payloads import Ignored, IgnoredReason
from chalicelib.contracts.letters import Letter
from chalicelib.domain.errors import Rejected
from chalicelib.domain.grace import repays
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import Movement, ReversalMovement, grounds, names_of
from chalicelib.domain.names import DependentMovement, FactNames
from chalicelib.domain.outcomes import compare
from chalicelib.domain.reversals import outdated
from chalicelib.domain.transactions import Transaction
from infra.commands.ledger import TargetLedger
from infra.commands.output import aside, counted, say
from infra.commands.parked import ParkedEvents, Sent
from infra.commands.times import shown

POLL_SECONDS = 0.2
FAULTS_SHOWN = 10
ASKED_AT_ONCE = 1000
"""Transactions that one look at the ledger asks for."""


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


@dataclass(slots=True, kw_only=True)
class Result:
    """The result of sending: faults in words, and with --wait the transactions in the ledger.

    `noun` precedes the id of an ignored part.
    `unconfirmed` counts the events that were not confirmed and may have been accepted; `ignored` are parts that the
    service ignores by rule: nobody waits for them. `left_out` says which fields of events cannot be read. `parked` are
    the letters of parked `events`, by their places in the list; `repayments` is how much of the first few inflows
    repaid debt, by the inflow.
    """

    noun: str = "order "
    sent: int = 0
    unconfirmed: int = 0
    faults: list[str] = field(default_factory=list)
    events: list[Sent] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    before: dict[TransactionId, Fact] = field(default_factory=dict)
    recorded: dict[TransactionId, Fact] = field(default_factory=dict)
    parked: dict[int, Letter] = field(default_factory=dict)
    repayments: dict[TransactionId, Transaction] = field(default_factory=dict)

    @property
    def missing(self) -> list[Movement]:
        """Return the movements that have not been seen in the ledger, in the order of their events."""
        asked = {movement.transaction_id: movement for movement in self.movements}
        return [movement for own, movement in asked.items() if own not in self.recorded]

    @property
    def awaited(self) -> list[Movement]:
        """Return the missing movements that may still be recorded: those of events that are not parked."""
        given_up = {one.transaction_id for place in self.parked for one in self.events[place].movements}
        return [movement for movement in self.missing if movement.transaction_id not in given_up]

    @property
    def poison_awaited(self) -> bool:
        """Whether an event that can only be parked has not yet been seen among the dead letters."""
        return any(event.poison and place not in self.parked for place, event in enumerate(self.events))

    def conflicts(self) -> list[tuple[Movement, str]]:
        """Return the movements that contradict the ledger, each with the reason: their messages are parked."""
        found = []
        for movement in self.movements:
            fact = self.recorded.get(movement.transaction_id, Fact())
            if len(fact.transactions) > 1:
                both = " and ".join(transaction.transaction_id for transaction in fact.transactions)
                found.append((movement, f"its names belong to two recorded facts, {both}"))
            elif fact.transaction and isinstance(compare(fact.movement or movement, fact.transaction), Rejected):
                found.append((movement, "recorded before with other content"))
        return found


def await_effects(
    reader: TargetLedger, parked: ParkedEvents, result: Result, progress: Progress, deadline: float
) -> None:
    """Read until each event's movements are in the ledger or it is seen parked, or until the deadline."""
    task = progress.add_task("in the ledger", total=len(result.missing))
    while (awaited := result.awaited) or result.poison_awaited:
        # They are recorded roughly in the order of sending, so a long file is not read whole each time.
        asked = awaited[:ASKED_AT_ONCE]
        found = facts(reader, asked)
        result.recorded |= found
        progress.advance(task, len(found))
        if not asked or len(found) < len(asked):
            over = time.monotonic() > deadline
            result.parked |= parked.found(result.events, last=over)
            if over:
                break
            time.sleep(POLL_SECONDS)
    if missing := result.missing:
        # A message that is parked for one of its orders still records the others.
        result.recorded |= facts(reader, missing)
    recorded = (fact.transaction for own, fact in result.recorded.items() if own not in result.before)
    for inflow in islice((one for one in recorded if one is not None and repays(one.kind)), FAULTS_SHOWN):
        result.repayments |= reader.repayments([inflow.transaction_id], inflow.merchant_id)


def say_ignored(result: Result, *, one: bool) -> None:
    """Print what the service ignores by rule: each part of `one` event, the sums of a file."""
    reasons = Counter(ignored.reason for ignored in result.ignored)
    if one:
        for ignored in result.ignored[:FAULTS_SHOWN]:
            name = f"{result.noun}{ignored.reference_id}"
            say(f"{name}: ignored ({ignored.reason}); nothing is recorded.", style="yellow")
    elif reasons:
        words = ", ".join(f"{times:,} {reason}" for reason, times in sorted(reasons.items()))
        say(f"{reasons.total():,} ignored: {words}.", style="yellow")
    if IgnoredReason.TEST_ORDER in reasons:
        say("A stage whose setting TEST_ORDERS is count charges test orders.")


def say_left_out(result: Result) -> None:
    """Print beside the answer which fields cannot be read and are left out."""
    for sentence in result.left_out[:FAULTS_SHOWN]:
        aside(sentence)
    if (more := len(result.left_out) - FAULTS_SHOWN) > 0:
        aside(f"… and {counted(more, 'field')} more.")


def say_effects(result: Result, conflicts: Sequence[tuple[Movement, str]], *, one: bool) -> None:
    """Print what came of the events: each transaction of `one`, the sums of a file."""
    say_ignored(result, one=one)
    if one:
        for own, fact in result.recorded.items():
            _say_effect(own, fact, result.repayments, before=own in result.before)
    else:
        new = len(result.recorded) - len(result.before)
        say(f"{new:,} recorded now, {len(result.before):,} had been recorded before.")
    for movement, why in conflicts[:FAULTS_SHOWN]:
        say(f"{movement.key}: {why}, so this message is parked (`credits dead-letters list`).", style="red")
    _say_parked(list(result.parked.values()))
    if awaited := len(result.awaited):
        say(
            f"{awaited:,} not in the ledger yet: waiting for their account, order or payment, or parked "
            "(`credits dead-letters list`).",
            style="red",
        )
    elif one and not (result.movements or result.ignored or result.parked):
        say("The service will park it: `credits dead-letters list`.")


def _say_parked(letters: Sequence[Letter]) -> None:
    for letter in letters[:FAULTS_SHOWN]:
        say(f"Parked, {letter.code}: {letter.reason}", style="red")
        say(f"`credits dead-letters show {letter.letter_id}` prints it.", style="dim")
    if (more := len(letters) - FAULTS_SHOWN) > 0:
        say(f"… and {counted(more, 'event')} more parked.", style="red")


def say_repaid(repayment: Transaction | None) -> None:
    """Print how much of an inflow repaid debt, and the balance after it; nothing for None."""
    if repayment is not None:
        left = f"{counted(repayment.balance_after)} left"
        say(f"{-repayment.amount} of it paid debt (#{repayment.sequence}): {left}.", style="yellow")


def _say_effect(
    own: TransactionId, fact: Fact, repayments: Mapping[TransactionId, Transaction], *, before: bool
) -> None:
    transaction = fact.transaction
    if transaction is None:
        say("A larger refund of this payment is already recorded; nothing was moved.", style="yellow")
        return
    if before:
        name = "" if transaction.transaction_id == own else f" under another name, {transaction.idempotency_key}"
        at = shown(transaction.created_at)
        say(f"#{transaction.sequence}: recorded before{name}, at {at}; nothing was moved.", style="yellow")
    else:
        say(
            f"#{transaction.sequence}: {transaction.balance_before} → {counted(transaction.balance_after)}",
            style="green",
        )
        if transaction.shortfall:
            say(f"{transaction.shortfall} short: it asked for {transaction.requested}.", style="yellow")
        say_repaid(repayments.get(transaction.transaction_id))
    say(f"transaction {transaction.transaction_id}")


def as_json(result: Result, conflicts: Sequence[tuple[Movement, str]], *, one: bool, waited: bool) -> dict[str, Any]:
    """Return the same for programs."""
    ignored = [{"reference_id": one.reference_id, "reason": one.reason} for one in result.ignored]
    content: dict[str, Any] = {"sent": result.sent, "not_sent": result.faults, "ignored": ignored}
    if waited:
        content |= {
            "recorded": len(result.recorded) - len(result.before),
            "recorded_before": len(result.before),
            "conflicts": [movement.key for movement, _ in conflicts],
            "missing": [movement.transaction_id for movement in result.missing],
            "parked": [
                {"id": letter.letter_id, "event_type": letter.event_type, "code": letter.code, "reason": letter.reason}
                for letter in result.parked.values()
            ],
        }
    if waited and one:
        found = [fact.transaction for fact in result.recorded.values() if fact.transaction is not None]
        content["transactions"] = [answers.Transaction.of(transaction).model_dump(mode="json") for transaction in found]
    return content

"""`credits emit`: sends any event of the contract, or a file of them, and reports the result."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from chalicelib.contracts.api import answers
from chalicelib.contracts.inbound.events import INBOUND
from chalicelib.contracts.inbound.payloads import Ignored, IgnoredReason
from chalicelib.domain.errors import Rejected
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import compare
from infra.commands.channels import IN_FLIGHT, Channel, Via, opened
from infra.commands.events import NotAnEventError, Outgoing, event_type_named, made, payload_of, read_file
from infra.commands.facts import Fact, facts
from infra.commands.ledger import TargetLedger
from infra.commands.merchants import counted
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, print_json, progress_bar, say, unable
from infra.commands.repeating import name_again, repeatable
from infra.commands.target import Target, find
from infra.commands.times import shown

POLL_SECONDS = 0.2
FAULTS_SHOWN = 10
ASKED_AT_ONCE = 1000
"""Transactions that one look at the ledger asks for."""


@dataclass(slots=True, kw_only=True)
class Result:
    """The result of sending: faults in words, and with --wait the transactions in the ledger.

    `unconfirmed` counts the events that were not confirmed and may have been accepted; `ignored` are parts that the
    service ignores by rule: nobody waits for them.
    """

    sent: int = 0
    unconfirmed: int = 0
    faults: list[str] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    before: dict[TransactionId, Fact] = field(default_factory=dict)
    recorded: dict[TransactionId, Fact] = field(default_factory=dict)

    @property
    def missing(self) -> list[Movement]:
        """Return the movements that have not been seen in the ledger, in the order of their events."""
        asked = {movement.transaction_id: movement for movement in self.movements}
        return [movement for own, movement in asked.items() if own not in self.recorded]

    def conflicts(self) -> list[tuple[Movement, str]]:
        """Return the movements that contradict the ledger, each with the reason: their messages are parked."""
        found = []
        for movement in self.movements:
            fact = self.recorded.get(movement.transaction_id, Fact())
            if len(fact.records) > 1:
                both = " and ".join(record.transaction_id for record in fact.records)
                found.append((movement, f"its names belong to two recorded facts, {both}"))
            elif fact.record is not None and isinstance(compare(movement, fact.record), Rejected):
                found.append((movement, "recorded before with another content"))
        return found


def emit(
    context: typer.Context,
    event_type: Annotated[
        str | None, typer.Argument(help="The event type, or its end: order_paid.", show_default=False)
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="The payload's fields.", show_default=False)
    ] = None,
    *,
    payload: Annotated[str | None, typer.Option(help="The payload as JSON, under the fields.")] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, help="A file of envelopes instead, one a line: .jsonl or .jsonl.gz.")
    ] = None,
    via: Annotated[
        Via | None, typer.Option(help="Over NATS or the bus; NATS where it is known.", show_default=False)
    ] = None,
    nats: Annotated[str | None, typer.Option(envvar="NATS_URL", help="The address of NATS.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until the ledger has it, and say what came of it.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait.")] = 60.0,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Send also what the service will park.")] = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Send an event that moves credits, or a file of them; exit status 1 if one was refused or had no effect.

    The same fact counts once, so the same command may be repeated: the payload holds the ids that identify it.

    credits emit order_paid merchant_id=0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d order_id=1001 total=24.90 --wait
    """
    if (event_type is None) == (file is None):
        raise unable(f"Name an event type, or a --file of events. The types: {', '.join(INBOUND)}.")
    target = find(stage, profile)
    chosen = via or (Via.NATS if target.local or nats else Via.BUS)
    result, checked = Result(), not unchecked
    if file is not None:
        events = _good(read_file(file, checked=checked), result)
    else:
        name = event_type_named(event_type or "", known=checked)
        events = iter([made(name, payload_of(fields or [], payload), checked=checked)])
    reader = TargetLedger(target) if wait else None
    with repeatable(context), progress_bar(visible=file is not None and not as_json) as progress:
        with opened(target, chosen, nats) as channel:
            _send(channel, events, result, reader, progress)
        if reader is not None:
            _await(reader, result, progress, time.monotonic() + timeout)
    if result.unconfirmed:
        name_again(context)
    _report(result, chosen, target, one=file is None, waited=wait, as_json=as_json)


def _good(lines: Iterable[tuple[int, Outgoing | NotAnEventError]], result: Result) -> Iterator[Outgoing]:
    for number, event in lines:
        if isinstance(event, NotAnEventError):
            result.faults.append(f"line {number}: {event}")
        else:
            yield event


def _send(
    channel: Channel, events: Iterator[Outgoing], result: Result, reader: TargetLedger | None, progress: Progress
) -> None:
    task = progress.add_task("sent", total=None)
    sent: set[TransactionId] = set()
    while batch := list(islice(events, IN_FLIGHT)):
        if reader is not None:
            movements = [movement for event in batch for movement in event.movements]
            # What an earlier batch of this file has sent may be in the ledger by now, but is of this file.
            new = [movement for movement in movements if movement.transaction_id not in sent]
            result.before |= facts(reader, new)
            result.movements += movements
            sent |= {movement.transaction_id for movement in new}
        for event, fault in zip(batch, channel.send(batch), strict=True):
            if fault is None:
                result.sent += 1
                result.ignored += event.ignored
            else:
                result.unconfirmed += 1
                result.faults.append(f"{event.event_type}: {fault}")
        progress.update(task, completed=result.sent)
    progress.update(task, total=result.sent)


def _await(reader: TargetLedger, result: Result, progress: Progress, deadline: float) -> None:
    """Read the ledger until it holds every movement, or until the deadline."""
    task = progress.add_task("in the ledger", total=len(result.missing))
    while missing := result.missing:
        # They are recorded roughly in the order of sending, so a long file is not read whole each time.
        asked = missing[:ASKED_AT_ONCE]
        found = facts(reader, asked)
        result.recorded |= found
        progress.advance(task, len(found))
        if len(found) < len(asked):
            if time.monotonic() > deadline:
                result.recorded |= facts(reader, result.missing)
                return
            time.sleep(POLL_SECONDS)


def _report(result: Result, via: Via, target: Target, *, one: bool, waited: bool, as_json: bool) -> None:
    conflicts = result.conflicts()
    if as_json:
        print_json(_as_json(result, conflicts, one=one, waited=waited))
    else:
        events = "1 event" if result.sent == 1 else f"{result.sent:,} events"
        where = "NATS" if via is Via.NATS else f"the bus {target.event_bus}"
        say(f"{events} sent over {where}.")
        for fault in result.faults[:FAULTS_SHOWN]:
            say(f"not sent: {fault}", style="red")
        if len(result.faults) > FAULTS_SHOWN:
            say(f"… and {len(result.faults) - FAULTS_SHOWN:,} more.", style="red")
        if waited:
            _say_effects(result, conflicts, one=one)
    if result.faults or (waited and result.missing) or conflicts:
        raise typer.Exit(FOUND)


def _say_ignored(result: Result, *, one: bool) -> None:
    reasons = Counter(ignored.reason for ignored in result.ignored)
    if one:
        for ignored in result.ignored[:FAULTS_SHOWN]:
            say(f"order {ignored.reference_id}: ignored ({ignored.reason}); nothing is recorded.", style="yellow")
    elif reasons:
        words = ", ".join(f"{times:,} {reason}" for reason, times in sorted(reasons.items()))
        say(f"{reasons.total():,} ignored: {words}.", style="yellow")
    if IgnoredReason.TEST_ORDER in reasons:
        say("A stage whose setting TEST_ORDERS is count charges test orders.")


def _say_effects(result: Result, conflicts: Sequence[tuple[Movement, str]], *, one: bool) -> None:
    _say_ignored(result, one=one)
    if one:
        for own, fact in result.recorded.items():
            _say_effect(own, fact, before=own in result.before)
    else:
        new = len(result.recorded) - len(result.before)
        say(f"{new:,} recorded now, {len(result.before):,} had been recorded before.")
    for movement, why in conflicts[:FAULTS_SHOWN]:
        say(f"{movement.key}: {why}, so this message is parked (`credits dead-letters list`).", style="red")
    if result.missing:
        say(
            f"{len(result.missing):,} not in the ledger yet: waiting for their account, order or payment, or parked "
            "(`credits dead-letters list`).",
            style="red",
        )
    elif one and not (result.movements or result.ignored):
        say("The service will park it: `credits dead-letters list`.")


def _say_effect(own: TransactionId, fact: Fact, *, before: bool) -> None:
    record = fact.record
    if record is None:
        say("A greater amount is recorded as refunded of this payment already; nothing was moved.", style="yellow")
        return
    if before:
        name = "" if record.transaction_id == own else f" under another name, {record.idempotency_key}"
        at = shown(record.created_at)
        say(f"#{record.sequence}: recorded before{name}, at {at}; nothing was moved.", style="yellow")
    else:
        say(f"#{record.sequence}: {record.balance_before} → {counted(record.balance_after)}", style="green")
        if record.shortfall:
            say(f"{record.shortfall} short: it asked for {record.requested}.", style="yellow")
    say(f"transaction {record.transaction_id}")


def _as_json(result: Result, conflicts: Sequence[tuple[Movement, str]], *, one: bool, waited: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"sent": result.sent, "not_sent": result.faults}
    if waited:
        content |= {
            "recorded": len(result.recorded) - len(result.before),
            "recorded_before": len(result.before),
            "conflicts": [movement.key for movement, _ in conflicts],
            "ignored": [{"reference_id": one.reference_id, "reason": one.reason} for one in result.ignored],
            "missing": [movement.transaction_id for movement in result.missing],
        }
    if waited and one:
        found = [fact.record for fact in result.recorded.values() if fact.record is not None]
        content["transactions"] = [answers.Transaction.of(record).model_dump(mode="json") for record in found]
    return content

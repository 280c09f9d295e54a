"""`credits emit`: sends any event of the contract, or a file of them, and reports the result."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from chalicelib.contracts.inbound.events import INBOUND
from chalicelib.domain.ids import TransactionId
from infra.commands.channels import IN_FLIGHT, Channel, Via, opened
from infra.commands.effects import FAULTS_SHOWN, Result, await_effects, facts, say_effects, say_ignored, say_left_out
from infra.commands.effects import as_json as effects_as_json
from infra.commands.events import NotAnEventError, Outgoing, event_type_named, made, payload_of, read_file
from infra.commands.ledger import TargetLedger
from infra.commands.letters import dead_letters
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, counted, print_json, progress_bar, say, unable
from infra.commands.parked import ParkedEvents, Sent
from infra.commands.repeating import name_again, repeatable
from infra.commands.target import Target, find
from infra.commands.webhooks import SecretFile, ShopDomain, Signing, Topic, WebhookOf, emit_webhook

EventType = Annotated[str | None, typer.Argument(help="The event type, or its end: order_paid.")]
Fields = Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="The payload's fields.")]
Envelopes = Annotated[
    Path | None, typer.Option(exists=True, help="A file of envelopes instead, one a line: .jsonl or .jsonl.gz.")
]
Way = Annotated[Via | None, typer.Option(help="Over NATS or the bus; NATS if its address is known.")]


def emit(
    context: typer.Context,
    event_type: EventType = None,
    fields: Fields = None,
    *,
    payload: Annotated[str | None, typer.Option(help="The payload as JSON; NAME=VALUE fields are added to it.")] = None,
    webhook: WebhookOf = None,
    topic: Topic = None,
    shop: ShopDomain = None,
    secret_file: SecretFile = None,
    file: Envelopes = None,
    via: Way = None,
    nats: Annotated[str | None, typer.Option(envvar="NATS_URL", help="The address of NATS.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the ledger has it, and print its effect.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait.")] = 60.0,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Also send what the service will park.")] = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Send events or a webhook; exit status 1 if one was refused, conflicts, is parked, or is not recorded in time.

    The same fact counts once, so the same command may be repeated: the payload holds the ids that identify it.

    credits emit order_paid merchant_id=0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d order_id=1001 total=24.90 --wait
    """
    if webhook or topic or shop or secret_file:
        path = None if fields or payload or file or via else event_type
        signing = Signing.named(webhook, path, topic, shop, secret_file)
        seconds = timeout if wait else None
        emit_webhook(context, find(stage, profile), signing, seconds, checked=not unchecked, as_json=as_json)
        return
    if (event_type is None) == (file is None):
        raise unable(f"Name an event type, or a --file of events. The types: {', '.join(INBOUND)}.")
    target, result = find(stage, profile), Result()
    chosen = via or (Via.NATS if target.local or nats else Via.BUS)
    if file is not None:
        events = _good(read_file(file, checked=not unchecked), result)
    else:
        one = event_type_named(event_type or "", known=not unchecked)
        events = iter([made(one, payload_of(fields or [], payload), checked=not unchecked)])
    reader, parked = (TargetLedger(target), ParkedEvents(dead_letters(target))) if wait else (None, None)
    with repeatable(context), progress_bar(visible=file is not None and not as_json) as progress:
        with opened(target, chosen, nats) as channel:
            _send(channel, events, result, reader, progress)
        if reader is not None and parked is not None:
            await_effects(reader, parked, result, progress, time.monotonic() + timeout)
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
                if reader is not None:
                    result.events.append(Sent(body=event.body, movements=event.movements, poison=event.poison))
                result.ignored += event.ignored
                result.left_out += event.left_out
            else:
                result.unconfirmed += 1
                result.faults.append(f"{event.event_type}: {fault}")
        progress.update(task, completed=result.sent)
    progress.update(task, total=result.sent)


def _report(result: Result, via: Via, target: Target, *, one: bool, waited: bool, as_json: bool) -> None:
    conflicts = result.conflicts()
    say_left_out(result)
    if as_json:
        print_json(effects_as_json(result, conflicts, one=one, waited=waited))
    else:
        where = "NATS" if via is Via.NATS else f"the bus {target.event_bus}"
        say(f"{counted(result.sent, 'event')} sent over {where}.")
        for fault in result.faults[:FAULTS_SHOWN]:
            say(f"not sent: {fault}", style="red")
        if len(result.faults) > FAULTS_SHOWN:
            say(f"… and {len(result.faults) - FAULTS_SHOWN:,} more.", style="red")
        if waited:
            say_effects(result, conflicts, one=one)
        else:
            say_ignored(result, one=one)
    if result.faults or (waited and result.missing) or conflicts or result.parked:
        raise typer.Exit(FOUND)

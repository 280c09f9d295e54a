"""`credits republish`: publishes again, from the ledger, what the streams published, under the same event ids."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.adapters.eventbridge import EventBridgeBus
from chalicelib.contracts.api.problems import Refusal
from chalicelib.contracts.letters import Letter
from chalicelib.contracts.outbound.derived import derived_events
from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event
from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import CallTime, Snapshot
from chalicelib.usecases.counting import count
from infra.commands.ledger import ledger_of, reader_of
from infra.commands.letters import SEARCH_SECONDS, dead_letters
from infra.commands.options import AsJson, OneMerchant, Profile, Since, Stage, Until, period
from infra.commands.output import FOUND, refused, unable
from infra.commands.repeating import repeatable
from infra.commands.republished import Republished, report
from infra.commands.target import Target, find
from infra.commands.times import now
from infra.recovery.everybody import account_pages

AROUND_A_RECORD = timedelta(minutes=5)
"""How far a transaction's time may be from its arrival in the stream: the longest call, plus clock differences."""
ROLL_UP = "roll_up"
EVENTS_AT_ONCE = 500


class Only(StrEnum):
    """Which of a transaction's events: that of the transactions' stream, or those of the accounts' stream."""

    TRANSACTIONS = "transactions"
    CROSSINGS = "crossings"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which transactions: of one merchant or of all, created from `since` to `until`, both included."""

    merchant: MerchantId | None = None
    since: Instant | None = None
    until: Instant | None = None
    only: Only | None = None


def republish(
    context: typer.Context,
    merchant: OneMerchant = None,
    *,
    transaction: Annotated[str | None, typer.Option(help="One transaction's id.")] = None,
    since: Since = None,
    until: Until = None,
    letter: Annotated[
        str | None,
        typer.Option(help="A dead letter that points to records of a stream; removed when all is published."),
    ] = None,
    only: Annotated[Only | None, typer.Option(help="Only one stream's events.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would publish.")] = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Publish events of the ledger again: of a merchant, a transaction, a time, or a stream's dead letter.

    The ids are the same, so consumers drop repeats. Low and restored of a threshold that an admin changed have no
    transaction: they are published again only until the account's next write. Exit status 1 if the bus refused some, or
    an account or transaction cannot be read; then a dead letter stays parked. Safe to repeat.
    """
    if sum(given is not None for given in (merchant or since, transaction, letter)) != 1:
        raise unable("Give MERCHANT (optionally with --since and --until), --since, --transaction or --letter.")
    first, last = period(since, until, None)
    target = find(stage, profile)
    reader, outcome = reader_of(target), Republished()
    bus = None if dry_run else EventBridgeBus(target.client("events"), bus=target.event_bus, sleep=time.sleep)
    with repeatable(context):
        if letter is not None:
            _of_letter(target, reader, letter, outcome, bus)
        elif transaction is not None:
            found = _one(target, reader, TransactionId(transaction))
            _publish(_events([found], only, outcome), outcome, bus)
        else:
            wanted = _Wanted(merchant=MerchantId(merchant) if merchant else None, since=first, until=last, only=only)
            _publish(_all_events(reader, wanted, outcome), outcome, bus)
    report(outcome, dry_run=dry_run, as_json=as_json)
    if not outcome.whole:
        raise typer.Exit(FOUND)


def _of_letter(
    target: Target, reader: DynamoDBLedgerReader, letter_id: str, outcome: Republished, bus: EventBridgeBus | None
) -> None:
    desk = dead_letters(target)
    letter = desk.find(letter_id, seconds=SEARCH_SECONDS)
    if letter is None:
        raise refused(f"No dead letter {letter_id} is parked (any more).", Refusal.NOT_FOUND)
    if letter.pointer is None:
        raise refused(
            f"Dead letter {letter_id} holds a message: `credits dead-letters redrive {letter_id}` puts it back."
        )
    since = instant(datetime.fromisoformat(letter.pointer.earliest) - AROUND_A_RECORD)
    until = instant(datetime.fromisoformat(letter.pointer.latest) + AROUND_A_RECORD)
    function = _function(target, letter)
    if function == ROLL_UP:
        outcome.recounted = _recount(target, reader, since, outcome, dry_run=bus is None)
    else:
        only = Only.TRANSACTIONS if function == "publish_transaction_events" else Only.CROSSINGS
        _publish(_all_events(reader, _Wanted(since=since, until=until, only=only), outcome), outcome, bus)
        # Each of its records has an event or more: with fewer events, some of what it points to was not found.
        found = sum(outcome.published.values()) + len(outcome.doubtful)
        outcome.missing = max(0, letter.pointer.records - found)
    if bus is not None and outcome.whole:
        desk.remove(letter_id, seconds=SEARCH_SECONDS)


def _function(target: Target, letter: Letter) -> str:
    """Return which function gave up the stream's records, by its name in app.py."""
    for name in ("publish_threshold_events", "publish_transaction_events", ROLL_UP):
        if letter.function in (name, target.functions.get(name)):
            return name
    raise refused(f"Letter {letter.letter_id} is of {letter.function}, which does not publish events.")


def _recount(
    target: Target, reader: DynamoDBLedgerReader, since: Instant, outcome: Republished, *, dry_run: bool
) -> int:
    """Count the accounts that have changed since: only an account's newest image counts."""
    store = DynamoDBFigures(target.client("dynamodb"), table=target.figures_table)
    time_left = CallTime(now=now, remaining_seconds=lambda: SEARCH_SECONDS, sleep=time.sleep)
    counted = 0
    for page in _pages(reader, outcome):
        changed = [found.account for found in page if found.account.updated_at >= since]
        if not dry_run and count(store, changed, time=time_left):
            raise unable("The figures could not be counted: the table did not answer. Try again.")
        counted += len(changed)
    return counted


def _all_events(reader: DynamoDBLedgerReader, wanted: _Wanted, outcome: Republished) -> Iterator[PublishedEvent]:
    for found in _snapshots(reader, wanted, outcome):
        account = found.account
        if wanted.since is not None and account.updated_at < wanted.since:
            continue
        yield from _events(_transactions(reader, account, wanted, outcome), wanted.only, outcome)
        if wanted.only is not Only.TRANSACTIONS:
            # What the last write of the account carries, an admin's changed threshold among it, has its id still.
            for crossing in found.crossings:
                if crossing.transaction_id is None:
                    yield crossing_event(account.merchant_id, crossing, version=account.version)


def _events(
    transactions: Iterator[tuple[Transaction, Transaction | None]] | Sequence[tuple[Transaction, Transaction | None]],
    only: Only | None,
    outcome: Republished,
) -> Iterator[PublishedEvent]:
    for transaction, before in transactions:
        outcome.transactions += 1
        said = derived_events(transaction, before=before)
        if only is not Only.CROSSINGS:
            yield from said.of_transaction
        if only is not Only.TRANSACTIONS:
            yield from said.of_crossings
            if said.doubtful:
                outcome.doubtful.append(f"{transaction.merchant_id} #{transaction.sequence}")


def _snapshots(reader: DynamoDBLedgerReader, wanted: _Wanted, outcome: Republished) -> Iterator[Snapshot]:
    if wanted.merchant is None:
        for page in _pages(reader, outcome):
            yield from page
        return
    found = reader.account(wanted.merchant)
    if not isinstance(found, Snapshot):
        raise refused(
            f"Merchant {wanted.merchant} has no account{' that can be read' if found else ''}.", Refusal.NOT_FOUND
        )
    yield found


def _pages(reader: DynamoDBLedgerReader, outcome: Republished) -> Iterator[list[Snapshot]]:
    for page in account_pages(reader):
        for found in page:
            if not isinstance(found, Snapshot):
                outcome.unread(found.merchant_id, found.why)
        yield [found for found in page if isinstance(found, Snapshot)]


def _transactions(
    reader: DynamoDBLedgerReader, account: Account, wanted: _Wanted, outcome: Republished
) -> Iterator[tuple[Transaction, Transaction | None]]:
    """Yield the account's transactions of that time, each with the previous one, up to one that cannot be read."""
    first = 1 if wanted.since is None else _first_at(reader, account, wanted.since)
    before: Transaction | None = None
    expected = max(1, first - 1)
    for page in reader.transactions(account.merchant_id, expected, account.sequence):
        for transaction in page:
            if isinstance(transaction, UnreadableTransaction) or transaction.sequence != expected:
                why = transaction.why if isinstance(transaction, UnreadableTransaction) else "is missing"
                outcome.unread(account.merchant_id, f"{why}; those after it are left out", sequence=expected)
                return
            if wanted.until is not None and transaction.created_at > wanted.until:
                return
            if transaction.sequence >= first:
                yield transaction, before
            before = transaction
            expected += 1
    if expected <= account.sequence:
        outcome.unread(account.merchant_id, "is missing", sequence=expected)


def _first_at(reader: DynamoDBLedgerReader, account: Account, time_wanted: Instant) -> int:
    """Return the lowest sequence created at that time or later: bisected, since times follow sequences."""

    def created_at(sequence: int) -> Instant:
        for page in reader.transactions(account.merchant_id, sequence, sequence):
            for transaction in page:
                if isinstance(transaction, Transaction):
                    return transaction.created_at
        return time_wanted

    return bisect_left(range(account.sequence + 1), time_wanted, lo=1, key=created_at)


def _one(
    target: Target, reader: DynamoDBLedgerReader, transaction_id: TransactionId
) -> tuple[Transaction, Transaction | None]:
    known = ledger_of(target).read([], [transaction_id])
    known.require(transaction_id)
    transaction = known.transactions.get(transaction_id)
    if transaction is None:
        raise refused(f"There is no transaction {transaction_id}.", Refusal.NOT_FOUND)
    previous = transaction.sequence - 1
    before = [one for page in reader.transactions(transaction.merchant_id, previous, previous) for one in page]
    if previous and not (before and isinstance(before[0], Transaction)):
        raise refused(f"The transaction before {transaction_id} is missing: `credits verify` shows more.")
    return transaction, before[0] if before and isinstance(before[0], Transaction) else None


def _publish(events: Iterator[PublishedEvent], outcome: Republished, bus: EventBridgeBus | None) -> None:
    while some := list(islice(events, EVENTS_AT_ONCE)):
        outcome.published.update(event.event_type for event in some)
        outcome.refused += len(bus.publish(some)) if bus else 0

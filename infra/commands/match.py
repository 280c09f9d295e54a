"""`credits match`: a shop's own orders, compared with the ledger (contract, section 17)."""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from chalicelib.adapters.parked_orders import ParkedOrders
from chalicelib.adapters.scratch import SeenOrdersTable
from chalicelib.contracts.order_events import event, line_of, members
from chalicelib.contracts.order_files import Form, OrderFile
from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.source_orders import BadRow, Difference, DifferenceKind, NotOrdersError, SourceOrder
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases.matching import Matching, around
from infra.commands import letters
from infra.commands.ledger import TargetLedger, reader_of
from infra.commands.options import AsJson, MerchantOption, Profile, Stage, Yes, confirm
from infra.commands.output import FOUND, check_writable, counted, print_json, progress_bar, refused, say, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find

SHOWN_MAX = 20
"""Most differences that are printed; `--report` has all of them."""
KEPT_MAX = 1_000
"""Most differences that `--json` has."""
AT_ONCE = 10
"""Most messages of one request to the inbox."""
CHUNK_BYTES = 1024 * 1024
"""How much of the file is read at a time."""


def match(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Shopify's order export, or .jsonl.")],
    *,
    merchant: MerchantOption = None,
    fix: Annotated[bool, typer.Option("--fix", help="Send the missing events into the inbox.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write every difference here, as JSON Lines.")] = None,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Compare a shop's own list of orders with the ledger; exit status 1 where they differ.

    FILE is Shopify's order export, unchanged (CSV, of one shop: --merchant), or JSON Lines of {order_id, total,
    currency, paid_at, refunds: [{refund_id, amount}]}, and merchant_id in each line where there is no --merchant. An
    order younger than an hour is on its way. A merchant without an account is reported once. --fix sends the missing
    events through the inbox, so an order still counts once; nothing is sent while a row is bad.
    """
    if report is not None:
        check_writable(report)
    target = find(stage, profile)
    shop = MerchantId(merchant) if merchant else None
    if shop is not None:
        TargetLedger(target).account_or_refuse(shop)
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "orders.sqlite")) as scratch:
        reader, parked = TargetLedger(target), ParkedOrders(letters.dead_letters(target))
        seen = SeenOrdersTable(scratch)
        matching = Matching(
            seen=seen,
            lookup=reader.transactions,
            parked=parked.holds,
            has_account=lambda one: reader.account(one) is not None,
            now=datetime.now(UTC),
        )
        events = EventsTable(scratch)
        kept = _differences(target, matching, file, shop, report, events, visible=not as_json)
        bad = matching.found[DifferenceKind.BAD_ROW] + matching.found[DifferenceKind.DOUBLED]
        sent = _fixed(context, target, matching, events, yes=yes) if fix and not bad else 0
        _tell(matching, kept, sent, as_json=as_json)
    if fix and bad:
        raise refused("Nothing is sent while a row is bad or doubled.")
    if matching.found.total():
        raise typer.Exit(FOUND)


class EventsTable:
    """The events that correct something, in an SQLite database: a file may have any size."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE event (place INTEGER PRIMARY KEY, body TEXT)")

    def add(self, body: str) -> None:
        """Add an event's body."""
        self._connection.execute("INSERT INTO event (body) VALUES (?)", (body,))

    def bodies(self) -> Iterator[str]:
        """Yield the bodies in their order."""
        for (body,) in self._connection.execute("SELECT body FROM event ORDER BY place"):
            yield body


def _differences(
    target: Target,
    matching: Matching,
    path: Path,
    shop: MerchantId | None,
    report: Path | None,
    events: EventsTable,
    *,
    visible: bool,
) -> list[Difference]:
    """Compare the whole file, write each difference to the report, and return the first of them.

    The events that correct something are added to `events`.
    """
    kept: list[Difference] = []
    size = path.stat().st_size
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = progress_bar(*columns, visible=visible)
    with path.open("rb") as content, bar as progress, _report(report) as written:
        task = progress.add_task("compared", total=size)
        chunks = iter(lambda: content.read(CHUNK_BYTES), b"")
        file = OrderFile(chunks, Form.named(path.name) or Form.CSV, shop)

        def moving(rows: Iterator[SourceOrder | BadRow]) -> Iterator[SourceOrder | BadRow]:
            for number, row in enumerate(rows):
                if number % 1_000 == 0:
                    progress.update(task, completed=file.place.position)
                yield row
            progress.update(task, completed=size)

        try:
            for difference in _all(target, matching, moving(file.orders())):
                if len(kept) < KEPT_MAX:
                    kept.append(difference)
                written(difference)
                if (body := event(difference)) is not None:
                    events.add(body)
        except NotOrdersError as error:
            hint = " (--merchant MERCHANT)" if shop is None else ""
            raise unable(f"{error}{hint}.") from error
    return kept


def _all(target: Target, matching: Matching, rows: Iterator[SourceOrder | BadRow]) -> Iterator[Difference]:
    yield from matching.compare(rows)
    for merchant, first, last in matching.seen.spans():
        yield from matching.not_there(merchant, first, last, _transactions(target, merchant, first, last))


def _transactions(target: Target, merchant: MerchantId, first: Instant, last: Instant) -> Iterator[Transaction]:
    """Yield the merchant's transactions around the times of the file."""
    for page in around(TargetLedger(target), reader_of(target), merchant, first, last):
        for transaction in page:
            if isinstance(transaction, UnreadableTransaction):
                raise unable(
                    f"A transaction of {merchant} cannot be read: {transaction.why}. `credits verify` shows more."
                )
            yield transaction


def _fixed(context: typer.Context, target: Target, matching: Matching, events: EventsTable, *, yes: bool) -> int:
    """Send what is missing, if --fix asks for it and the question is confirmed; return how many events that were."""
    to_send = matching.found[DifferenceKind.MISSING] + matching.found[DifferenceKind.REFUND_MISSING]
    if not to_send:
        return 0
    confirm(target, f"send {counted(to_send, 'event')}.", yes=yes)
    with repeatable(context):
        return _send(target, events.bodies())


def _send(target: Target, bodies: Iterator[str]) -> int:
    """Put the events into the inbox, and return how many it took; ends the command where it refuses one."""
    sqs, sent = target.client("sqs"), 0
    while some := list(islice(bodies, AT_ONCE)):
        # In the group of its merchant, a long list waits after the events of all others.
        entries: Any = [
            {"Id": str(place), "MessageBody": body, "MessageGroupId": json.loads(body)["payload"]["merchant_id"]}
            for place, body in enumerate(some)
        ]
        answer = sqs.send_message_batch(QueueUrl=target.inbox_queue_url, Entries=entries)
        if failed := answer.get("Failed"):
            raise unable(
                f"{counted(sent, 'event')} sent, then the inbox refused one: {failed[0]['Code']}. Run it again."
            )
        sent += len(some)
    return sent


def _tell(matching: Matching, kept: list[Difference], sent: int, *, as_json: bool) -> None:
    total = matching.found.total()
    if as_json:
        items = [members(difference) for difference in kept]
        found = {kind.value: count for kind, count in sorted(matching.found.items())}
        told: dict[str, Any] = {"orders": dict(matching.counts), "found": found, "sent": sent}
        print_json({"items": items, "total": total, "next": None, **told})
        return
    for one in kept[:SHOWN_MAX]:
        where = [
            f"line {one.line:,}" if one.line is not None else "",
            one.column,
            f"order {one.order_id}" if one.order_id else "",
        ]
        say(f"{one.kind.replace('_', ' ')}: {', '.join(filter(None, where))}: {one.what}", style="red")
    if total > SHOWN_MAX:
        say(f"… and {total - SHOWN_MAX:,} more: --report FILE has all of them.", style="red")
    counts = matching.counts
    say(
        f"{counted(counts['recorded'], 'order')} {'is' if counts['recorded'] == 1 else 'are'} in the ledger, "
        f"{counts['not_paid']:,} not paid, {counts['on_its_way']:,} on the way."
    )
    if without := counts["without_account"]:
        say(
            f"{counted(without, 'order')} of merchants without an account {'was' if without == 1 else 'were'} left out."
        )
    if total:
        kinds = ", ".join(_numbered(kind, count) for kind, count in sorted(matching.found.items()))
        say(f"{counted(total, 'difference')}: {kinds}.", style="red")
    else:
        say("The ledger and the file agree.", style="green")
    if sent:
        say(f"{counted(sent, 'event')} sent into the inbox; compare again in a minute.", style="green")


def _numbered(kind: DifferenceKind, count: int) -> str:
    if kind is DifferenceKind.BAD_ROW:
        return counted(count, "bad row")
    if kind is DifferenceKind.NO_ACCOUNT:
        return f"{counted(count, 'merchant')} without an account"
    return f"{count:,} {kind.replace('_', ' ')}"


@contextmanager
def _report(path: Path | None) -> Iterator[Callable[[Difference], None]]:
    """Yield a function that writes a difference to a file, as a line of JSON; without a file, it writes nothing."""
    if path is None:
        yield lambda _: None
        return
    with path.open("w") as file:
        yield lambda difference: print(line_of(difference), end="", file=file)

"""`credits import`: imports the merchants of the old service, with their balances and old keys."""

import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.ports import LedgerStore
from infra.commands.ledger import ledger_of
from infra.commands.old_tables import OldTables
from infra.commands.openings import Opened, Openings, standing
from infra.commands.options import AsJson, DryRun, Profile, Stage, Yes, confirm
from infra.commands.output import FOUND, counted, print_json, progress_bar, refused, say
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find, settings_of
from infra.commands.times import now

SHOWN_MAX = 20
"""Rows named of each kind; the JSON names all of them."""
AT_ONCE = 16

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
OptionalFile = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, readable=True)]


def import_command(
    context: typer.Context,
    accounts: File,
    transactions: OptionalFile = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Open an account for each merchant of the old service; exit status 1 if a row is bad or conflicts.

    ACCOUNTS and TRANSACTIONS are its two tables, written by COPY … TO … CSV HEADER. Nothing is written while a row
    is bad. If it was interrupted, the same command continues, and changes nothing that is done. See "Moving in".
    """
    target = find(stage, profile)
    store = ledger_of(target)
    with tempfile.TemporaryDirectory() as scratch:
        tables = OldTables.read(accounts, transactions, Path(scratch) / "rows.sqlite")
        told = _preview(tables, store, as_json=as_json)
        if told["refused"] or told["in_the_way"] or dry_run:
            _end(told, as_json=as_json)
            return
        confirm(target, f"open {counted(told['to_open'], 'account')}.", yes=yes)
        openings = Openings(store, default_threshold=default_threshold(target), now=now)
        with repeatable(context), progress_bar(visible=not as_json) as progress:
            task = progress.add_task("imported", total=tables.accounts)
            for opened in _opened(openings, tables):
                told["opened"] += opened.new
                told["guards"] += opened.added
                told["in_the_way"] += [f"{opened.merchant_id}: {why}" for why in opened.in_the_way]
                progress.advance(task)
        told["applied"] = True
    _end(told, as_json=as_json)


def default_threshold(target: Target) -> int:
    """Return the low-balance threshold that the target's service gives to accounts, in credits."""
    return settings_of(target).default_threshold


def _preview(tables: OldTables, store: LedgerStore, *, as_json: bool) -> dict[str, Any]:
    open_already, in_the_way = 0, list[str]()
    if not tables.refusals:
        for account, found, why in standing(store, tables.openings()):
            open_already += found
            in_the_way += [f"{account.merchant_id}: {why}"] if why else []
    told: dict[str, Any] = {
        "accounts": tables.accounts,
        "credits": tables.credits,
        "keys": tables.keys,
        "without_key": tables.keyless,
        "repeated_keys": tables.repeated,
        "differing_balances": tables.differing,
        "opened_before": open_already,
        "to_open": tables.accounts - open_already - len(in_the_way),
        "refused": [asdict(refusal) for refusal in tables.refusals],
        "in_the_way": in_the_way,
        "applied": False,
        "opened": 0,
        "guards": 0,
    }
    if not as_json:
        merchants = f"{counted(tables.accounts, 'merchant')} with {counted(tables.credits)}"
        say(f"{merchants}, {counted(tables.keys, 'key')} of old movements.")
        if open_already:
            say(f"{open_already:,} of them {'was' if open_already == 1 else 'were'} opened by an earlier run.")
        if tables.keyless:
            movements = f"{counted(tables.keyless, 'old movement')} {'has' if tables.keyless == 1 else 'have'}"
            say(f"{movements} no key: should one be delivered again, it counts.")
        if tables.differing:
            say(
                f"{counted(tables.differing, 'merchant')} whose last balance_after differs from the balance, "
                "which is taken.",
                style="yellow",
            )
    return told


def _opened(openings: Openings, tables: OldTables) -> Iterator[Opened]:
    """Yield each merchant's result in order; several are opened at once."""
    with ThreadPoolExecutor(AT_ONCE) as workers:
        waiting: deque[Future[Opened]] = deque()
        for account in list(tables.openings()):
            waiting.append(workers.submit(openings.open, account, tables.keys_of(account.merchant_id)))
            if len(waiting) > AT_ONCE * 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _end(told: dict[str, Any], *, as_json: bool) -> None:
    bad, in_the_way = told["refused"], told["in_the_way"]
    if as_json:
        print_json(told)
        if bad or in_the_way:
            raise typer.Exit(FOUND)
        return
    for one in bad[:SHOWN_MAX]:
        say(f"{one['file']}, line {one['line']}, {one['column'] or 'the row'}: {one['why']}", style="red")
    for sentence in in_the_way[:SHOWN_MAX]:
        say(sentence, style="red")
    if len(bad) > SHOWN_MAX or len(in_the_way) > SHOWN_MAX:
        say("… and more: --json names all of them.", style="red")
    if told["applied"]:
        say(
            f"{counted(told['opened'], 'account')} opened, {counted(told['guards'], 'old key')} recorded.",
            style="green",
        )
    if bad or in_the_way:
        raise refused(
            f"{counted(len(bad), 'row')} {'is' if len(bad) == 1 else 'are'} bad, {len(in_the_way):,} in the way"
            f"{'' if told['applied'] else '; nothing was changed'}."
        )
    if not told["applied"]:
        say(f"Would open {counted(told['to_open'], 'account')}. Nothing was changed.")

"""`credits history`: a merchant's transactions, as a table, as JSON, or as a file for a spreadsheet."""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer

from chalicelib.contracts.api import answers, tables
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Transaction
from infra.commands.ledger import TargetLedger
from infra.commands.options import AsJson, InLocalTime, Merchant, OfMonth, Profile, Since, Stage, Until, period
from infra.commands.output import print_list, say, unable, visible
from infra.commands.tables import print_table
from infra.commands.target import find
from infra.commands.times import shown, zone

SHOWN = 20
WINDOW = 1000
"""Transactions that one look at the ledger reads."""

TYPES = sorted({kind.transaction_type for kind in Kind})


COMMON_NAMES = {"ADJUSTMENT": "MANUAL", "LAPSE": "EXPIRY", "ORDER": "ORDER_PAID", "RENEWAL": "SUBSCRIPTION"}
"""What people call some types: the words of the console and of sentences."""


def _type(text: str) -> str:
    wanted = COMMON_NAMES.get(text.upper(), text.upper())
    if wanted not in TYPES:
        raise typer.BadParameter(
            f"{text!r} is not a type of transaction: {', '.join(sorted([*TYPES, *COMMON_NAMES]))}."
        )
    return wanted


def history(
    merchant: Merchant,
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"How many, the newest first: by default {SHOWN}, with --csv all.")
    ] = None,
    before: Annotated[int | None, typer.Option(min=2, help="Only those before this sequence: the next page.")] = None,
    since: Since = None,
    until: Until = None,
    month: OfMonth = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            parser=_type,
            metavar="TYPE",
            autocompletion=lambda: TYPES,
            help="Only this type, such as payment; may be repeated.",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values, with a heading.")] = False,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List a merchant's transactions, newest first.

    credits history MERCHANT --month 2026-11 --csv > november.csv
    """
    if as_csv and as_json:
        raise unable("Give either --csv or --json.")
    first, last = period(since, until, month)
    reader = TargetLedger(find(stage, profile))
    account = reader.account_or_refuse(MerchantId(merchant))
    lowest, highest = reader.span(account, first, last)
    total = None if types else max(0, highest - lowest + 1)
    found = _matching(reader, account, lowest, highest if before is None else min(highest, before - 1), types or [])
    if as_csv:
        _write(found if limit is None else islice(found, limit))
        return
    page = list(islice(found, limit or SHOWN))
    following = page[-1].sequence if page and next(found, None) is not None else None
    if as_json:
        items = [answers.Transaction.of(one).model_dump(mode="json") for one in page]
        print_list(items, total=total, following=following)
    else:
        _show(page, account, following, total=total, local=local)


def _matching(
    reader: TargetLedger, account: Account, lowest: int, highest: int, types: Sequence[str]
) -> Iterator[Transaction]:
    """Yield the account's transactions of these sequences and types, newest first; reads on as they are asked for."""
    window = SHOWN + 1
    while highest >= lowest:
        bottom = max(lowest, highest - window + 1)
        for transaction in reader.history(account.merchant_id, bottom, highest):
            if not types or transaction.kind.transaction_type in types:
                yield transaction
        highest, window = bottom - 1, min(2 * window, WINDOW)


def _show(
    page: Sequence[Transaction], account: Account, following: int | None, *, total: int | None, local: bool
) -> None:
    if not page:
        say(f"No such transaction; the account has {account.sequence:,}.")
        return
    print_table(
        [_row(one, local=local) for one in page],
        headings=("#", f"time ({zone(local=local)})", "type", "reference", "credits", "left", "transaction"),
        right=("#", "credits", "left"),
        shortened="reference",
    )
    if following is not None:
        whole = "those asked for" if total is None else f"{total:,}"
        say(f"{len(page)} of {whole}; go on with --before {following}", style="dim")


def _row(transaction: Transaction, *, local: bool) -> tuple[str, ...]:
    short = f" ({transaction.shortfall} short)" if transaction.shortfall else ""
    return (
        str(transaction.sequence),
        shown(transaction.created_at, local=local),
        transaction.kind.transaction_type,
        transaction.reference_id,
        f"{transaction.amount:+d}{short}" if transaction.amount else f"0{short}",
        str(transaction.balance_after),
        transaction.transaction_id,
    )


def _write(found: Iterator[Transaction]) -> None:
    """Print the transactions as the rows of CSV that the API answers and an export has, a heading first."""
    sys.stdout.write(_shown(tables.heading()))
    for transaction in found:
        sys.stdout.write(_shown(tables.csv_lines([answers.Transaction.of(transaction)])))


def _shown(lines: str) -> str:
    # Standard output ends lines as its system does; a terminal may show them.
    return visible(lines.replace("\r\n", "\n"), kept="\n\t")

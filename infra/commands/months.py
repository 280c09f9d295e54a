"""`credits refill-months`: the ends of days and months, written anew from the transactions (contract, section 17)."""

from itertools import chain
from typing import Any

import typer

from chalicelib.adapters.dynamodb.month_ends import MonthEnds
from chalicelib.domain.days_over import days_over
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.walk import Walk
from infra.commands.ledger import no_account, reader_of
from infra.commands.options import AsJson, Profile, SomeMerchants, Stage
from infra.commands.output import FOUND, aside, counted, print_json, say
from infra.commands.repeating import repeatable
from infra.commands.target import find
from infra.recovery.everybody import with_accounts

SHOWN_EVERY = 100
"""Accounts between two lines of progress."""


def refill_months(
    context: typer.Context,
    merchants: SomeMerchants = None,
    *,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Write the ends of days and months anew from the transactions: a restore loses them; exit status 1 if some cannot.

    Statements and past balances are right without them, but take more requests. Reads all transactions of each
    merchant, and writes a unit for each day and month on which something was recorded. It may be repeated, and the
    service may go on writing meanwhile.
    """
    target = find(stage, profile)
    reader = reader_of(target)
    everybody = chain.from_iterable(with_accounts(reader))
    ends = MonthEnds(target.client("dynamodb"), table=target.figures_table)
    counts = {"accounts": 0, "transactions": 0, "ends": 0}
    broken: list[str] = []
    for merchant in map(MerchantId, merchants or ()):
        # What has no account may have transactions: a restore brings them first.
        if reader.account(merchant) is None and not any(reader.transactions(merchant, 1, None)):
            raise no_account(merchant)
    with repeatable(context):
        for merchant in map(MerchantId, merchants) if merchants else everybody:
            walk = Walk(merchant)
            for over in days_over(walk, chain.from_iterable(reader.transactions(merchant, 1, None))):
                ends.note(over)
                counts["ends"] += 1
            counts["accounts"] += 1
            counts["transactions"] += walk.walked
            if not walk.intact:
                broken.append(merchant)
            if not as_json and counts["accounts"] % SHOWN_EVERY == 0:
                aside(f"{_walked(counts)} so far")
    _tell(counts, broken, as_json=as_json)


def _tell(counts: dict[str, int], broken: list[str], *, as_json: bool) -> None:
    if as_json:
        told: dict[str, Any] = {**counts, "broken": broken}
        print_json(told)
    else:
        for merchant in broken:
            say(
                f"{merchant}: its transactions are not consistent. `credits verify {merchant}` shows more.", style="red"
            )
        say(f"{_walked(counts)}: {counted(counts['ends'], 'day')} written.", style=None if broken else "green")
    if broken:
        raise typer.Exit(FOUND)


def _walked(counts: dict[str, int]) -> str:
    return f"{counted(counts['accounts'], 'account')}, {counted(counts['transactions'], 'transaction')}"

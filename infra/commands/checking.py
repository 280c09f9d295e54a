"""`credits verify` and `rebuild`: check the ledger, and make an account anew from its transactions."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.contracts.api.problems import Refusal
from chalicelib.domain.findings import Finding
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account, TallyChange
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Tally
from chalicelib.domain.tallies import in_words
from chalicelib.domain.transactions import Total
from chalicelib.usecases.checking import check
from infra.commands.ledger import ledger_of, reader_of
from infra.commands.options import AsJson, Merchant, Profile, SomeMerchants, Stage
from infra.commands.output import FOUND, counted, print_json, refused, say, screen
from infra.commands.repeating import repeatable
from infra.commands.target import find
from infra.commands.times import now
from infra.commands.verify_file import verify_file
from infra.recovery.everybody import everybody
from infra.recovery.rebuilding import Rebuild, proposed, written

SHOWN_EVERY = 1_000
"""Accounts after which a long check reports its progress again."""


def verify(
    merchant: SomeMerchants = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check a file of `credits export` instead; reads no table."),
    ] = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Walk hash chains from their start and compare accounts with them; exit status 1 if something differs.

    Checks that no transaction is missing, inserted or changed, and checks balances, all counters, the refunds of each
    order and the newest crossings. It only reads, and checks each finding three times: a write may be in progress.
    """
    if file is not None:
        verify_file(file, merchants=merchant or (), as_json=as_json)
        return
    reader = reader_of(find(stage, profile))
    wanted = _given(reader, merchant) if merchant else chain.from_iterable(everybody(reader))
    accounts = transactions = 0
    findings: list[Finding] = []
    newer: list[MerchantId] = []
    for merchant_id in wanted:
        checked = check(reader, merchant_id, pause=time.sleep, now=now)
        accounts += 1
        transactions += checked.walk.walked if checked.walk else 0
        findings += checked.findings
        newer += [merchant_id] * checked.newer
        if not as_json:
            _say_findings(checked.findings)
            if accounts % SHOWN_EVERY == 0:
                say(f"{counted(accounts, 'account')}, {counted(transactions, 'transaction')} so far")
    if as_json:
        found = _members(findings)
        print_json({"accounts": accounts, "records": transactions, "findings": found, "newer_form": newer})
        newer = []
    elif not findings:
        checked_all = f"{counted(accounts - len(newer), 'account')}, {counted(transactions, 'transaction')}"
        say(f"{checked_all}: every hash, balance and counter agrees.", style="green")
    else:
        checked_all = f"{counted(accounts, 'account')}, {counted(transactions, 'transaction')}"
        drifted = len({finding.merchant_id for finding in findings})
        say(f"{checked_all}: {counted(len(findings), 'finding')} in {counted(drifted, 'account')}.", style="red")
    _say_newer(newer)
    if findings:
        raise typer.Exit(FOUND)


def _say_newer(merchants: Iterable[MerchantId]) -> None:
    for merchant_id in merchants:
        say(
            f"{merchant_id} has items in the form of a newer release: let its `credits verify` look at them.",
            style="yellow",
        )


def rebuild(
    context: typer.Context,
    merchant: Merchant,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write it; without, the difference is only shown.")] = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Make an account anew from its transactions: balance, counters, status, and its orders' tallies.

    Walks all transactions, whatever the account counts. Of a transaction only the tally may be changed, and the chain
    must be whole first. It writes only if the account is still the one that was compared, and publishes nothing. Exit
    status 1 if something differs or is broken.
    """
    target = find(stage, profile)
    reader, merchant_id = reader_of(target), MerchantId(merchant)
    found = proposed(reader, merchant_id, now=now(), pause=time.sleep)
    after = _provable(found)
    differences = list(_differences(found.before, after, found.tallies))
    # A finding may concern what no field shows, such as the account's crossings.
    wrong = bool(differences or found.findings)
    if wrong and yes:
        with repeatable(context):
            done = written(ledger_of(target), found)
        if not done:
            raise refused("The account was written to meanwhile; nothing was changed. Try again.")
    left = check(reader, merchant_id, pause=time.sleep, now=now).findings if wrong and yes else ()
    if as_json:
        print_json(
            {
                "merchant_id": merchant,
                "findings": _members(found.findings),
                "differences": {name: {"account": said, "ledger": proven} for name, said, proven in differences},
                "written": wrong and yes,
                "left": _members(left),
            }
        )
    else:
        _say_findings(found.findings)
        for name, said, proven in differences:
            say(f"{name}: {said} → {proven}")
        say(_outcome(merchant, wrong=wrong, written=yes))
        _say_findings(left)
    if (wrong and not yes) or left:
        raise typer.Exit(FOUND)


def _provable(found: Rebuild) -> Account:
    """Return the account that the transactions prove; ends the command if they prove none."""
    if found.newer:
        raise refused(
            f"The ledger of {found.merchant_id} has items in the form of a newer release: rebuild with that release."
        )
    if found.broken:
        _say_findings(found.broken)
        raise refused(
            "The transactions are not consistent, so the account cannot be rebuilt from them. Restore them first."
        )
    if found.after is None:
        raise refused(f"Merchant {found.merchant_id} has no transactions.", Refusal.NOT_FOUND)
    return found.after


def _given(reader: DynamoDBLedgerReader, merchants: list[str]) -> Iterator[MerchantId]:
    for merchant_id in map(MerchantId, merchants):
        if reader.account(merchant_id) is None and not any(reader.transactions(merchant_id, 1, None)):
            raise refused(f"Merchant {merchant_id} has no account and no transactions.", Refusal.NOT_FOUND)
        yield merchant_id


def _differences(
    before: Account | None, after: Account, tallies: Iterable[TallyChange]
) -> Iterator[tuple[str, str, str]]:
    """Yield what the rebuild changes: fields of the account and tallies of orders, with both values in words."""
    for field in fields(Account):
        if field.name in ("version", "updated_at"):
            continue
        said: Any = getattr(before, field.name) if before else None
        proven: Any = getattr(after, field.name)
        if field.name != "totals":
            if said != proven:
                yield field.name, str(said), str(proven)
            continue
        totals: dict[Kind, Total] = dict(said or {})
        for kind in dict.fromkeys([*totals, *proven]):
            one, other = totals.get(kind), proven.get(kind)
            if one != other:
                yield f"{kind.transaction_type} {kind.direction}", _total(one), _total(other)
    for change in tallies:
        yield f"refunded of {change.transaction_id}", in_words(change.before or Tally()), in_words(change.after)


def _total(total: Total | None) -> str:
    return "none" if total is None else f"{total.count} of {counted(total.credits)}"


def _outcome(merchant: str, *, wrong: bool, written: bool) -> str:
    if not wrong:
        return f"The account of {merchant} is what its ledger says; there is nothing to rebuild."
    return "Written." if written else "Nothing was written; --yes writes it."


def _say_findings(findings: Any) -> None:
    for finding in findings:
        screen().print(
            f"{finding.merchant_id} #{finding.sequence} {finding.kind}: {finding.detail}",
            style="red",
            markup=False,
            soft_wrap=True,
        )


def _members(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "merchant_id": finding.merchant_id,
            "kind": finding.kind.value,
            "sequence": finding.sequence,
            "transaction_id": finding.transaction_id,
            "detail": finding.detail,
        }
        for finding in findings
    ]

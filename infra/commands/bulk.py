"""`credits adjust --file`: many adjustments: a preview, each applied once, and their undo (section 17)."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.domain.errors import CreditsError, RetryLater
from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Account, Transaction
from chalicelib.domain.source_orders import BadRow, NotOrdersError
from infra.commands.bulk_rows import AdjustmentRow, batch_of, read_rows
from infra.commands.ledger import TargetLedger
from infra.commands.output import FOUND, aside, print_json, refused, say, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target

CONFIRM_ABOVE = "ADJUSTMENT_CONFIRM_ABOVE"
"""The setting: if one command moves more credits than this, a second person has to confirm."""
SHOWN_MAX = 20
KEPT_MAX = 10_000
_KEY = "MANUAL_ADJUSTMENT_"


class State(StrEnum):
    """What will happen to a row, or has happened."""

    APPLY = "apply"
    APPLIED = "applied"
    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Person:
    """The admin, who else has confirmed it, and whether to go on without asking."""

    name: str
    confirmed_by: str | None
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    file: Path
    undo: bool
    partial: bool
    dry_run: bool


@dataclass(slots=True, kw_only=True)
class Planned:
    """A row and its effect: the balance before and after it, and whether the plugin goes on or off."""

    line: int
    merchant_id: str
    adjustment_id: str
    credits: int
    reason: str
    state: State
    before: int | None = None
    after: int | None = None
    turns: str | None = None
    why: str | None = None


def adjust_file(
    context: typer.Context,
    target: Target,
    adjust: Callable[[Mapping[str, Any]], Any],
    asked: Asked,
    person: Person,
    *,
    as_json: bool,
) -> None:
    """Preview a file of adjustments, then apply or undo them; exit status 1 if a row is refused."""
    try:
        batch, rows = batch_of(asked.file), read_rows(asked.file)
    except NotOrdersError as error:
        raise unable(f"{error}.") from error
    bad = [row for row in rows if isinstance(row, BadRow)]
    good = [row for row in rows if isinstance(row, AdjustmentRow)]
    planned = (_undoing if asked.undo else _applying)(TargetLedger(target), good, batch)
    wrong = len(bad) + sum(one.state is State.REFUSED for one in planned)
    to_apply = [one for one in planned if one.state is State.APPLY]
    if not as_json:
        _preview(batch, planned, bad)
    held = wrong and not asked.partial
    if to_apply and not held and not asked.dry_run:
        note = require_second_person(sum(abs(one.credits) for one in to_apply), person)
        if target.local is None and not person.yes:
            typer.confirm(f"Stage {target.stage}: apply {len(to_apply):,} rows. Go on?", abort=True, err=True)
        with repeatable(context):
            _apply(adjust, to_apply, person.name, note, visible=not as_json)
    _end(batch, planned, bad, held=bool(held), as_json=as_json)


def require_second_person(credits_moved: int, person: Person) -> str:
    """Return what names the second person in the reason; ends the command if one is needed and missing.

    If one command moves more credits than the setting `ADJUSTMENT_CONFIRM_ABOVE` (not set: no rule), a person other
    than the admin has to confirm.
    """
    text, confirmed_by = os.environ.get(CONFIRM_ABOVE, ""), (person.confirmed_by or "").strip()
    if text and not (text.isascii() and text.isdigit()):
        raise unable(f"{CONFIRM_ABOVE} is a whole number of credits, not {text!r}.")
    if text and credits_moved > int(text):
        if not confirmed_by:
            raise refused(
                f"{credits_moved:,} credits are more than {CONFIRM_ABOVE} ({int(text):,}): somebody else has to look "
                "at the preview and be named with --confirmed-by."
            )
        if confirmed_by.casefold() == person.name.strip().casefold():
            raise refused(f"{confirmed_by} is the admin here and cannot confirm it too: somebody else has to.")
    return f" (confirmed by {confirmed_by})" if confirmed_by else ""


def _applying(reader: TargetLedger, rows: Sequence[AdjustmentRow], batch: str) -> list[Planned]:
    accounts = dict(reader.accounts({row.merchant_id for row in rows}))
    keys = {row: f"{batch}-{row.number}" for row in rows}
    transactions = reader.transactions([_name(row.merchant_id, key) for row, key in keys.items()])
    planned = []
    for row, key in keys.items():
        one = _planned(row, key, row.credits, row.reason)
        transaction = transactions.get(_name(row.merchant_id, key))
        if transaction is not None:
            _already(one, transaction)
        else:
            _effect(one, accounts, spent="")
        planned.append(one)
    return planned


def _undoing(reader: TargetLedger, rows: Sequence[AdjustmentRow], batch: str) -> list[Planned]:
    accounts = dict(reader.accounts({row.merchant_id for row in rows}))
    keys = {row: f"{batch}-{row.number}" for row in rows}
    names = [_name(row.merchant_id, name) for row, key in keys.items() for name in (key, f"{key}-undo")]
    transactions = reader.transactions(names)
    planned = []
    for row, key in keys.items():
        applied = transactions.get(_name(row.merchant_id, key))
        one = _planned(row, f"{key}-undo", -applied.amount if applied else -row.credits, f"undo of {key}")
        undone = transactions.get(_name(row.merchant_id, one.adjustment_id))
        if applied is None:
            one.state, one.why = State.SKIPPED, "it was never applied"
        elif undone is not None:
            _already(one, undone)
        else:
            _effect(one, accounts, spent=": it was spent meanwhile")
        planned.append(one)
    return planned


def _planned(row: AdjustmentRow, key: str, credits_moved: int, reason: str) -> Planned:
    return Planned(
        line=row.line,
        merchant_id=row.merchant_id,
        adjustment_id=key,
        credits=credits_moved,
        reason=reason,
        state=State.APPLY,
    )


def _already(one: Planned, transaction: Transaction) -> None:
    one.before, one.after, one.state = transaction.balance_before, transaction.balance_after, State.DONE
    if transaction.amount != one.credits:
        one.state = State.REFUSED
        recorded = f"{transaction.amount:+d} credits: transaction {transaction.transaction_id}"
        one.why = f"{one.adjustment_id} is recorded with {recorded}"


def foreseen(account: Account, change: int) -> Account | None:
    """Return the account as an adjustment by so many credits would leave it, None if it would be refused.

    What is added pays debt first (contract, section 14).
    """
    paid = min(account.debt, max(change, 0))
    after = account.balance + change - paid
    return replace(account, balance=after, debt=account.debt - paid) if after >= 0 else None


def _effect(one: Planned, accounts: dict[MerchantId, Account], *, spent: str) -> None:
    """Note what a row would do to its merchant's account, and leave the account so for the rows below it."""
    merchant = MerchantId(one.merchant_id)
    account = accounts.get(merchant)
    if account is None:
        one.state, one.why = State.REFUSED, "the merchant has no account"
        return
    one.before, after = account.balance, foreseen(account, one.credits)
    if after is None:
        one.state, one.why = State.REFUSED, f"{one.before} left, {-one.credits} cannot be removed{spent}"
        return
    one.after, accounts[merchant] = after.balance, after
    if account.enabled != after.enabled:
        one.turns = "on" if after.enabled else "off"


def _name(merchant: MerchantId, adjustment_id: str) -> TransactionId:
    return transaction_id(merchant, f"{_KEY}{adjustment_id}")


def _apply(
    adjust: Callable[[Mapping[str, Any]], Any], rows: Sequence[Planned], admin: str, note: str, *, visible: bool
) -> None:
    columns = (TextColumn("applied"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as progress:
        task = progress.add_task("applied", total=len(rows))
        for one in rows:
            request = {
                "merchant_id": one.merchant_id,
                "operation_type": "INCREASE" if one.credits > 0 else "DECREASE",
                "credits": abs(one.credits),
                "reason": f"{one.reason[: REASON_LENGTH_MAX - len(note)]}{note}",
                "admin_id": admin,
                "adjustment_id": one.adjustment_id,
            }
            try:
                transaction = adjust(request)["transaction"]
            except RetryLater:
                raise
            except CreditsError as error:
                one.state, one.why = State.REFUSED, error.message
            else:
                one.state = State.APPLIED
                one.before, one.after = transaction["balance_before"], transaction["balance_after"]
            progress.advance(task)


def _preview(batch: str, planned: Sequence[Planned], bad: Sequence[BadRow]) -> None:
    for one in planned[:SHOWN_MAX]:
        turns = f", the plugin goes {one.turns}" if one.turns else ""
        effect = one.why or f"{one.before} → {one.after}{turns}{', done before' if one.state is State.DONE else ''}"
        style = "red" if one.state is State.REFUSED else None
        say(f"line {one.line}, {one.merchant_id}: {one.credits:+d}: {effect}", style=style)
    if len(planned) > SHOWN_MAX:
        say(f"… and {len(planned) - SHOWN_MAX:,} more rows: --json has them.", style="dim")
    for row in bad[:SHOWN_MAX]:
        say(f"line {row.line}, {row.column}: {row.why}", style="red")
    turned = Counter(one.turns for one in planned if one.turns)
    moved = sum(one.credits for one in planned if one.state is State.APPLY)
    plugins = ", ".join(f"{count:,} plugins go {way}" for way, count in sorted(turned.items()))
    aside(f"{batch}: {len(planned):,} rows, {moved:+,d} credits{', ' if plugins else ''}{plugins}")


def _end(batch: str, planned: Sequence[Planned], bad: Sequence[BadRow], *, held: bool, as_json: bool) -> None:
    states = Counter(one.state for one in planned)
    if as_json:
        items = [{**asdict(one), "state": one.state.value} for one in planned[:KEPT_MAX]]
        told = {"batch": batch, "bad": [asdict(row) for row in bad], "applied": states[State.APPLIED]}
        print_json({"items": items, "total": len(planned), "next": None, **told})
    else:
        words = ", ".join(f"{count:,} {state.value}" for state, count in sorted(states.items()))
        say(f"Batch {batch}: {words or 'no rows'}{f', {len(bad):,} bad' if bad else ''}.")
        for one in planned:
            if one.state is State.REFUSED and states[State.APPLIED]:
                say(f"line {one.line}: refused: {one.why}", style="red")
    if held:
        raise refused("Nothing was applied: correct the rows that are refused or bad, or use --partial.")
    if bad or states[State.REFUSED]:
        raise typer.Exit(FOUND)

"""`credits adjust`: what an admin changes, through the function that holds the right."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from chalicelib.adapters.functions import LedgerFunctions
from chalicelib.contracts.inbound.admin_requests import POSTED
from chalicelib.contracts.inbound.expiry import EXPIRES_IN_DAYS_MAX
from chalicelib.domain.bulk import foreseen, taken_back
from chalicelib.domain.due import as_of
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.orders import CREDITS_MAX
from infra.commands.bulk import Asked, Person, adjust_file
from infra.commands.effects import say_repaid
from infra.commands.ledger import TargetLedger
from infra.commands.noting import responsible
from infra.commands.options import Admin, AsJson, DryRun, OneMerchant, Profile, Stage, Yes, confirm
from infra.commands.output import aside, counted, detail, print_json, refused, say, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find
from infra.commands.times import now, shown

Add = Annotated[int | None, typer.Option("--add", min=1, max=CREDITS_MAX, help="Credits to add.")]
Remove = Annotated[int | None, typer.Option("--remove", min=1, max=CREDITS_MAX, help="Credits to remove.")]
Reason = Annotated[str | None, typer.Option(help="Why, for whoever reads the ledger later.")]
Id = Annotated[
    str | None, typer.Option("--id", help="The adjustment's own id, such as a ticket: the same id counts once.")
]
File = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Many instead: a CSV of merchant_id, credits (signed) and reason."),
]
Undo = Annotated[bool, typer.Option("--undo", help="Take the adjustments of --file back.")]
Partial = Annotated[bool, typer.Option("--partial", help="Apply the good rows of --file even if others are bad.")]
ExpiresAt = Annotated[str | None, typer.Option(help="When added credits lapse: a date or a time, such as 2027-03-31.")]
ExpiresInDays = Annotated[int | None, typer.Option(min=1, max=EXPIRES_IN_DAYS_MAX, help="The same, in days from now.")]
ConfirmedBy = Annotated[str | None, typer.Option(help="Who else has checked it, where another admin has to.")]


def adjust(
    context: typer.Context,
    merchant: OneMerchant = None,
    *,
    add: Add = None,
    remove: Remove = None,
    reason: Reason = None,
    adjustment_id: Id = None,
    expires_at: ExpiresAt = None,
    expires_in_days: ExpiresInDays = None,
    file: File = None,
    undo: Undo = False,
    partial: Partial = False,
    confirmed_by: ConfirmedBy = None,
    admin: Admin = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Add or remove credits, with a reason; exit status 1 if the ledger refuses.

    The same --id again changes nothing and prints the same. Without --id the command makes one up and prints it first;
    if the answer is lost, it prints the whole command to repeat. More credits than the balance cannot be removed.
    Added credits may lapse: --expires-at or --expires-in-days. `credits undo` takes an adjustment back.

    --file applies many: it shows a preview, then applies each row once, however often the command is repeated. --undo
    takes the same file back. Nothing is applied while a row is bad or refused, unless --partial.
    """
    person = Person(responsible(admin), confirmed_by, yes)
    if file is not None:
        if merchant or add or remove or reason or adjustment_id or expires_at or expires_in_days:
            raise unable("--file has the merchants, credits and reasons: leave them out.")
        target, asked = find(stage, profile), Asked(file=file, undo=undo, partial=partial, dry_run=dry_run)
        adjust_file(context, target, functions(target).adjust, asked, person, as_json=as_json)
        return
    if (missing := _missing(merchant, add, remove, reason, undo=undo, partial=partial)) is not None:
        raise unable(missing)
    assert merchant is not None, "else it is missing"
    assert reason is not None, "else it is missing"
    if (expires_at or expires_in_days) and (remove or (expires_at and expires_in_days)):
        raise unable("--expires-at or --expires-in-days is for credits that are added, and only one of the two.")
    lapsing: dict[str, Any] = {"expires_at": expires_at} if expires_at else {}
    lapsing |= {"expires_in_days": expires_in_days} if expires_in_days else {}
    one = One(MerchantId(merchant), add if add is not None else -(remove or 0), reason, adjustment_id, lapsing)
    adjust_one(context, find(stage, profile), one, person, dry_run=dry_run, as_json=as_json)


def _missing(
    merchant: str | None, add: int | None, remove: int | None, reason: str | None, *, undo: bool, partial: bool
) -> str | None:
    """Return what one adjustment lacks, or has too much; None if nothing."""
    if undo:
        return "--undo takes a --file back; `credits undo TRANSACTION` takes one adjustment back."
    if partial:
        return "--partial needs --file FILE."
    if merchant is None:
        return "Give MERCHANT with --add or --remove CREDITS and --reason 'why', or --file FILE."
    lacks = "" if reason is not None else " and --reason 'why'"
    if (add is None) == (remove is None):
        return f"Give either --add CREDITS or --remove CREDITS{lacks}."
    return "Give --reason 'why', for whoever reads the ledger later." if lacks else None


@dataclass(frozen=True, slots=True)
class One:
    """One adjustment: the credits are signed, `adjustment_id` is None where the command is to make one up.

    `lapsing` is what the request says of when they lapse.
    """

    merchant_id: MerchantId
    credits: int
    reason: str
    adjustment_id: str | None
    lapsing: Mapping[str, Any]


def adjust_one(
    context: typer.Context, target: Target, one: One, person: Person, *, dry_run: bool, as_json: bool
) -> None:
    """Post one adjustment and print what it did, or with `dry_run` what it would do."""
    effect = _effect(as_of(TargetLedger(target).account_or_refuse(one.merchant_id), now()), one.credits)
    if dry_run:
        _preview(effect, as_json=as_json)
        return
    confirm(target, f"{effect['sentence']}.", yes=person.yes)
    with repeatable_by_id(context, one.adjustment_id, as_json=as_json) as key:
        asked = person.asking(one.merchant_id, one.credits, one.reason, key, **one.lapsing)
        answered = functions(target).adjust(asked)
    if answered["outcome"] != POSTED and taken_back([(one.merchant_id, key)], TargetLedger(target).transactions):
        raise refused(
            f"Adjustment {key} was applied before, and taken back since; nothing was changed. Give it another --id.",
            Code.KEY_REUSED,
        )
    _say_adjusted(key, answered, TargetLedger(target), as_json=as_json)


@contextmanager
def repeatable_by_id(context: typer.Context, given: str | None, *, as_json: bool) -> Iterator[str]:
    """Yield the id of a change, a new one if none was given; the command that repeats the block includes it.

    A new id is printed first; programs find it in the answer or in the problem.
    """
    key = given or f"cli-{uuid4().hex[:12]}"
    if given is None:
        detail("adjustment_id", key)
        if not as_json:
            aside(f"Adjustment id: {key}")
    with repeatable(context, *(() if given else ("--id", key))):
        yield key


def _say_adjusted(key: str, answered: dict[str, Any], reader: TargetLedger, *, as_json: bool) -> None:
    if as_json:
        print_json(answered)
        return
    transaction = answered["transaction"]
    if answered["outcome"] == POSTED:
        balances = f"{transaction['balance_before']} → {counted(transaction['balance_after'])}"
        say(f"Adjustment {key}: {balances}", style="green")
        inflow = TransactionId(transaction["id"])
        say_repaid(reader.repayments([inflow], MerchantId(transaction["merchant_id"])).get(inflow))
    else:
        say(
            f"Adjustment {key}: already applied at {shown(transaction['created_at'])}; nothing was changed.",
            style="yellow",
        )
    say(f"transaction {transaction['id']} (#{transaction['sequence']})")
    say(f"`credits undo {transaction['id']}` takes it back.", style="dim")


def _effect(account: Account, change: int) -> dict[str, Any]:
    after = foreseen(account, change)
    sentence = f"{account.balance} → {counted(after.balance if after else 0)}"
    if after is None:
        sentence = f"refused: {counted(account.balance)} left, {-change} cannot be removed"
    elif account.enabled != after.enabled:
        sentence += f", the plugin goes {'on' if after.enabled else 'off'}"
    elif 0 < after.balance <= account.threshold < account.balance:
        sentence += f", low (threshold {account.threshold})"
    if after and (paid := account.debt - after.debt):
        sentence += f"; {counted(paid)} of it pay debt"
    return {
        "merchant_id": account.merchant_id,
        "balance_before": account.balance,
        "balance_after": after.balance if after else None,
        "refused": after is None,
        "sentence": sentence,
    }


def _preview(effect: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(effect)
    if effect["refused"]:
        raise refused(f"Would be {effect['sentence']}.")
    if not as_json:
        say(f"Would be {effect['sentence']}. Nothing was changed.")


def functions(target: Target) -> LedgerFunctions:
    """Return the target's functions that change the ledger."""
    return LedgerFunctions(
        target.client("lambda"), adjust=target.in_use("adjust_credits"), set_threshold=target.in_use("set_threshold")
    )

"""`credits undo`: takes one adjustment back, by its transaction."""

from typing import Annotated

import typer

from chalicelib.contracts.api.problems import Refusal
from chalicelib.domain.bulk import undo_key
from chalicelib.domain.errors import Code, CreditsError
from chalicelib.domain.ids import TransactionId, transaction_id
from chalicelib.domain.movements import Kind, adjustment_key
from chalicelib.domain.transactions import Transaction
from infra.commands.bulk import Person
from infra.commands.changes import ConfirmedBy, One, adjust_one
from infra.commands.ledger import TargetLedger
from infra.commands.noting import responsible
from infra.commands.options import Admin, AsJson, DryRun, Profile, Stage, Yes
from infra.commands.output import counted, refused
from infra.commands.target import find

ADJUSTMENTS = frozenset({Kind.MANUAL_ADDED, Kind.MANUAL_REMOVED})


def undo(
    context: typer.Context,
    transaction: Annotated[
        str, typer.Argument(metavar="TRANSACTION", help="The adjustment's transaction, as `adjust` prints it.")
    ],
    *,
    partly: Annotated[bool, typer.Option("--partly", help="Take back what is left, if some is spent.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; by default, what it undoes.")] = None,
    confirmed_by: ConfirmedBy = None,
    admin: Admin = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Take an adjustment back: post its opposite, once; exit status 1 if the ledger refuses.

    `credits history MERCHANT --type adjustment` lists a merchant's adjustments. Credits that were spent meanwhile
    cannot be taken back: --partly takes the others. For a file's adjustments see `credits adjust --file FILE --undo`.
    """
    target = find(stage, profile)
    reader = TargetLedger(target)
    found = reader.transaction(TransactionId(transaction))
    if found is None:
        raise refused(
            f"There is no transaction {transaction}: `credits history MERCHANT --type adjustment` lists a merchant's.",
            Refusal.NOT_FOUND,
        )
    if found.kind not in ADJUSTMENTS or not found.amount:
        what = f"{found.kind.transaction_type} {found.reference_id}, {found.amount:+d} credits"
        raise refused(f"Transaction {transaction} is not an adjustment that moved credits: {what}.")
    person = Person(responsible(admin), confirmed_by, yes)
    for again in (True, True, False):
        one = One(
            merchant_id=found.merchant_id,
            credits=-_taken_back(reader, found, partly=partly),
            reason=reason or f"undo of {found.reference_id}",
            adjustment_id=undo_key(found.reference_id),
            lapsing={},
        )
        try:
            adjust_one(context, target, one, person, dry_run=dry_run, as_json=as_json)
        except CreditsError as error:
            # An order that came in between has spent some of what was left: look again, to take or to say the rest.
            if not again or error.code is not Code.INSUFFICIENT_CREDITS:
                raise
        else:
            return


def _taken_back(reader: TargetLedger, adjustment: Transaction, *, partly: bool) -> int:
    """Return the credits that the undo of an adjustment moves back, signed as the adjustment's.

    They are those of an undo that there is already, all of them, or with `partly` those that are left.
    """
    done = reader.transaction(transaction_id(adjustment.merchant_id, adjustment_key(undo_key(adjustment.reference_id))))
    if done is not None:
        return -done.amount
    left = reader.account_or_refuse(adjustment.merchant_id).balance
    if adjustment.amount <= left:
        return adjustment.amount
    if not left:
        raise refused(f"Nothing of the {counted(adjustment.amount)} is left to take back: all is spent.")
    if not partly:
        raise refused(
            f"{counted(left)} of {adjustment.amount} left, the others are spent: "
            f"`credits undo {adjustment.transaction_id} --partly` takes back what is left."
        )
    return left

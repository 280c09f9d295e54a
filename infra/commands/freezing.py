"""`credits freeze` and `unfreeze`: switch a merchant's plugin off whatever its balance, and end that."""

from typing import Annotated, Any

import typer

from chalicelib.contracts.api.sentences import frozen_sentence
from chalicelib.contracts.inbound.admin_requests import POSTED
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import MerchantId
from infra.commands.changes import functions, repeatable_by_id
from infra.commands.ledger import TargetLedger
from infra.commands.noting import responsible
from infra.commands.options import Admin, AsJson, Merchant, Profile, Stage, Yes, confirm
from infra.commands.output import print_json, say
from infra.commands.target import Target, find
from infra.commands.times import now, shown

Id = Annotated[str | None, typer.Option("--id", help="An id, such as a ticket's: the same id counts once.")]


def freeze(
    context: typer.Context,
    merchant: Merchant,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends, UTC: 2026-12-24 or 2026-12-24T18:00:00Z.")
    ] = None,
    freeze_id: Id = None,
    admin: Admin = None,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Switch a merchant's plugin off, whatever its balance and grace, until it is unfrozen or an end comes.

    Orders, payments and adjustments are recorded as ever. The same --id again changes nothing; another freeze replaces
    reason and end. Exit status 1 if the ledger refuses.
    """
    asked = {"freeze": True, "reason": reason, "until": until}
    _send(context, find(stage, profile), merchant, asked, freeze_id, admin, yes=yes, as_json=as_json)


def unfreeze(
    context: typer.Context,
    merchant: Merchant,
    *,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever asks later.")] = None,
    freeze_id: Id = None,
    admin: Admin = None,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """End a freeze: the plugin is on again if there are credits or a grace; exit status 1 if it is not frozen."""
    asked = {"freeze": False, "reason": reason}
    _send(context, find(stage, profile), merchant, asked, freeze_id, admin, yes=yes, as_json=as_json)


def _send(
    context: typer.Context,
    target: Target,
    merchant: str,
    asked: dict[str, Any],
    freeze_id: str | None,
    admin: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    found = TargetLedger(target).account_or_refuse(MerchantId(merchant))
    plugin = "on" if as_of(found, now()).enabled else "off"
    word = "frozen" if asked["freeze"] else "unfrozen"
    confirm(target, f"the account will be {word}; its plugin is {plugin}.", yes=yes)
    with repeatable_by_id(context, freeze_id, as_json=as_json) as key:
        whose = {"merchant_id": merchant, "admin_id": responsible(admin), "adjustment_id": key}
        answered = functions(target).freeze({**asked, **whose})
    _show(key, answered, as_json=as_json)


def _show(key: str, answered: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answered)
        return
    account, transaction = answered["account"], answered["transaction"]
    if answered["outcome"] != POSTED:
        say(f"{key} was recorded before, at {shown(transaction['created_at'])}; nothing was changed.", style="yellow")
    status, freeze = account["plugin_status"], account["freeze"]
    on = status["status"] == "enabled"
    said = frozen_sentence(freeze["admin_id"], freeze["reason"], freeze["until"]) if freeze else "Not frozen."
    say(f"{said} The plugin is {'on' if on else 'off'}: {status['reason'].replace('_', ' ')}.")
    say(f"transaction {transaction['id']} (#{transaction['sequence']})")

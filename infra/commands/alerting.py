"""`credits threshold`, `levels` and `grace`: what an admin sets, through the function that holds the right."""

from typing import Annotated, Any

import typer

from chalicelib.contracts.api import answers
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.terms import HOURS_MAX, Level, checked
from infra.commands.changes import functions
from infra.commands.ledger import TargetLedger
from infra.commands.noting import responsible
from infra.commands.options import Admin, AsJson, Merchant, Profile, Stage
from infra.commands.output import counted, print_json, say, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find
from infra.commands.times import now, shown

Fleet = Annotated[bool, typer.Option("--fleet", help="Go back to the fleet's.")]
None_ = Annotated[bool, typer.Option("--none", help="Have none, whatever the fleet has.")]

_NEITHER = "; if both are 0, there is no grace"
_DEFAULT = "default"


def threshold(
    context: typer.Context,
    merchant: Merchant,
    value: Annotated[
        str | None, typer.Argument(help=f"Credits at or below which the balance is low, or '{_DEFAULT}'.")
    ] = None,
    *,
    admin: Admin = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a merchant's low-balance threshold, at which an alert is published, or set it.

    'default' goes back to the default. Setting it publishes low_balance_reached or balance_restored if the balance is
    now on its other side. `credits actions MERCHANT` shows who set it.
    """
    target = find(stage, profile)
    if value is None:
        account = _account(target, merchant)
    else:
        account = _set(context, target, merchant, admin, "low_balance_threshold", _threshold(value))
    if as_json:
        print_json(account)
        return
    own = "the default" if account["low_balance_threshold"] is None else "its own"
    low = ", which is low" if 0 < account["balance"] <= account["threshold"] else ""
    say(f"threshold {account['threshold']} ({own}); the balance is {account['balance']}{low}")


def _threshold(value: str) -> int | None:
    if value == _DEFAULT:
        return None
    if not value.isascii() or not value.isdigit():
        raise unable(f"{value!r} is not a threshold: a whole number of credits, or '{_DEFAULT}'.")
    return int(value)


def levels(
    context: typer.Context,
    merchant: Merchant,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[LEVEL]...", help="Levels such as 'week=7 days', half=50% or few=20.")
    ] = None,
    *,
    fleet: Fleet = False,
    none: None_ = False,
    admin: Admin = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a merchant's levels, or set them: up to five, in credits, percent of the last inflow, or days.

    Each crossing publishes evt.credits.level_crossed once, both ways. Setting levels publishes an event for each level
    that the account is on the other side of now.
    """
    if sum((bool(wanted), fleet, none)) > 1:
        raise unable("Give levels, --fleet or --none.")
    target = find(stage, profile)
    if not (wanted or fleet or none):
        _show(_account(target, merchant), as_json=as_json)
        return
    try:
        own = checked(map(Level.named, wanted or []))
    except ValueError as error:
        raise unable(f"{error}.") from None
    asked = [{"name": one.name, "at": one.at, "unit": one.unit} for one in own]
    _show(_set(context, target, merchant, admin, "levels", None if fleet else asked), as_json=as_json)


def grace(
    context: typer.Context,
    merchant: Merchant,
    *,
    hours: Annotated[
        int | None, typer.Option(min=0, max=HOURS_MAX, help=f"How long it lasts; 0: not limited by hours{_NEITHER}.")
    ] = None,
    credits_owed: Annotated[
        int | None,
        typer.Option(
            "--credits", min=0, max=CREDITS_MAX, help=f"How many may be owed; 0: not limited by credits{_NEITHER}."
        ),
    ] = None,
    fleet: Fleet = False,
    none: None_ = False,
    admin: Admin = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a merchant's grace, or set the limits of its next one: how long the plugin stays on without credits.

    It ends by hours or by credits, whichever comes first; a limit that is not given is none. A grace that runs keeps
    the limits that it started with.
    """
    limited = hours is not None or credits_owed is not None
    if sum((limited, fleet, none)) > 1:
        raise unable("Give --hours and --credits, --fleet or --none.")
    target = find(stage, profile)
    if not (limited or fleet or none):
        _show(_account(target, merchant), as_json=as_json)
        return
    terms = None if fleet else {"hours": hours or 0, "credits": credits_owed or 0}
    _show(_set(context, target, merchant, admin, "grace", terms), as_json=as_json)


def _account(target: Target, merchant: str) -> dict[str, Any]:
    account = TargetLedger(target).account_or_refuse(MerchantId(merchant))
    return answers.Account.of(account, now=now()).model_dump(mode="json")


def _set(
    context: typer.Context, target: Target, merchant: str, admin: str | None, name: str, value: Any
) -> dict[str, Any]:
    _account(target, merchant)
    with repeatable(context):
        return functions(target).set_threshold({"merchant_id": merchant, name: value, "admin_id": responsible(admin)})


def _show(account: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(account)
        return
    found = account["levels"] or {"own": False, "levels": []}
    whose = "its own" if found["own"] else "the fleet's"
    if not found["levels"]:
        say(f"no levels ({whose})")
    for level in found["levels"]:
        side = "below" if level["below"] else "above"
        say(f"level {level['name']}, {level['at']} {level['unit']} ({whose}): {side}")
    terms, running = account["grace_terms"], account["grace"]
    own = "the fleet's limits" if terms is None else f"limits of its own: {limits(terms['hours'], terms['credits'])}"
    say(f"grace: {_state(running)}; {own}")


def limits(hours: int, owed: int) -> str:
    """Return the limits of a grace in words, also the one that it does not have."""
    if hours and owed:
        return f"{counted(hours, 'hour')} or {counted(owed)}, whichever comes first"
    if hours:
        return f"{counted(hours, 'hour')}, no limit of credits"
    return f"{counted(owed)}, no limit of hours" if owed else "no grace"


def _state(grace: dict[str, Any] | None) -> str:
    if grace is None:
        return "none"
    if not grace["running"]:
        ended = f"over since {shown(grace['ended_at'])} ({grace['ended_by']})"
        return f"{ended}, until the balance is above the threshold again"
    end = f" until {shown(grace['ends_at'])}" if grace["ends_at"] else ""
    most = f" of {grace['credits']:,}" if grace["credits"] else ""
    return f"runs since {shown(grace['started_at'])}{end}, {counted(grace['used'])}{most} owed"

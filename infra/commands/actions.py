"""`credits actions`: who did what, and when (contract, section 6, "Who did what")."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import typer
from rich.text import Text

from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.contracts.api.people import Action as ActionAnswer
from chalicelib.contracts.api.sentences import time_text
from chalicelib.domain.actions import Action, ActionType
from chalicelib.domain.ids import MerchantId
from infra.commands.alerting import limits
from infra.commands.naming import names_of
from infra.commands.options import AsJson, InLocalTime, OneMerchant, Profile, Stage
from infra.commands.output import counted, print_list, say, say_beside
from infra.commands.target import find
from infra.commands.times import shown, zone

Details = Mapping[str, str | int | None]
ACTIONS_MAX = 1_000


def actions(
    merchant: OneMerchant = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=ACTIONS_MAX, help="List at most this many, the newest.")] = 20,
    before: Annotated[int | None, typer.Option(min=1, help="Only those before this one: the next page.")] = None,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List who did what and when, newest first: adjustments, thresholds, freezes, dead letters, links.

    With MERCHANT only what concerned that merchant.
    """
    target = find(stage, profile)
    desk = Desk(target.client("dynamodb"), table=target.desk_table)
    wanted = MerchantId(merchant) if merchant else None
    found = desk.actions(wanted, before=before, wanted=limit + 1)
    page = found[:limit]
    following = page[-1].position if len(found) > limit else None
    if as_json:
        print_list(
            [ActionAnswer.model_validate(one).model_dump(mode="json") for one in page], total=None, following=following
        )
        return
    if not page:
        say("None before this one." if before is not None else "No admin has changed anything yet.")
        return
    names = {} if wanted else names_of(target, (one.merchant_id for one in page))
    for one in page:
        about = "" if wanted or one.merchant_id is None else f"{names.get(one.merchant_id, one.merchant_id)}: "
        lead = Text(f"{shown(one.time, local=local)} {zone(local=local)}  ", style="dim")
        say_beside(lead, f"{about}{one.admin_id} {sentence(one)}")
    if following is not None:
        which = "newest" if before is None else "next"
        say(f"The {which} {limit:,}; go on with --before {following}", style="dim")


def sentence(action: Action) -> str:
    """Return what was done, in words that follow the admin's name."""
    if action.did in _SENTENCES:
        return _SENTENCES[ActionType(action.did)](action.details)
    return action.did.replace("_", " ")


def _adjusted(details: Details) -> str:
    amount = int(details["amount"] or 0)
    way = "added" if amount > 0 else "removed"
    return f"{way} {counted(abs(amount))}: {details['reason']} (transaction {details['transaction_id']})"


def _threshold(details: Details) -> str:
    threshold = details["low_balance_threshold"]
    return "went back to the default threshold" if threshold is None else f"set the threshold to {threshold}"


def _levels(details: Details) -> str:
    levels = details["levels"]
    if levels is None:
        return "went back to the fleet's levels"
    return f"set the levels {levels}" if levels else "set no levels"


def _grace(details: Details) -> str:
    hours, owed = details["hours"], details["credits"]
    if hours is None:
        return "went back to the fleet's grace"
    return f"set a grace of {limits(int(hours or 0), int(owed or 0))}" if hours or owed else "set no grace"


def _frozen(details: Details) -> str:
    until = f" until {time_text(str(details['until']))}" if details["until"] else ""
    return f"froze the account{until}: {details['reason']}"


def _code(details: Details) -> str:
    event_type = details.get("event_type")
    return f"({details['code']}{f', {event_type}' if event_type else ''})"


_SENTENCES: Final[Mapping[ActionType, Callable[[Details], str]]] = {
    ActionType.ADJUSTED: _adjusted,
    ActionType.THRESHOLD_SET: _threshold,
    ActionType.LEVELS_SET: _levels,
    ActionType.GRACE_SET: _grace,
    ActionType.FROZEN: _frozen,
    ActionType.UNFROZEN: lambda details: f"unfroze the account{f': {why}' if (why := details.get('reason')) else ''}",
    ActionType.LETTER_RETRIED: lambda details: f"retried a dead letter {_code(details)}",
    ActionType.LETTER_DISCARDED: lambda details: (
        f"discarded a dead letter {_code(details)}: {details.get('reason') or ''}"
    ),
    ActionType.LINKED: lambda details: f"linked {details['name']}",
    ActionType.UNLINKED: lambda details: f"unlinked {details['name']}",
}

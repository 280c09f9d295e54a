"""Sentences about levels and grace, for the story of why a plugin is on or off."""

from collections.abc import Mapping
from typing import Final

from chalicelib.contracts.api.sentences import credits_text, time_text
from chalicelib.domain.alerts import Unit
from chalicelib.domain.grace import End

GRACE_ENDS: Final[Mapping[End, str]] = {
    End.TIME: "The grace ended because its time was over.",
    End.CREDITS: "The credits that may be owed in the grace were used up, which ended it.",
    End.INFLOW: "The debt was paid and credits are left, which ended the grace.",
}
"""What ended a grace, by its reason."""
_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    Unit.CREDITS: ("credit", "credits"),
    Unit.PERCENT: ("percent of the balance after the last inflow", "percent of the balance after the last inflow"),
    Unit.DAYS: ("day of credits", "days of credits"),
}


def level_sentence(details: Mapping[str, str | int]) -> str:
    """Return which level an account fell to or below, or rose above."""
    one, many = _UNITS[str(details["unit"])]
    side = "at or below" if details["direction"] == "down" else "above"
    return f'That is {side} the level "{details["level"]}", {details["at"]} {one if details["at"] == 1 else many}.'


def grace_sentence(details: Mapping[str, str | int]) -> str:
    """Return the sentence that a grace keeps the plugin on, with its limits."""
    limits = [f"until {time_text(str(details['ends_at']))}"] if "ends_at" in details else []
    limits += [f"until {credits_text(int(details['credits']))} are owed"] if "credits" in details else []
    first = ", whichever comes first" if len(limits) > 1 else ""
    return f"A grace keeps the plugin on {' or '.join(limits)}{first}."

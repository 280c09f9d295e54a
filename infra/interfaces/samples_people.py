"""Examples of what people look at, made from the story: days, and who did what."""

from typing import Any

from chalicelib.contracts.api.people import Action, Day, Days, FleetDay, FleetDays
from chalicelib.domain.actions import Did
from chalicelib.domain.days import day_of, end_of, end_of_fleet, last_days
from chalicelib.domain.figures import recount
from infra.interfaces.samples import EMPTIED, LOW, META, ORDER, level_listing
from infra.interfaces.story import MERCHANT


def actions() -> Any:
    """Return the list of one action: an admin set a threshold."""
    row = Action(
        time=META["timestamp"],
        did=Did.THRESHOLD_SET,
        admin_id="ada",
        merchant_id=MERCHANT,
        details={"low_balance_threshold": 50},
    )
    return level_listing([row], "actions")


def account_days() -> Days:
    """Return the story's account at the end of its last day and of the day before."""
    ends = [end_of(one.account) for one in (ORDER, LOW, EMPTIED)]
    opened, today = day_of(EMPTIED.account.created_at), day_of(EMPTIED.account.updated_at)
    rows = [Day.of(end, moved) for end, moved in last_days(ends, today=today, days=2, opened=opened)]
    return Days(merchant_id=MERCHANT, days=rows)


def fleet_days() -> FleetDays:
    """Return one day of that fleet."""
    today = day_of(EMPTIED.account.updated_at)
    figures = recount([ORDER.account, LOW.account, EMPTIED.account])
    ended = end_of_fleet(figures, day=today, parked=1)
    return FleetDays(
        days=[FleetDay.of(end, moved) for end, moved in last_days([ended], today=today, days=1, opened=today)]
    )

"""The largest account that there may be: eight lots, every counter, figures of all their digits, and all else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.domain.alerts import Alerts, Watched
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.grace import End, Grace
from chalicelib.domain.ids import ID_LENGTH_MAX, TransactionId, instant
from chalicelib.domain.lots import Lot
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.runway import MILLI, ORDERS_MIN, Use
from chalicelib.domain.terms import HOURS_MAX, NAME_LENGTH_MAX, GraceTerms, Level, Unit
from chalicelib.domain.transactions import Total
from tests.support.builders import NOON, SHOP, account_of

ORDERS_MAX = 99_999_999
"""More orders than a shop will ever have."""
CREDITS_LARGE = CREDITS_MAX - 1
"""As many digits as credits can have, none of them a zero, which DynamoDB would not store."""
EIGHT_LOTS = tuple(
    Lot(expires_at=instant(datetime(2027, month, 28, 23, 59, 59, 999_000, tzinfo=UTC)), credits=9_999_999)
    for month in range(1, 9)
)
# An account is opened once: by a trial or, whose name takes more, by an import.
COUNTERS = tuple(kind for kind in Kind if kind is not Kind.TRIAL)
LARGEST = replace(
    account_of(0),
    balance=CREDITS_LARGE,
    sequence=ORDERS_MAX,
    version=ORDERS_MAX,
    totals={kind: Total(count=ORDERS_MAX, credits=CREDITS_LARGE) for kind in COUNTERS},
    total_shortfall=CREDITS_LARGE,
    threshold=CREDITS_LARGE,
    low_balance_threshold=CREDITS_LARGE,
    status_transaction_id=TransactionId(SHOP),
    use=Use(weighted=CREDITS_LARGE * MILLI, since=None, orders=ORDERS_MIN),
    # All of the balance is in lots, so there is no debt.
    lots=tuple(replace(lot, credits=CREDITS_LARGE // len(EIGHT_LOTS)) for lot in EIGHT_LOTS),
    due_at=EIGHT_LOTS[0].expires_at,
)
ENDED_GRACE = Grace(started_at=NOON, until=NOON, credits=CREDITS_LARGE, used=CREDITS_LARGE, over=(NOON, End.INFLOW))
TERMS = GraceTerms(hours=HOURS_MAX, credits=CREDITS_LARGE)


def own_levels(*names: str) -> Alerts:
    """Return an admin's levels in the units that take the most bytes."""
    watched = tuple(
        Watched(level=Level(name=name, at=CREDITS_MAX, unit=Unit.CREDITS), below=bool(place % 2))
        for place, name in enumerate(names)
    )
    return Alerts(watched=watched, own=True, full=CREDITS_LARGE, look_at=NOON)


LONGEST_LEVELS = own_levels(*(letter * NAME_LENGTH_MAX for letter in "abcde"))
FREEZE = Freeze(
    since=NOON,
    transaction_id=TransactionId(SHOP),
    reason="r" * REASON_LENGTH_MAX,
    admin_id="a" * ID_LENGTH_MAX,
    until=NOON,
)
EVERYTHING: dict[str, Any] = {
    "grace": ENDED_GRACE,
    "grace_terms": TERMS,
    "alerts": LONGEST_LEVELS,
    "closure": Closure(closed=True, at=NOON),
    "freeze": FREEZE,
}

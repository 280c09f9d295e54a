"""How many days an account's credits last: from its daily use, weighted by age (contract, section 16, "Runway").

Pure, with whole numbers only, so every machine gets the same result. The state is three small numbers on the account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.domain.ids import Instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction, Policy

HALF_LIFE_DAYS: Final = 7
"""Use of a week ago counts half as much as today's."""
ORDERS_MIN, AGE_MIN = 10, timedelta(days=3)
"""How many orders, and since when the first, before a daily use is reported: before that, it would be a guess."""
DAYS_MAX: Final = 3650
"""A runway of more days than this has no end worth naming."""
MILLI: Final = 1000
"""Use is kept in thousandths of a credit."""

_DAY_MINUTES = 1440
_HALF_LIFE_MINUTES = HALF_LIFE_DAYS * _DAY_MINUTES
_AGE_MIN_MINUTES = AGE_MIN // timedelta(minutes=1)
_OLD_MINUTES = 10 * _HALF_LIFE_MINUTES
_ONE = 1 << 30
_HOURS = tuple(round(_ONE * 2 ** (-hour * 60 / _HALF_LIFE_MINUTES)) for hour in range(HALF_LIFE_DAYS * 24))
_MINUTES = tuple(round(_ONE * 2 ** (-minute / _HALF_LIFE_MINUTES)) for minute in range(60))
_PER_DAY = round(_ONE * 0.6931471805599453 / HALF_LIFE_DAYS)
"""What of a steady use's weighted sum is one day's: ln 2 / half-life."""
_TO_THE_MINUTE = len("2026-11-29T12:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What an account's orders used, as of its last transaction.

    `weighted` is the sum of it in thousandths of a credit, each halved for every week since. `since` is the minute of
    the first order, counted from 1970, and `orders` how many there were, up to `ORDERS_MIN`. Once the account is old,
    `since` is None: it changes nothing any more.
    """

    weighted: int
    since: int | None
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """How long the credits last at the present daily use, `per_day` in thousandths of a credit.

    `days_left` (whole days, rounded down) and `empty_on` (a date) are None if the end is more than `DAYS_MAX` days off.
    """

    days_left: int | None
    empty_on: str | None
    per_day: int


def uses_credits(kind: Kind, metadata: Mapping[str, str | int]) -> bool:
    """Return whether a transaction is an order that uses credits, or an edit by which one uses more."""
    return kind is Kind.ORDER_USED or (kind is Kind.EDIT_REMOVED and _of_use(metadata))


def use_after(
    use: Use | None,
    kind: Kind,
    credits_moved: int,
    metadata: Mapping[str, str | int],
    *,
    last: Instant | None,
    at: Instant,
) -> Use | None:
    """Return an account's use after a transaction at `at`; `last` is the time of the one before.

    `credits_moved` are those asked for where it uses credits, unsigned: an order with a shortfall counts in full, or an
    empty shop would seem to need little. Refunds and edits of orders reduce the use, never below 0. Other transactions
    do not count. None: there was no order yet.
    """
    if uses_credits(kind, metadata):
        change = credits_moved
    elif kind is Kind.REFUND_RETURNED or (kind is Kind.EDIT_ADDED and _of_use(metadata)):
        change = -credits_moved
    else:
        change = 0
    if use is None:
        return Use(weighted=change * MILLI, since=_minute(at), orders=1) if kind is Kind.ORDER_USED else None
    weighted, since = use.weighted, use.since
    orders = min(ORDERS_MIN, use.orders + 1) if kind is Kind.ORDER_USED else use.orders
    if last is not None and last[:_TO_THE_MINUTE] != at[:_TO_THE_MINUTE]:
        minute = _minute(at)
        weighted = _decayed(weighted, minute - _minute(last))
        if since is not None and orders == ORDERS_MIN and minute - since >= _OLD_MINUTES:
            since = None
    return Use(weighted=max(0, weighted + change * MILLI), since=since, orders=orders)


def per_day(use: Use | None, *, last: Instant | None, now: Instant) -> int | None:
    """Return the daily use as of `now`, in thousandths of a credit; None while it is unknown (`ORDERS_MIN`, `AGE_MIN`).

    Young accounts are not underestimated: the sum is divided by the weight of the time that was observed.
    """
    if use is None or last is None or use.orders < ORDERS_MIN:
        return None
    minute = max(_minute(now), _minute(last))
    observed = _ONE
    if use.since is not None:
        age = minute - use.since
        if age < _AGE_MIN_MINUTES:
            return None
        observed -= _decayed(_ONE, age)
    return (_decayed(use.weighted, minute - _minute(last)) * _PER_DAY + observed // 2) // observed


def runway(use: Use | None, balance: int, *, last: Instant | None, now: Instant) -> Runway | None:
    """Return how long `balance` lasts as of `now`; `last` is the time of the last transaction.

    None until three days and ten orders have passed. Without credits there are 0 days left, whatever the use.
    """
    daily = per_day(use, last=last, now=now)
    if daily is None:
        return None
    if lasts_beyond(balance, daily, DAYS_MAX):
        return Runway(days_left=None, empty_on=None, per_day=daily)
    minutes = balance * MILLI * _DAY_MINUTES // daily if balance else 0
    empty = datetime.fromisoformat(now) + timedelta(minutes=minutes)
    return Runway(days_left=minutes // _DAY_MINUTES, empty_on=f"{empty:%Y-%m-%d}", per_day=daily)


def lasts_beyond(balance: int, daily: int, days: int) -> bool:
    """Return whether the balance lasts more than `days` at a daily use in thousandths of a credit."""
    return balance * MILLI > days * daily


def known_from(use: Use) -> Instant | None:
    """Return when the daily use is known without another order; None if it needs more orders or is known already."""
    if use.orders < ORDERS_MIN or use.since is None:
        return None
    return _instant(use.since + _AGE_MIN_MINUTES)


def lasts_beyond_from(use: Use, balance: int, days: int, *, last: Instant, now: Instant) -> Instant | None:
    """Return the first minute after `now` in which the balance lasts more than `days`, if no order comes until then.

    None: not within `DAYS_MAX` days by time alone.
    """
    start = max(_minute(now), _minute(last)) + 1
    low, high = start, start + DAYS_MAX * _DAY_MINUTES

    def beyond(minute: int) -> bool:
        daily = per_day(use, last=last, now=_instant(minute))
        return daily is not None and lasts_beyond(balance, daily, days)

    if not beyond(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if beyond(middle) else (middle + 1, high)
    return _instant(low)


def _of_use(metadata: Mapping[str, str | int]) -> bool:
    return Policy.parse(str(metadata["policy"])).direction is Direction.DECREASE


def _minute(time: Instant) -> int:
    return int(datetime.fromisoformat(time).timestamp()) // 60


def _instant(minute: int) -> Instant:
    return Instant(f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M}:00.000Z")


def _decayed(value: int, minutes: int) -> int:
    """Return what is left of a weight after this time, rounded: half of it for every half-life."""
    halvings, rest = divmod(max(0, minutes), _HALF_LIFE_MINUTES)
    hour, minute = divmod(rest, 60)
    places = 60 + halvings
    return (value * _HOURS[hour] * _MINUTES[minute] + (1 << (places - 1))) >> places

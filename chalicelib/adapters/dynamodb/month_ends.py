"""The figures at the ends of days and months, in the figures table: an item for each merchant and month.

The credits table's stream writes it once for each day on which something is recorded, and always the same for the same
day: a repeat changes nothing, and an account's own write costs nothing more. Where an item is missing (older than this
release, or not written yet), the figures are derived from the history, in more requests. The fleet has an item for each
day, which is overwritten while the day lasts and closed before the first change of a later day is counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields, replace
from typing import Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.figures import FLEET_KEYS, FiguresTable, fleet_from
from chalicelib.domain.days import DayEnd, Sums, end_of_fleet
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.movements import Kind
from chalicelib.domain.statements import Closing, DayOver, Month, MonthKept
from chalicelib.domain.transactions import Total

MONTH_PREFIX = "month#"
DAY_PREFIX = "day#"
_DAY_PREFIX, _END_PREFIX = "day_", "end_"
_DAYS_MAX = 31
_CLOSED = "closed_day"
"""Marks a day of the fleet that is over. (`closed` is the number of closed accounts.)"""


class MonthEnds(FiguresTable):
    """Keeps and reads the ends of days and months. Its own methods may raise `RetryLater` (`unavailable`)."""

    def note(self, over: DayOver) -> None:
        """Keep the ends of days and months that a write showed: a request, and one a month without transactions."""
        day = {f"{_DAY_PREFIX}{over.day}": {"N": str(over.closing.sequence)}}
        end = {f"{_END_PREFIX}{over.day}": {"S": day_end_text(over.closing.balance, over.sums)}}
        self._set(over.merchant_id, over.month, {**day, **end})
        for month in over.months:
            self._set(over.merchant_id, month, _attributes(over.closing))

    def kept(self, merchant_id: MerchantId, months: Iterable[Month]) -> Mapping[Month, MonthKept]:
        """Return what is kept of these months, in one request; a month of which nothing is kept is left out."""
        keys = {_key(merchant_id, month): month for month in months}
        return {keys[item["id"]["S"]]: _kept(item) for item in self.read(list(keys))}

    def days(self, merchant_id: MerchantId, months: Iterable[Month]) -> list[DayEnd]:
        """Return the kept ends of days of these months, in one request; a month's own end counts as its 31st."""
        keys = {_key(merchant_id, month): month for month in months}
        ends = []
        for item in self.read(list(keys)):
            month = keys[item["id"]["S"]]
            closing = _kept(item).closing
            if closing is not None and closing.totals is not None:
                sums = Sums.of(closing.totals, shortfall=closing.total_shortfall or 0)
                ends.append(DayEnd(day=f"{month}-{_DAYS_MAX}", balance=closing.balance, sums=sums))
            ends += [
                day_end_from(f"{month}-{day:02}", item[name]["S"])
                for day in range(1, _DAYS_MAX + 1)
                if (name := f"{_END_PREFIX}{day}") in item
            ]
        return ends

    def _set(self, merchant_id: MerchantId, month: Month, attributes: Mapping[str, Any]) -> None:
        with transient_faults():
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": _key(merchant_id, month)}},
                UpdateExpression="SET " + ",".join(f"#{place} = :{place}" for place, _ in enumerate(attributes)),
                ExpressionAttributeNames={f"#{place}": name for place, name in enumerate(attributes)},
                ExpressionAttributeValues={f":{place}": value for place, value in enumerate(attributes.values())},
            )


def day_end_text(balance: int, sums: Sums) -> str:
    """Return a balance and sums as one short text: an item holds 31 of them."""
    return " ".join(str(each) for each in (balance, *astuple(sums)))


def day_end_from(day: str, text: str) -> DayEnd:
    """Return the end of a day from its text; what a newer release appends is left out."""
    balance, *sums = map(int, text.split(" "))
    names = (each.name for each in fields(Sums))
    return DayEnd(day=day, balance=balance, sums=Sums(**dict(zip(names, sums, strict=False))))


def _key(merchant_id: MerchantId, month: Month) -> str:
    return f"{MONTH_PREFIX}{merchant_id}#{month}"


def _attributes(closing: Closing) -> dict[str, Any]:
    totals = closing.totals or {}
    return {
        "sequence": {"N": str(closing.sequence)},
        "balance": {"N": str(closing.balance)},
        "debt": {"N": str(closing.debt)},
        "total_shortfall": {"N": str(closing.total_shortfall)},
        "hash": {"S": closing.hash},
        "totals": {"M": {kind.name: {"S": f"{total.count} {total.credits}"} for kind, total in totals.items()}},
    }


def _kept(item: Mapping[str, Any]) -> MonthKept:
    names = {day: f"{_DAY_PREFIX}{day}" for day in range(1, _DAYS_MAX + 1)}
    days = {day: int(item[name]["N"]) for day, name in names.items() if name in item}
    return MonthKept(days=days, closing=_closing(item) if "totals" in item else None)


def _closing(item: Mapping[str, Any]) -> Closing | None:
    totals = {}
    for name, value in item["totals"]["M"].items():
        if name not in Kind.__members__:
            # A newer release counted a kind that this one does not know.
            return None
        count, moved = value["S"].split(" ")
        totals[Kind[name]] = Total(count=int(count), credits=int(moved))
    return Closing(
        sequence=int(item["sequence"]["N"]),
        balance=int(item["balance"]["N"]),
        debt=int(item["debt"]["N"]),
        total_shortfall=int(item["total_shortfall"]["N"]),
        hash=item["hash"]["S"],
        totals=totals,
    )


class FleetDays(FiguresTable):
    """Keeps and reads the ends of the fleet's days. Its own methods may raise `RetryLater` (`unavailable`)."""

    def keep(self, *, parked: int, as_of: Instant) -> None:
        """Keep the fleet's figures for the day that they name, unless newer ones are kept or that day is closed."""
        fleet, day = fleet_from(self.read(FLEET_KEYS))
        if not day:
            return
        unless_later = {
            "ConditionExpression": f"attribute_not_exists(id) OR (#at < :at AND attribute_not_exists({_CLOSED}))",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":at": {"S": as_of}},
        }
        self._put(end_of_fleet(fleet, day=day, parked=parked), {"at": {"S": as_of}}, unless_later)

    def close_before(self, day: str, *, parked: int, as_of: Instant) -> None:
        """Keep the fleet's figures as the end of the day that they name, and close that day, if it is before `day`.

        Call it before a change of `day` is counted. Only the first call takes effect, because a later one may read
        figures that hold such changes. What was parked since that day was last kept counts for the next day.
        """
        fleet, last = fleet_from(self.read(FLEET_KEYS))
        if not last or last >= day:
            return
        known = self.read([f"{DAY_PREFIX}{last}"])
        end = end_of_fleet(fleet, day=last, parked=_fleet_end(known[0]).sums.parked if known else parked)
        once = {"ConditionExpression": f"attribute_not_exists({_CLOSED})"}
        self._put(end, {"at": {"S": as_of}, _CLOSED: {"BOOL": True}}, once)

    def ends(self, days: Iterable[str]) -> list[DayEnd]:
        """Return the kept ends of these days, and the present figures of the newest day, in two requests."""
        items = {item["id"]["S"]: item for item in self.read([f"{DAY_PREFIX}{day}" for day in days])}
        kept = {item_id: _fleet_end(item) for item_id, item in items.items()}
        fleet, last = fleet_from(self.read(FLEET_KEYS))
        newest = max(items, default="")
        # The sums of an older release name no day, and a late record may name a day that is closed.
        if last and newest <= (own := f"{DAY_PREFIX}{last}") and _CLOSED not in items.get(own, {}):
            parked = kept[newest].sums.parked if newest else 0
            kept[own] = end_of_fleet(fleet, day=last, parked=parked)
        return list(kept.values())

    def _put(self, end: DayEnd, marks: Mapping[str, Any], condition: Mapping[str, Any]) -> None:
        item = {
            "id": {"S": f"{DAY_PREFIX}{end.day}"},
            "end": {"S": day_end_text(end.balance, end.sums)},
            "merchants": {"N": str(end.merchants)},
            "zero": {"N": str(end.zero)},
            "low": {"N": str(end.low)},
            "closed": {"N": str(end.closed)},
            **marks,
        }
        with transient_faults("the figures"):
            self.put(item, condition)


def _fleet_end(item: Mapping[str, Any]) -> DayEnd:
    return replace(
        day_end_from(item["id"]["S"].removeprefix(DAY_PREFIX), item["end"]["S"]),
        merchants=int(item["merchants"]["N"]),
        zero=int(item["zero"]["N"]),
        low=int(item["low"]["N"]),
        # Days that an older release kept do not hold it.
        closed=int(item["closed"]["N"]) if "closed" in item else 0,
    )

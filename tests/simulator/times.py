"""Stories with months in them: grants that lapse, orders at the very instant, late events, readers, and no sweep.

Nothing of it is drawn from the generator that makes the rest of a story, which stays what it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.oracles.lots import text
from tests.simulator.letters import (
    Letter,
    Order,
    Refund,
    adjustment,
    opening,
    paid,
    payment,
    refunded,
    renewal,
)
from tests.simulator.running import START
from tests.simulator.ways_back import disputed, went_back

DAY_SECONDS, HOUR_SECONDS = 86_400.0, 3600.0
CHANCE = 0.4
"""Of so many seeds, time is a part."""
LENGTHS_DAYS = (3, 20, 60, 120)
CLOSE_SECONDS = (-3.0, -1.0, -0.2, -0.05, -0.01, 0.0, 0.001, 0.5)
"""How long before an instant an event arrives that may be done at it."""
ABOUT_SECONDS = (-10.0, -2.0, -0.1, -0.02, 0.0, 0.01, 0.1, 1.0, 10.0, 70.0)
"""How long before or after an instant a reader asks."""
WITHOUT_SWEEP_SECONDS = 7 * DAY_SECONDS


@dataclass(frozen=True)
class Read:
    """A plugin that asks for its status after so many seconds."""

    after: float
    merchant: str


@dataclass(frozen=True)
class Arrival:
    """A letter, and the seconds after which it arrives for the first time."""

    after: float
    letter: Letter


def settings(random: Random) -> dict[str, str]:
    """Return the settings that decide when credits lapse."""
    found = {
        "REFUND_GRACE_DAYS": random.choice(["7", "7", "1"]),
        "EXPIRY_NOTICE_DAYS": random.choice(["7,1", "7,1", "30,14,3", "1"]),
        "SUBSCRIPTION_EXPIRES": random.choice(["never", "period", "period", "30"]),
    }
    if random.random() < 0.5:
        found["TRIAL_EXPIRES_DAYS"] = random.choice(["1", "14", "30"])
    return found


def at(after: float) -> str:
    """Return the instant so many seconds after a story's beginning."""
    return text(datetime.fromtimestamp(START, UTC) + timedelta(seconds=after))


def lapsing(letter: Letter, **said: Any) -> Letter:
    """Return a letter whose credits lapse: `expires_at`, `expires_in_days` or `period_end`, the first as seconds."""
    told = dict(said)
    for name in ("expires_at", "period_end"):
        if name in told:
            told[name] = at(told[name])
    asks = tuple(replace(ask, **told) for ask in letter.asks)
    return replace(letter, payload={**letter.payload, **told}, asks=asks)


def instants(random: Random, later: float) -> list[float]:
    """Return when credits lapse, in seconds after the beginning: at any millisecond, on the hour, or at midnight."""
    found = []
    for _ in range(random.choice([2, 5, 5, 14])):
        after = random.uniform(HOUR_SECONDS, later)
        rounded = random.choice([0.001, HOUR_SECONDS, DAY_SECONDS])
        found.append(max(rounded, round(after / rounded) * rounded))
    return sorted(set(found))


def arrivals(random: Random, shop: str, ends: Sequence[float], later: float) -> list[Arrival]:
    """Return what happens to a shop in the months: grants that lapse, orders, refunds, and payments that go back."""
    told = _grants(random, shop, ends, later)
    busy = [random.uniform(0, later) for _ in range(2)]
    sold: list[tuple[float, Order]] = []
    for number in range(random.choice([3, 6, 10])):
        order = Order(f"t{number}", random.choice(["10", "40", "99.90"]), random.choice([1, 1, 3]))
        after = _moment(random, ends, busy, later)
        if random.random() < 0.3:
            order = replace(order, at="2025-05-30T10:00:00.000Z")
            newer = replace(order, total=random.choice(["5", "80", "200"]), at="2025-05-30T11:00:00.000Z")
            told.append(Arrival(random.uniform(after, later), paid(shop, [newer], updated=True)))
        sold.append((after, order))
        told.append(Arrival(after, paid(shop, [order])))
    for number in range(random.choice([1, 2, 4])):
        after, order = random.choice(sold)
        amount = random.choice([None, "2.50", "9.99", "20"])
        refund = Refund(order.id, f"tr{number}", amount, order.total if amount else None)
        moment = max(after, _moment(random, ends, busy, later))
        told.append(Arrival(moment, refunded(shop, [refund])))
    return told


def _grants(random: Random, shop: str, ends: Sequence[float], later: float) -> list[Arrival]:
    told = []
    close = random.random() < 0.4
    for number in range(random.choice([2, 4, 6, 11])):
        after = random.uniform(0, HOUR_SECONDS if close else later)
        given = random.choice([1, 3, 10, 30])
        kind = random.choice(["payment", "payment", "payment", "renewal", "more", "plain"])
        coming = [end for end in ends if end > after] if random.random() < 0.95 else ends
        said: Mapping[str, Any] = {"expires_in_days": random.choice([1, 2, 14, 30])}
        if coming and random.random() < 0.8:
            said = {"expires_at": random.choice(coming)}
        if kind == "renewal":
            letter = renewal(shop, "ts", f"t{number}", given, named_by="renewal_id")
            said = said if random.random() < 0.5 else {"period_end": random.choice(coming or ends)}
        elif kind == "more":
            letter = adjustment(shop, f"tm{number}", given)
        else:
            letter = payment(shop, f"t{number}", given)
        told.append(Arrival(after, letter if kind == "plain" else lapsing(letter, **said)))
        if kind in ("payment", "plain") and random.random() < 0.3:
            told.append(Arrival(random.uniform(after, later), _back(random, shop, f"t{number}")))
            if random.random() < 0.5:
                told.append(Arrival(random.uniform(after, later), disputed(shop, f"t{number}", "td", won=True)))
    return told


def _back(random: Random, shop: str, payment_id: str) -> Letter:
    if random.random() < 0.5:
        return disputed(shop, payment_id, f"td-{payment_id}")
    return went_back(shop, payment_id, reversal_id=f"tb-{payment_id}", credits=random.choice([1, 3]))


def _moment(random: Random, ends: Sequence[float], busy: Sequence[float], later: float) -> float:
    """Return when something happens: at any time, in a busy hour, or so that it may be done as something lapses."""
    kind = random.choice(["any", "busy", "close", "close"])
    if kind == "any":
        return random.uniform(0, later)
    if kind == "busy":
        return random.choice(busy) + random.uniform(0, 60)
    return max(0.0, random.choice(ends) + random.choice(CLOSE_SECONDS) - random.choice([0.0, 0.05, 0.5, 2.0]))


def repeated(random: Random, after: float, later: float) -> list[float]:
    """Return when copies of an event arrive: at once, soon after, or months late."""
    copies = random.choice([0, 0, 0, 1, 2])
    return [after] + [
        after + random.choice([0.0, 5.0, random.uniform(0, max(1.0, later - after))]) for _ in range(copies)
    ]


def reads(random: Random, shops: Sequence[str], ends: Sequence[float], later: float) -> list[Read]:
    """Return who asks for a status, mostly about the instants at which something lapses."""
    found = []
    for _ in range(random.choice([0, 3, 8])):
        after = random.uniform(0, later)
        if random.random() < 0.8:
            after = max(0.0, random.choice(ends) + random.choice(ABOUT_SECONDS))
        found.append(Read(after, random.choice(shops)))
    return found


def without_sweep(random: Random, ends: Sequence[float], later: float) -> list[tuple[float, float]]:
    """Return from when until when nothing calls `post_due`: mostly never, or for a week, or not before the end."""
    chance = random.random()
    if chance < 0.15:
        begins = max(0.0, random.choice(ends) - random.uniform(0, WITHOUT_SWEEP_SECONDS))
        return [(begins, begins + WITHOUT_SWEEP_SECONDS)]
    return [(0.0, later)] if chance < 0.18 else []


def openings(random: Random, shop: str, ends: Sequence[float]) -> list[Arrival]:
    """Return, of some shops, a second event of their opening whose trial lapses at a time of its own."""
    if random.random() < 0.7:
        return []
    letter = lapsing(opening(shop, random.choice([5, 40]), named=True), expires_at=random.choice(ends))
    return [Arrival(0.0, letter)]


def body(random: Random, letter: Letter) -> str:
    """Return a letter as one of its senders writes it, with its instants in one of their spellings."""
    written = letter.body(random)
    for name in ("expires_at", "period_end"):
        if (instant := letter.payload.get(name)) is not None:
            written = written.replace(instant, _spelled(random, instant))
    return written


def _spelled(random: Random, instant: str) -> str:
    then = datetime.fromisoformat(instant).astimezone(timezone(timedelta(hours=random.choice([0, 0, 2, -5]))))
    return then.isoformat(timespec="milliseconds")

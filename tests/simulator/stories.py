"""The story of a run, made from its seed alone: settings, shops, events in any order and number, admins, deploys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from tests.simulator import alerting, times
from tests.simulator.asks import INCREASE, Ask
from tests.simulator.letters import (
    POISON,
    Letter,
    Order,
    Refund,
    adjustment,
    adjustment_ask,
    opening,
    paid,
    payment,
    refunded,
    renewal,
)
from tests.simulator.releases import shares
from tests.simulator.senders import as_sent, letters_of
from tests.simulator.times import Read
from tests.simulator.ways_back import ways_back

DAY_SECONDS = 86_400.0
MANY_ORDERS_CHANCE = 0.03
"""The orders of the largest message, more than one write takes."""
ORDER_IDS: Sequence[object] = (1, 2, 3, 4, 5, 6, 7, 8, "A-9", "x_10", "11 b", 12)
"""All shops use the same order numbers, so that a key without its merchant is detected."""

EDITED_IDS: Sequence[object] = (1, 2, "A-9")
"""The orders that shops edit."""


@dataclass(frozen=True)
class Posted:
    """A letter on its way to the inbox: the seconds after which it arrives, and its body."""

    after: float
    letter: Letter
    body: str


@dataclass(frozen=True)
class AdminCall:
    """A function that an admin calls after so many seconds, again and again until it answers."""

    after: float
    function: str
    request: Mapping[str, Any]
    ask: Ask | None = None


@dataclass
class Story:
    """A run's story. `environments` are the settings, each from so many seconds on, `shares` the newer release's.

    If `replayed`, all events are sent again a day later; if `torn`, the tables are then restored. What happens in the
    months that follow ends `later`; nothing calls `post_due` in the spans `without_sweep`.
    """

    environments: list[tuple[float, Mapping[str, str]]]
    seconds: float
    shares: list[tuple[float, float]] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    admin_calls: list[AdminCall] = field(default_factory=list)
    replayed: bool = False
    torn: bool = False
    later: float = 0.0
    reads: list[Read] = field(default_factory=list)
    without_sweep: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ends(self) -> float:
        """The seconds after which nothing happens any more but what follows from the rest."""
        return max(self.seconds, self.later)


def merchant(name: str) -> str:
    """Return the id of a shop."""
    return str(uuid5(NAMESPACE_DNS, name))


def settings(random: Random) -> dict[str, str]:
    """Return the settings that decide about credits."""
    found = {
        "TRIAL_CREDITS": str(random.choice([0, 1, 3, 10, 25])),
        "LOW_BALANCE_THRESHOLD_PERCENT": str(random.choice([0, 20, 20, 50, 100])),
        "ORDER_CREDIT_DIRECTION": random.choice(["DECREASE", "DECREASE", "DECREASE", "INCREASE"]),
        "ORDER_CREDIT_BASIS": random.choice(["order", "order", "item", "total"]),
        "ORDER_CREDIT_FIXED_AMOUNT": str(random.choice([0, 1, 1, 2, 7])),
    }
    if found["ORDER_CREDIT_BASIS"] == "total":
        found["ORDER_CREDIT_PERCENTAGE"] = random.choice(["10", "2.5", "33.3"])
        found["ORDER_CREDIT_MINIMUM"] = random.choice(["0", "2"])
    return found


def story(seed: int) -> Story:
    """Return the story of a seed."""
    random = Random(f"story {seed}")
    waits = {
        "GROUND_RETRY_SECONDS_MIN": random.choice(["1", "20"]),
        "GROUND_RETRY_SECONDS_MAX": random.choice(["300", "900"]),
        "GROUND_RETRY_SECONDS_TOTAL": random.choice(["900", "1800"]),
    }
    made = Story([(0.0, {**settings(random), **waits})], seconds=random.choice([5.0, 60.0, 240.0]))
    if random.random() < 0.25:
        made.environments.append((random.uniform(0, made.seconds), {**settings(random), **waits}))
    shops = [merchant(f"shop {number}") for number in range(random.choice([1, 1, 2, 3]))]
    busy = random.choice(shops)
    letters: list[Letter] = []
    for shop in shops:
        letters += _of_shop(random, shop, facts=random.choice([3, 5, 10]) * (2 if shop == busy else 1))
        _admins(random, made, shop)
    if random.random() < 0.2:
        letters += _of_shop(random, merchant("nobody's"), facts=2, opened=False)
    poisons = random.sample(list(POISON), random.choice([0, 1, 3]))
    letters += [POISON[kind](random.choice(shops)) for kind in poisons]
    _post(random, made, letters)
    # Drawn from dice of their own, so that all else of a seed is what it was before there were any.
    dice = Random(f"ways back {seed}")
    if dice.random() < 0.6:
        _post(dice, made, [letter for shop in shops for letter in ways_back(dice, shop)])
        debt = dice.choice(["owed", "owed", "forgiven"])
        made.environments = [(since, {**found, "REVERSAL_DEBT": debt}) for since, found in made.environments]
    _sent_otherwise(Random(f"senders {seed}"), made, shops)
    _in_months(Random(f"times {seed}"), made, shops)
    _alerting(Random(f"levels {seed}"), made, shops)
    made.shares = shares(seed, made.ends)
    made.replayed = random.random() < 0.2
    # Under other settings some asks would differ, so a replay has the same settings.
    made.torn = random.random() < 0.4 and len(made.environments) == 1
    return made


def _post(random: Random, made: Story, letters: Sequence[Letter]) -> None:
    """Deliver the letters in any order, some of them repeatedly, as the same or as another message."""
    bursts = [random.uniform(0, made.seconds) for _ in range(3)]
    for letter in letters:
        body = letter.body(random)
        for copy in range(random.choice([1, 1, 1, 2, 3])):
            after = random.choice(bursts) if random.random() < 0.5 else random.uniform(0, made.seconds)
            made.posted.append(Posted(after, letter, body if copy % 2 == 0 else letter.body(random)))


def _sent_otherwise(random: Random, made: Story, shops: Sequence[str]) -> None:
    """Let other senders write the same letters in their own way, and send some of their own."""
    made.posted = [replace(one, body=as_sent(one.letter, one.body, random)) for one in made.posted]
    for shop in shops:
        for letter in letters_of(random, shop):
            for _ in range(random.choice([1, 1, 2])):
                body = as_sent(letter, letter.body(random), random)
                made.posted.append(Posted(random.uniform(0, made.seconds), letter, body))


def _in_months(random: Random, made: Story, shops: Sequence[str]) -> None:
    """Let some stories go on for months, in which credits lapse."""
    if random.random() > times.CHANCE:
        return
    made.later = random.choice(times.LENGTHS_DAYS) * DAY_SECONDS
    found = times.settings(random)
    made.environments = [(since, {**settings, **found}) for since, settings in made.environments]
    ends = times.instants(random, made.later)
    for shop in shops[: random.choice([1, 1, 2])]:
        told = times.openings(random, shop, ends) + times.arrivals(random, shop, ends, made.later)
        for arrival in told:
            for after in times.repeated(random, arrival.after, made.later):
                made.posted.append(Posted(after, arrival.letter, times.body(random, arrival.letter)))
        _admins_in_months(random, made, shop, ends)
    made.reads = times.reads(random, shops, ends, made.later)
    made.without_sweep = times.without_sweep(random, ends, made.later)


def _alerting(random: Random, made: Story, shops: Sequence[str]) -> None:
    """Let some stories have levels and graces, of the fleet or set by admins."""
    found = alerting.settings(random, [settings for _, settings in made.environments])
    made.environments = [(since, settings) for (since, _), settings in zip(made.environments, found, strict=True)]
    levels = any("ALERT_LEVELS" in settings for settings in found)
    for shop in shops:
        asked = alerting.requests(random, shop, made.ends)
        made.admin_calls += [AdminCall(after, "set_threshold", request) for after, request in asked]
        if made.later and (levels or asked):
            for after, letter in alerting.orders(random, shop, made.ends):
                made.posted.append(Posted(after, letter, letter.body(random)))


def _admins_in_months(random: Random, made: Story, shop: str, ends: Sequence[float]) -> None:
    """Let admins take credits and set thresholds while something lapses."""
    for number in range(random.choice([0, 1, 3])):
        after = max(0.0, random.choice(ends) + random.choice(times.CLOSE_SECONDS))
        if random.random() < 0.5:
            asked = {"merchant_id": shop, "low_balance_threshold": random.choice([None, 3, 20]), "admin_id": "admin-7"}
            made.admin_calls.append(AdminCall(after, "set_threshold", asked))
            continue
        ask = adjustment_ask(shop, f"month{number}", random.choice([3, -2, -30]))
        made.admin_calls.append(AdminCall(after, "adjust_credits", _adjustment_request(ask), ask))


def _of_shop(random: Random, shop: str, *, facts: int, opened: bool = True) -> list[Letter]:
    letters = []
    if opened:
        named = random.random() < 0.4
        letters.append(opening(shop, random.choice([1, 2, 5, 21, 40]), named=named))
        if random.random() < 0.3:
            letters.append(opening(shop, random.choice([1, 5]), named=not named))
    totals = {order_id: random.choice([None, "10", "99.90", "20.00", "7.5", "0"]) for order_id in ORDER_IDS}
    if random.random() < MANY_ORDERS_CHANCE:
        letters.append(paid(shop, [Order(f"many-{number}") for number in range(random.choice([60, 99, 100]))]))
    ordered: list[object] = []
    return letters + [_fact(random, shop, number, totals, ordered) for number in range(facts)]


def _fact(random: Random, shop: str, number: int, totals: Mapping[object, str | None], ordered: list[object]) -> Letter:
    kind = random.choices(
        ["order", "orders", "updated", "edition", "refund", "refunds", "payment", "named", "renewal", "more", "less"],
        [8, 3, 1, 5, 4, 2, 1, 2, 1, 1, 2],
    )[0]

    def order() -> Order:
        chosen = random.choice(ORDER_IDS)
        ordered.append(chosen)
        # Occasionally an order is sent again with other content.
        total = totals[chosen] if random.random() < 0.93 else random.choice(["10", "50", None])
        lines = random.choice([1, 1, 1, 2, 3]) if random.random() < 0.3 else 1
        named = random.random()
        if named < 0.2:
            return Order(chosen, total, lines, aliases=(f"al-{chosen}",))
        return Order(f"al-{chosen}" if named < 0.3 else chosen, total, lines)

    def refund() -> Refund:
        # Occasionally of an order that is unknown, or not known yet.
        chosen = random.choice(ordered if ordered and random.random() < 0.9 else ORDER_IDS)
        if random.random() < 0.35:
            return Refund(chosen)
        amount = random.choice([None, "2.50", "5", "9.99", "100"])
        total = totals[chosen] if random.random() < 0.9 else random.choice(["10", "30"])
        if random.random() < 0.15:
            return Refund(f"al-{chosen}", f"r{random.randrange(8)}-{chosen}", amount, total if amount else None)
        return Refund(chosen, f"r{random.randrange(8)}-{chosen}", amount, total if amount else None)

    if kind in ("order", "updated"):
        return paid(shop, [order()], updated=kind == "updated")
    if kind == "orders":
        return paid(shop, list({one.id: one for one in (order() for _ in range(random.choice([2, 3, 6])))}.values()))
    if kind in ("refund", "refunds"):
        # One refund is one order's, by one of its names, or the message is poison.
        some = [refund() for _ in range(1 if kind == "refund" else 3)]
        return refunded(shop, list({one.id or one.order: one for one in some}.values()))
    if kind == "edition":
        return _edition(random, shop, ordered)
    return _of_credits(random, shop, number, kind)


def _of_credits(random: Random, shop: str, number: int, kind: str) -> Letter:
    if kind == "payment":
        return payment(shop, random.choice([f"p{random.randrange(4)}", 7]), random.choice([1, 5, 30]))
    if kind == "named":
        return _named_payment(random, shop)
    if kind in ("more", "less"):
        return adjustment(shop, f"{kind}{number % 5}", random.choice([1, 4, 15]) * (1 if kind == "more" else -1))
    named_by = random.choice(["renewal_id", "period_start", "idempotency_key", "both", "both"])
    return renewal(shop, random.choice(["s_1", "s"]), random.choice(["2025", "1_2025"]), 5, named_by=named_by)


def _named_payment(random: Random, shop: str) -> Letter:
    """Return a payment that has three names, under any of them and with any others, now and then one too many."""
    fact = random.randrange(3)
    own, *others = random.sample([f"{name}-{fact}" for name in ("cs", "in", "pi")], 3)
    aliases = others[: random.randrange(3)]
    if random.random() < 0.08:
        aliases.append(f"in-{(fact + 1) % 3}")
    return payment(shop, own, random.choice([1, 5, 30]) if random.random() < 0.1 else 5, aliases)


def _edition(random: Random, shop: str, ordered: list[object]) -> Letter:
    """Return a version of an order. One time has one content, so that the end is the same whatever comes first."""
    chosen, hour = random.choice(EDITED_IDS), random.randrange(6)
    ordered.append(chosen)
    then = Random(f"{shop} {chosen} {hour}")
    total, lines = then.choice(["10", "40", "99.90", "7.5", "0"]), then.choice([1, 1, 2, 3])
    return paid(
        shop, [Order(chosen, total, lines, at=f"2025-05-30T{hour:02}:00:00.000Z")], updated=random.random() < 0.5
    )


def _admins(random: Random, made: Story, shop: str) -> None:
    for number in range(random.choice([0, 0, 1, 3])):
        after = random.uniform(0, made.seconds)
        if random.random() < 0.5:
            threshold = random.choice([None, 0, 1, 5, 20, 1000])
            asked = {"merchant_id": shop, "low_balance_threshold": threshold, "admin_id": "admin-7"}
            made.admin_calls.append(AdminCall(after, "set_threshold", asked))
            continue
        ask = adjustment_ask(shop, random.choice([f"call{number}", f"less{number}"]), random.choice([3, -2, -30]))
        made.admin_calls.append(AdminCall(after, "adjust_credits", _adjustment_request(ask), ask))


def _adjustment_request(ask: Ask) -> dict[str, Any]:
    return {
        "merchant_id": ask.merchant,
        "operation_type": "INCREASE" if ask.direction == INCREASE else "DECREASE",
        "credits": ask.credits,
        "reason": "goodwill",
        "admin_id": "admin-7",
        "adjustment_id": ask.reference,
        "with_outcome": True,
    }

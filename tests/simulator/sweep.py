"""Every kind of fault at every request of every kind of movement, one at a time.

Each scenario is a short story that first runs without faults. Then it runs again for each of its requests and each
fault possible there: once, until botocore gives up, and for an outage longer than any call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from tests.oracles.levels import of_setting
from tests.simulator.asks import Ask
from tests.simulator.faults import OUTAGE, Calm, Fault, Planned
from tests.simulator.judge import judge
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
from tests.simulator.runs import Verdict, reproduced_by, tidy, verdict_on
from tests.simulator.stories import DAY_SECONDS, AdminCall, Posted, Story, merchant
from tests.simulator.sweeping import FUNCTION as POST_DUE
from tests.simulator.times import lapsing
from tests.simulator.ways_back import disputed, went_back
from tests.simulator.world import World

STEP_SECONDS = 10.0
"""The time between the steps of a scenario, so that without faults each ends before the next."""
GIVES_UP_AFTER = 3
"""Tries of botocore's clients, as `wiring` configures them."""
SHOP = merchant("sweep")
EARNING = {"ORDER_CREDIT_DIRECTION": "INCREASE", "ORDER_CREDIT_FIXED_AMOUNT": "10"}
BY_TOTAL = {"ORDER_CREDIT_BASIS": "total", "ORDER_CREDIT_PERCENTAGE": "10"}
SEVEN = {"ORDER_CREDIT_FIXED_AMOUNT": "7"}
BY_ITEM = {"ORDER_CREDIT_BASIS": "item", "ORDER_CREDIT_FIXED_AMOUNT": "2"}

Step = Letter | AdminCall


@dataclass(frozen=True)
class Scenario:
    """Steps under some settings; the account is opened with `trial` credits first. What comes `later` has its day."""

    steps: Sequence[Step | Sequence[Step]]
    settings: Mapping[str, str] = field(default_factory=dict)
    trial: int | None = 25
    later: Sequence[tuple[float, Step]] = ()

    def story(self, name: str) -> Story:
        """Return the scenario as a story."""
        random = Random(f"sweep {name}")
        waits = {
            "GROUND_RETRY_SECONDS_MIN": "1",
            "GROUND_RETRY_SECONDS_MAX": "60",
            "GROUND_RETRY_SECONDS_TOTAL": "300",
        }
        settings = {"TRIAL_CREDITS": "25", "LOW_BALANCE_THRESHOLD_PERCENT": "80", **waits, **self.settings}
        steps = list(self.steps)
        if self.trial is not None:
            steps.insert(0, opening(SHOP, self.trial, named=True))
        told = Story([(0.0, settings)], seconds=0.0)
        timed = [
            (place * STEP_SECONDS, step)
            for place, at_once in enumerate(steps)
            for step in (at_once if isinstance(at_once, Sequence) else [at_once])
        ]
        for days, step in self.later:
            told.later = days * DAY_SECONDS
            timed.append((told.later, step))
        for after, step in timed:
            if isinstance(step, Letter):
                told.posted.append(Posted(after, step, step.body(random)))
            else:
                told.admin_calls.append(AdminCall(after, step.function, step.request, step.ask))
        return told


def _order(number: object = 1, **content: Any) -> Letter:
    return paid(SHOP, [Order(number, **content)])


def _edition(hour: int, total: str) -> Letter:
    return _order(total=total, at=f"2025-05-30T{hour}:00:00.000Z")


def _adjusting(adjustment_id: str, change: int) -> AdminCall:
    ask: Ask = adjustment_ask(SHOP, adjustment_id, change)
    asked = {"merchant_id": SHOP, "operation_type": ask.direction, "credits": ask.credits}
    by = {"reason": "goodwill", "admin_id": "admin-7", "adjustment_id": adjustment_id, "with_outcome": True}
    return AdminCall(0, "adjust_credits", {**asked, **by}, ask)


def _threshold(low_balance_threshold: int | None) -> AdminCall:
    asked = {"merchant_id": SHOP, "low_balance_threshold": low_balance_threshold, "admin_id": "admin-7"}
    return AdminCall(0, "set_threshold", asked)


def _setting(**what: Any) -> AdminCall:
    return AdminCall(0, "set_threshold", {"merchant_id": SHOP, **what, "admin_id": "admin-7"})


def _levels(text: str) -> AdminCall:
    return _setting(levels=[vars(level) for level in of_setting(text)])


def _lot(name: str, given: int, ends: float) -> Letter:
    return lapsing(payment(SHOP, name, given), expires_at=ends)


_PART = Refund(1, "r1", "2.50", "10")
_SALE = Order(1, "10")
_TEN = paid(SHOP, [Order(number) for number in range(10)])

SCENARIOS: Mapping[str, Scenario] = {
    "trial of the settings": Scenario([opening(SHOP, 25, named=False)], trial=None),
    "trial of its own size": Scenario([opening(SHOP, 7, named=True)], trial=None),
    "two trials": Scenario([[opening(SHOP, 7, named=True), opening(SHOP, 25, named=False)]], trial=None),
    "order": Scenario([_order()]),
    "order by total": Scenario([_order(total="99.90")], BY_TOTAL),
    "order by items": Scenario([_order(lines=3)], BY_ITEM),
    "order that earns": Scenario([_order()], EARNING),
    "order that earns by total": Scenario([_order(total="99.90")], {**EARNING, **BY_TOTAL}),
    "order of more than is left": Scenario([_order()], SEVEN, trial=5),
    "orders in one message": Scenario([paid(SHOP, [Order(1), Order(2), Order(3)])]),
    "orders to the last credit": Scenario([[_order(1), _order(2), _order(3)]], trial=2),
    "order updated": Scenario([paid(SHOP, [_SALE], updated=True)]),
    "order before its account": Scenario([_order(), opening(SHOP, 9, named=True)], trial=None),
    "order without an account": Scenario([_order()], trial=None),
    "edits": Scenario([_edition(10, "40"), _edition(11, "99.90"), _edition(12, "20"), _edition(11, "99.90")], BY_TOTAL),
    "edits beside each other": Scenario([[_edition(11, "99.90"), _edition(10, "40"), _edition(12, "20")]], BY_TOTAL),
    "edits of a stored order and its refunds": Scenario(
        [
            _edition(10, "40"),
            [_edition(11, "80"), refunded(SHOP, [Refund(1, "r1", "10")]), _edition(12, "60")],
            [refunded(SHOP, [Refund(1, "r2", "20", "60")]), _edition(13, "90")],
        ],
        BY_TOTAL,
    ),
    "edits that move nothing": Scenario(
        [_edition(10, "40"), [_edition(12, "50"), refunded(SHOP, [Refund(1, "r1", "10")])], _edition(11, "10")],
        SEVEN,
    ),
    "edits of more than is left": Scenario(
        [_edition(10, "40"), _edition(11, "99"), _edition(12, "70")], BY_TOTAL, trial=5
    ),
    "edits of what was earned": Scenario(
        [_edition(10, "99"), adjustment(SHOP, "less", -30), _edition(11, "30"), _edition(12, "60")],
        {**EARNING, **BY_TOTAL, "ORDER_CREDIT_FIXED_AMOUNT": "0"},
    ),
    "refund of an order": Scenario([_order(), refunded(SHOP, [Refund(1)])]),
    "refund beside its order": Scenario([[refunded(SHOP, [Refund(1)]), _order()]]),
    "refund in parts": Scenario(
        [paid(SHOP, [_SALE]), refunded(SHOP, [_PART]), refunded(SHOP, [Refund(1, "r2", "7.50", "10")])],
        SEVEN,
    ),
    "refunds in one message": Scenario(
        [paid(SHOP, [_SALE, Order(2)]), refunded(SHOP, [_PART, Refund(1, "r2", "1", "10"), Refund(2, "r3")])],
        SEVEN,
    ),
    "refund of what was earned": Scenario(
        [_order(), adjustment(SHOP, "less", -30), refunded(SHOP, [Refund(1, "r1")])], EARNING
    ),
    "refund before its order": Scenario([refunded(SHOP, [Refund(1, "r1")]), _order()]),
    "refund without an order": Scenario([refunded(SHOP, [Refund(1, "r1")])]),
    "payment": Scenario([payment(SHOP, "p1", 30)], trial=1),
    "payment out of nothing": Scenario([_order(), payment(SHOP, "p1", 30)], trial=1),
    "payment that goes back": Scenario(
        [
            payment(SHOP, "p1", 30),
            adjustment(SHOP, "less", -50),
            went_back(SHOP, "p1", amount_refunded="3.33", payment_total="9.99"),
            payment(SHOP, "p2", 3),
            disputed(SHOP, "p1", "d1"),
            disputed(SHOP, "p1", "d1", won=True),
            went_back(SHOP, "p1", reversal_id="r1", credits=7),
        ]
    ),
    "dispute that is forgiven": Scenario(
        [
            payment(SHOP, "p1", 30),
            adjustment(SHOP, "less", -50),
            disputed(SHOP, "p1", "d1"),
            disputed(SHOP, "p1", "d1", won=True),
            payment(SHOP, "p2", 3),
        ],
        {"REVERSAL_DEBT": "forgiven"},
    ),
    "renewal": Scenario([renewal(SHOP, "s1", "2025-06", 5, named_by="renewal_id")]),
    "adjustment upwards": Scenario([adjustment(SHOP, "more", 4)]),
    "adjustment downwards": Scenario([adjustment(SHOP, "less", -25)]),
    "adjustment below zero": Scenario([adjustment(SHOP, "less", -26)]),
    "adjustment by an admin": Scenario([_adjusting("a1", 4)]),
    "adjustment by an admin downwards": Scenario([_adjusting("a1", -25)]),
    "adjustment by an admin below zero": Scenario([_adjusting("a1", -26)]),
    "adjustment by an admin twice": Scenario([_adjusting("a1", -20), _adjusting("a1", -20)]),
    "threshold": Scenario([_threshold(30), _threshold(None)]),
    "threshold beside orders": Scenario([[_threshold(3), _order(1), _order(2)], _order(3)]),
    "duplicates": Scenario([[_order(), _order()], _order()]),
    "duplicates of many": Scenario([paid(SHOP, [Order(1), Order(2)]), paid(SHOP, [Order(2), Order(3)])]),
    "conflict": Scenario([payment(SHOP, "p1", 30), payment(SHOP, "p1", 31)]),
    "conflict of one of three": Scenario(
        [_order(total="10"), paid(SHOP, [Order(1, "90"), Order(2, "10"), Order(3, "10")])], BY_TOTAL
    ),
    "trial that lapses": Scenario([opening(SHOP, 25, named=False)], {"TRIAL_EXPIRES_DAYS": "1"}, trial=None),
    "lots that lapse": Scenario([[_lot("p1", 5, 100), _lot("p2", 7, 130)], _order()], SEVEN, trial=1),
    "lots of three shops at once": Scenario(
        [[lapsing(opening(merchant(f"sweep {n}"), n, named=True), expires_at=100 + n / 100) for n in (1, 2, 3)]],
        trial=None,
    ),
    "lot that an order finds lapsed": Scenario([_lot("p1", 9, 15), _order(), _order(2)], SEVEN, trial=4),
    "lot that a threshold finds lapsed": Scenario([_lot("p1", 9, 15), _threshold(3), _threshold(30)], trial=4),
    "lot that an admin finds lapsed": Scenario(
        [_lot("p1", 9, 15), _adjusting("a1", -5), _adjusting("a2", -4)], trial=4
    ),
    "refund to its lots": Scenario(
        [
            [_lot("p1", 2, 35), _lot("p2", 3, 400)],
            paid(SHOP, [_SALE]),
            refunded(SHOP, [_PART]),
            refunded(SHOP, [Refund(1, "r2", "2.50", "10")]),
            refunded(SHOP, [Refund(1, "r3")]),
        ],
        SEVEN,
        trial=4,
    ),
    "nine lots": Scenario([[_lot(f"p{n}", n, 100 + n / 10) for n in range(1, 10)], _order()], SEVEN),
    "payment that goes back from its lot": Scenario(
        [[_lot("p1", 9, 300), _lot("p2", 3, 200)], disputed(SHOP, "p1", "d1"), disputed(SHOP, "p1", "d1", won=True)]
    ),
    "grace that time ends": Scenario([_order(1), _order(2)], {"GRACE_HOURS": "1"}, trial=1),
    "grace that a payment ends": Scenario(
        [_order(1), _order(2), payment(SHOP, "p1", 1), refunded(SHOP, [Refund(2)]), payment(SHOP, "p2", 30)],
        {"GRACE_CREDITS": "3"},
        trial=1,
    ),
    "grace that is used up, and another admin's": Scenario(
        [_setting(grace={"hours": 1, "credits": 2})],
        trial=1,
        later=[(0.01, _order(1)), (0.02, _setting(grace=None)), (0.03, paid(SHOP, [Order(2), Order(3)]))],
    ),
    "levels of the fleet": Scenario(
        [[_order(1), _order(2)], payment(SHOP, "p1", 30), adjustment(SHOP, "less", -30)],
        {"ALERT_LEVELS": "few=23, most=90%", "ORDER_CREDIT_FIXED_AMOUNT": "2"},
    ),
    "levels of an admin": Scenario(
        [_levels("few=25"), [_levels("few=24, half=50%"), _order(1)], _setting(levels=None)]
    ),
    "level in days": Scenario([_TEN], {"ALERT_LEVELS": "week=7 days"}, later=[(5, adjustment(SHOP, "less", -1))]),
    "level in days that an admin sets": Scenario([_TEN], later=[(1, _levels("week=7 days"))]),
    "poison": Scenario([POISON["one bad order of three"](SHOP)]),
    "types of other subjects": Scenario(
        [
            POISON["a payment on the orders' subject"](SHOP),
            POISON["an envelope of the bus on the orders' subject"](SHOP),
        ]
    ),
    "poison beside others": Scenario(
        [[_order(), POISON["zero credits"](SHOP), payment(SHOP, "p1", 3), POISON["no JSON"](SHOP)]]
    ),
}


@dataclass(frozen=True)
class Case:
    """A scenario with one kind of fault, at this request and at the next ones like it, `times` in all, or an outage."""

    scenario: str
    kind: Fault
    at: int
    times: int

    @property
    def name(self) -> str:
        """The command that runs it again."""
        return reproduced_by(f'--case "{self.scenario}" {self.kind.name} {self.at} {self.times}')


def run(case: Case) -> Verdict:
    """Return the verdict on a case."""
    return verdict_on(_world(case.scenario, Planned(case.kind, case.at, case.times)), case.name)


def calm(scenario: str) -> Verdict:
    """Return the verdict on a scenario without faults."""
    return verdict_on(_world(scenario, Calm()), f"the scenario {scenario}, undisturbed")


def cases(scenario: str) -> Iterator[Case]:
    """Yield all cases of a scenario."""
    for at, (_, operation) in enumerate(requests_of(scenario)):
        for kind in Fault:
            if not kind.applies(operation):
                continue
            yield Case(scenario, kind, at, 1)
            if kind not in (Fault.KILLED, Fault.KILLED_AFTER_EFFECT):
                yield Case(scenario, kind, at, GIVES_UP_AFTER)
        yield Case(scenario, Fault.UNAVAILABLE, at, OUTAGE)


def thinned_in(scenario: str, every: int) -> list[Case]:
    """Return one case of `every` so many of a scenario, and all of `post_due`, whose many queries are alike."""
    found, asked = list(cases(scenario)), requests_of(scenario)
    of_time = [case for case in found if asked[case.at][0] == POST_DUE and asked[case.at][1] != "Query"]
    return list(dict.fromkeys([*found[::every], *of_time]))


@cache
def requests_of(scenario: str) -> Sequence[tuple[str, str]]:
    """Return the functions and operations of a scenario's requests without faults; that run must have no violations."""
    world = _world(scenario, Calm()).play(judge)
    assert not world.violations, world.violations
    return [(function, operation) for function, _, operation in world.requests]


def thinned(every: int) -> list[Case]:
    """Return one case of `every` so many, of all scenarios."""
    found = [case for scenario in SCENARIOS for case in cases(scenario)]
    return Random("thinned").sample(found, len(found) // every)


def verdicts(wanted: Sequence[Case]) -> Iterator[Verdict]:
    """Yield the verdict on each case."""
    with tidy() as tidied:
        for case in wanted:
            yield run(case)
            tidied()


def _world(scenario: str, weather: Calm) -> World:
    # The logs of these are not read: a seed of one writes none.
    return World(SCENARIOS[scenario].story(scenario), 1, weather)

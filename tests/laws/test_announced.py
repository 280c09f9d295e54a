"""What a shop's weeks announce, with levels and graces: all that the ledger implies, once each way, with its cause."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from chalicelib.contracts.api.answers import Transaction
from chalicelib.contracts.outbound.published import crossing_event, transaction_event
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Fold
from chalicelib.domain.terms import GraceTerms, Level, TimeTerms
from chalicelib.ports import Committed
from tests.oracles.announcements import Announcement, implied
from tests.support.builders import SHOP, adjustment, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, decide

BEGINNING = datetime(2026, 1, 5, 12, tzinfo=UTC)
LEVELS = "few=8, half=50%, none=0"
LIMITS = [(0, 4), (5, 0), (12, 6)]
"""Hours and credits of a grace."""
SEEDS, STEPS = 12, 60


class Shop:
    """A shop with few credits: what it does, and what is published about it."""

    def __init__(self, seed: int, *, hours: int, owed: int) -> None:
        self.announced: list[Mapping[str, Any]] = []
        self.swept_at: list[Instant] = []
        self._chance = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._ledger = FakeLedger()
        self._moment = BEGINNING
        levels = tuple(Level.named(level.strip()) for level in LEVELS.split(","))
        self._terms = TimeTerms(levels=levels, grace=GraceTerms(hours=hours, credits=owed))

    def live(self) -> None:
        """Open the account, and let orders, inflows and hours pass."""
        self._post(trial(12))
        sold: list[str] = []
        for step in range(STEPS):
            self._moment += timedelta(hours=self._chance.choice([0, 0.25, 7]))
            match self._chance.choices(["orders", "refund", "payment", "gift", "sweep"], [6, 2, 2, 1, 2])[0]:
                case "orders":
                    orders = [f"{step}-{place}" for place in range(self._chance.randint(1, 5))]
                    sold += orders
                    self._post(*map(order, orders))
                case "refund" if sold:
                    self._post(refund_of(sold.pop(self._chance.randrange(len(sold))), f"r{step}"))
                case "payment":
                    self._post(payment(f"p{step}", self._chance.randint(1, 9)))
                case "gift":
                    self._post(adjustment(f"a{step}", self._chance.randint(1, 3)))
                case "sweep":
                    self._sweep()

    def rows(self) -> list[dict[str, Any]]:
        """Return the transactions as the API answers them, oldest first."""
        kept = sorted(self._ledger.transactions.values(), key=lambda one: one.sequence)
        return [Transaction.of(one).model_dump() for one in kept]

    def _post(self, *movements: Movement) -> None:
        self._write(decide(self._ledger, movements, now=instant(self._moment), terms=self._terms))

    def _sweep(self) -> None:
        now = instant(self._moment)
        account = self._ledger.accounts[SHOP]
        if account.is_due(now):
            self._write(fold(SHOP, account, [], stored={}, default_threshold=20, terms=self._terms, now=now))
        self.swept_at.append(now)

    def _write(self, decided: Fold) -> None:
        commit = decided.commit
        if commit is None:
            return
        assert self._ledger.commit(commit) == Committed()
        events = [transaction_event(transaction) for transaction in commit.transactions]
        events += [crossing_event(SHOP, crossing, version=commit.after.version) for crossing in commit.crossings]
        self.announced += [asdict(event.envelope()) for event in events if event is not None]


@cache
def lived(seed: int, limits: tuple[int, int]) -> Shop:
    shop = Shop(seed, hours=limits[0], owed=limits[1])
    shop.live()
    return shop


def types(events: Sequence[Mapping[str, Any]]) -> set[str]:
    return {f"{event['event_type']} {event['payload'].get('reason', '')}".strip() for event in events}


@pytest.mark.parametrize("limits", LIMITS, ids=["by credits", "by time", "by both"])
def test_levels_and_graces_are_announced_once_each_way_with_their_cause(limits: tuple[int, int]) -> None:
    for seed in range(SEEDS):
        shop = lived(seed, limits)

        expected = implied(shop.rows(), levels=LEVELS, grace=limits, swept_at=shop.swept_at)

        assert Counter(map(Announcement.heard, shop.announced)) == expected, f"seed {seed}"
        assert len({event["event_id"] for event in shop.announced}) == len(shop.announced)


def test_the_weeks_of_these_shops_cross_levels_and_end_graces_in_every_way() -> None:
    seen = set().union(*(types(lived(seed, limits).announced) for limits in LIMITS for seed in range(SEEDS)))

    assert seen >= {
        "evt.credits.level_crossed",
        "evt.credits.grace_started",
        "evt.credits.grace_ended time",
        "evt.credits.grace_ended credits",
        "evt.credits.grace_ended inflow",
    }

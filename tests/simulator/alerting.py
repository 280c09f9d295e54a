"""Levels and graces in stories: those of the fleet, and those that admins set in the middle of it.

Nothing of it is drawn from the generators that make the rest of a story, which stays what it was.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.oracles.levels import of_setting
from tests.simulator.letters import Letter, Order, paid

LEVELS_CHANCE, GRACE_CHANCE, ADMIN_CHANCE = 0.3, 0.5, 0.3
"""Of so many seeds, the fleet's levels, its grace, and what admins set are a part."""
SETTINGS = (
    "few=3",
    "few=20, half=50%",
    "none=0, week=7 days, half=50%",
    "day=1 day, week=7 days, month=30 days",
    "tenth=10%, most=90%, few=5, year=365 days",
)
ORDERS = 14
"""More orders of a shop with levels in days: a use is known from ten on."""


def settings(random: Random, environments: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the settings of a story with the fleet's levels and its grace; later ones may have others, or none."""
    levels, grace = random.random() < LEVELS_CHANCE, random.random() < GRACE_CHANCE
    found: list[Mapping[str, str]] = []
    own: dict[str, str] = {}
    for environment in environments:
        if not own or random.random() < 0.5:
            own = {"ALERT_LEVELS": random.choice(SETTINGS)} if levels and random.random() < 0.9 else {}
            own |= _grace(random) if grace else {}
        found.append({**environment, **own})
    return found


def _grace(random: Random) -> dict[str, str]:
    return {
        "GRACE_HOURS": random.choice(["0", "1", "24", "24", "72"]),
        "GRACE_CREDITS": random.choice(["0", "0", "0", "3", "10", "60"]),
    }


def requests(random: Random, shop: str, ends: float) -> list[tuple[float, dict[str, Any]]]:
    """Return what admins set for a shop, and after how many seconds."""
    if random.random() > ADMIN_CHANCE:
        return []
    found: list[tuple[float, dict[str, Any]]] = []
    for _ in range(random.choice([1, 2, 4])):
        levels: Any = [vars(level) for level in of_setting(random.choice(SETTINGS))]
        asked: dict[str, Any] = {"levels": random.choice([levels, levels, levels[:1], [], None])}
        if random.random() < 0.4:
            limits = {"hours": random.choice([0, 1, 30, 30]), "credits": random.choice([0, 2, 20])}
            asked = {"grace": random.choice([limits, limits, None])}
        found.append((random.uniform(0, ends), {"merchant_id": shop, **asked, "admin_id": "admin-7"}))
    return found


def orders(random: Random, shop: str, ends: float) -> list[tuple[float, Letter]]:
    """Return more orders of a shop, and after how many seconds each arrives."""
    if random.random() < 0.5:
        return []
    return [(random.uniform(0, ends), paid(shop, [Order(f"l{number}", "10")])) for number in range(ORDERS)]

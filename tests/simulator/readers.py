"""Plugins that ask for their status, and whether each answer was right as of its time (contract, section 16)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain.ids import MerchantId
from chalicelib.wiring import for_api
from tests.oracles.lots import text
from tests.simulator.running import Call

FUNCTION = "plugin_status"
TIMEOUT_SECONDS = 10.0
FRESH_SECONDS = 15.0
"""How old a status may be that was not read for its answer: `PLUGIN_STATUS_CACHE_TTL`."""
STALE_SECONDS = 300.0


@dataclass(frozen=True)
class Answered:
    """A status as a reader got it."""

    merchant: str
    call: Call


def plugin_status(event: Mapping[str, str], _context: Any) -> dict[str, Any]:
    """Return a merchant's status as the API's route does, from the container's memory or the table."""
    found = for_api.plugin_statuses().of(MerchantId(event["merchant_id"]), now=datetime.now(UTC))
    return {"reason": found.reason.value, "as_of": found.as_of, "stale": found.stale}


@dataclass(frozen=True)
class AccountState:
    """What an account was from a moment on, in seconds: its balance, its lots, and until when a grace ran, if any."""

    since: float
    balance: int
    lots: Mapping[str, int]
    grace: str = ""

    def reason(self, now: str) -> str:
        """Return why a plugin was on or off by now."""
        if self.left(now) > 0:
            return "sufficient_credits"
        return "grace" if self.grace > now else "insufficient_credits"

    def left(self, now: str) -> int:
        """Return the credits that have not lapsed by now."""
        return self.balance - sum(part for instant, part in self.lots.items() if instant <= now)


def wrong(answered: Answered, history: list[AccountState]) -> str | None:
    """Return why a status was not right as of its time, None where it was.

    It may be as old as a cache keeps it; but what had lapsed by then is in no answer, also in none from a cache.
    """
    call = answered.call
    if call.killed or call.answer is None:
        return None
    reason, skew = call.answer["reason"], call.container.skew
    if reason == "unavailable":
        return None if call.disturbed else "unavailable, and nothing had failed"
    oldest = call.started - (STALE_SECONDS if call.answer["stale"] else FRESH_SECONDS) - 2.0
    begun, ended = (instant_of(moment + skew) for moment in (call.started, call.ended))
    possible: set[str] = set()
    standing = [AccountState(0.0, 0, {}), *history]
    for place, one in enumerate(standing):
        until = standing[place + 1].since if place + 1 < len(standing) else float("inf")
        if one.since > call.ended or until < oldest:
            continue
        if place == 0:
            possible.add("account_not_found")
            continue
        possible |= {one.reason(now) for now in (begun, ended)}
    return None if reason in possible else f"it was {sorted(possible)}"


def instant_of(seconds: float) -> str:
    """Return a moment of a run as transactions have it."""
    return text(datetime.fromtimestamp(seconds, UTC))

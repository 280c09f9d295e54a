"""Levels and grace through the functions, the tables and the stream (contract, section 16)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.items import crossings_from
from chalicelib.domain.audit import audit
from chalicelib.domain.figures import contribution
from chalicelib.domain.ids import instant
from chalicelib.wiring import for_posting
from tests.support.api import CREDITS_TABLE
from tests.support.builders import SHOP
from tests.support.events import Context, batch, charged, opened, paid, refunded
from tests.support.system import System

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the clock of the functions, in hours from now."""

    def set_to(hours: float) -> None:
        monkeypatch.setattr(for_posting, "now", lambda: instant(NOW + timedelta(hours=hours)))

    set_to(0)
    return set_to


def told(system: System) -> list[tuple[str, dict[str, Any]]]:
    """Publish what the stream of accounts brings, and return types and payloads but for what all events say."""
    app.publish_threshold_events(batch(system.stream(CREDITS_TABLE)), Context())
    common = {"merchant_id", "sequence", "balance", "transaction_id"}
    return [
        (
            event["detail-type"].removeprefix("evt.credits."),
            {name: value for name, value in event["detail"]["payload"].items() if name not in common},
        )
        for event in system.heard()
    ]


def asked(**fields: Any) -> dict[str, Any]:
    answered: dict[str, Any] = app.set_threshold({"merchant_id": SHOP, "admin_id": "ada", **fields}, Context())
    return answered


def proven(system: System) -> bool:
    [item] = system.items(CREDITS_TABLE)
    assert audit(SHOP, system.account(), system.history(), crossings=crossings_from(item)) == ()
    return True


FEW = {"name": "few", "at": 98, "unit": "credits"}


def crossed(direction: str, **level: Any) -> tuple[str, dict[str, Any]]:
    named = {**FEW, **level}
    return "level_crossed", {"level": named["name"], "at": named["at"], "unit": named["unit"], "direction": direction}


def test_the_fleets_levels_are_crossed_once_and_both_ways(system: System, at: Any) -> None:
    system.configure(ALERT_LEVELS="few=98, half=50%")
    system.ingest(opened())
    system.ingest(paid(1), paid(2), paid(3))
    system.ingest(refunded(1), refunded(2), refunded(3))

    assert told(system) == [crossed("down"), crossed("up")]
    [down, up] = [one for one in system.history() if "levels" in one.metadata]
    assert (down.metadata["levels"], up.metadata["levels"]) == ("-few:98c", "+few:98c")
    assert proven(system)


def test_an_admins_levels_cross_at_once_and_are_kept_on_the_account(system: System, at: Any) -> None:
    system.ingest(opened())

    account = asked(levels=[{**FEW, "at": 100}, {"name": "week", "at": 7, "unit": "days"}])

    assert account["levels"] == {
        "own": True,
        "percent_of": None,
        "levels": [
            {"name": "few", "at": 100, "unit": "credits", "below": True},
            {"name": "week", "at": 7, "unit": "days", "below": False},
        ],
    }
    assert asked(levels=[{**FEW, "at": 100}, {"name": "week", "at": 7, "unit": "days"}]) == account
    assert told(system) == [crossed("down", at=100)]
    [item] = system.items(CREDITS_TABLE)
    assert item["schema_version"] == {"N": "2"}
    assert item["alerts"] == {"S": "own=1 -few:100c +week:7d"}

    assert asked(levels=None)["levels"] is None
    [item] = system.items(CREDITS_TABLE)
    assert ("alerts" in item, item["schema_version"]) == (False, {"N": "1"})
    system.ingest(charged("p1", 5))
    assert proven(system)


def test_a_level_in_days_is_due_and_then_crossed_by_time(system: System, at: Any) -> None:
    system.configure(ALERT_LEVELS="week=7 days")
    system.ingest(opened())
    asked(low_balance_threshold=0)
    system.ingest(*(paid(number) for number in range(85)))
    assert system.account().due_at == instant(NOW + timedelta(hours=72) - timedelta(seconds=NOW.second))
    told(system)

    at(73)
    system.ingest(paid("after"))

    assert told(system)[-1:] == [crossed("down", name="week", at=7, unit="days")]
    assert system.account().due_at is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": [{**FEW, "unit": "weeks"}]},
        {"levels": [FEW, FEW]},
        {"levels": [{**FEW, "at": 1.5}]},
        {"levels": [{**FEW, "at": "5"}]},
        {"levels": [{**FEW, "name": "Few"}]},
        {"levels": [{**FEW, "name": str(number)} for number in range(6)]},
        {"levels": {}},
        {"grace": {"hours": -1}},
        {"grace": {"credits": True}},
        {"grace": 5},
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused(system: System, at: Any, wrong: dict[str, Any]) -> None:
    system.ingest(opened())

    refused = asked(**wrong)

    assert refused["error"]["code"] == "field_invalid", refused
    assert refused["error"]["details"]["field"].startswith(next(iter(wrong)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"levels": [FEW, FEW]}, "levels: each level needs a name of its own"),
        ({"levels": [{**FEW, "at": -1}]}, "levels: a level in credits takes a whole number from 0 to 1000000000"),
        ({"levels": [{**FEW, "at": "5"}]}, "levels.0.at: a whole number is needed"),
        ({"levels": [{**FEW, "name": 5}]}, "levels.0.name: a text is needed"),
        ({"levels": [{**FEW, "unit": "weeks"}]}, "levels.0.unit: it must be 'credits', 'percent' or 'days'"),
        ({"levels": [FEW] * 6}, "levels: at most 5 entries are allowed"),
        ({"levels": {}}, "levels: a list is needed"),
        ({"levels": [5]}, "levels.0: an object is needed"),
        ({"grace": {"hours": -1}}, "grace.hours: the minimum is 0"),
        ({"grace": {"hours": 8761}}, "grace.hours: the maximum is 8760"),
    ],
    ids=str,
)
def test_a_refusal_says_in_plain_words_what_is_needed(wrong: dict[str, Any], message: str) -> None:
    assert asked(**wrong)["error"]["message"] == message


def test_a_grace_keeps_the_plugin_on_until_its_time_is_over(system: System, at: Any) -> None:
    system.configure(GRACE_HOURS="24", TRIAL_CREDITS="2", LOW_BALANCE_THRESHOLD_PERCENT="0")
    system.ingest(opened())
    system.ingest(paid(1), paid(2), paid(3), paid(4))
    ends_at = instant(NOW + timedelta(hours=24))

    account = asked(low_balance_threshold=None)
    assert account["plugin_status"]["status"] == "enabled"
    assert account["plugin_status"]["reason"] == "grace"
    assert (account["debt"], account["total_shortfall"]) == (2, 2)
    assert account["grace"]["ends_at"] == ends_at
    assert [name for name, _ in told(system)] == ["low_balance_reached", "balance_exhausted", "grace_started"]
    figures = contribution(system.account()).figures
    assert (figures.enabled, figures.disabled, figures.zero) == (1, 0, 1)

    at(25)
    system.ingest(paid(5))

    assert told(system)[3:] == [
        ("grace_ended", {"reason": "time"}),
        (
            "plugin_status_changed",
            {
                "previous_status": "enabled",
                "current_status": "disabled",
                "reason": "Insufficient credits",
                "timestamp": instant(NOW + timedelta(hours=25)),
            },
        ),
    ]
    after = asked(low_balance_threshold=0)
    assert (after["debt"], after["total_shortfall"]) == (2, 3)
    assert after["plugin_status"] == {
        "status": "disabled",
        "reason": "insufficient_credits",
        "since": ends_at,
        "transaction_id": None,
    }
    assert proven(system)


def test_after_a_grace_the_plugin_is_off_since_the_order_that_took_the_next_credits(system: System, at: Any) -> None:
    system.configure(GRACE_HOURS="24", TRIAL_CREDITS="1", LOW_BALANCE_THRESHOLD_PERCENT="100")
    system.ingest(opened())
    system.ingest(paid(1))
    at(25)
    # Not above the low threshold, so there is no new grace.
    system.ingest(charged("p1", 1))
    at(26)
    system.ingest(paid(2))

    status = asked(low_balance_threshold=9)["plugin_status"]

    [last] = [one for one in system.history() if one.reference_id == "2"]
    assert (status["since"], status["transaction_id"]) == (last.created_at, last.transaction_id)
    assert status["status"] == "disabled"


def test_an_inflow_above_the_debt_ends_a_grace_and_switches_nothing(system: System, at: Any) -> None:
    system.configure(GRACE_HOURS="24", TRIAL_CREDITS="1")
    system.ingest(opened())
    system.ingest(paid(1), paid(2), paid(3))
    system.ingest(charged("p1", 2))
    assert system.account().in_grace
    system.ingest(charged("p2", 5))

    of_balance = {"low_balance_reached", "balance_restored", "balance_exhausted"}
    assert [(name, said) for name, said in told(system) if name not in of_balance] == [
        ("grace_started", {"ends_at": instant(NOW + timedelta(hours=24)), "credits": None}),
        ("grace_ended", {"reason": "inflow"}),
    ]
    assert (system.account().balance, system.account().debt, system.account().in_grace) == (5, 0, False)
    assert proven(system)


def test_a_refund_in_a_grace_takes_back_what_the_order_owes(system: System, at: Any) -> None:
    system.configure(GRACE_CREDITS="10", TRIAL_CREDITS="1")
    system.ingest(opened())
    system.ingest(paid(1), paid(2))
    assert system.account().debt == 1

    system.ingest(refunded(2))

    assert (system.account().debt, system.account().balance) == (0, 0)
    assert system.account().in_grace
    assert proven(system)


def test_used_up_credits_end_a_grace(system: System, at: Any) -> None:
    system.configure(GRACE_CREDITS="2", TRIAL_CREDITS="1")
    system.ingest(opened())
    system.ingest(*(paid(number) for number in range(5)))

    assert [name for name, _ in told(system)] == [
        "low_balance_reached",
        "balance_exhausted",
        "grace_started",
        "grace_ended",
        "plugin_status_changed",
    ]
    assert (system.account().debt, system.account().total_shortfall) == (2, 4)
    assert proven(system)


def test_limits_of_its_own_count_for_the_next_grace(system: System, at: Any) -> None:
    system.configure(TRIAL_CREDITS="1")
    system.ingest(opened())
    account = asked(grace={"hours": 5})
    assert account["grace_terms"] == {"hours": 5, "credits": 0}

    system.ingest(paid(1))

    grace = system.account().grace
    assert grace is not None
    # An admin's change is later than what it changes, and the clock of this test stands still.
    assert grace.until == instant(NOW + timedelta(hours=5, milliseconds=1))
    assert asked(grace=None)["grace_terms"] is None
    assert system.account().grace == grace


def test_an_account_without_any_of_it_stays_as_it_was(system: System, at: Any) -> None:
    system.ingest(opened())
    system.ingest(paid(1), charged("p1", 5))

    [item] = system.items(CREDITS_TABLE)
    assert item["schema_version"] == {"N": "1"}
    assert not {"alerts", "grace", "grace_terms", "due_at"} & item.keys()
    assert "levels" not in json.dumps(item)

"""A frozen account: its plugin is off whatever it has, and everything is recorded (contract, section 17)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.dynamodb.account_attributes import freeze_text
from chalicelib.adapters.dynamodb.items import account_from, account_item
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.story import story_of
from chalicelib.contracts.outbound.published import crossing_event, transaction_event
from chalicelib.domain.audit import audit, plausible, rebuilt
from chalicelib.domain.derivation import Excerpt
from chalicelib.domain.due import as_of
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.figures import contribution
from chalicelib.domain.fold import fold
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.ledger import Account, CrossingType
from chalicelib.domain.outcomes import Duplicate, Outcome
from chalicelib.domain.override import change_closure
from chalicelib.domain.plugin_status import Reason
from chalicelib.domain.terms import GraceTerms, Level, TimeTerms, Unit
from chalicelib.domain.transactions import Transaction, transaction_hash
from chalicelib.domain.walk import Walk
from tests.support.builders import NOON, SHOP, adjustment, freezing, order, payment, trial, unfreezing
from tests.support.fakes import FakeLedger, settle
from tests.support.status_sources import FakeShared, FakeTable, container

END = datetime(2025, 6, 2, 12, tzinfo=UTC)
UNTIL = instant(END)
JUST_BEFORE, JUST_AFTER = END - timedelta(milliseconds=100), END + timedelta(milliseconds=100)


def at(hours: float) -> Instant:
    return instant(datetime.fromisoformat(NOON) + timedelta(hours=hours))


@pytest.fixture
def store() -> FakeLedger:
    store = FakeLedger()
    settle(store, [trial(30)], now=NOON)
    return store


def account(store: FakeLedger) -> Account:
    return store.accounts[SHOP]


def told(store: FakeLedger) -> list[str]:
    return [one.type for one in store.crossings(SHOP)]


def proven(store: FakeLedger) -> bool:
    carried = next(commit.crossings for commit in reversed(store.commits) if commit.writes_account)
    assert audit(SHOP, account(store), store.history(SHOP), crossings=carried) == ()
    assert plausible(account(store))
    return True


def only(outcomes: list[Outcome]) -> Outcome:
    [outcome] = outcomes
    return outcome


def test_a_freeze_switches_the_plugin_off_and_moves_nothing(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))

    frozen, newest = account(store), store.history(SHOP)[-1]
    assert (frozen.enabled, frozen.balance, frozen.due_at) == (False, 30, UNTIL)
    assert (newest.kind.transaction_type, newest.amount, newest.requested) == ("MANUAL", 0, 0)
    assert newest.idempotency_key == "MANUAL_ADJUSTMENT_t1"
    assert newest.metadata == {
        "reason": "chargeback fraud",
        "admin_id": "admin-7",
        "freeze": "frozen",
        "until": UNTIL,
        "plugin": "off",
    }
    shown = answers.Account.of(frozen, now=at(2))
    assert (shown.plugin_status.status, shown.plugin_status.reason) == ("disabled", "frozen")
    assert (shown.plugin_status.since, shown.plugin_status.transaction_id) == (at(1), newest.transaction_id)
    assert shown.freeze is not None
    assert shown.freeze.model_dump() == {
        "reason": "chargeback fraud",
        "admin_id": "admin-7",
        "since": at(1),
        "until": UNTIL,
        "transaction_id": newest.transaction_id,
    }
    [crossing] = store.crossings(SHOP)
    event = crossing_event(SHOP, crossing, version=2)
    assert (event.event_type, event.payload.reason) == ("evt.credits.plugin_status_changed", "Account frozen")  # type: ignore[attr-defined]
    adjusted = transaction_event(newest)
    assert adjusted is not None
    assert (adjusted.event_type, adjusted.payload.amount) == ("evt.credits.adjusted", 0)  # type: ignore[attr-defined]
    figures = contribution(frozen).figures
    assert (figures.enabled, figures.disabled, figures.zero) == (0, 1, 0)
    assert proven(store)


def test_movements_of_a_frozen_account_are_recorded_and_switch_nothing(store: FakeLedger) -> None:
    settle(store, [freezing("t1")], now=at(1))
    settle(store, [adjustment("all", -30)], now=at(2))
    settle(store, [order("short")], now=at(3))
    settle(store, [payment("p1", 9)], now=at(4))

    assert (account(store).balance, account(store).total_shortfall, account(store).enabled) == (9, 1, False)
    assert CrossingType.PLUGIN_STATUS_CHANGED not in told(store)
    assert CrossingType.BALANCE_EXHAUSTED in told(store)
    assert [one.metadata.get("frozen") for one in store.history(SHOP)] == [None, None, 1, 1, 1]
    assert proven(store)

    settle(store, [unfreezing("t2")], now=at(5))

    thawed = account(store)
    assert (thawed.enabled, thawed.freeze, thawed.due_at) == (True, None, None)
    shown = answers.Account.of(thawed, now=at(6)).plugin_status
    assert (shown.since, shown.transaction_id) == (at(5), store.history(SHOP)[-1].transaction_id)
    assert told(store)[-1] == CrossingType.UNFROZEN
    assert proven(store)


def test_a_shop_that_has_run_out_meanwhile_is_off_since_then(store: FakeLedger) -> None:
    settle(store, [freezing("t1")], now=at(1))
    settle(store, [adjustment("all", -30)], now=at(2))
    settle(store, [unfreezing("t2")], now=at(3))

    shown = answers.Account.of(account(store), now=at(4)).plugin_status
    assert (shown.status, shown.reason, shown.since) == ("disabled", "insufficient_credits", at(2))
    assert CrossingType.UNFROZEN not in told(store)
    assert proven(store)


def test_a_grace_runs_on_and_keeps_no_frozen_plugin_on(store: FakeLedger) -> None:
    terms = TimeTerms(grace=GraceTerms(hours=5))
    settle(store, [adjustment("all", -29), order("last")], now=at(1), terms=terms)
    assert account(store).enabled

    settle(store, [freezing("t1")], now=at(2), terms=terms)
    assert not account(store).enabled
    settle(store, [order("owed")], now=at(3), terms=terms)
    assert account(store).debt == 1
    settle(store, [unfreezing("t2")], now=at(4), terms=terms)
    assert account(store).enabled
    settle(store, [freezing("t3", until=at(20))], now=at(5), terms=terms)
    settle(store, [order("late")], now=at(21), terms=terms)

    switched = [
        one for one in told(store) if one in (CrossingType.FROZEN, CrossingType.UNFROZEN, "plugin_status_changed")
    ]
    assert switched == [CrossingType.FROZEN, CrossingType.UNFROZEN, CrossingType.FROZEN]
    assert not account(store).enabled
    assert proven(store)


def test_another_freeze_replaces_the_first_and_switches_nothing(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))
    settle(store, [freezing("t2", reason="by court order")], now=at(2))

    freeze = account(store).freeze
    assert freeze is not None
    assert (freeze.since, freeze.until, freeze.reason) == (at(1), None, "by court order")
    assert freeze.transaction_id == store.history(SHOP)[1].transaction_id
    assert account(store).due_at is None
    assert told(store) == [CrossingType.FROZEN]
    assert proven(store)


def test_the_same_again_is_a_duplicate_and_other_content_is_refused(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))

    again = only(settle(store, [freezing("t1", until=UNTIL, reason="in other words")], now=at(99)))
    assert isinstance(again, Duplicate)
    for other, field in ((freezing("t1"), "until"), (unfreezing("t1"), None), (adjustment("t1", -5), "credits")):
        refused = only(settle(store, [other], now=at(2)))
        assert isinstance(refused, Rejected)
        assert (refused.code, refused.field) == (Code.KEY_REUSED, field)


@pytest.mark.parametrize("hours", [0, 1])
def test_an_end_that_is_not_ahead_is_refused(store: FakeLedger, hours: float) -> None:
    refused = only(settle(store, [freezing("t1", until=at(hours))], now=at(1)))

    assert isinstance(refused, Rejected)
    assert (refused.code, refused.field) == (Code.UNTIL_PAST, "until")
    assert refused.message == f"a freeze until {at(hours)} would be over before it begins, at {at(1)}"
    assert account(store).freeze is None


def test_who_is_not_frozen_cannot_be_unfrozen(store: FakeLedger) -> None:
    refused = only(settle(store, [unfreezing("t1")], now=at(1)))

    assert isinstance(refused, Rejected)
    assert refused.code is Code.NOT_FROZEN


def test_the_end_of_a_freeze_is_recorded_once_by_whoever_comes_first(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))
    settle(store, [order("after")], now=at(25))

    [*_, ended, late] = store.history(SHOP)
    assert (ended.idempotency_key, ended.amount, ended.reference_id) == ("UNFREEZE_1748865600000", 0, UNTIL)
    assert (ended.kind.transaction_type, ended.occurred_at) == ("MANUAL", UNTIL)
    assert ended.metadata == {"freeze": "ended", "plugin": "on"}
    assert "frozen" not in late.metadata
    assert told(store) == [CrossingType.FROZEN, CrossingType.UNFROZEN]
    assert account(store).enabled
    assert proven(store)
    assert isinstance(only(settle(store, [freezing("t1", until=UNTIL)], now=at(26))), Duplicate)


def test_a_status_is_off_just_before_the_end_and_on_just_after_wherever_it_comes_from() -> None:
    freeze = Freeze(since=NOON, transaction_id=trial().transaction_id, reason="r", admin_id="a", until=UNTIL)

    def table() -> FakeTable:
        return FakeTable(rows={SHOP: (3, 5)}, of_time={"freeze": freeze_text(freeze)})

    shared, alone = FakeShared(), container(table())
    with_others = container(table(), shared)
    for moment, reason in (
        (JUST_BEFORE, Reason.FROZEN),
        (END, Reason.SUFFICIENT_CREDITS),
        (JUST_AFTER, Reason.SUFFICIENT_CREDITS),
    ):
        assert container(table()).of(SHOP, now=moment).reason is reason
        assert alone.of(SHOP, now=moment).reason is reason
        assert with_others.of(SHOP, now=moment).reason is reason
        assert container(table(), shared).of_many([SHOP], now=moment)[SHOP].reason is reason
    before = container(table()).of(SHOP, now=JUST_BEFORE)
    assert (before.status, before.fresh_seconds, before.ends) == ("disabled", 0, True)


def test_an_account_is_answered_as_of_now(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))

    before, after = (answers.Account.of(account(store), now=instant(moment)) for moment in (JUST_BEFORE, JUST_AFTER))

    assert (before.plugin_status.status, before.freeze is None) == ("disabled", False)
    assert (after.plugin_status.status, after.freeze is None) == ("enabled", True)
    assert after.plugin_status.since == UNTIL
    assert as_of(account(store), instant(JUST_BEFORE)) is account(store)


def test_only_a_frozen_account_has_the_attribute_and_the_newer_form(store: FakeLedger) -> None:
    before = account_item(account(store))
    settle(store, [freezing("t1", until=UNTIL, reason='„schlecht“ "x"')], now=at(1))
    frozen = account_item(account(store))
    settle(store, [unfreezing("t2")], now=at(2))
    after = account_item(account(store))

    assert ("freeze" in before, before["schema_version"]) == (False, {"N": "1"})
    assert ("freeze" in frozen, frozen["schema_version"]) == (True, {"N": "2"})
    assert account_from(frozen).freeze == Freeze(
        since=at(1),
        transaction_id=store.history(SHOP)[1].transaction_id,
        reason='„schlecht“ "x"',
        admin_id="admin-7",
        until=UNTIL,
    )
    assert ("freeze" in after, after["schema_version"]) == (False, {"N": "1"})


def test_a_closed_shop_that_is_frozen_stays_off_when_it_comes_back(store: FakeLedger) -> None:
    def close(closed: bool, now: Instant) -> tuple[CrossingType, ...]:
        after, crossed = change_closure(
            account(store), closed=closed, at=None, opened_at=None, correlation_id=None, now=now
        )
        store.accounts[SHOP] = replace(after, version=after.version + 1)
        return tuple(one.type for one in crossed)

    assert close(True, at(1)) == (CrossingType.SHOP_CLOSED,)
    settle(store, [freezing("t1")], now=at(2))
    assert answers.Account.of(account(store), now=at(2)).plugin_status.reason is Reason.CLOSED
    assert close(False, at(3)) == ()
    shown = answers.Account.of(account(store), now=at(3)).plugin_status
    assert (shown.reason, shown.since) == (Reason.FROZEN, at(2))
    settle(store, [unfreezing("t2")], now=at(4))

    assert answers.Account.of(account(store), now=at(5)).plugin_status.since == at(4)
    assert told(store) == [CrossingType.UNFROZEN]
    assert proven(store)


def test_a_rebuilt_account_is_frozen_as_its_transactions_prove(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL), order("1")], now=at(1))
    walk = Walk(SHOP)
    for transaction in store.history(SHOP):
        walk.step(transaction)
    walk.close(account(store))

    again = rebuilt(walk, None, now=at(2))

    assert again.freeze == account(store).freeze
    assert again.due_at is not None
    assert not [one for one in audit(SHOP, again, store.history(SHOP)) if one.kind.startswith("account")]
    lost = replace(account(store), freeze=None)
    assert [one.kind for one in audit(SHOP, lost, store.history(SHOP))] == ["account_status"]
    late = replace(account(store), due_at=None)
    assert [one.kind for one in audit(SHOP, late, store.history(SHOP))] == ["account_due"]


def sealed(history: list[Transaction], place: int, **changes: Any) -> list[Transaction]:
    """Return the history with a transaction changed, and that and all after it sealed anew."""
    found = list(history)
    for number in range(place, len(found)):
        changed = replace(found[number], **changes) if number == place else found[number]
        changed = replace(changed, previous_hash=found[number - 1].hash if number else changed.previous_hash)
        found[number] = replace(changed, hash=transaction_hash(changed))
    return found


@pytest.mark.parametrize(
    ("place", "metadata", "why"),
    [
        (1, {"freeze": "frozen"}, "it switched the plugin None, and it can only have been off"),
        (1, {"freeze": "ended", "plugin": "on"}, "it ends a freeze that there is not"),
        (2, {"policy": "DECREASE/1/ORDER"}, "the account was frozen, and it does not say so"),
        (3, {"freeze": "ended", "plugin": "on"}, "it ends at t2 a freeze until None"),
        (4, {"policy": "DECREASE/1/ORDER", "frozen": 1}, "it says that the account was frozen, which it was not"),
    ],
)
def test_what_a_freeze_cannot_have_left_is_found(
    store: FakeLedger, place: int, metadata: dict[str, str | int], why: str
) -> None:
    settle(store, [freezing("t1")], now=at(1))
    settle(store, [order("1")], now=at(2))
    settle(store, [unfreezing("t2")], now=at(3))
    settle(store, [order("2")], now=at(4))
    kept = {name: value for name, value in store.history(SHOP)[place].metadata.items() if name in ("policy", "lines")}
    wrong = sealed(store.history(SHOP), place, metadata={**metadata, **kept})

    found = audit(SHOP, None, wrong)

    assert (found[0].kind, found[0].detail) == ("record_wrong", why)


def test_a_freeze_that_nobody_ended_in_time_is_found(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))
    settle(store, [order("1")], now=at(2))
    late = sealed(store.history(SHOP), 2, created_at=at(25))

    [found] = audit(SHOP, None, late)[:1]

    assert found.detail == f"it was created at {at(25)}, and before that the freeze had to end, at {UNTIL}"


def test_the_story_says_who_froze_it_why_and_what_ends_it(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))
    settle(store, [order("1")], now=at(2))

    story = story_of(account(store), Excerpt(store.history(SHOP), complete=True))

    assert (story.status, story.reason, story.since) == ("disabled", "frozen", at(1))
    assert story.because == "admin-7 froze the account until 2025-06-02 12:00:00 UTC: chargeback fraud."
    assert (
        story.remedy
        == "It is switched on again at 2025-06-02 12:00:00 UTC, or when it is unfrozen before, as it has credits."
    )
    assert story.chapters[-1].sentence == (
        "admin-7 froze the account until 2025-06-02 12:00:00 UTC: chargeback fraud. The plugin went off."
    )
    assert [said.event_type for said in story.chapters[-1].events] == [
        "evt.credits.adjusted",
        "evt.credits.plugin_status_changed",
    ]

    settle(store, [order("2")], now=at(25))
    story = story_of(account(store), Excerpt(store.history(SHOP), complete=True))
    assert (story.status, story.since) == ("enabled", at(25))
    assert story.because == "The freeze ended at 2025-06-02 12:00:00 UTC, as it was set."
    assert story.remedy is None


def test_a_freeze_moves_no_level_in_percent() -> None:
    terms = TimeTerms(levels=(Level(name="half", at=50, unit=Unit.PERCENT),))
    store = FakeLedger()
    settle(store, [trial(30), adjustment("busy", -10)], now=NOON, terms=terms)
    settle(store, [freezing("t1")], now=at(1), terms=terms)
    settle(store, [unfreezing("t2")], now=at(2), terms=terms)

    alerts = account(store).alerts
    assert alerts is not None
    assert alerts.full == 30


def test_a_fold_of_nothing_brings_the_end(store: FakeLedger) -> None:
    settle(store, [freezing("t1", until=UNTIL)], now=at(1))

    decided = fold(SHOP, account(store), [], stored={}, default_threshold=20, now=UNTIL)

    assert decided.commit is not None
    assert decided.commit.after.enabled

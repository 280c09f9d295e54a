"""What holds for a freeze in every history, with lots, graces and levels beside it (contract, section 17, "Freeze")."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.outbound.derived import derived_events
from chalicelib.contracts.outbound.payloads import StatusChanged
from chalicelib.contracts.outbound.published import crossing_event
from chalicelib.domain.due import as_of
from chalicelib.domain.freeze import FreezeMovement
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.ledger import CrossingType
from chalicelib.domain.movements import Movement
from chalicelib.domain.terms import GraceTerms, TimeTerms
from tests.laws.test_grace_and_levels import FEW, POOL, STEPS, TERMS, bring, lived
from tests.support.builders import NOON, SHOP, freezing, order, payment, unfreezing
from tests.support.fakes import FakeLedger


def after_noon(hours: float) -> Instant:
    return instant(datetime.fromisoformat(NOON) + timedelta(hours=hours))


FREEZES: list[Movement] = [
    *(freezing(f"f{number}", until=after_noon(hours)) for number, hours in enumerate((1, 24, 25, 90, 400))),
    *(freezing(f"g{number}") for number in range(3)),
    *(unfreezing(f"u{number}") for number in range(4)),
]
batches = st.lists(
    st.tuples(st.sampled_from(STEPS), st.lists(st.sampled_from(POOL) | st.sampled_from(FREEZES), max_size=5)),
    max_size=20,
)
History = Sequence[tuple[int, list[Movement]]]


@FEW
@given(st.integers(0, 60), batches, TERMS, st.booleans())
def test_events_switch_a_plugin_in_turns_and_end_where_it_is(
    credits_given: int, history: History, terms: TimeTerms, swept: bool
) -> None:
    # Each step of it is audited.
    store, _ = lived(credits_given, history, terms, swept=swept)

    published = [crossing_event(SHOP, one, version=place) for place, one in enumerate(store.crossings(SHOP))]
    switched = [one.payload for one in published if isinstance(one.payload, StatusChanged)]
    ways = ["enabled" if credits_given else "disabled", *(one.current_status for one in switched)]
    assert [one.previous_status for one in switched] == ways[:-1]
    assert (ways[-1] == "enabled") is store.accounts[SHOP].enabled
    assert len({one.event_id for one in published}) == len(published)


@FEW
@given(st.integers(0, 60), batches, TERMS)
def test_a_freeze_changes_nothing_that_is_recorded_of_others(
    credits_given: int, history: History, terms: TimeTerms
) -> None:
    unfrozen = [(pause, [one for one in some if not isinstance(one, FreezeMovement)]) for pause, some in history]

    one, _ = lived(credits_given, history, terms, swept=True)
    other, _ = lived(credits_given, unfrozen, terms, swept=True)

    assert [moved for moved in recorded(one) if moved[1:3] != ("MANUAL", 0)] == recorded(other)
    frozen, free = one.accounts[SHOP], other.accounts[SHOP]
    assert (frozen.balance, frozen.debt, frozen.lots, frozen.in_grace, frozen.total_shortfall) == (
        free.balance,
        free.debt,
        free.lots,
        free.in_grace,
        free.total_shortfall,
    )
    assert free.covered is free.enabled is frozen.covered


def recorded(store: FakeLedger) -> list[tuple[str, str, int, int, int]]:
    return [
        (one.idempotency_key, one.kind.transaction_type, one.amount, one.shortfall, one.balance_after)
        for one in store.history(SHOP)
    ]


@FEW
@given(st.integers(0, 60), batches, TERMS)
def test_sweep_and_writer_come_to_the_same_freeze(credits_given: int, history: History, terms: TimeTerms) -> None:
    one, now = lived(credits_given, history, terms, swept=True)
    other, _ = lived(credits_given, history, terms, swept=False)
    bring(one, now, terms)
    bring(other, now, terms)

    swept, written = one.accounts[SHOP], other.accounts[SHOP]
    assert (swept.enabled, swept.freeze and swept.freeze.until) == (
        written.enabled,
        written.freeze and written.freeze.until,
    )
    ends = [{moved[0] for moved in recorded(store) if moved[0].startswith("UNFREEZE_")} for store in (one, other)]
    assert ends[0] == ends[1]


@FEW
@given(st.integers(0, 60), batches, TERMS)
def test_what_a_transaction_published_is_derived_from_it(
    credits_given: int, history: History, terms: TimeTerms
) -> None:
    store, _ = lived(credits_given, history, terms, swept=False)
    transactions = store.history(SHOP)

    again = [
        event
        for before, one in zip([None, *transactions], transactions, strict=False)
        for event in derived_events(one, before=before).of_crossings
    ]

    assert again == [
        crossing_event(SHOP, one, version=0) for one in store.crossings(SHOP) if one.transaction_id is not None
    ]


@FEW
@given(st.integers(0, 60), batches, TERMS, st.integers(0, 10**6))
def test_a_freeze_is_over_for_readers_from_its_very_instant_on(
    credits_given: int, history: History, terms: TimeTerms, milliseconds: int
) -> None:
    store, now = lived(credits_given, history, terms, swept=True)
    end = datetime.fromisoformat(now) + timedelta(days=30)
    frozen = replace(freezing("last", until=instant(end)))
    lived_on, _ = lived(credits_given, [*history, (0, [frozen])], terms, swept=True)
    account, asked = lived_on.accounts[SHOP], timedelta(milliseconds=milliseconds)

    assert account.freeze is not None
    assert account.due_at is not None
    assert account.due_at <= instant(end)
    before, after = as_of(account, instant(end - timedelta(milliseconds=1))), as_of(account, instant(end + asked))
    assert (before.enabled, after.freeze) == (False, None)
    assert after.enabled is after.covered
    assert store.accounts[SHOP].balance >= 0


@pytest.mark.parametrize("swept", [True, False], ids=["each at its instant", "both at once"])
def test_a_freeze_that_ends_before_a_grace_leaves_the_graces_end_to_its_own_instant(swept: bool) -> None:
    terms = TimeTerms(grace=GraceTerms(hours=24))
    history: list[tuple[int, list[Movement]]] = [
        (0, [freezing("f", until=after_noon(23.99)), order("1"), order("2")]),
        (86_420, [payment("p", 1)]),
    ]
    store, _ = lived(1, history, terms, swept=swept)

    told = [(one.type, one.details.get("reason")) for one in store.crossings(SHOP)]
    place = told.index((CrossingType.UNFROZEN, None))
    assert told[place : place + 3] == [
        (CrossingType.UNFROZEN, None),
        (CrossingType.GRACE_ENDED, "time"),
        (CrossingType.PLUGIN_STATUS_CHANGED, None),
    ]
    account = store.accounts[SHOP]
    assert (account.enabled, account.grace.over if account.grace else None) == (False, (after_noon(24), "time"))

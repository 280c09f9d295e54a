"""The story of a plugin's status: in order, from the ledger alone, and it publishes what the publishers publish."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.contracts.api.sentences import GRACE_ENDS, movement_sentence
from chalicelib.contracts.api.story import Chapter, Story, story_of
from chalicelib.contracts.outbound.published import crossing_event
from chalicelib.domain.fold import fold
from chalicelib.domain.grace import End
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.movements import Movement, OrderMovement
from chalicelib.domain.orders import Policy
from chalicelib.domain.override import change_threshold
from chalicelib.domain.terms import GraceTerms, Level, TimeTerms, Unit
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases import explaining
from chalicelib.usecases.explaining import excerpt_of
from tests.support.builders import (
    EARNED_TENTH,
    LATER,
    NOON,
    SHOP,
    TEN_PER_ITEM,
    TENTH_OF_TOTAL,
    adjustment,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
)
from tests.support.fakes import FakeClock, FakeLedger, settle
from tests.support.histories import images

LOW = "evt.credits.low_balance_reached"
RESTORED = "evt.credits.balance_restored"
EXHAUSTED = "evt.credits.balance_exhausted"
CHANGED = "evt.credits.plugin_status_changed"


def edited(hour: int, total: str, policy: Policy = TENTH_OF_TOTAL) -> OrderMovement:
    """Return the version of order 1 at that hour."""
    return order("1", policy=policy, total=total, at=Instant(f"2026-11-01T{hour:02}:00:00.000Z"))


def ledger_of(*movements: Movement) -> FakeLedger:
    """Return the ledger after these movements, one write each."""
    ledger, clock = FakeLedger(), FakeClock()
    for movement in movements:
        settle(ledger, [movement], now=clock())
        clock.advance(milliseconds=250)
    return ledger


def story_in(ledger: FakeLedger, shop: MerchantId = SHOP) -> Story:
    account = ledger.accounts[shop]
    transactions = ledger.history(shop)

    def read(_: MerchantId, lowest: int, highest: int) -> Sequence[Transaction]:
        return transactions[lowest - 1 : highest][::-1]

    decided = next(one for one in transactions if one.transaction_id == account.status_transaction_id)
    return story_of(account, excerpt_of(account, decided, read))


def events(chapter: Chapter) -> list[str]:
    return [said.event_type for said in chapter.events]


def test_the_story_of_a_plugin_that_is_off_names_the_last_order_and_what_was_missed_since() -> None:
    told = story_in(ledger_of(trial(22), order("1"), order("2"), adjustment("a", -19), *map(order, "345")))

    assert (told.status, told.balance, told.because) == ("disabled", 0, "Order 3 used 1 credit.")
    assert told.since_then == "Since then 2 orders found too few credits: 2 credits were missing."
    assert told.remedy is not None
    assert [(one.sequence, one.sentence, events(one)) for one in told.chapters] == [
        (1, "The account was opened with 22 credits.", ["evt.credits.account.created"]),
        (
            3,
            "Order 2 used 1 credit. The balance, 20, is at or below the threshold of 20 now.",
            [LOW],
        ),
        (5, "Order 3 used 1 credit. No credit is left. The plugin went off.", [EXHAUSTED, CHANGED]),
    ]
    assert told.chapters[-1].time == told.since
    assert told.chapters[-1].transaction_id == told.transaction_id
    assert told.complete


def test_the_story_of_a_plugin_that_is_on_again_names_what_switched_it_on() -> None:
    told = story_in(ledger_of(trial(1), order("1"), payment("p", 30)))

    assert (told.status, told.because, told.remedy, told.since_then) == (
        "enabled",
        "Payment p added 30 credits.",
        None,
        None,
    )
    assert events(told.chapters[-1]) == ["evt.credits.recharged", RESTORED, CHANGED]


def test_a_plugin_that_was_never_on_is_off_from_the_start() -> None:
    told = story_in(ledger_of(trial(0), order("1")))

    assert told.chapters[0].sentence == "The account was opened with 0 credits. The plugin is off from the start."
    assert told.since_then == "Since then 1 order found too few credits: 1 credit was missing."


def test_credits_that_were_taken_back_are_told_although_they_switched_nothing() -> None:
    ledger = ledger_of(trial(100), payment("p1", 50), reversal("p1", "r1", credits_back=20), order("1"))

    assert [chapter.sequence for chapter in story_in(ledger).chapters] == [1, 3]


def test_an_admin_s_threshold_behind_the_newest_movement_is_the_last_chapter() -> None:
    ledger = ledger_of(trial(30))
    account, crossed = change_threshold(ledger.accounts[SHOP], 50, default_threshold=20, correlation_id=None, now=LATER)
    ledger.accounts[SHOP] = replace(account, version=2)

    [_, last] = story_in(ledger).chapters

    assert (last.sequence, last.transaction_id, last.time) == (None, None, account.updated_at)
    assert last.sentence == (
        "The low-balance threshold changed from 20 to 50. The balance, 30, is at or below the threshold of 50 now."
    )
    assert [(said.event_type, said.event_id) for said in last.events] == [(LOW, None)]
    assert [one.type for one in crossed] == ["low_balance_reached"]


@pytest.mark.parametrize(
    ("movements", "sentence"),
    [
        ((trial(2), order("7"), refund_of("7", "r1")), "The refund r1 of order 7 gave back 1 credit."),
        ((trial(2), order("7"), refund_of("7")), "The refund of order 7 gave back 1 credit."),
        (
            (trial(100), edited(1, "100"), edited(2, "150.00")),
            "Order 1 was edited: its total is 150.00 now, 5 more credits used.",
        ),
        (
            (trial(100), edited(1, "160"), edited(2, "150")),
            "Order 1 was edited: its total is 150 now, 1 credit given back.",
        ),
        (
            (trial(12), edited(1, "100"), edited(2, "150")),
            "Order 1 was edited: its total is 150 now, it asked for 5 credits and got 2.",
        ),
        (
            (trial(0), edited(1, "100", EARNED_TENTH), edited(2, "150", EARNED_TENTH)),
            "Order 1 was edited: its total is 150 now, 5 more credits earned.",
        ),
        (
            (trial(0), edited(1, "150", EARNED_TENTH), edited(2, "100", EARNED_TENTH)),
            "Order 1 was edited: its total is 100 now, 5 credits taken back.",
        ),
        (
            (
                trial(100),
                order("1", policy=TEN_PER_ITEM, at=NOON),
                order("1", policy=TEN_PER_ITEM, lines=2, at=LATER),
            ),
            "Order 1 was edited: 10 more credits used.",
        ),
        ((trial(0), renewal()), "The renewal of subscription s1 added 30 credits."),
        ((trial(0), adjustment("a1", 5)), "Adjustment a1 by admin-7 added 5 credits: goodwill."),
        ((trial(5), adjustment("a1", -5)), "Adjustment a1 by admin-7 removed 5 credits: goodwill."),
    ],
)
def test_every_movement_has_its_sentence(movements: Sequence[Movement], sentence: str) -> None:
    ledger = ledger_of(*movements)
    newest = ledger.history(SHOP)[-1]

    assert movement_sentence(newest) == sentence


def test_a_long_story_reads_a_bounded_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "BEFORE_MAX", 4)
    monkeypatch.setattr(explaining, "AFTER_MAX", 3)
    ledger = ledger_of(trial(10), *(order(str(number)) for number in range(25)))
    reads: list[tuple[int, int]] = []
    account, transactions = ledger.accounts[SHOP], ledger.history(SHOP)

    def read(_: MerchantId, lowest: int, highest: int) -> Sequence[Transaction]:
        reads.append((lowest, highest))
        return transactions[lowest - 1 : highest][::-1]

    told = story_of(account, excerpt_of(account, transactions[10], read))

    assert reads == [(1, 1), (8, 14), (24, 26)]
    assert [one.sequence for one in told.chapters] == [1, 11]
    assert told.since_then == "Since then at least 6 orders found too few credits: 6 credits were missing."
    assert not told.complete


def test_a_record_that_the_index_does_not_show_yet_is_told_all_the_same() -> None:
    ledger = ledger_of(trial(1), order("1"))
    account, [first, second] = ledger.accounts[SHOP], ledger.history(SHOP)

    told = story_of(account, excerpt_of(account, second, lambda *_: [first]))

    assert told.because == "Order 1 used 1 credit."


@pytest.mark.parametrize("seed", range(5))
def test_the_story_publishes_what_the_publishers_publish(seed: int) -> None:
    _, ledger = images(150, 2, seed=seed)
    published = {
        crossing_event(commit.after.merchant_id, crossing, version=commit.after.version).event_id
        for commit in ledger.commits
        for crossing in commit.crossings
    }

    told = {
        said.event_id
        for shop in ledger.accounts
        for chapter in story_in(ledger, shop).chapters
        for said in chapter.events
        if said.event_type in {LOW, RESTORED, EXHAUSTED, CHANGED}
    }

    assert published
    assert told == published


def test_times_stand_in_order() -> None:
    told = story_in(ledger_of(trial(3), *map(order, "123"), payment(), *map(order, "45")))

    times = [chapter.time for chapter in told.chapters]
    assert times == sorted(times)
    assert len(times) == len(set(times)) == 3


def test_an_account_reads_as_it_stands() -> None:
    ledger = ledger_of(trial(3))
    account = ledger.accounts[SHOP]

    told = story_in(ledger)

    assert (told.merchant_id, told.threshold, told.since) == (SHOP, account.threshold, account.status_changed_at)


def test_a_grace_is_told_with_its_limits_and_what_ends_it() -> None:
    store = FakeLedger()
    terms = TimeTerms(grace=GraceTerms(hours=48, credits=5), levels=(Level(name="few", at=1, unit=Unit.CREDITS),))
    settle(store, [trial(2), order("1"), order("2")], now=NOON, terms=terms)

    running = story_in(store)

    assert (running.status, running.reason) == ("enabled", "grace")
    assert running.remedy == (
        "A grace keeps the plugin on until 2025-06-03 12:00:00 UTC or until 5 credits are owed, whichever comes "
        "first. The next credits pay the debt first; credits above it end the grace."
    )
    assert events(running.chapters[-1]) == ["evt.credits.balance_exhausted", "evt.credits.grace_started"]
    assert running.chapters[1].sentence.endswith('That is at or below the level "few", 1 credit.')

    over = Instant("2025-06-03T12:00:00.000Z")
    decided = fold(SHOP, store.accounts[SHOP], [], stored={}, default_threshold=20, now=over, terms=terms)
    assert decided.commit is not None
    store.commit(decided.commit)
    ended = story_in(store)
    assert (ended.status, ended.since, ended.because) == ("disabled", over, GRACE_ENDS[End.TIME])
    assert ended.transaction_id is None

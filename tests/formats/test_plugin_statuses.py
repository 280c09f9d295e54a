"""Where a plugin status comes from: shared cache, memory or table, in every state that the three can be in."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from chalicelib.adapters.dynamodb.account_attributes import grace_text, lots_text
from chalicelib.adapters.dynamodb.status_table import BATCH_TRIES
from chalicelib.contracts.api.plugin_status import cache_control, entity_tag
from chalicelib.domain.grace import Grace
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.lots import Lot
from chalicelib.domain.plugin_status import KnownStatus, PluginStatus, Reason
from tests.support.builders import SHOP, merchant
from tests.support.status_sources import CACHE_SECONDS, STALE_SECONDS, FakeShared, FakeTable, container

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
AGES = {"fresh": CACHE_SECONDS - 1, "old": CACHE_SECONDS + 1, "too old": STALE_SECONDS}
SHARED = ["not there", "broken", "empty", *AGES]
MEMORY = ["empty", *AGES]
TABLE = ["on", "off", "no account", "unreadable"]
VERSIONS = {"memory": 2, "shared": 3, "table": 4}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def known(version: int, *, enabled: bool, as_of: datetime = NOW) -> KnownStatus:
    return KnownStatus(version=version, enabled=enabled, as_of=as_of)


def source(shared: str, memory: str, table: str) -> str:
    """Return who has the word (contract, section 6)."""
    if shared == "fresh":
        return "shared"
    if shared in {"not there", "broken"} and memory == "fresh":
        return "memory"
    if table != "unreadable":
        return "table"
    if shared == "old":
        return "stale shared"
    return "stale memory" if memory in {"fresh", "old"} else "nobody"


def answered(shared: str, memory: str, table: str, *, on: bool) -> PluginStatus:
    """Return the answer where memory and the shared cache say `on`, and the table what it is."""
    rows = FakeTable(rows={SHOP: (VERSIONS["memory"], 1 if on else 0)})
    cache = FakeShared(broken=True)
    statuses = container(rows, None if shared == "not there" else cache)
    if memory in AGES:
        statuses.of(SHOP, now=ago(AGES[memory]))
    cache.broken = shared == "broken"
    if shared in AGES:
        cache.held[SHOP] = known(VERSIONS["shared"], enabled=on, as_of=ago(AGES[shared]))
    rows.rows = {SHOP: (VERSIONS["table"], 1 if table == "on" else 0)} if table in {"on", "off"} else {}
    rows.broken = table == "unreadable"
    return statuses.of(SHOP, now=NOW)


@pytest.mark.parametrize(("shared", "memory", "table"), list(product(SHARED, MEMORY, TABLE)))
@pytest.mark.parametrize("on", [True, False])
def test_a_status_comes_from_whoever_has_the_word_and_is_stale_or_unavailable_only_without_the_table(
    shared: str, memory: str, table: str, *, on: bool
) -> None:
    status = answered(shared, memory, table, on=on)

    who = source(shared, memory, table)
    said = {True: Reason.SUFFICIENT_CREDITS, False: Reason.INSUFFICIENT_CREDITS}
    expected = {
        "table": Reason.ACCOUNT_NOT_FOUND if table == "no account" else said[table == "on"],
        "nobody": Reason.UNAVAILABLE,
    }.get(who, said[on])
    assert (status.reason, status.stale) == (expected, who.startswith("stale"))
    assert (cache_control(status) == "no-store") == (who == "nobody")


@pytest.mark.parametrize(
    ("shared", "memory"), list(product(["not there", "broken", "empty", "too old"], ["empty", "too old"]))
)
def test_out_of_nothing_nobody_is_enabled(shared: str, memory: str) -> None:
    status = answered(shared, memory, "unreadable", on=True)

    assert (status.status, status.reason) == ("disabled", Reason.UNAVAILABLE)


@pytest.mark.parametrize(("age", "left"), [(0, 15), (0.5, 14), (9, 6), (14.9, 0)])
def test_others_may_keep_a_shared_answer_for_what_is_left_of_our_own_time(age: float, left: int) -> None:
    cache = FakeShared(held={SHOP: known(1, enabled=True, as_of=ago(age))})

    status = container(FakeTable(), cache).of(SHOP, now=NOW)

    assert cache_control(status) == f"public, max-age={left}, stale-while-revalidate=15, stale-if-error=300"
    assert status.as_of == ago(age).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_same_status_of_another_time_has_the_same_tag_and_a_stale_one_another() -> None:
    first = answered("fresh", "empty", "on", on=True)
    later = answered("empty", "empty", "on", on=True)
    stale = answered("old", "empty", "unreadable", on=True)

    assert first.as_of != later.as_of
    assert entity_tag(first) == entity_tag(later) != entity_tag(stale)


def test_what_comes_through_the_shared_cache_is_remembered_for_when_it_fails() -> None:
    cache, table = FakeShared(held={SHOP: known(7, enabled=False, as_of=ago(5))}), FakeTable(broken=True)
    statuses = container(table, cache)
    statuses.of(SHOP, now=NOW)

    cache.broken = True

    assert statuses.of(SHOP, now=NOW).reason is Reason.INSUFFICIENT_CREDITS
    assert table.calls == []


def test_a_miss_fills_the_shared_cache_for_the_other_containers() -> None:
    cache, table = FakeShared(), FakeTable(rows={SHOP: (3, 9)})
    container(table, cache).of(SHOP, now=NOW)

    assert container(table, cache).of(SHOP, now=NOW).status == "enabled"
    assert table.calls == [1]
    assert cache.held == {SHOP: known(3, enabled=True)}


def test_a_merchant_without_account_is_in_no_cache() -> None:
    cache, table = FakeShared(), FakeTable()
    statuses = container(table, cache)

    assert cache_control(statuses.of(SHOP, now=NOW)) == "public, max-age=1"
    statuses.of(SHOP, now=NOW)

    assert (cache.held, table.calls) == ({}, [1, 1])


def test_a_read_that_lags_behind_does_not_undo_what_the_stream_has_told_meanwhile() -> None:
    cache = FakeShared(held={SHOP: known(6, enabled=False, as_of=ago(20))})

    status = container(FakeTable(rows={SHOP: (5, 1)}), cache).of(SHOP, now=NOW)

    assert (status.reason, status.fresh_seconds) == (Reason.INSUFFICIENT_CREDITS, 0)


def test_what_another_container_wrote_during_the_read_wins_by_its_version() -> None:
    class Overtaken(FakeShared):
        def read(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, KnownStatus]:
            assert super().read(merchants) is not None
            return {}

    cache = Overtaken(held={SHOP: known(6, enabled=False, as_of=ago(1))})

    assert container(FakeTable(rows={SHOP: (5, 1)}), cache).of(SHOP, now=NOW).reason is Reason.INSUFFICIENT_CREDITS


def test_a_shared_cache_that_lost_a_version_is_not_believed_over_memory() -> None:
    cache, table = FakeShared(held={SHOP: known(6, enabled=False, as_of=ago(1))}), FakeTable()
    statuses = container(table, cache)
    statuses.of(SHOP, now=NOW)

    cache.held[SHOP] = known(5, enabled=True, as_of=NOW)

    assert statuses.of(SHOP, now=NOW).reason is Reason.INSUFFICIENT_CREDITS


def test_a_restored_table_with_lower_versions_is_believed_once_the_last_known_is_too_old() -> None:
    table = FakeTable(rows={SHOP: (9, 1)})
    statuses = container(table)
    statuses.of(SHOP, now=ago(STALE_SECONDS))

    table.rows[SHOP] = (4, 0)

    assert statuses.of(SHOP, now=NOW).reason is Reason.INSUFFICIENT_CREDITS


def test_a_clock_ahead_of_ours_makes_nothing_fresh_for_longer() -> None:
    cache = FakeShared(held={SHOP: known(1, enabled=True, as_of=ago(-40))})

    assert container(FakeTable(), cache).of(SHOP, now=NOW).fresh_seconds == CACHE_SECONDS


def test_many_are_asked_for_in_one_read_of_each_source() -> None:
    shops = [merchant(f"shop {number}") for number in range(100)]
    cache = FakeShared(held={shop: known(2, enabled=True) for shop in shops[60:]})
    table = FakeTable(rows={shop: (3, number % 2) for number, shop in enumerate(shops[:50])})

    statuses = container(table, cache).of_many([*shops, *shops], now=NOW)

    assert [status.reason for status in statuses.values()] == (
        [Reason.INSUFFICIENT_CREDITS, Reason.SUFFICIENT_CREDITS] * 25
        + [Reason.ACCOUNT_NOT_FOUND] * 10
        + [Reason.SUFFICIENT_CREDITS] * 40
    )
    assert list(statuses) == shops
    assert (len(cache.reads), table.calls) == (1, [60])
    assert set(cache.held) == {*shops[:50], *shops[60:]}


def test_more_than_a_hundred_take_a_read_for_each_hundred() -> None:
    shops = [merchant(f"shop {number}") for number in range(250)]
    table = FakeTable(rows=dict.fromkeys(shops, (1, 1)))

    statuses = container(table).of_many(shops, now=NOW)

    assert {status.status for status in statuses.values()} == {"enabled"}
    assert table.calls == [100, 100, 50]


def test_keys_that_were_left_unanswered_are_asked_for_again_a_few_times() -> None:
    shops = [merchant("one"), merchant("two"), merchant("three")]
    table = FakeTable(rows=dict.fromkeys(shops, (1, 1)), unprocessed=1)

    statuses = container(table).of_many(shops, now=NOW)

    assert [status.reason for status in statuses.values()] == [Reason.SUFFICIENT_CREDITS] * 2 + [Reason.UNAVAILABLE]
    assert table.calls == [3, 1, 1][:BATCH_TRIES]


def test_of_many_each_is_stale_or_unavailable_by_what_is_known_of_it() -> None:
    seen, unseen = merchant("seen"), merchant("unseen")
    table = FakeTable(rows={seen: (1, 1)})
    statuses = container(table)
    statuses.of(seen, now=ago(60))

    table.broken = True
    answers = statuses.of_many([unseen, seen], now=NOW)

    assert [(one.reason, one.stale) for one in answers.values()] == [
        (Reason.UNAVAILABLE, False),
        (Reason.SUFFICIENT_CREDITS, True),
    ]


NOON = instant(NOW)
LAPSES = {"lots": lots_text((Lot(expires_at=NOON, credits=5),))}
IN_GRACE = {
    "grace": grace_text(Grace(started_at=instant(ago(3600)), until=NOON, credits=0)),
}


@pytest.mark.parametrize(
    ("balance", "of_time", "reason"),
    [(5, LAPSES, Reason.SUFFICIENT_CREDITS), (0, IN_GRACE, Reason.GRACE)],
    ids=["lapse", "grace"],
)
@pytest.mark.parametrize("shared", [None, FakeShared()], ids=["memory", "shared"])
def test_what_ends_at_noon_is_on_until_then_and_off_after_it_also_from_caches(
    balance: int, of_time: dict[str, str], reason: Reason, shared: FakeShared | None
) -> None:
    table = FakeTable(rows={SHOP: (3, balance)}, of_time=of_time)
    statuses = container(table, shared)
    if shared is not None:
        shared.held.clear()

    for milliseconds in (14_000, 100, 1):
        before = statuses.of(SHOP, now=ago(milliseconds / 1000))
        assert (before.status, before.reason) == ("enabled", reason)
        assert before.fresh_seconds <= milliseconds // 1000
        assert cache_control(before) == f"public, max-age={before.fresh_seconds}"
    assert len(table.calls) == 1
    for milliseconds in (0, 100):
        after = statuses.of(SHOP, now=ago(-milliseconds / 1000))
        assert (after.status, after.reason) == ("disabled", Reason.INSUFFICIENT_CREDITS)


@pytest.mark.parametrize(("balance", "of_time"), [(5, LAPSES), (0, IN_GRACE)], ids=["lapse", "grace"])
def test_an_unreadable_table_keeps_nothing_on_beyond_its_end(balance: int, of_time: dict[str, str]) -> None:
    table = FakeTable(rows={SHOP: (3, balance)}, of_time=of_time)
    statuses = container(table)
    statuses.of(SHOP, now=ago(60))
    table.broken = True

    before, after = (statuses.of(SHOP, now=ago(seconds)) for seconds in (0.5, 0))

    assert (before.status, before.stale, before.fresh_seconds) == ("enabled", True, 0)
    assert after.reason is Reason.UNAVAILABLE


def test_credits_that_never_lapse_keep_the_plugin_on() -> None:
    table = FakeTable(rows={SHOP: (3, 6)}, of_time=LAPSES)

    assert container(table).of(SHOP, now=ago(-1)).reason is Reason.SUFFICIENT_CREDITS


def test_a_grace_without_an_end_by_time_is_cached_as_any_other_status() -> None:
    grace = grace_text(Grace(started_at=NOON, until=None, credits=9))
    found = container(FakeTable(rows={SHOP: (3, 0)}, of_time={"grace": grace})).of(SHOP, now=NOW)

    assert (found.status, found.reason, found.ends, found.fresh_seconds) == ("enabled", Reason.GRACE, False, 15)

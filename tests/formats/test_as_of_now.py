"""What has lapsed is gone for whoever reads, whether that was posted or not (contract, section 16)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.adapters.dynamodb.account_attributes import lots_text
from chalicelib.contracts.api import answers
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import instant
from chalicelib.domain.lots import Lot
from chalicelib.domain.movements import Kind
from chalicelib.domain.plugin_status import Reason
from chalicelib.domain.transactions import Total
from tests.support.builders import SHOP, account_of
from tests.support.status_sources import FakeShared, FakeTable, container

END = datetime(2025, 6, 1, 12, tzinfo=UTC)
JUST_BEFORE, JUST_AFTER = END - timedelta(milliseconds=100), END + timedelta(milliseconds=100)
ON, OFF = Reason.SUFFICIENT_CREDITS, Reason.INSUFFICIENT_CREDITS
AT_NOON = (Lot(expires_at=instant(END), credits=5),)


def table(*, broken: bool = False) -> FakeTable:
    return FakeTable(rows={SHOP: (3, 5)}, of_time={"lots": lots_text(AT_NOON)}, broken=broken)


def test_a_status_is_on_just_before_and_off_just_after_wherever_it_comes_from() -> None:
    shared, alone = FakeShared(), container(table())
    with_others = container(table(), shared)
    for moment, reason in ((JUST_BEFORE, ON), (END, OFF), (JUST_AFTER, OFF)):
        assert container(table()).of(SHOP, now=moment).reason is reason
        assert alone.of(SHOP, now=moment).reason is reason
        assert with_others.of(SHOP, now=moment).reason is reason
        assert container(table(), shared).of_many([SHOP], now=moment)[SHOP].reason is reason


def test_no_browser_keeps_it_beyond_the_instant() -> None:
    status = container(table()).of(SHOP, now=JUST_BEFORE)

    assert (status.fresh_seconds, status.ends) == (0, True)


def test_without_the_table_nothing_that_has_lapsed_keeps_it_on() -> None:
    rows = table()
    statuses = container(rows)
    statuses.of(SHOP, now=JUST_BEFORE)
    rows.broken = True

    assert statuses.of(SHOP, now=JUST_AFTER).status == "disabled"


def test_an_account_is_answered_as_of_now() -> None:
    account = replace(
        account_of(5),
        lots=AT_NOON,
        due_at=instant(END),
        created_at=instant(END - timedelta(days=9)),
        updated_at=instant(END - timedelta(days=1)),
        totals={Kind.TRIAL: Total(count=1, credits=5)},
    )

    before, after = (answers.Account.of(account, now=instant(at)) for at in (JUST_BEFORE, JUST_AFTER))

    assert (before.balance, before.plugin_status.status, len(before.lots)) == (5, "enabled", 1)
    assert (after.balance, after.plugin_status.status, after.lots) == (0, "disabled", [])
    assert after.plugin_status.since == instant(END)
    assert after.totals["EXPIRY"].credits_out == 5
    assert after.last_transaction_id == before.last_transaction_id
    assert as_of(account, instant(JUST_BEFORE)) is account

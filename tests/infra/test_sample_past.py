"""The sample shop with a past: it is valid, leaves the shop low, and makes days, a runway and a dead letter."""

import json
from datetime import UTC, datetime

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.orders import Policy
from chalicelib.domain.runway import runway
from chalicelib.ports import CallTime
from chalicelib.usecases.posting import Posting
from infra.local.shops import LOST_ORDER, LOW, PAST_SHOP, SALES, SHOPS
from infra.sample.past import lost_order, past, post
from tests.support.fakes import FakeLedger

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SHOP = MerchantId(PAST_SHOP.merchant_id)
TERMS = Terms(trial_credits=100, policy=Policy.parse("DECREASE order 1"))


def test_the_shop_has_sold_for_days_runs_low_and_out_within_a_week() -> None:
    ledger = FakeLedger()

    transactions = post(past(NOW), Posting(ledger, default_threshold=LOW), TERMS)

    account = ledger.accounts[SHOP]
    assert transactions == account.sequence == 1 + sum(SALES)
    assert 0 < account.balance == PAST_SHOP.credits - sum(SALES) <= LOW
    assert len({one.created_at[:10] for one in ledger.history(SHOP)}) == len(SALES)
    lasts = runway(account.use, account.balance, last=account.last_transaction_at, now=instant(NOW))
    assert lasts is not None
    assert lasts.days_left is not None
    assert 1 <= lasts.days_left <= 7


def test_the_order_that_came_before_its_account_counts_when_it_is_retried() -> None:
    ledger, lost = FakeLedger(), lost_order(NOW)
    posting = Posting(ledger, default_threshold=LOW)
    post(past(NOW), posting, TERMS)
    before = ledger.accounts[SHOP].balance
    clock = CallTime(now=lambda: instant(NOW), remaining_seconds=lambda: 60.0, sleep=lambda _: None)

    event = read_event(lost.body, TERMS, now=NOW, subject=lost.bound_to())
    posting.post([event.movements], time=clock)

    assert ledger.accounts[SHOP].balance == before - 1
    assert json.loads(lost.body)["payload"]["order_id"] == LOST_ORDER
    assert lost.first_seen < min(each.moment for each in past(NOW))


def test_it_is_none_of_the_shops_that_sell_now() -> None:
    assert PAST_SHOP.name not in {shop.name for shop in SHOPS}

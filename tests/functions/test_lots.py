"""Credits that lapse, through the function and the tables (contract, section 16)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

import app
from chalicelib.domain.audit import audit
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.ledger import Account
from chalicelib.wiring import for_posting
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP
from tests.support.events import Context, adjusted, charged, opened, paid, refunded
from tests.support.system import System


@dataclass
class Clock:
    moment: datetime

    def __call__(self) -> Instant:
        return instant(self.moment)

    def pass_days(self, days: float) -> None:
        self.moment += timedelta(days=days)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(datetime.now(UTC).replace(microsecond=0))
    monkeypatch.setattr(for_posting, "now", found)
    return found


def listed(system: System) -> list[str]:
    """Return at which instants the index lists accounts."""
    pages = [
        system.dynamodb.query(
            TableName=CREDITS_TABLE,
            IndexName="by_due",
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": item["due_shard"]},
        )["Items"]
        for item in system.items(CREDITS_TABLE)
        if "due_shard" in item
    ]
    return [item["due_at"]["S"] for page in pages for item in page]


def told(system: System) -> list[tuple[str, int, int]]:
    return [(each.kind.transaction_type, each.amount, each.balance_after) for each in system.history()]


def lots(account: Account, clock: Clock) -> list[tuple[float, int]]:
    now = clock.moment
    return [((datetime.fromisoformat(lot.expires_at) - now) / timedelta(days=1), lot.credits) for lot in account.lots]


def test_a_payments_credits_lapse_unless_they_are_used_and_the_next_write_posts_it_first(
    system: System, clock: Clock
) -> None:
    system.ingest(opened(), charged("p1", 50, expires_in_days=30))
    system.ingest(paid(1))
    assert lots(system.account(), clock) == [(30, 49)]
    assert listed(system) == [instant(clock.moment + timedelta(days=23))]
    ended_at = instant(clock.moment + timedelta(days=30))

    clock.pass_days(31)
    system.ingest(paid(2))

    assert told(system)[2:] == [("ORDER_PAID", -1, 149), ("EXPIRY", -49, 100), ("ORDER_PAID", -1, 99)]
    lapse = system.history()[3]
    assert (lapse.occurred_at, lapse.created_at, lapse.schema_version) == (ended_at, clock(), 2)
    assert (system.account().lots, system.account().due_at, listed(system)) == ((), None, [])
    [item] = system.items(CREDITS_TABLE)
    assert not {"lots", "due_at", "due_shard"} & item.keys()
    assert audit(SHOP, system.account(), system.history(), now=clock()) == ()


def test_a_refund_returns_to_its_lots_and_what_has_lapsed_meanwhile_for_some_days(system: System, clock: Clock) -> None:
    system.configure(REFUND_GRACE_DAYS="3")
    lapsing = adjusted("INCREASE", 4, "gift", expires_in_days=2)
    system.ingest(opened(), charged("p1", 3, expires_in_days=40), lapsing)
    system.configure(ORDER_CREDIT_FIXED_AMOUNT="10")
    system.ingest(paid(1, total="10"))
    assert system.account().lots == ()

    system.ingest(refunded(1, refund_id="half", refund_amount="5", order_total="10"))
    assert lots(system.account(), clock) == [(40, 2)]
    clock.pass_days(5)
    system.ingest(refunded(1, refund_id="rest", refund_amount="5", order_total="10"))
    assert lots(system.account(), clock) == [(3, 4), (35, 3)]
    assert audit(SHOP, system.account(), system.history(), crossings=(), now=clock()) == ()


def test_a_repeat_after_the_end_is_a_repeat_and_anything_else_is_poison(system: System, clock: Clock) -> None:
    end = instant(clock.moment + timedelta(days=1))
    system.ingest(opened(), charged("p1", 50, expires_at=end))
    clock.pass_days(2)
    system.configure()

    assert system.ingest(charged("p1", 50, expires_at=end), charged("p2", 50, expires_at=end)) == []

    [parked] = system.parked()
    assert (parked.attributes["code"], parked.attributes["field"]) == ("expiry_past", "expires_at")
    assert "p2" in parked.body
    assert told(system) == [("TRIAL", 100, 100), ("PAYMENT", 50, 150), ("EXPIRY", -50, 100)]


def test_the_same_payment_with_another_end_is_a_conflict(system: System, clock: Clock) -> None:
    one, other = (instant(clock.moment + timedelta(days=days)) for days in (5, 6))
    system.ingest(opened(), charged("p1", 50, expires_at=one))

    system.ingest(charged("p1", 50, expires_at=other))
    system.ingest(charged("p1", 50), charged("p1", 50, expires_in_days=2), charged("p1", 50, expires_at=one))

    [parked] = system.parked()
    assert (parked.attributes["code"], parked.attributes["field"]) == ("key_reused", "expires_at")
    assert lots(system.account(), clock) == [(5, 50)]


@pytest.mark.parametrize("days", [2, 9])
def test_the_write_that_comes_first_after_a_notices_time_carries_it(system: System, clock: Clock, days: int) -> None:
    system.ingest(opened(), charged("p1", 50, expires_in_days=10))
    clock.pass_days(days + 0.5)
    system.ingest(paid(1))

    told = [record for record in system.items(CREDITS_TABLE) if "crossings" in record]
    assert bool(told) is (days == 9)
    if told:
        assert '"type":"expiring"' in told[0]["crossings"]["S"]
        assert '"days":1' in told[0]["crossings"]["S"]


def test_an_admin_may_give_credits_that_lapse(system: System, clock: Clock) -> None:
    system.ingest(opened())
    asked = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": 30, "reason": "goodwill"}

    answer = app.adjust_credits({**asked, "admin_id": "a", "adjustment_id": "g1", "expires_in_days": 9}, Context())

    assert (answer["schema_version"], answer["drawn"]) == (2, [[instant(clock.moment + timedelta(days=9)), 30]])
    refused = app.adjust_credits(
        {**asked, "admin_id": "a", "adjustment_id": "g2", "expires_at": "2020-01-01"}, Context()
    )
    assert refused["error"]["code"] == "expiry_past"


def test_ledgers_without_such_credits_stay_as_they_were(system: System, clock: Clock) -> None:
    system.ingest(opened(), charged("p1", 50), paid(1))
    system.ingest(refunded(1))

    [account] = system.items(CREDITS_TABLE)
    assert account["schema_version"] == {"N": "1"}
    for item in (account, *system.items(TRANSACTIONS_TABLE)):
        assert not {"lots", "due_at", "due_shard", "drawn"} & item.keys()
        assert item["schema_version"] == {"N": "1"}
    assert clock() >= account["updated_at"]["S"]

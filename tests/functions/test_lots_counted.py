"""What credits that lapse cost, in DynamoDB's units, as the function asks for them (contract, section 16)."""

from datetime import timedelta
from typing import Any

import app
from infra.bench.units import Index, Schema, index_units, write_units
from tests.functions.test_lots import Clock, clock
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP
from tests.support.events import Context, charged, opened, paid
from tests.support.system import System

__all__ = ["clock"]  # a fixture
SCHEMAS = {
    CREDITS_TABLE: Schema(
        key="merchant_id",
        indexes={
            "by_level": Index(keys=("level", "merchant_id"), whole=False),
            "by_due": Index(keys=("due_shard", "due_at"), whole=False),
        },
    ),
    TRANSACTIONS_TABLE: Schema(
        key="transaction_id", indexes={"by_merchant": Index(keys=("merchant_id", "sequence"), whole=True)}
    ),
}


def stored(system: System) -> dict[tuple[str, str], dict[str, Any]]:
    return {(table, item[schema.key]["S"]): item for table, schema in SCHEMAS.items() for item in system.items(table)}


def units(system: System, *messages: str) -> int:
    """Return the write units of a batch: two for each kilobyte in a transaction, and the indexes' own."""
    before = stored(system)
    system.ingest(*messages)
    after = stored(system)
    changed = [key for key in after if before.get(key) != after[key]]
    return sum(
        2 * write_units(before.get(key), after[key]) + index_units(SCHEMAS[key[0]], before.get(key), after[key])
        for key in changed
    )


def test_an_order_costs_five_units_with_and_without_lots(system: System, clock: Clock) -> None:
    system.ingest(opened())
    assert units(system, paid(1)) == 5
    system.ingest(charged("p1", 50, expires_in_days=30), charged("p2", 50, expires_in_days=60))
    assert [units(system, paid(number)) for number in range(2, 5)] == [5, 5, 5]
    assert clock()


def test_an_order_costs_five_units_before_a_freeze_in_it_and_after_it(system: System, clock: Clock) -> None:
    system.ingest(opened())
    assert units(system, paid(1)) == 5
    asked = {"merchant_id": SHOP, "admin_id": "ada", "reason": "chargebacks, ticket 4711"}
    app.adjust_credits({**asked, "freeze": True, "adjustment_id": "t1", "until": "2099-01-01"}, Context())
    assert [units(system, paid(number)) for number in range(2, 5)] == [5, 5, 5]
    app.adjust_credits({**asked, "freeze": False, "adjustment_id": "t2"}, Context())
    assert units(system, paid(5)) == 5
    assert clock()


def test_an_index_entry_is_written_only_when_the_next_instant_changes(system: System, clock: Clock) -> None:
    system.ingest(opened(), charged("p1", 2, expires_in_days=5), charged("p2", 50, expires_in_days=60))
    assert units(system, paid(1)) == 5
    # The first lot is used up: its entry goes, and that of the next instant comes.
    assert units(system, paid(2)) == 7
    assert clock()


def test_a_lapse_costs_eight_units_at_the_most(system: System, clock: Clock) -> None:
    system.configure(EXPIRY_NOTICE_DAYS="none")
    system.ingest(opened(), charged("p1", 50, expires_in_days=5), charged("p2", 50, expires_in_days=60))
    clock.moment += timedelta(days=6)
    with_order = units(system, paid(1))
    assert with_order - 3 <= 8

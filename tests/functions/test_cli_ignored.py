"""`credits emit` of what is ignored by rule: said with its reason, and not waited for."""

import json
from pathlib import Path

from tests.functions.test_cli_operations import Desk, desk
from tests.support.builders import SHOP
from tests.support.events import opened, paid

__all__ = ["desk"]


def test_an_ignored_order_is_said_with_its_reason_and_not_waited_for(desk: Desk) -> None:
    order = ("emit", "order_paid", f"merchant_id={SHOP}", "--via", "bus", "--wait", "--timeout", "5")
    unpaid = desk.run(*order, "order_id=1", "financial_status=pending")
    test = desk.run(*order, "order_id=2", "test=true")

    assert (unpaid.exit_code, test.exit_code) == (0, 0)
    assert "order 1: ignored (order_not_paid); nothing is recorded." in unpaid.stdout
    assert "TEST_ORDERS" not in unpaid.stdout
    assert "order 2: ignored (test_order); nothing is recorded." in test.stdout
    assert "A stage whose setting TEST_ORDERS is count charges test orders." in test.stdout
    assert "park" not in unpaid.stdout + test.stdout


def test_of_a_file_the_ignored_orders_are_counted_by_reason(desk: Desk, tmp_path: Path) -> None:
    desk.system.ingest(opened(), paid(1))
    cloud_event = {
        "specversion": "1.0",
        "type": "evt.order.updated",
        "data": {"merchant_id": SHOP, "order_id": 4, "financial_status": "voided"},
    }
    lines = [paid(1), paid(2, test=True), paid(3, test=True), json.dumps(cloud_event)]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    emitted = ("emit", "--file", str(file), "--via", "bus", "--wait", "--timeout", "5")

    said, told = desk.run(*emitted), desk.told(*emitted)

    assert said.exit_code == 0
    assert "3 ignored: 1 order_not_paid, 2 test_order." in said.stdout
    assert (told["sent"], told["recorded_before"], told["missing"]) == (4, 1, [])
    assert told["ignored"] == [
        {"reference_id": "2", "reason": "test_order"},
        {"reference_id": "3", "reason": "test_order"},
        {"reference_id": "4", "reason": "order_not_paid"},
    ]


def test_what_is_ignored_is_said_without_waiting_too(desk: Desk) -> None:
    said = desk.run(
        "emit", "order_paid", f"merchant_id={SHOP}", "order_id=1", "financial_status=pending", "--via", "bus"
    )

    assert "order 1: ignored (order_not_paid); nothing is recorded." in said.stdout

"""What applying or undoing a batch of adjustments would do, as of now."""

from dataclasses import replace

from chalicelib.domain.bulk import AdjustmentRow, Planned, State
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.usecases.planning import plan
from tests.support.builders import NOON, SHOP, adjustment, merchant, payment, trial
from tests.support.fakes import FakeLedger, settle

NOBODY = merchant("nobody")
TOMORROW = Instant("2025-06-02T12:00:00.000Z")


def row(number: int, credits_moved: int, of: MerchantId = SHOP) -> AdjustmentRow:
    return AdjustmentRow(line=number + 1, number=number, merchant_id=of, credits=credits_moved, reason="r")


def shown(planned: list[Planned]) -> list[tuple[int | None, int | None, State]]:
    return [(one.before, one.after, one.state) for one in planned]


def test_a_plan_begins_with_the_balances_of_now_and_is_one_read() -> None:
    ledger = FakeLedger()
    lapsing = replace(payment("p", 8), expires_at=Instant("2025-06-02T00:00:00.000Z"), expiry_stated=True)
    settle(ledger, [trial(5), lapsing], now=NOON)
    ledger.reads.clear()

    planned = plan(ledger, [row(1, -6), row(2, 1), row(3, 1, NOBODY)], "b", undo=False, now=TOMORROW)

    assert shown(planned) == [(5, None, State.REFUSED), (5, 6, State.APPLY), (None, None, State.REFUSED)]
    assert len(ledger.reads) == 1


def test_rows_that_were_applied_are_done_until_they_are_taken_back() -> None:
    ledger, rows = FakeLedger(), [row(1, 3), row(2, 4)]
    settle(ledger, [trial(5), adjustment("b-1", 3)], now=NOON)

    assert [one.state for one in plan(ledger, rows, "b", undo=False, now=TOMORROW)] == [State.DONE, State.APPLY]
    assert [one.state for one in plan(ledger, rows, "b", undo=True, now=TOMORROW)] == [State.SKIPPED, State.APPLY]

    settle(ledger, [adjustment("b-1-undo", -3)], now=TOMORROW)

    assert [one.state for one in plan(ledger, rows, "b", undo=False, now=TOMORROW)] == [State.REFUSED, State.APPLY]
    assert [one.state for one in plan(ledger, rows, "b", undo=True, now=TOMORROW)] == [State.SKIPPED, State.DONE]

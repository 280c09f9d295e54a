"""What an order costs and what a refund gives back (contract, section 3, "Refund arithmetic")."""

from dataclasses import replace
from decimal import Decimal

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import CREDITS_MAX, Basis, Direction, Policy, Tally, charge, refund


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def by_total(percentage: str, *, fixed_amount: int = 0, minimum: int = 0) -> Policy:
    return Policy(basis=Basis.TOTAL, fixed_amount=fixed_amount, percentage=Decimal(percentage), minimum=minimum)


@pytest.mark.parametrize(
    ("policy", "lines", "total", "expected"),
    [
        (Policy(), 1, None, 1),
        (Policy(), 7, "999.99", 1),
        (Policy(fixed_amount=10), 7, None, 10),
        (Policy(fixed_amount=0), 7, None, 0),
        (Policy(percentage=Decimal(50), minimum=40), 7, "100", 1),
        (Policy(basis=Basis.ITEM), 1, None, 1),
        (Policy(basis=Basis.ITEM, fixed_amount=10), 7, None, 70),
        (Policy(basis=Basis.ITEM, fixed_amount=10, minimum=99), 7, "999", 70),
    ],
)
def test_an_order_is_charged_by_order_or_by_line(policy: Policy, lines: int, total: str | None, expected: int) -> None:
    assert charge(policy, lines=lines, total=money(total)) == expected
    earned = replace(policy, direction=Direction.INCREASE)
    assert charge(earned, lines=lines, total=money(total)) == expected


@pytest.mark.parametrize(
    ("policy", "total", "expected"),
    [
        # Half a credit is rounded up, less than half is not; banker's rounding would make 2 of 2.5.
        (by_total("10"), "4.99", 0),
        (by_total("10"), "5", 1),
        (by_total("10"), "5.00", 1),
        (by_total("10"), "14.9999999999999999", 1),
        (by_total("10"), "15", 2),
        (by_total("10"), "25", 3),
        (by_total("12.5"), "4", 1),
        (by_total("12.5"), "3.99", 0),
        # A float plus a half would already make 1 of the last one.
        (by_total("50"), "2.30", 1),
        (by_total("0.5"), "100", 1),
        (by_total("100"), "0.49999999999999994", 0),
        # 0 and 100 are percentages too.
        (by_total("0"), "9999", 0),
        (by_total("100"), "42", 42),
        (by_total("100"), "0", 0),
        # The greatest of the three counts.
        (by_total("10", fixed_amount=5, minimum=3), "10", 5),
        (by_total("10", fixed_amount=3, minimum=5), "10", 5),
        (by_total("10", fixed_amount=3, minimum=5), "100", 10),
        (by_total("10", fixed_amount=3, minimum=5), "54.99", 5),
        (by_total("0", fixed_amount=0, minimum=7), "0", 7),
    ],
)
def test_an_order_is_charged_by_its_total_rounded_half_up(policy: Policy, total: str, expected: int) -> None:
    assert charge(policy, lines=3, total=Decimal(total)) == expected


def test_an_order_without_a_total_cannot_be_charged_by_it_whatever_the_minimum() -> None:
    with pytest.raises(Rejected) as refused:
        charge(by_total("0", fixed_amount=1, minimum=1), lines=1, total=None)
    assert (refused.value.code, refused.value.field) == (Code.TOTAL_MISSING, "total")


def test_an_order_moves_no_more_credits_than_any_movement_may() -> None:
    whole = by_total("100")
    assert charge(whole, lines=1, total=Decimal(CREDITS_MAX)) == CREDITS_MAX
    with pytest.raises(Rejected) as refused:
        charge(whole, lines=1, total=Decimal(CREDITS_MAX) + Decimal("0.5"))
    assert refused.value.code is Code.CREDITS_INVALID


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(direction=Direction.INCREASE, fixed_amount=10),
        Policy(basis=Basis.ITEM, fixed_amount=3),
        by_total("12.50", fixed_amount=2, minimum=4),
        by_total("0.1"),
    ],
)
def test_the_policy_recorded_with_an_order_charges_it_the_same_again(policy: Policy) -> None:
    again = Policy.parse(str(policy))
    assert again == policy
    assert charge(again, lines=3, total=Decimal("123.45")) == charge(policy, lines=3, total=Decimal("123.45"))


def give_back(
    refunds: list[tuple[str | None, str | None]], *, taken: int, recorded_total: str | None = None
) -> list[int]:
    """Return what each refund of (amount, order total) gives back, one after another."""
    tally, given = Tally(), []
    for amount, order_total in refunds:
        due, tally = refund(
            tally,
            taken=taken,
            recorded_total=money(recorded_total),
            amount=money(amount),
            order_total=money(order_total),
        )
        given.append(due)
    assert (tally.count, tally.credits) == (len(refunds), sum(given))
    return given


@pytest.mark.parametrize(
    ("taken", "recorded_total", "refunds", "expected"),
    [
        pytest.param(30, None, [(None, None)], [30], id="full without any money"),
        pytest.param(30, None, [(None, "90")], [30], id="full with a total"),
        pytest.param(30, None, [(None, None), (None, None)], [30, 0], id="a second full one gives back nothing"),
        pytest.param(10, None, [("50", "100")], [5], id="half"),
        pytest.param(1, None, [("99.99", "100")], [0], id="rounded down"),
        pytest.param(1, None, [("99.99", "100"), ("0.01", "100")], [0, 1], id="cents add up to the last credit"),
        pytest.param(10, None, [("33.33", "100")] * 3, [3, 3, 3], id="shares are summed before they are rounded"),
        pytest.param(2, None, [("30", "100")] * 4, [0, 1, 0, 1], id="0.6, 1.2, 1.8, and no more than all"),
        pytest.param(3, None, [("1", "3")] * 3, [1, 1, 1], id="thirds are exact"),
        pytest.param(10, None, [("150", "100")], [10], id="at most all"),
        pytest.param(10, None, [("40", "100"), (None, None)], [4, 6], id="a full one gives back what is left"),
        pytest.param(10, None, [(None, None), ("40", "100")], [10, 0], id="once full the share stays 1"),
        pytest.param(10, "100", [(None, None), ("40", None)], [10, 0], id="also with the recorded total"),
        pytest.param(10, "100", [("40", None)], [4], id="the order's recorded total"),
        pytest.param(10, "100", [("40", "80")], [5], id="its own total before the recorded one"),
        pytest.param(10, "100", [("40", "80"), ("20", None)], [5, 2], id="the first total stays the denominator"),
        pytest.param(10, None, [("40", "100"), ("20", None)], [4, 2], id="also where no order total was recorded"),
        pytest.param(10, "100", [("40", None), ("20", "100.00")], [4, 2], id="100 and 100.00 are one total"),
        pytest.param(10, None, [("5", "0")], [0], id="an order total of 0 gives back nothing"),
        pytest.param(10, "0", [("5", None), ("5", None)], [0, 0], id="also where it was recorded"),
        pytest.param(10, None, [("0", "0"), (None, None)], [0, 10], id="but a full refund of it gives back all"),
        pytest.param(10, None, [("0", "100")], [0], id="an amount of 0"),
        pytest.param(0, None, [("50", "100"), (None, None)], [0, 0], id="an order that took nothing"),
    ],
)
def test_refunds_give_back_the_refunded_share_of_what_was_taken(
    taken: int, recorded_total: str | None, refunds: list[tuple[str | None, str | None]], expected: list[int]
) -> None:
    assert give_back(refunds, taken=taken, recorded_total=recorded_total) == expected


@pytest.mark.parametrize(
    ("recorded_total", "refunds"),
    [
        pytest.param(None, [("10", "100"), ("10", "99")], id="two totals named"),
        pytest.param(None, [("10", "100"), (None, "99")], id="a full refund may not contradict either"),
        pytest.param(None, [(None, "100"), ("10", "99")], id="a total named by a full refund counts"),
        pytest.param("100", [("10", None), ("10", "99")], id="a total taken from the order counts"),
        pytest.param("100", [("10", "99"), ("10", "100")], id="the order's own total is no excuse"),
        pytest.param(None, [("10", "0"), ("10", "99")], id="a total of 0 is one too"),
    ],
)
def test_the_first_order_total_counts_and_another_one_is_a_conflict(
    recorded_total: str | None, refunds: list[tuple[str | None, str | None]]
) -> None:
    with pytest.raises(Rejected) as refused:
        give_back(refunds, taken=10, recorded_total=recorded_total)
    assert (refused.value.code, refused.value.field) == (Code.KEY_REUSED, "order_total")


def test_an_amount_without_any_total_is_refused() -> None:
    with pytest.raises(Rejected) as refused:
        give_back([("10", None)], taken=10)
    assert (refused.value.code, refused.value.field) == (Code.TOTAL_MISSING, "order_total")


@pytest.mark.parametrize("amounts", [("10.10", "20.20", None), (None, "10.10", "20.20"), ("10.10", None, "20.20")])
def test_the_tally_can_be_recounted_from_the_refunds_alone(amounts: tuple[str | None, ...]) -> None:
    tally = Tally()
    for amount in amounts:
        _, tally = refund(tally, taken=9, recorded_total=None, amount=money(amount), order_total=Decimal(90))
    assert tally == Tally(count=3, credits=9, money=Decimal("30.30"), total=Decimal(90), full=True)

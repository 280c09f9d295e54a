"""Payments that go back, through the function and the tables (contract, section 14): cases from the field."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest

from chalicelib.domain.audit import audit
from chalicelib.domain.findings import Drift
from tests.support.builders import SHOP
from tests.support.events import adjusted, asking, charged, opened
from tests.support.system import System, seen


def back(what: str, **payload: Any) -> str:
    return asking(f"evt.billing.payment_{what}", payload)


def transactions(system: System) -> list[tuple[str, int]]:
    return [(transaction.kind.transaction_type, transaction.amount) for transaction in system.history()]


REFUNDED_TWICE = back("refunded", payment_id="in_1", reversal_id="re_1", credits=50)
IN_2_DISPUTED, IN_2_WON = (back(what, payment_id="in_2", dispute_id="dp_1") for what in ("disputed", "dispute_won"))


def cumulative(amount: str) -> str:
    return back("refunded", payment_id="in_1", amount_refunded=amount, payment_total="30.00")


@pytest.mark.parametrize(
    ("steps", "balance", "expected"),
    [
        (
            [
                [charged("in_1", 50), charged("in_2", 30)],
                [REFUNDED_TWICE],
                [REFUNDED_TWICE],
                [IN_2_DISPUTED],
                [IN_2_WON],
            ],
            130,
            [("PAYMENT", 50), ("PAYMENT", 30), ("REVERSAL", -50), ("REVERSAL", -30), ("REVERSAL_RETURNED", 30)],
        ),
        (
            [[charged("in_1", 50)], [adjusted("DECREASE", 140, "spend")], [REFUNDED_TWICE], [charged("in_2", 60)]],
            20,
            [("PAYMENT", 50), ("MANUAL", -140), ("REVERSAL", -10), ("PAYMENT", 60), ("DEBT_REPAID", -40)],
        ),
        (
            [
                [charged("in_1", 90)],
                [cumulative("10.00")],
                [cumulative("25.00")],
                [cumulative("10.00")],
                [cumulative("30.00")],
            ],
            100,
            [("PAYMENT", 90), ("REVERSAL", -30), ("REVERSAL", -45), ("REVERSAL", -15)],
        ),
    ],
    ids=[
        "a payment is refunded, another disputed and won",
        "bought, spent, charged back, bought again",
        "cumulative refunds of a payment",
    ],
)
def test_a_case_from_the_field_ends_right(
    system: System, steps: list[list[str]], balance: int, expected: list[tuple[str, int]]
) -> None:
    for step in [[opened()], *steps, *steps]:
        assert system.ingest(*step) == []
    account = system.account()
    assert (account.balance, account.debt) == (balance, 0)
    assert transactions(system) == [("TRIAL", 100), *expected]
    assert system.parked() == []
    assert {finding.kind for finding in audit(SHOP, account, system.history())} <= {Drift.CROSSING_WRONG}


@pytest.mark.parametrize("together", [False, True], ids=["one after another", "in one call"])
def test_a_payment_goes_back_under_any_of_its_names(system: System, together: bool) -> None:
    bought = asking("evt.billing.payment_succeeded", {"payment_id": "in_1", "credits": 90, "aliases": ["pi_1", "ch_1"]})
    so_far = {"amount_refunded": "10.00", "payment_total": "30.00"}
    steps = [
        [opened(), bought],
        [back("refunded", payment_id="pi_1", **so_far), back("refunded", payment_id="in_1", **so_far)],
        [back("refunded", payment_id="ch_1", **so_far)],
        [back("disputed", payment_id="ch_1", dispute_id="dp_1")],
        [back("disputed", payment_id="pi_1", dispute_id="dp_1")],
        [back("dispute_won", payment_id="in_1", dispute_id="dp_1")],
        [back("dispute_won", payment_id="ch_1", dispute_id="dp_1")],
    ]
    for step in [list(chain(*steps))] if together else [*steps, *steps]:
        assert system.ingest(*step) == []
    assert transactions(system) == [
        ("TRIAL", 100),
        ("PAYMENT", 90),
        ("REVERSAL", -30),
        ("REVERSAL", -60),
        ("REVERSAL_RETURNED", 60),
    ]
    assert {transaction.metadata["payment_id"] for transaction in system.history()[2:]} == {"in_1"}
    assert system.parked() == []
    assert not list(audit(SHOP, system.account(), system.history()))


def disputed(name: str, *aliases: str) -> str:
    return back("disputed", payment_id="in_1", dispute_id=name, aliases=list(aliases))


def won(name: str, *aliases: str) -> str:
    return back("dispute_won", payment_id="in_1", dispute_id=name, aliases=list(aliases))


def given_back(name: str, *aliases: str) -> str:
    return back("refunded", payment_id="in_1", reversal_id=name, credits=10, aliases=list(aliases))


TAKEN, RETURNED = ("REVERSAL", -50), ("REVERSAL_RETURNED", 50)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([given_back("re_1", "pyr_1"), given_back("pyr_1")], [("REVERSAL", -10)]),
        ([given_back("pyr_1"), given_back("re_1", "pyr_1")], [("REVERSAL", -10)]),
        ([disputed("dp_1", "du_1"), won("du_1"), won("dp_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1", "du_1"), disputed("du_1"), won("dp_1")], [TAKEN, RETURNED]),
        ([disputed("du_1"), disputed("dp_1", "du_1"), won("dp_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1", "du_1"), won("dp_1", "du_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1", "du_1"), won("dp_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1"), won("dp_1", "du_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1"), won("du_1", "dp_1"), won("du_1"), won("dp_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1"), won("dp_1"), disputed("du_1", "dp_1"), won("du_1")], [TAKEN, RETURNED]),
        ([disputed("dp_1", "a"), won("a", "b"), won("b"), won("b", "c"), won("c")], [TAKEN, RETURNED]),
    ],
    ids=lambda steps: None if isinstance(steps[0], tuple) else f"{len(steps)} events",
)
@pytest.mark.parametrize("together", [False, True], ids=["one after another", "in one call"])
def test_what_goes_back_counts_once_under_all_its_names(
    system: System, steps: list[str], expected: list[tuple[str, int]], together: bool
) -> None:
    system.ingest(opened(), charged("in_1", 50))
    for step in [steps] if together else [[one] for one in (*steps, *steps)]:
        system.configure()
        assert system.ingest(*step) == []
    assert transactions(system) == [("TRIAL", 100), ("PAYMENT", 50), *expected]
    assert system.parked() == []
    assert not list(audit(SHOP, system.account(), system.history()))


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([given_back("re_1"), given_back("re_2"), given_back("re_3", "re_1", "re_2")], "names_two_facts"),
        ([disputed("dp_1"), disputed("dp_2"), won("dp_1", "dp_2")], "names_two_facts"),
        ([disputed("dp_1"), won("dp_1", "dp_2"), disputed("dp_2"), won("dp_2")], "key_reused"),
        (
            [given_back("re_1", "re_2"), back("refunded", payment_id="in_1", reversal_id="re_2", credits=9)],
            "key_reused",
        ),
        ([disputed("x"), won("x"), disputed("WON_x")], "key_reused"),
        ([disputed("WON_x"), won("x")], "key_reused"),
    ],
    ids=["two reversals", "two disputes", "a dispute beside another's win", "content", "dispute of a win", "win"],
)
def test_names_that_contradict_what_is_recorded_are_parked(system: System, steps: list[str], code: str) -> None:
    system.ingest(opened(), charged("in_1", 50))
    for step in steps:
        system.ingest(step)
    assert [letter.attributes["code"] for letter in system.parked()] == [code]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("refunded", {"reversal_id": "re_1", "credits": 10}),
        ("refunded", {"amount_refunded": "10.00", "payment_total": "30.00"}),
        ("disputed", {"dispute_id": "dp_1"}),
        ("dispute_won", {"dispute_id": "dp_1"}),
    ],
    ids=["reversal", "cumulative", "dispute", "won"],
)
def test_aliases_of_a_wrong_type_are_poison(system: System, what: str, said: Mapping[str, Any]) -> None:
    system.ingest(opened(), charged("in_1", 50))
    system.ingest(back(what, payment_id="in_1", aliases="x", **said))
    assert [letter.attributes["code"] for letter in system.parked()] == ["field_invalid"]


def test_a_cumulative_refund_is_named_by_its_figure_alone(system: System) -> None:
    so_far = {"payment_id": "in_1", "payment_total": "30.00", "aliases": ["pyr_1"]}
    system.ingest(opened(), charged("in_1", 90))
    for figure in ("10.00", "20.00", "10.00"):
        system.ingest(back("refunded", amount_refunded=figure, **so_far))
    assert transactions(system)[2:] == [("REVERSAL", -30), ("REVERSAL", -30)]
    assert system.parked() == []


@pytest.mark.parametrize(("debt", "owed"), [("owed", 40), ("forgiven", 0)], ids=["owed", "forgiven"])
def test_the_setting_says_whether_what_is_not_there_is_owed(system: System, debt: str, owed: int) -> None:
    system.configure(REVERSAL_DEBT=debt)
    system.ingest(opened(), charged("in_1", 50))
    system.ingest(adjusted("DECREASE", 140, "spend"))
    system.ingest(REFUNDED_TWICE)
    assert (system.account().debt, system.account().total_shortfall) == (owed, 40)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (back("refunded", payment_id="in_9", reversal_id="re_1", credits=1), "payment_missing"),
        (back("disputed", payment_id="in_9", dispute_id="dp_1"), "payment_missing"),
        (back("dispute_won", payment_id="in_1", dispute_id="dp_9"), "dispute_missing"),
    ],
    ids=["refunded", "disputed", "won"],
)
def test_what_it_builds_on_is_waited_for_and_then_it_is_parked(system: System, body: str, code: str) -> None:
    system.ingest(opened(), charged("in_1", 50))
    assert len(system.ingest(body)) == 1
    assert system.parked() == []
    system.ingest(seen(body, seconds_ago=3601, deliveries=9))
    attributes: list[Mapping[str, str]] = [parked.attributes for parked in system.parked()]
    assert [one["code"] for one in attributes] == [code]

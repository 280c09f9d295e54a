"""`credits emit --wait` of facts with several names, and of payments that go back bit by bit."""

import json

from tests.functions.test_cli_operations import Desk, desk
from tests.support.builders import SHOP
from tests.support.events import asking, charged, opened

__all__ = ["desk"]

EMIT = ("--via", "bus", "--wait", "--timeout", "0")


def test_a_payment_that_came_under_another_of_its_names_is_recorded_before(desk: Desk) -> None:
    desk.system.ingest(opened(), charged("in_1", 50, aliases=["pi_1"]))
    payment = ("emit", "payment_succeeded", f"merchant_id={SHOP}", "credits=50")

    alias = desk.run(*payment, "payment_id=pi_1", *EMIT)
    named = desk.run(*payment, "payment_id=cs_1", 'aliases=["in_1"]', *EMIT)
    other = desk.run("emit", "payment_succeeded", f"merchant_id={SHOP}", "credits=7", "payment_id=pi_1", *EMIT)

    for said in (alias, named):
        assert said.exit_code == 0, said.output
        assert "#2: recorded before under another name, BILLING_PAYMENT_in_1, at " in said.stdout
    assert (other.exit_code, "recorded before with other content" in other.stdout) == (1, True)


def test_names_of_two_facts_are_said_to_be_parked(desk: Desk) -> None:
    desk.system.ingest(opened(), charged("in_1", 50), charged("in_2", 50))
    payment = ("emit", "payment_succeeded", f"merchant_id={SHOP}", "credits=50", "payment_id=in_1")

    said = desk.run(*payment, 'aliases=["in_2"]', *EMIT)

    assert said.exit_code == 1
    assert "its names belong to two recorded facts" in said.stdout
    assert json.loads(desk.run(*payment, 'aliases=["in_2"]', *EMIT, "--json").stdout)["conflicts"] == [
        "BILLING_PAYMENT_in_1"
    ]


def test_an_amount_that_a_greater_one_has_in_it_moves_nothing_and_is_not_waited_for(desk: Desk) -> None:
    def back(amount: str) -> str:
        figure = {"payment_id": "in_1", "amount_refunded": amount, "payment_total": "30.00"}
        return asking("evt.billing.payment_refunded", figure)

    desk.system.ingest(opened(), charged("in_1", 30), back("20.00"))
    emitted = ("emit", "payment_refunded", f"merchant_id={SHOP}", "payment_id=in_1", "payment_total=30.00")

    smaller = desk.run(*emitted, "amount_refunded=10.00", *EMIT)
    same = desk.run(*emitted, "amount_refunded=20.00", *EMIT)
    greater = desk.run(*emitted, "amount_refunded=30.00", *EMIT)

    assert smaller.exit_code == same.exit_code == 0, smaller.output + same.output
    assert "A larger refund of this payment is already recorded; nothing was moved." in smaller.stdout
    assert "#3: recorded before, at " in same.stdout
    assert (greater.exit_code, "not in the ledger yet" in greater.stdout) == (1, True)


def test_what_goes_back_of_a_payment_is_recorded_before_under_any_name_of_either(desk: Desk) -> None:
    def disputed(end: str, **payload: object) -> str:
        return asking(f"evt.billing.payment_dispute{end}", payload)

    desk.system.ingest(opened(), charged("in_1", 50, aliases=["pi_1"]))
    desk.system.ingest(disputed("d", payment_id="pi_1", dispute_id="dp_1", aliases=["du_1"]))
    desk.system.ingest(disputed("_won", payment_id="in_1", dispute_id="du_1"))
    named = ("payment_id=pi_1", "dispute_id=du_1")

    for event in ("payment_disputed", "payment_dispute_won"):
        said = desk.run("emit", event, f"merchant_id={SHOP}", *named, *EMIT)
        assert said.exit_code == 0, said.output
        assert "recorded before under another name" in said.stdout
    desk.system.ingest(charged("in_2", 50))
    other = desk.run("emit", "payment_disputed", f"merchant_id={SHOP}", "payment_id=in_2", "dispute_id=du_1", *EMIT)
    assert (other.exit_code, "recorded before with other content" in other.stdout) == (1, True)

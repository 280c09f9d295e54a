"""Cases from the field, through the handlers: what real senders send, and what is right of it."""

import json

import pytest

from chalicelib.domain.ids import MerchantId
from tests.support.field_cases import CASES, Case, Right
from tests.support.system import System


def outcome(system: System, case: Case) -> Right:
    """Play a case, and return what came of it."""
    system.configure(**case.settings)
    for step in case.steps:
        assert system.ingest(*map(json.dumps, step)) == []
    merchant = MerchantId(case.merchant_id)
    account = system.account(merchant)
    return Right(
        balance=account.balance,
        transactions=tuple((one.kind.transaction_type, one.amount) for one in system.history(merchant)),
        parked=tuple(letter.attributes["code"] for letter in system.parked()),
        ignored=sum(line["message"] == "ignored" for line in system.lines()),
        debt=None if case.right.debt is None else account.debt,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_from_the_field_ends_as_is_right(system: System, case: Case) -> None:
    assert outcome(system, case) == case.right

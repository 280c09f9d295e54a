"""Filters that no transaction can match: an empty page, never a fault (found by schemathesis)."""

import pytest

from tests.support.api import ADMIN, Api, Ledger
from tests.support.builders import SHOP, order, trial


@pytest.mark.parametrize("transaction_type", ["TRIAL", "PAYMENT", "SUBSCRIPTION"])
@pytest.mark.parametrize("more", [{}, {"start_date": "2000-01-01"}, {"page": "3", "end_date": "2100-01-01"}])
def test_a_type_that_never_goes_this_way_is_an_empty_page(
    api: Api, ledger: Ledger, transaction_type: str, more: dict[str, str]
) -> None:
    ledger.post(trial(5), order("1"))
    filters = {"merchant_id": SHOP, "operation_type": "DECREASE", "transaction_type": transaction_type, **more}

    answered = api.get("/credits/transactions", token=ADMIN, parameters=filters)

    assert (answered.status, answered.body["data"]) == (200, [])
    assert answered.body["pagination"]["has_next"] is False
    assert answered.body["pagination"]["next_cursor"] is None

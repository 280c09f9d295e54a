"""What admins change by the API while tables refuse writes by a policy of their own (decision 0085)."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import app
from chalicelib.domain.confirming import WaitingAdjustment
from chalicelib.domain.ids import TransactionId, instant
from chalicelib.wiring import for_desk
from tests.support.api import ADMIN, NOON, Answered, Api
from tests.support.builders import SHOP
from tests.support.figures_tables import FiguresTable
from tests.support.system import System

LINK, LINK_ROUTE = "/credits/admin/links/stripe/cus_1", "/credits/admin/links/{kind}/{name}"
WAITING = "/credits/admin/adjustments/waiting"
WRITES = ("TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem")


def denied(operation: str, why: str) -> ClientError:
    """Return the refusal of a request that AWS does not allow, with the words in which it says why."""
    name = f"arn:aws:dynamodb:eu-west-1:1:table/links because {why}"
    message = f"User: arn:aws:sts::1:assumed-role/api/x is not authorized to perform: {operation} on resource: {name}"
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)


BY_POLICY = "an explicit deny in a resource-based policy"
NO_RIGHT = "no identity-based policy allows the action"


@pytest.fixture
def api(desk: System, table: FiguresTable) -> Api:
    return Api(app.app)


def linked(api: Api) -> Answered:
    return api.put(LINK, {"merchant_id": SHOP}, route=LINK_ROUTE, token=ADMIN)


def unlinked(api: Api) -> Answered:
    return api.get(LINK, route=LINK_ROUTE, token=ADMIN, method="DELETE")


def withdrawn(api: Api) -> Answered:
    return api.get(f"{WAITING}/{SHOP}", route=f"{WAITING}/{{transaction_id}}", token=ADMIN, method="DELETE")


def waits() -> None:
    waiting = WaitingAdjustment(
        transaction_id=TransactionId(SHOP),
        merchant_id=SHOP,
        adjustment_id="a1",
        credits=5,
        batch_credits=5,
        reason="goodwill",
        asked_by="ada",
        asked_at=instant(NOON),
    )
    for_desk.desk_reader().put_waiting(waiting)


@pytest.mark.parametrize("change", [linked, unlinked, withdrawn])
@pytest.mark.parametrize(("why", "status"), [(BY_POLICY, 503), (NO_RIGHT, 500)])
def test_a_change_that_a_tables_policy_refuses_may_work_later_and_a_missing_right_is_a_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch, change: Callable[[Api], Answered], why: str, status: int
) -> None:
    assert linked(api).status == 200
    waits()
    real_call: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def refusing(client: BaseClient, operation: str, request: Any) -> Any:
        if operation in WRITES:
            raise denied(operation, why)
        return real_call(client, operation, request)

    with monkeypatch.context() as stopped:
        stopped.setattr(BaseClient, "_make_api_call", refusing)
        answered = change(api)

    assert (answered.status, answered.headers.get("Retry-After")) == (status, "1" if status == 503 else None)
    assert change(api).status == 200

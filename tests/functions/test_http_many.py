"""Many adjustments at once over HTTP: a plan, rows applied once each, and another admin above the limit."""

from typing import Any

import pytest

import app
from chalicelib.api.bulk import ROWS_MAX
from chalicelib.domain.ids import transaction_id
from chalicelib.domain.movements import adjustment_key
from chalicelib.wiring import for_api
from tests.support.api import ADMIN, OTHER, OWNER, Answered, Api, Functions
from tests.support.builders import SHOP, merchant
from tests.support.events import asking, paid
from tests.support.figures_tables import FiguresTable
from tests.support.system import System

ADJUSTMENTS = "/credits/admin/adjustments"
PREVIEW, WAITING = f"{ADJUSTMENTS}/preview", f"{ADJUSTMENTS}/waiting"
GRACE = {**ADMIN, "subject": "grace"}
ROWS = f"merchant_id,credits,reason\n{SHOP},+10,goodwill\n{OTHER},-30,a mistake\n{SHOP},-15,returned\n"


@pytest.fixture
def api(desk: System, table: FiguresTable, functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    desk.ingest(
        asking("evt.account.created", {"merchant_id": SHOP, "credits_to_use": 5}),
        asking("evt.account.created", {"merchant_id": OTHER, "credits_to_use": 100}),
    )
    return Api(app.app)


def planned(api: Api, csv: str = ROWS, *, undo: bool = False) -> Any:
    answered = api.post(PREVIEW, {"csv": csv, "undo": undo}, token=ADMIN)
    assert answered.status == 200, answered.body
    return answered.body["data"]


def applied(api: Api, plan: Any, *, token: Any = ADMIN) -> list[int]:
    return [sent(api, plan, row, token=token).status for row in plan["rows"] if row["state"] == "apply"]


def sent(api: Api, plan: Any, row: Any, *, token: Any = ADMIN) -> Answered:
    asked = {
        "merchant_id": row["merchant_id"],
        "operation_type": "INCREASE" if row["credits"] > 0 else "DECREASE",
        "credits": abs(row["credits"]),
        "reason": row["reason"],
        "batch_credits": plan["batch_credits"],
    }
    return api.post(ADJUSTMENTS, asked, token=token, headers={"Idempotency-Key": row["adjustment_id"]})


def waits(api: Api) -> list[Any]:
    found: list[Any] = api.get(WAITING, token=ADMIN).body["data"]["waiting"]
    return found


def test_a_plan_says_what_each_row_would_do_and_changes_nothing(api: Api, desk: System) -> None:
    before = desk.everything()

    plan = planned(api, f"{ROWS}{SHOP},1.5,half\n{merchant('nobody')},1,no account\n")

    assert [(row["before"], row["after"], row["turns"], row["state"]) for row in plan["rows"]] == [
        (5, 15, None, "apply"),
        (100, 70, None, "apply"),
        (15, 0, "off", "apply"),
        (None, None, None, "refused"),
    ]
    assert [(bad["line"], bad["column"]) for bad in plan["bad"]] == [(5, "credits")]
    assert (plan["batch_credits"], plan["needs_confirming"]) == (55, False)
    assert desk.everything() == before


def test_a_text_that_is_no_utf_8_is_refused_with_its_line(api: Api) -> None:
    answered = api.post(PREVIEW, {"csv": f"{ROWS}{SHOP},1,\ud800\n"}, token=ADMIN)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "csv"})
    assert answered.body["detail"].startswith("line 5, byte ")


@pytest.mark.parametrize("torn", range(4))
def test_a_run_torn_at_any_row_and_planned_again_counts_each_row_once_and_is_undone(
    api: Api, desk: System, torn: int
) -> None:
    plan = planned(api)
    for row in plan["rows"][:torn]:
        sent(api, plan, row)

    again = planned(api)
    assert [row["state"] for row in again["rows"]] == ["done"] * torn + ["apply"] * (3 - torn)
    assert (again["batch"], again["batch_credits"]) == (plan["batch"], 55)
    assert applied(api, again) == [201] * (3 - torn)
    assert [sent(api, plan, row).status for row in plan["rows"]] == [200, 200, 200]
    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)

    undo = planned(api, undo=True)
    # From the last row to the first: what was taken of the shop comes back before what it got is taken.
    assert [(row["line"], row["state"]) for row in undo["rows"]] == [(4, "apply"), (3, "apply"), (2, "apply")]
    assert applied(api, undo) == [201, 201, 201]
    assert (desk.balance(), desk.balance(OTHER)) == (5, 100)
    assert [row["state"] for row in planned(api, undo=True)["rows"]] == ["done", "done", "done"]


def test_an_undo_of_what_was_spent_meanwhile_is_refused_by_row(api: Api, desk: System) -> None:
    applied(api, planned(api, f"merchant_id,credits,reason\n{SHOP},10,a\n{OTHER},5,b\n"))
    desk.ingest(paid(*range(8)))

    rows = planned(api, f"merchant_id,credits,reason\n{SHOP},10,a\n{OTHER},5,b\n", undo=True)["rows"]

    assert [(row["state"], row["why"]) for row in rows] == [
        ("apply", None),
        ("refused", "7 left, 10 cannot be removed: it was spent meanwhile"),
    ]


def test_above_the_limit_nothing_counts_until_another_admin_sends_the_same(api: Api, desk: System) -> None:
    desk.configure(ADJUSTMENT_CONFIRM_ABOVE="54")
    plan = planned(api)
    assert plan["needs_confirming"]

    refused = [sent(api, plan, row) for row in plan["rows"]]

    assert {(one.status, one.body["error"]["code"]) for one in refused} == {(409, "CONFIRMATION_NEEDED")}
    assert applied(api, plan) == [409, 409, 409]
    assert desk.balance() == 5
    listed = waits(api)
    assert [(one["adjustment_id"], one["operation_type"], one["credits"], one["asked_by"]) for one in listed] == [
        (f"{plan['batch']}-1", "INCREASE", 10, "admin-7"),
        (f"{plan['batch']}-2", "DECREASE", 30, "admin-7"),
        (f"{plan['batch']}-3", "DECREASE", 15, "admin-7"),
    ]
    assert applied(api, plan, token=GRACE) == [201, 201, 201]
    assert waits(api) == []
    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)
    kept = desk.history()[-1].metadata
    assert (kept["admin_id"], kept["reason"]) == ("admin-7", "returned (confirmed by grace)")


def test_no_caller_of_the_api_names_a_second_person_itself(api: Api, desk: System) -> None:
    desk.configure(ADJUSTMENT_CONFIRM_ABOVE="54")
    asked = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": 55, "reason": "r", "confirmed_by": "grace"}

    answered = api.post(ADJUSTMENTS, asked, token=ADMIN, headers={"Idempotency-Key": "t-1"})
    old = "/credits/transactions/admin/manual-adjustment"
    by_the_old_route = api.post(old, asked, token=ADMIN, headers={"Idempotency-Key": "t-1"})

    assert (answered.status, by_the_old_route.status, desk.balance()) == (409, 409, 5)


def test_what_waits_can_be_withdrawn_and_asked_for_again(api: Api, desk: System) -> None:
    desk.configure(ADJUSTMENT_CONFIRM_ABOVE="54")
    plan = planned(api)
    sent(api, plan, plan["rows"][0])
    name = transaction_id(SHOP, adjustment_key(plan["rows"][0]["adjustment_id"]))
    route = f"{WAITING}/{{transaction_id}}"

    withdrawn = api.get(f"{WAITING}/{name}", route=route, method="DELETE", token=GRACE)
    again = api.get(f"{WAITING}/{name}", route=route, method="DELETE", token=GRACE)
    none = api.get(f"{WAITING}/x", route=route, method="DELETE", token=GRACE)

    assert (withdrawn.status, withdrawn.body["data"]["asked_by"]) == (200, "admin-7")
    assert (again.status, none.status, waits(api)) == (404, 404, [])
    assert sent(api, plan, plan["rows"][0], token=GRACE).status == 409, "the request of before is gone"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "csv", "text of the file"),
        ({"csv": 5}, "csv", "text of the file"),
        ({"csv": ROWS, "undo": "yes"}, "undo", "true or false"),
        ({"csv": "a,b\n1,2\n"}, "csv", "line 1"),
        ({"csv": ROWS + '"never closed'}, "csv", "line 5, merchant_id: the quotation mark"),
        ({"csv": "merchant_id,credits,reason\n" + f"{SHOP},1,r\n" * (ROWS_MAX + 1)}, "csv", "credits adjust --file"),
    ],
)
def test_what_is_no_file_of_adjustments_is_refused(api: Api, body: Any, field: str, words: str) -> None:
    answered = api.post(PREVIEW, body, token=ADMIN)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": field})
    assert words in answered.body["detail"]


def test_only_admins_plan_list_and_withdraw(api: Api) -> None:
    route = f"{WAITING}/{{transaction_id}}"
    for token, status in ((OWNER, 403), (None, 401)):
        assert api.post(PREVIEW, {"csv": ROWS}, token=token).status == status
        assert api.get(WAITING, token=token).status == status
        assert api.get(f"{WAITING}/{SHOP}", route=route, method="DELETE", token=token).status == status

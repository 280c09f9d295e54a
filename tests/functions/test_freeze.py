"""Freeze through the functions, the routes, the tables and the streams (contract, section 17)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.items import crossings_from
from chalicelib.contracts.api.sentences import time_text
from chalicelib.domain.audit import audit
from chalicelib.domain.ids import instant
from chalicelib.domain.outcomes import Posted
from chalicelib.wiring import for_posting
from tests.support.api import ADMIN, CREDITS_TABLE, NOBODY, OWNER, TRANSACTIONS_TABLE, Answered, Api, Functions, Ledger
from tests.support.builders import SHOP, order, trial, unfreezing
from tests.support.events import Context, batch, charged, opened, paid
from tests.support.system import System

NOW = datetime.now(UTC).replace(microsecond=0)


def later(hours: float) -> str:
    return instant(NOW + timedelta(hours=hours))


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the clock of the functions, in hours from now."""

    def set_to(hours: float) -> None:
        monkeypatch.setattr(for_posting, "now", lambda: later(hours))

    set_to(0)
    return set_to


def asked(key: str = "t1", *, freeze: bool = True, **fields: Any) -> dict[str, Any]:
    request = {"merchant_id": SHOP, "admin_id": "ada", "adjustment_id": key, "freeze": freeze, **fields}
    answered: dict[str, Any] = app.adjust_credits(request, Context())
    return answered


def told(system: System) -> list[tuple[str, Any]]:
    """Publish what both streams bring, and return types and reasons or amounts, in the order of their times."""
    app.publish_transaction_events(batch(system.stream(TRANSACTIONS_TABLE)), Context())
    app.publish_threshold_events(batch(system.stream(CREDITS_TABLE)), Context())
    found = [(one["detail-type"].removeprefix("evt.credits."), one["detail"]["payload"]) for one in system.heard()]
    return [
        (name, said.get("reason", said.get("amount")))
        for name, said in found
        if name not in ("account.created", "recharged")
    ]


def proven(system: System) -> bool:
    [item] = system.items(CREDITS_TABLE)
    assert audit(SHOP, system.account(), system.history(), crossings=crossings_from(item)) == ()
    return True


def test_a_freeze_is_recorded_published_and_answered_with_the_account(system: System, at: Any) -> None:
    system.ingest(opened())

    answer = asked(reason="chargebacks", until=later(24))

    assert (answer["outcome"], answer["transaction"]["amount"]) == ("posted", 0)
    assert answer["account"]["plugin_status"]["reason"] == "frozen"
    assert answer["account"]["freeze"]["until"] == later(24)
    assert sorted(told(system)) == [("adjusted", 0), ("plugin_status_changed", "Account frozen")]
    assert proven(system)


def test_the_same_again_is_a_duplicate_also_when_its_end_has_passed(system: System, at: Any) -> None:
    system.ingest(opened())
    first = asked(reason="chargebacks", until=later(24))
    system.configure()
    at(30)

    again = asked(reason="said otherwise", until=later(24))

    assert (again["outcome"], again["transaction"]) == ("duplicate", first["transaction"])
    assert again["account"]["plugin_status"]["status"] == "enabled"
    assert asked(reason="chargebacks", until=later(48))["error"]["code"] == "key_reused"
    assert asked(freeze=False)["error"]["code"] == "key_reused"


def test_an_account_that_another_container_froze_is_unfrozen(system: System, at: Any) -> None:
    system.ingest(opened())
    asked("other", reason="x")
    asked("other2", freeze=False)
    remembered = for_posting.posting()
    system.configure()
    asked(reason="chargebacks")
    for_posting.posting.cache_clear()

    answer = remembered.post_one(
        unfreezing("t2"),
        time=for_posting.call_time(Context()),
    )

    assert isinstance(answer, Posted)
    assert system.account().enabled


def test_the_end_comes_by_itself_and_every_movement_before_it_is_recorded(system: System, at: Any) -> None:
    system.ingest(opened())
    asked(reason="chargebacks", until=later(24))
    system.ingest(paid("meanwhile"), charged("p1", 7))
    assert (system.balance(), system.account().enabled) == (106, False)

    at(24)
    system.ingest(paid("after"))

    assert (system.balance(), system.account().enabled) == (105, True)
    assert [name for name, _ in told(system)].count("plugin_status_changed") == 2
    [item] = system.items(CREDITS_TABLE)
    assert not {"freeze", "due_at", "due_shard"} & item.keys()
    assert item["schema_version"] == {"N": "1"}
    assert proven(system)


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"reason": "  "}, "field_invalid", "reason"),
        ({"reason": "x", "until": "tomorrow"}, "field_invalid", "until"),
        ({"reason": "x", "until": "2026-01-01"}, "until_past", "until"),
        ({"reason": "x", "until": True}, "field_invalid", "until"),
        ({"freeze": False}, "not_frozen", None),
        ({"freeze": None}, "field_invalid", "freeze"),
        ({"freeze": 1, "reason": "x"}, "field_invalid", "freeze"),
        ({"reason": "x", "merchant_id": NOBODY}, "account_missing", "merchant_id"),
    ],
    ids=str,
)
def test_what_cannot_be_frozen_is_refused_and_changes_nothing(
    system: System, at: Any, wrong: dict[str, Any], code: str, field: str | None
) -> None:
    system.ingest(opened())
    before = system.everything()

    error = asked(**wrong)["error"]

    assert (error["code"], error["details"].get("field")) == (code, field)
    assert system.everything() == before


FREEZE = f"/credits/admin/accounts/{SHOP}/freeze"
ROUTE = "/credits/admin/accounts/{merchant_id}/freeze"


def put(api: Api, key: str = "t1", token: Any = ADMIN, **body: Any) -> Answered:
    return api.get(FREEZE, route=ROUTE, token=token, method="PUT", body=body, headers={"Idempotency-Key": key})


def delete(api: Api, key: str = "t2", token: Any = ADMIN, **parameters: str) -> Answered:
    return api.get(
        FREEZE, route=ROUTE, token=token, method="DELETE", parameters=parameters, headers={"Idempotency-Key": key}
    )


@pytest.mark.usefixtures("functions")
class TestTheRoutes:
    def test_a_freeze_and_its_end_answer_the_account_in_the_admins_name(self, api: Api, ledger: Ledger) -> None:
        ledger.post(trial(10))

        frozen = put(api, reason="chargebacks", until=later(24), admin_id="somebody else")
        again = put(api, reason="chargebacks", until=later(24))
        off = api.get(f"/credits/plugin-status/{SHOP}", route="/credits/plugin-status/{merchant_id}")
        told = api.get(f"/credits/accounts/{SHOP}/story", route="/credits/accounts/{merchant_id}/story", token=OWNER)
        thawed = delete(api, reason="settled")

        assert (frozen.status, again.status, thawed.status) == (200, 200, 200)
        assert frozen.body["data"] == again.body["data"]
        assert frozen.body["data"]["freeze"]["admin_id"] == ADMIN["subject"]
        assert (off.body["data"]["status"], off.body["data"]["reason"]) == ("disabled", "frozen")
        assert told.body["data"]["because"] == f"admin-7 froze the account until {time_text(later(24))}: chargebacks."
        assert thawed.body["data"]["freeze"] is None
        assert thawed.body["data"]["plugin_status"]["status"] == "enabled"
        assert len(ledger.store.read([SHOP], []).accounts) == 1

    def test_refusals_have_the_status_that_says_what_to_do(self, api: Api, ledger: Ledger) -> None:
        ledger.post(trial(10))
        ledger.post(order("1"))

        assert delete(api).status == 409
        assert put(api, reason="x", until="2025-06-01").status == 422
        assert put(api, reason="x", until="soon").status == 400
        assert put(api, until=later(1)).status == 400
        assert put(api, key="", reason="x").status == 400
        assert put(api, reason="x", token=OWNER).status == 403
        assert put(api, reason="x").status == 200
        assert put(api, reason="x", until=later(1)).status == 409

    def test_nothing_of_no_form_is_invoked(self, api: Api, functions: Functions) -> None:
        put(api, reason="x", until=[])
        delete(api, reason=" ")

        assert functions.invoked == []

"""Adjustments by invoking the function: the transaction, or an error that says what to mend."""

from typing import Any
from uuid import UUID, uuid5

import pytest

import app
from chalicelib.domain.ids import credit_id
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, adjusted, charged, opened
from tests.support.system import System, lost_answer, refusal

ASKED = {
    "merchant_id": SHOP,
    "operation_type": "DECREASE",
    "credits": 30,
    "reason": "goodwill",
    "admin_id": "admin-7",
    "adjustment_id": "a1",
}


def adjust(request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = app.adjust_credits(request, Context())
    return answer


def error(answer: dict[str, Any]) -> tuple[str, Any]:
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message", "details"}
    return answer["error"]["code"], answer["error"]["details"]


def test_an_adjustment_is_answered_with_its_transaction(system: System) -> None:
    system.ingest(opened())

    answer = adjust({**ASKED, "correlation_id": "c1"})
    [_, transaction] = system.history()
    assert answer == {
        "id": str(uuid5(UUID(SHOP), "MANUAL_ADJUSTMENT_a1")),
        "merchant_id": SHOP,
        "credit_id": credit_id(SHOP),
        "operation_type": "DECREASE",
        "transaction_type": "MANUAL",
        "credits_used": 30,
        "amount": -30,
        "requested": 30,
        "shortfall": 0,
        "threshold": 20,
        "balance_before": 100,
        "balance_after": 70,
        "sequence": 2,
        "idempotency_key": "MANUAL_ADJUSTMENT_a1",
        "reference_id": "a1",
        "extra_metadata": {"reason": "goodwill", "admin_id": "admin-7"},
        "correlation_id": "c1",
        "schema_version": 1,
        "hash": transaction.hash,
        "previous_hash": transaction.previous_hash,
        "occurred_at": None,
        "created_at": transaction.created_at,
        "updated_at": transaction.created_at,
        "drawn": [],
    }
    assert system.balance() == 70


def test_an_increase_is_one_too(system: System) -> None:
    system.ingest(opened())

    assert adjust({**ASKED, "operation_type": "INCREASE", "merchant_id": SHOP.upper()})["balance_after"] == 130


@pytest.mark.parametrize("same_container", [True, False])
def test_the_same_adjustment_again_answers_the_same_transaction(system: System, same_container: bool) -> None:
    system.ingest(opened())
    first = adjust(ASKED)
    if not same_container:
        system.configure()
    system.ingest(charged())
    before = system.everything()

    assert adjust({**ASKED, "reason": "another", "admin_id": "another", "correlation_id": "c2"}) == first
    assert adjust({**ASKED, "credits_used": 30}) == first
    assert system.everything() == before


def test_an_event_with_the_same_adjustment_is_the_same(system: System) -> None:
    system.ingest(opened(), adjusted("DECREASE", 30))

    assert adjust(ASKED)["sequence"] == 2
    assert system.balance() == 70


@pytest.mark.parametrize("other", [{"credits": 31}, {"operation_type": "INCREASE"}])
def test_other_content_under_the_same_id_is_refused(system: System, other: dict[str, Any]) -> None:
    system.ingest(opened())
    adjust(ASKED)
    before = system.everything()

    assert error(adjust({**ASKED, **other}))[0] == "key_reused"
    assert system.everything() == before


def test_the_id_of_an_adjustment_is_a_merchants_own(system: System) -> None:
    other = merchant("other shop")
    system.ingest(opened(), opened(other))

    assert adjust(ASKED)["id"] != adjust({**ASKED, "merchant_id": other, "credits": 5})["id"]
    assert (system.balance(), system.balance(other)) == (70, 95)


def test_a_decrease_below_zero_changes_nothing_and_may_succeed_later(system: System) -> None:
    system.ingest(opened())
    before = system.everything()
    much = {**ASKED, "credits": 101}

    assert error(adjust(much)) == ("insufficient_credits", {"field": "credits"})
    assert system.everything() == before

    system.ingest(charged("p1", 1))
    assert adjust(much)["balance_after"] == 0
    assert adjust(much)["balance_after"] == 0


def test_a_container_that_remembers_an_old_balance_looks_again_before_it_refuses(system: System) -> None:
    system.ingest(opened())
    assert adjust({**ASKED, "credits": 100})["balance_after"] == 0
    remembered = app.adjust_credits
    other = system.history()[-1]
    # Another container pays, which this one does not hear of.
    system.dynamodb.update_item(
        TableName="credits-test",
        Key={"merchant_id": {"S": SHOP}},
        UpdateExpression="SET balance = :b, version = version + :one",
        ExpressionAttributeValues={":b": {"N": "40"}, ":one": {"N": "1"}},
    )

    answer: dict[str, Any] = remembered({**ASKED, "adjustment_id": "a2", "credits": 40}, Context())
    assert (answer["balance_before"], answer["balance_after"]) == (40, 0)
    assert answer["previous_hash"] == other.hash


def test_an_adjustment_of_nobodys_credits_is_refused(system: System) -> None:
    assert error(adjust(ASKED)) == ("account_missing", {"field": "merchant_id"})
    assert system.everything() == [[], []]


@pytest.mark.parametrize("name", list(ASKED))
def test_every_field_is_required_and_named_when_it_is_missing(system: System, name: str) -> None:
    system.ingest(opened())
    asked = {key: value for key, value in ASKED.items() if key != name}

    answer = adjust(asked)
    assert error(answer) == ("field_missing", {"field": name})
    assert answer["error"]["message"] == f"{name} is missing"
    assert system.balance() == 100


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        ({"merchant_id": "canary"}, "field_invalid", "merchant_id"),
        ({"operation_type": "canary"}, "field_invalid", "operation_type"),
        ({"credits": 0}, "credits_invalid", "credits"),
        ({"credits": -5}, "credits_invalid", "credits"),
        ({"credits": 5.0}, "credits_invalid", "credits"),
        ({"credits": float("nan")}, "credits_invalid", "credits"),
        ({"credits": True}, "credits_invalid", "credits"),
        ({"credits": "5"}, "credits_invalid", "credits"),
        ({"credits": 1_000_000_001}, "credits_invalid", "credits"),
        ({"credits_used": 31}, "credits_invalid", "credits"),
        ({"reason": "  "}, "field_invalid", "reason"),
        ({"reason": None}, "field_invalid", "reason"),
        ({"reason": "canary\ud800"}, "field_invalid", "reason"),
        ({"admin_id": "canary\n"}, "field_invalid", "admin_id"),
        ({"adjustment_id": "a" * 65}, "field_invalid", "adjustment_id"),
        ({"identifiers": {"merchant_id": merchant("x")}}, "envelope_ambiguous", "identifiers.merchant_id"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_changed(
    system: System, bad: dict[str, Any], code: str, field: str
) -> None:
    system.ingest(opened())

    answer = adjust({**ASKED, **bad})
    assert error(answer) == (code, {"field": field})
    assert "canary" not in answer["error"]["message"]
    assert system.balance() == 100


@pytest.mark.parametrize("request_", [None, [], "canary", 5, [ASKED]])
def test_what_is_no_object_is_refused(system: System, request_: Any) -> None:
    assert error(adjust(request_)) == ("field_invalid", {})


def test_a_ledger_that_does_not_answer_is_said_and_the_same_request_succeeds_later(system: System) -> None:
    system.ingest(opened())
    system.fail("TransactWriteItems", *[refusal("TransactWriteItems")] * 20)

    assert error(adjust(ASKED))[0] == "unavailable"
    system.faults.clear()
    assert adjust(ASKED)["balance_after"] == 70


def test_a_write_whose_answer_was_lost_is_answered_all_the_same(system: System) -> None:
    system.ingest(opened())
    system.fail("TransactWriteItems", lost_answer)

    assert adjust(ASKED)["balance_after"] == 70
    assert len(system.history()) == 2


def test_each_call_is_one_line_without_the_reason(system: System) -> None:
    system.ingest(opened())
    system.log.truncate(0)
    system.log.seek(0)
    adjust({**ASKED, "reason": "a canary"})
    adjust({**ASKED, "credits": 7, "reason": "a canary"})
    adjust({**ASKED, "credits": "7"})

    assert [(line["message"], line.get("code")) for line in system.lines()] == [
        ("adjusted", None),
        ("adjustment refused", "key_reused"),
        ("adjustment refused", "credits_invalid"),
    ]
    assert system.lines()[0]["key"] == "MANUAL_ADJUSTMENT_a1"
    assert "canary" not in system.log.getvalue()

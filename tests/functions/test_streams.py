"""Events out, from the streams of both tables: published under ids that tell repeats, or brought back, or parked."""

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from botocore.exceptions import EndpointConnectionError

import app
from chalicelib.adapters.dynamodb.items import account_item, crossings_attribute
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Crossing, CrossingType
from chalicelib.environment import SettingError
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, account_of, merchant
from tests.support.events import (
    STREAM_ARN,
    Context,
    adjusted,
    asking,
    batch,
    charged,
    opened,
    paid,
    refunded,
    stream_record,
)
from tests.support.system import System, failed_entries, lost_answer, refusal

NOON = Instant("2025-06-01T12:00:00.000Z")


def crossings_of(records: list[dict[str, Any]]) -> list[str]:
    return _failures(app.publish_threshold_events(batch(records), Context()))


def transactions_of(records: list[dict[str, Any]]) -> list[str]:
    return _failures(app.publish_transaction_events(batch(records), Context()))


def _failures(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def said(heard: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return what was heard as pairs of type and sequence, sorted: a queue keeps no order."""
    return sorted(
        (event["detail-type"].removeprefix("evt.credits."), event["detail"]["payload"]["sequence"]) for event in heard
    )


def test_what_the_ledger_committed_is_heard_on_the_bus(system: System) -> None:
    system.configure(TRIAL_CREDITS="22")
    for message in (opened(), paid(1), paid(2), adjusted("DECREASE", 20), charged("p1", 50), refunded(1)):
        assert system.ingest(message) == []

    assert crossings_of(system.stream(CREDITS_TABLE)) == []
    assert said(system.heard()) == [
        ("balance_exhausted", 4),
        ("balance_restored", 5),
        ("low_balance_reached", 4),
        ("plugin_status_changed", 4),
        ("plugin_status_changed", 5),
    ]
    assert transactions_of(system.stream(TRANSACTIONS_TABLE)) == []
    assert said(system.heard()) == [("account.created", 1), ("adjusted", 4), ("recharged", 5), ("refunded", 6)]


def test_each_movement_of_a_folded_write_says_what_it_crossed(system: System) -> None:
    # From 22 to 2, to 0, to 50 and to 0 again, with a threshold of 4: all in one write.
    system.configure(TRIAL_CREDITS="22")
    moves = [adjusted("DECREASE", 20, "a"), paid(1), paid(2), charged("p1", 50), adjusted("DECREASE", 50, "b")]
    assert system.ingest(opened(), *moves) == []
    assert system.account().version == 1

    assert crossings_of(system.stream(CREDITS_TABLE)) == []
    heard = system.heard()
    assert said(heard) == [
        ("balance_exhausted", 4),
        ("balance_exhausted", 6),
        ("balance_restored", 5),
        ("low_balance_reached", 2),
        ("low_balance_reached", 6),
        ("plugin_status_changed", 4),
        ("plugin_status_changed", 5),
        ("plugin_status_changed", 6),
    ]
    balances = {(event["detail"]["payload"]["sequence"], event["detail"]["payload"]["balance"]) for event in heard}
    assert balances == {(2, 2), (4, 0), (5, 50), (6, 0)}


def test_a_crossing_is_heard_once_and_not_again_with_the_next_write(system: System) -> None:
    system.configure(TRIAL_CREDITS="2", LOW_BALANCE_THRESHOLD_PERCENT="50")
    for message in (opened(), paid(1), charged("p1", 1), paid(2), asking("evt.order.updated", {"order_id": 3})):
        system.ingest(message)
    writes = system.stream(CREDITS_TABLE)

    assert ["crossings" in write["dynamodb"]["NewImage"] for write in writes] == [False, True, True, True, True]
    crossings_of(writes)
    assert said(system.heard()) == [
        ("balance_exhausted", 5),
        ("balance_restored", 3),
        ("low_balance_reached", 2),
        ("low_balance_reached", 4),
        ("plugin_status_changed", 5),
    ]

    system.ingest(charged("p2", 1), charged("p3", 5))
    system.ingest(charged("p5", 5))
    *_, last = system.stream(CREDITS_TABLE)
    assert "crossings" in last["dynamodb"]["OldImage"]
    assert crossings_of([last]) == []
    assert system.heard() == []


def test_an_event_on_the_bus_is_the_platforms_envelope_from_credits(system: System) -> None:
    system.ingest(
        opened(), asking("evt.billing.payment_succeeded", {"payment_id": 7, "credits": 5}, correlation_id="c1")
    )
    transactions_of(system.stream(TRANSACTIONS_TABLE))

    transaction = system.history()[1]
    [event] = [event for event in system.heard() if event["detail-type"] == "evt.credits.recharged"]
    event_id = str(uuid5(UUID(transaction.transaction_id), "evt.credits.recharged"))
    assert (event["source"], event["detail-type"]) == ("credits", "evt.credits.recharged")
    assert event["detail"] == {
        "event_id": event_id,
        "event_type": "evt.credits.recharged",
        "correlation_id": "c1",
        "idempotency_key": event_id,
        "timestamp": transaction.created_at,
        "metadata": {"schema_version": 1},
        "payload": {
            "merchant_id": SHOP,
            "transaction_id": str(uuid5(UUID(SHOP), "BILLING_PAYMENT_7")),
            "sequence": 2,
            "balance": 105,
            "amount": 5,
            "new_balance": 105,
            "source": "evt.billing.payment_succeeded",
            "reference_type": "PAYMENT",
            "reference_id": "7",
        },
    }
    [request] = [request for operation, request in system.asked if operation == "PutEvents"]
    assert {entry["Time"].isoformat(timespec="milliseconds") for entry in request["Entries"]} == {
        said_at.created_at.replace("Z", "+00:00") for said_at in system.history()
    }


def test_orders_that_earn_credits_are_said_and_those_that_use_them_are_not(system: System) -> None:
    system.ingest(opened(), paid(1))
    system.configure(ORDER_CREDIT_DIRECTION="INCREASE", ORDER_CREDIT_FIXED_AMOUNT="0")
    system.ingest(paid(2))
    system.configure(ORDER_CREDIT_FIXED_AMOUNT="10")
    system.ingest(asking("evt.order.updated", {"order_id": 3}))
    transactions_of(system.stream(TRANSACTIONS_TABLE))

    day_end_text = {event["detail"]["payload"]["sequence"]: event["detail"]["payload"] for event in system.heard()}
    assert set(day_end_text) == {1, 3, 4}
    assert [(day_end_text[place]["amount"], day_end_text[place]["source"]) for place in (3, 4)] == [
        (0, "evt.shopify.webhook.order_paid"),
        (10, "evt.order.updated"),
    ]


def test_an_orders_tally_is_no_new_transaction(system: System) -> None:
    system.configure(ORDER_CREDIT_DIRECTION="INCREASE")
    for message in (opened(), paid(1), refunded(1)):
        system.ingest(message)
    [tally] = [record for record in system.stream(TRANSACTIONS_TABLE) if record["eventName"] == "MODIFY"]

    assert transactions_of([tally]) == []
    assert system.heard() == []


def test_the_same_records_again_give_the_same_events(system: System) -> None:
    system.configure(TRIAL_CREDITS="1")
    system.ingest(opened(), paid(1), charged())

    heard = []
    for _ in range(2):
        system.configure()
        crossings_of(system.stream(CREDITS_TABLE))
        transactions_of(system.stream(TRANSACTIONS_TABLE))
        heard.append(sorted((event["detail"] for event in system.heard()), key=str))
    assert len(heard[0]) == 7
    assert heard[0] == heard[1]
    assert len({event["event_id"] for event in heard[0]}) == 7


def many_opened(system: System, count: int) -> list[dict[str, Any]]:
    system.ingest(*[opened(merchant(f"shop {place}")) for place in range(count)])
    records = system.stream(TRANSACTIONS_TABLE)
    assert len(records) == count
    return records


def number(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def test_events_go_out_ten_in_a_request(system: System) -> None:
    records = many_opened(system, 12)
    system.asked.clear()

    assert transactions_of(records) == []
    assert [len(request["Entries"]) for operation, request in system.asked if operation == "PutEvents"] == [10, 2]
    assert len(system.heard()) == 12


def test_only_what_the_bus_refused_for_good_comes_back(system: System) -> None:
    records = many_opened(system, 5)
    # The second and the fifth are refused, then these two again, and so on; at last one of them is taken.
    system.fail("PutEvents", failed_entries(1, 4), failed_entries(0, 1), failed_entries(0, 1), failed_entries(1))

    assert transactions_of(records) == [number(records[4])]
    assert [len(request["Entries"]) for operation, request in system.asked if operation == "PutEvents"] == [5, 2, 2, 2]
    assert len(system.heard()) == 4
    assert system.waits == sorted(system.waits)
    assert len(system.waits) == 3

    assert transactions_of(records[4:]) == []
    [event] = system.heard()
    assert event["detail"]["payload"]["merchant_id"] == records[4]["dynamodb"]["NewImage"]["merchant_id"]["S"]


def test_what_came_back_is_in_the_order_of_the_stream(system: System) -> None:
    records = many_opened(system, 12)
    for place, record in enumerate(records):
        record["dynamodb"]["SequenceNumber"] = str(998 + place)
    system.fail("PutEvents", *[failed_entries(1, 5), failed_entries(1)] + [failed_entries(*range(3))] * 3)

    assert transactions_of(records) == ["999", "1003", "1009"]


@pytest.mark.parametrize(
    "outage",
    [refusal("PutEvents"), refusal("PutEvents", "AccessDeniedException"), EndpointConnectionError(endpoint_url="x")],
)
def test_a_bus_out_of_reach_brings_every_record_back(system: System, outage: Exception) -> None:
    records = many_opened(system, 3)
    system.fail("PutEvents", *[outage] * 4)

    assert transactions_of(records) == [number(record) for record in records]
    assert (system.heard(), system.parked("STREAM_DEAD_LETTER_QUEUE_URL")) == ([], [])
    assert transactions_of(records) == []


def test_a_request_whose_answer_was_lost_is_repeated_under_the_same_ids(system: System) -> None:
    records = many_opened(system, 2)
    system.fail("PutEvents", lost_answer)

    assert transactions_of(records) == []
    heard = system.heard()
    assert len(heard) == 4
    assert len({event["detail"]["event_id"] for event in heard}) == 2


def test_a_write_with_several_crossings_comes_back_when_one_of_them_was_refused(system: System) -> None:
    system.configure(TRIAL_CREDITS="1")
    system.ingest(opened(), paid(1))
    system.fail("PutEvents", *[failed_entries(1), *[failed_entries(0)] * 3])
    records = system.stream(CREDITS_TABLE)

    assert crossings_of(records) == [number(records[0])]
    first = {event["detail"]["event_id"] for event in system.heard()}
    assert crossings_of(records) == []
    again = {event["detail"]["event_id"] for event in system.heard()}
    assert (len(first), len(again)) == (2, 3)
    assert first < again


def changed_threshold(**crossing: Any) -> dict[str, Any]:
    """Return the stream's record of a write that changed a threshold, which a later issue will make."""
    crossed = Crossing(
        **{
            "type": CrossingType.LOW_BALANCE_REACHED,
            "transaction_id": None,
            "sequence": 7,
            "balance": 15,
            "threshold": 30,
            "time": NOON,
            "correlation_id": None,
            **crossing,
        }
    )
    image = {**account_item(account_of(15, threshold=30)), "crossings": crossings_attribute([crossed])}
    return stream_record(image, event_name="MODIFY", old_image=account_item(account_of(15)))


def test_a_changed_threshold_is_said_without_a_transaction(system: System) -> None:
    assert crossings_of([changed_threshold()]) == []

    [event] = system.heard()
    assert event["detail-type"] == "evt.credits.low_balance_reached"
    assert event["detail"]["payload"] == {
        "merchant_id": SHOP,
        "transaction_id": None,
        "sequence": 7,
        "balance": 15,
        "threshold": 30,
    }


def bent(record: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    image = {**record["dynamodb"]["NewImage"], **attributes}
    return {**record, "dynamodb": {**record["dynamodb"], "NewImage": image}}


@pytest.mark.parametrize(
    "attributes",
    [
        {"balance": {"S": "many"}},
        {"balance": {"N": "many"}},
        {"totals": {"M": []}},
        {"totals": {"L": []}},
        {"totals": None},
        {"crossings": {"S": "no json"}},
        {"crossings": {"S": "[5]"}},
        {"crossings": {"S": "5"}},
        {"crossings": {"S": '[{"type": "unheard_of"}]'}},
        {"crossings": {"L": []}},
        {"crossings": crossings_attribute([])["S"]},
        {
            "crossings": {
                "S": '[{"type":"balance_exhausted","transaction_id":5,"sequence":1,"balance":0,'
                '"threshold":1,"time":"2025-06-01T12:00:00.000Z","correlation_id":null}]'
            }
        },
        {
            "crossings": {
                "S": '[{"type":"balance_exhausted","transaction_id":null,"sequence":1,"balance":0,'
                '"threshold":1,"time":"noon","correlation_id":null}]'
            }
        },
    ],
)
def test_a_record_that_cannot_be_read_is_parked_and_blocks_nobody(system: System, attributes: dict[str, Any]) -> None:
    bad = bent(changed_threshold(), **attributes)

    assert crossings_of([bad, changed_threshold()]) == []
    assert len(system.heard()) == 1
    [parked] = system.parked("STREAM_DEAD_LETTER_QUEUE_URL")
    assert json.loads(parked.body) == bad
    assert parked.attributes["code"] == "record_unreadable"
    assert parked.attributes["origin"] == STREAM_ARN
    assert parked.attributes["reason"].startswith("the stream's record cannot be read: ")


@pytest.mark.parametrize(
    "attributes",
    [
        {"sequence": None},
        {"amount": {"N": "1.5"}},
        {"transaction_type": {"S": "BARTER"}},
        {"extra_metadata": {"M": {"reason": {"NULL": True}}}},
        {"created_at": {"S": "noon"}},
        {"refunded_count": {"N": "1"}},
        {
            "refunded_count": {"N": "1"},
            "refunded_credits": {"N": "1"},
            "refunded_money": {"S": "much"},
            "refunded_full": {"BOOL": False},
        },
    ],
)
def test_a_transaction_that_cannot_be_read_is_parked_and_blocks_nobody(
    system: System, attributes: dict[str, Any]
) -> None:
    first, second = many_opened(system, 2)
    bad = bent(first, **attributes)

    assert transactions_of([bad, second]) == []
    assert len(system.heard()) == 1
    [parked] = system.parked("STREAM_DEAD_LETTER_QUEUE_URL")
    assert json.loads(parked.body) == bad


def test_a_record_without_its_image_is_parked(system: System) -> None:
    bare = stream_record(None)

    assert transactions_of([bare]) == []
    [parked] = system.parked("STREAM_DEAD_LETTER_QUEUE_URL")
    assert json.loads(parked.body) == bare


def test_an_unreadable_record_comes_back_when_it_could_not_be_parked(system: System) -> None:
    first, second = many_opened(system, 2)
    bad = bent(first, sequence=None)
    system.fail("SendMessage", refusal("SendMessage", "ServiceUnavailable", 503))

    assert transactions_of([bad, second]) == [number(first)]
    assert len(system.heard()) == 1
    assert system.parked("STREAM_DEAD_LETTER_QUEUE_URL") == []


def test_a_removed_account_says_nothing(system: System) -> None:
    gone = stream_record(None, event_name="REMOVE", old_image=account_item(account_of(5)))

    assert (crossings_of([gone]), transactions_of([gone])) == ([], [])
    assert (system.heard(), system.parked("STREAM_DEAD_LETTER_QUEUE_URL")) == ([], [])


@pytest.mark.parametrize("name", ["EVENT_BUS", "STREAM_DEAD_LETTER_QUEUE_URL"])
def test_a_missing_setting_is_said_at_the_first_call(system: System, name: str) -> None:
    system.unset(name)

    with pytest.raises(SettingError, match=f"^{name} is not set"):
        crossings_of([changed_threshold()])
    assert system.heard() == []


def test_a_call_is_one_line_and_counts_what_was_published(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    records = many_opened(system, 3)
    system.fail("PutEvents", *[failed_entries(2), *[failed_entries(0)] * 3])
    capsys.readouterr()
    transactions_of(records)

    line = system.lines()[-1]
    assert {name: line[name] for name in ("message", "records", "events", "refused")} == {
        "message": "published",
        "records": 3,
        "events": 2,
        "refused": 1,
    }
    [counter] = [json.loads(printed) for printed in capsys.readouterr().out.splitlines()]
    assert counter["credits_events_published_total"] == [2]
    assert counter["event_type"] == "evt.credits.account.created"


def test_nothing_to_say_asks_nothing_of_aws_and_still_writes_its_line(system: System) -> None:
    assert crossings_of([]) == []

    assert system.requests == []
    assert [line["message"] for line in system.lines()] == ["published"]

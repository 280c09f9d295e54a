"""Whatever a parked body holds, its letter can be listed, shown and put back: one sender must not stop the desk."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.api.dead_letters import REASON_LENGTH_MAX, DeadLetter, body_bytes, fitted
from chalicelib.contracts.letters import CODE_RECORDS_UNPROCESSED, Letter, Parking
from tests.support.builders import SHOP
from tests.support.events import STREAM_ARN

STREAM_INFO = {
    "approximateArrivalOfFirstRecord": "2025-06-01T12:00:00Z",
    "approximateArrivalOfLastRecord": "2025-06-01T12:00:09Z",
    "batchSize": 3,
    "streamArn": STREAM_ARN,
}
CONTEXT = {"functionArn": "arn:aws:lambda:eu-west-1:1:function:roll-up:live", "condition": "RetryAttemptsExhausted"}

ODD = st.sampled_from(
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2025-06-01T12:00:00",
        "arn:aws:lambda:eu-west-1:1:function:\ud800",
        "\u202egpj",
        "9" * 4_000,
        10**400,
        -1,
        1e308,
        float("inf"),
        float("nan"),
        True,
        {"S": SHOP},
        {"S": ["\udfff"]},
        [[]],
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | ODD,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = (
    *("event_type", "detail-type", "eventName", "detail", "payload", "data", "identifiers", "merchant_id"),
    *("dynamodb", "Keys", "NewImage"),
)
EVENTS = st.dictionaries(st.sampled_from(NAMES), VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))


def _mostly(good: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return objects with some of their values gone bad."""

    def of(right: Any) -> st.SearchStrategy[Any]:
        return st.booleans().flatmap(lambda bad: ODD if bad else st.just(right))

    return st.fixed_dictionaries({name: of(right) for name, right in good.items()}) | VALUES


POINTERS = st.fixed_dictionaries({"requestContext": _mostly(CONTEXT), "DDBStreamBatchInfo": _mostly(STREAM_INFO)})
JSON_TEXTS = (EVENTS | POINTERS | VALUES).map(json.dumps)
BODIES = (
    JSON_TEXTS
    | st.text()
    | st.sampled_from(['{"DDBStreamBatchInfo":' * 5_000, '{"a":' + "[" * 100_000, '{"batchSize":' + "9" * 5_000 + "}"])
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["code", "reason", "field", "first_seen", "function", "redriven", "seen_since", "origin", "RULE_ARN", "mine"]
    ),
    st.text(min_size=1) | st.sampled_from(["9" * 300, "x" * 200_000, "²", "\u202e"]),
)


def message(body: str, **attributes: str) -> dict[str, Any]:
    return {
        "MessageId": "m1",
        "ReceiptHandle": "h1",
        "Body": body,
        "Attributes": {"SentTimestamp": "1748779200000"},
        "MessageAttributes": {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    }


@given(body=BODIES, attributes=ATTRIBUTES, parking=st.sampled_from(Parking))
def test_whatever_a_body_and_its_attributes_hold_the_letter_can_be_answered(
    body: str, attributes: dict[str, str], parking: Parking
) -> None:
    letter = Letter.from_message(message(body, **attributes), parking)

    answered = json.loads(DeadLetter.of(letter).model_dump_json())
    assert answered["body_length"] == len(body)
    assert (letter.body, letter.parking) == (body, parking)
    assert len(answered["reason"]) <= REASON_LENGTH_MAX
    assert letter.put_back_with["redriven"] == str(letter.redriven + 1)


@pytest.mark.parametrize("text", ["x", '"', "\\", "\n", "\x80", "漢", "😀"])
@pytest.mark.parametrize("room", [0, 1_000, 300_000, 10**9])
def test_bodies_take_no_more_room_than_there_is_and_the_longest_are_cut(text: str, room: int) -> None:
    bodies = [*(text * 9_000 for _ in range(4)), "", *(text * 3 for _ in range(5))]
    letters = [DeadLetter.of(Letter.from_message(message(body), Parking.INBOX)) for body in bodies]

    fit = fitted(letters, room=room)

    assert sum(body_bytes(letter.body) - body_bytes("") for letter in fit) <= room
    assert all(body.startswith(letter.body) for body, letter in zip(bodies, fit, strict=True))
    assert [letter.body_cut for letter in fit] == [
        len(letter.body) < len(body) for body, letter in zip(bodies, fit, strict=True)
    ]
    assert len({letter.body for letter in fit[:4]}) == 1, "what is equal is cut alike"
    if room >= 1_000:
        assert not any(letter.body_cut for letter in fit[4:]), "the short ones are left"
        assert fit[0].body


@pytest.mark.parametrize("parking", [parking for parking in Parking if parking is not Parking.STREAM])
def test_what_kind_a_letter_is_says_its_queue_and_never_its_sender(parking: Parking) -> None:
    body = json.dumps({"requestContext": CONTEXT, "DDBStreamBatchInfo": STREAM_INFO})

    letter = Letter.from_message(message(body), parking)

    assert (letter.pointer, letter.function, letter.redrivable) == (None, None, True)
    assert letter.code != CODE_RECORDS_UNPROCESSED


def test_a_record_that_a_function_parked_points_to_nothing_whatever_is_in_it() -> None:
    body = json.dumps({"requestContext": CONTEXT, "DDBStreamBatchInfo": STREAM_INFO})

    letter = Letter.from_message(message(body, code="internal", function="roll_up"), Parking.STREAM)

    assert (letter.pointer, letter.function, letter.redrivable) == (None, "roll_up", True)


@pytest.mark.parametrize(
    "changed",
    [
        {"approximateArrivalOfFirstRecord": "0001-01-01T00:00:00+14:00"},
        {"approximateArrivalOfLastRecord": "9999-12-31T23:59:59-14:00"},
        {"batchSize": float("inf")},
        {"batchSize": "3"},
        {"streamArn": "arn:\ud800"},
        {"streamArn": [STREAM_ARN]},
    ],
    ids=str,
)
def test_a_pointer_that_cannot_be_read_is_a_letter_all_the_same(changed: dict[str, Any]) -> None:
    body = json.dumps({"requestContext": CONTEXT, "DDBStreamBatchInfo": STREAM_INFO | changed})

    letter = Letter.from_message(message(body), Parking.STREAM)

    assert (letter.pointer, letter.redrivable) == (None, False)


def test_a_pointer_of_whole_seconds_ends_with_the_last_millisecond_of_its_last() -> None:
    body = json.dumps({"requestContext": CONTEXT, "DDBStreamBatchInfo": STREAM_INFO})

    pointer = Letter.from_message(message(body), Parking.STREAM).pointer

    assert pointer is not None
    assert (pointer.earliest, pointer.latest) == ("2025-06-01T12:00:00.000Z", "2025-06-01T12:00:09.999Z")

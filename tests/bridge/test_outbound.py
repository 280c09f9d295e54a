"""Outbound: an event leaves the queue only after JetStream has confirmed it."""

import asyncio
import json
from collections.abc import Sequence

import nats.errors
import pytest
from nats.js.errors import NoStreamResponseError

from infra.bridge.envelopes import UnpublishableError, publication
from infra.bridge.outbound import Publisher
from infra.bridge.queues import QueueError, QueueUnavailableError, Received
from infra.bridge.reports import BatchReport
from infra.bridge.telemetry import Outcome
from tests.support.bridge_fakes import MERCHANT, FakePublish, FakeQueue, settings


def envelope(
    number: int = 1, event_type: object = "evt.credits.balance_exhausted", **changes: object
) -> dict[str, object]:
    detail = {
        "event_id": f"event-{number}",
        "event_type": "evt.credits.balance_exhausted",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "payload": {"merchant_id": MERCHANT, "balance": 0},
    }
    return {"detail-type": event_type, "source": "credits", "detail": detail, **changes}


def message(body: object, *, receives: int = 1) -> Received:
    text = body if isinstance(body, str) else json.dumps(body)
    return Received(identity=f"id-{text[:9]}", receipt=f"receipt-{text}", body=text, receives=receives)


def publish(messages: Sequence[Received], queue: FakeQueue, jetstream: FakePublish) -> BatchReport:
    return asyncio.run(Publisher(queue, jetstream, settings()).publish(messages))


def test_an_event_is_published_under_its_type_with_cloudevents_headers() -> None:
    event = publication(json.dumps(envelope()))
    assert event.subject == "evt.credits.balance_exhausted"
    assert json.loads(event.payload) == envelope()["detail"]
    assert event.headers == {
        "Nats-Msg-Id": "event-1",
        "ce-specversion": "1.0",
        "ce-id": "event-1",
        "ce-type": "evt.credits.balance_exhausted",
        "ce-source": "credits",
        "ce-time": "2026-01-01T00:00:00.000Z",
        "ce-subject": MERCHANT,
    }


def test_a_confirmed_event_is_deleted_from_the_queue() -> None:
    queue, first = FakeQueue(), message(envelope())
    report = publish([first], queue, FakePublish())
    assert queue.deleted == [first]
    assert report.outcomes == {Outcome.PUBLISHED: 1}


def test_a_repeat_that_jetstream_dropped_is_deleted_too() -> None:
    queue, jetstream = FakeQueue(), FakePublish()
    for _ in range(2):
        report = publish([message(envelope())], queue, jetstream)
    assert report.outcomes == {Outcome.REPEATED: 1}
    assert (len(queue.deleted), len(jetstream.published)) == (2, 1)


@pytest.mark.parametrize("failure", [nats.errors.TimeoutError(), NoStreamResponseError(), TimeoutError()])
def test_only_the_event_that_was_not_confirmed_comes_again_and_later_each_time(failure: Exception) -> None:
    messages = [message(envelope(number), receives=number) for number in (1, 2, 3)]
    queue = FakeQueue()
    jetstream = FakePublish(fail=lambda _, headers: failure if headers["ce-id"] == "event-3" else None)
    report = publish(messages, queue, jetstream)
    assert queue.deleted == messages[:2]
    assert queue.postponed == {messages[2]: 4}
    assert report.unavailable


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[" * 100_000,
        "[]",
        envelope(source="upstream"),
        envelope(event_type="evt.credits.manual_adjustment"),
        envelope(event_type="evt.order.updated"),
        envelope(event_type="evt.credits.recharged"),
        envelope(event_type=5),
        envelope(detail="text"),
        envelope(detail={"payload": {}}),
        envelope(detail={"event_id": "two\r\nlines"}),
        envelope(detail={"event_id": ""}),
        {"event_id": "1", "event_type": "evt.credits.recharged", "payload": {}},
    ],
)
def test_what_is_no_event_of_ours_is_never_published_and_left_to_the_redrive(body: object) -> None:
    queue, jetstream, bad = FakeQueue(), FakePublish(), message(body, receives=2)
    good = message(envelope(7))
    report = publish([bad, good], queue, jetstream)
    assert [headers["ce-id"] for _, _, headers in jetstream.published] == ["event-7"]
    assert (queue.deleted, queue.postponed) == ([good], {bad: 2})
    assert report.outcomes == {Outcome.UNPUBLISHABLE: 1, Outcome.PUBLISHED: 1}
    assert report.unavailable is None


def test_an_event_too_large_for_nats_is_left_to_the_redrive() -> None:
    queue, large = FakeQueue(), message(envelope())
    report = publish([large], queue, FakePublish(fail=lambda *_: nats.errors.MaxPayloadError()))
    assert queue.postponed == {large: 1}
    assert report.outcomes == {Outcome.UNPUBLISHABLE: 1}


def test_no_reason_repeats_what_stands_in_a_payload() -> None:
    with pytest.raises(UnpublishableError) as caught:
        publication(json.dumps(envelope(detail={"event_id": 5, "payload": {"email": "canary@example.org"}})))
    assert "canary" not in str(caught.value)


def test_when_the_queue_cannot_be_told_the_rest_is_given_back_and_the_failure_is_seen() -> None:
    queue = FakeQueue(delete_failure=QueueUnavailableError("Timeout", "no answer"))
    messages = [message(envelope()), message("no json")]
    with pytest.raises(QueueError):
        publish(messages, queue, FakePublish())
    assert list(queue.postponed) == messages[1:]

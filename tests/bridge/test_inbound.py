"""Inbound: each message is settled by what the queue said of that very message."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

import nats.errors
import pytest

from infra.bridge.inbound import Forwarder
from infra.bridge.queues import Entry, QueueRefusedError, QueueUnavailableError, Refusal
from infra.bridge.reports import BatchReport
from infra.bridge.screening import Unsendable, merchant_group, screen
from infra.bridge.telemetry import Outcome
from tests.support.bridge_fakes import MERCHANT, FakeDelivery, FakePublish, FakeQueue, order, settings

LARGEST = 1024 * 1024
PAID = "evt.shopify.webhook.order_paid"


def forward(
    deliveries: Sequence[FakeDelivery],
    queue: FakeQueue,
    publish: FakePublish | None = None,
    *,
    largest_payload: int = LARGEST,
    letters: FakeQueue | None = None,
    **changes: str,
) -> BatchReport:
    known, to_nats = settings(**changes), publish or FakePublish()
    forwarder = Forwarder(queue, to_nats, known, largest_payload=largest_payload, letters=letters)
    return asyncio.run(forwarder.forward(deliveries))


def orders(count: int) -> list[FakeDelivery]:
    return [FakeDelivery(sequence=number, data=order(number)) for number in range(1, count + 1)]


def test_a_confirmed_message_is_acknowledged_and_goes_on_unchanged() -> None:
    body = b'{ "event_type" : "evt.order.updated",\n "payload": {"total": 1.10}, "payload": null} '
    delivery, queue = FakeDelivery(sequence=7, data=body, subject="evt.order.updated"), FakeQueue()
    forward([delivery], queue)
    assert delivery.settled == ["ack"]
    (entry,) = queue.requests[0]
    assert entry.body.encode() == body
    assert entry.attributes == {
        "origin": "nats",
        "subject": "evt.order.updated",
        "stream": "UPSTREAM",
        "stream_sequence": "7",
    }


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"ce-type": "evt.billing.payment_succeeded"}, "evt.billing.payment_succeeded"),
        ({"CE-Type": "EVT.ORDER.UPDATED"}, "EVT.ORDER.UPDATED"),
        ({"ce-type": "evt.order.updated", "Ce-Type": "evt.merchant.created"}, "evt.merchant.created"),
        ({"ce-type": ""}, "unreadable"),
        ({"ce-type": "x" * 5000}, "unreadable"),
        ({"ce-type": "\x00\ufffd"}, "unreadable"),
        ({"ce-type": "evt.order.updated"}, None),
        ({"subject": "evt.billing.payment_succeeded", "origin": "bus", "Nats-Subject": "evt.x"}, None),
        (None, None),
    ],
)
def test_no_header_changes_the_subject_and_one_that_contradicts_it_goes_along(
    headers: dict[str, str] | None, said: str | None
) -> None:
    delivery = FakeDelivery(sequence=1, data=order(1), subject="evt.order.updated", headers=headers)
    queue = FakeQueue()
    forward([delivery], queue)
    (entry,) = queue.requests[0]
    assert (entry.attributes["origin"], entry.attributes["subject"]) == ("nats", "evt.order.updated")
    assert entry.attributes.get("ce_type") == said
    assert len(entry.attributes) == 4 + (said is not None)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (
            {
                "ce-type": PAID,
                "ce-id": "1",
                "ce-time": "2026-11-20T10:00:00Z",
                "ce-subject": MERCHANT,
                "ce-source": "shop",
            },
            {"id": "1", "time": "2026-11-20T10:00:00Z", "subject": MERCHANT},
        ),
        ({"CE-TYPE": PAID, "Ce-Id": "1", "ce-CorrelationId": "c1"}, {"id": "1", "correlationid": "c1"}),
        ({"ce-type": PAID, "ce-id": "x" * 256, "ce-subject": "\x00", "ce-time": ""}, None),
        ({"ce-type": PAID, "ce-id": "é"}, None),
        ({"ce-id": "1", "ce-subject": MERCHANT}, None),
        ({"ce-type": PAID}, None),
    ],
)
def test_the_headers_of_a_cloud_event_in_binary_mode_go_along_as_one_attribute(
    headers: dict[str, str], kept: dict[str, str] | None
) -> None:
    delivery, queue = FakeDelivery(sequence=1, data=order(1), subject=PAID, headers=headers), FakeQueue()
    forward([delivery], queue)
    (entry,) = queue.requests[0]
    said = entry.attributes.get("cloud_event")
    assert (json.loads(said) if said else None) == kept
    assert "ce_type" not in entry.attributes


def test_in_a_batch_that_failed_in_part_only_the_failed_are_asked_for_again() -> None:
    deliveries = orders(5)

    def refuse(entry: Entry) -> Refusal | None:
        late = entry.attributes["stream_sequence"] in {"2", "4"}
        return Refusal(code="InternalError", reason="try later") if late else None

    report = forward(deliveries, FakeQueue(refuse=refuse))
    assert [delivery.settled for delivery in deliveries] == [["ack"], ["nak 1"], ["ack"], ["nak 1"], ["ack"]]
    assert report.outcomes == {Outcome.FORWARDED: 3, Outcome.RETRIED: 2}
    assert report.unavailable is None


def test_an_entry_that_the_queue_did_not_mention_is_not_acknowledged() -> None:
    deliveries = orders(3)
    forward(deliveries, FakeQueue(forget=frozenset({"1"})))
    assert [delivery.settled for delivery in deliveries] == [["ack"], ["nak 1"], ["ack"]]


def test_the_delay_grows_with_each_delivery_up_to_its_bound() -> None:
    deliveries = [FakeDelivery(sequence=n, data=order(n), attempt=n) for n in (1, 2, 3, 9, 5000)]
    forward(deliveries, FakeQueue(failures=[QueueUnavailableError("Timeout", "no answer")]))
    assert [delivery.settled for delivery in deliveries] == [
        ["nak 1"],
        ["nak 2"],
        ["nak 4"],
        ["nak 60"],
        ["nak 60"],
    ]


def test_once_the_queue_is_away_the_rest_of_the_batch_is_not_tried() -> None:
    deliveries = orders(25)
    queue = FakeQueue(failures=[QueueUnavailableError("Timeout", "no answer")])
    report = forward(deliveries, queue)
    assert len(queue.requests) == 1
    assert all(delivery.settled == ["nak 1"] for delivery in deliveries)
    assert report.unavailable == "Timeout: no answer"


def test_a_refused_request_is_sent_again_one_by_one_and_only_the_bad_message_is_parked() -> None:
    deliveries, publish = orders(3), FakePublish()
    refused = QueueRefusedError("InvalidMessageContents", "a character")
    queue = FakeQueue(failures=[refused, refused])
    forward(deliveries, queue, publish)
    assert [delivery.settled for delivery in deliveries] == [["term"], ["ack"], ["ack"]]
    assert publish.published[0][2]["Parked-Code"] == "refused_by_queue"


def test_a_message_refused_for_another_parameter_is_asked_for_again_and_not_parked() -> None:
    deliveries, publish = orders(1), FakePublish()
    forward(deliveries, FakeQueue(failures=[QueueRefusedError("InvalidParameterValue", "x")]), publish)
    assert deliveries[0].settled == ["nak 1"]
    assert publish.published == []


def test_what_the_bridge_published_itself_is_acknowledged_and_not_brought_back() -> None:
    own = FakeDelivery(
        sequence=1, data=order(1), subject="evt.credits.manual_adjustment", headers={"CE-Source": "credits"}
    )
    foreign = FakeDelivery(sequence=2, data=order(2), headers={"ce-source": "billing"})
    queue = FakeQueue()
    report = forward([own, foreign], queue)
    assert own.settled == foreign.settled == ["ack"]
    assert [entry.attributes["stream_sequence"] for entry in queue.requests[0]] == ["2"]
    assert report.outcomes == {Outcome.OWN: 1, Outcome.FORWARDED: 1}


def test_requests_hold_ten_entries_and_no_more_bytes_than_allowed() -> None:
    deliveries = [FakeDelivery(sequence=n, data=b"x" * 900) for n in range(23)]
    queue = FakeQueue()
    forward(deliveries, queue, BRIDGE_MESSAGE_BYTES="1024", BRIDGE_REQUEST_BYTES="2048")
    assert [len(request) for request in queue.requests] == [2] * 11 + [1]
    wide = FakeQueue()
    forward(orders(23), wide)
    assert [len(request) for request in wide.requests] == [10, 10, 3]
    assert all(len({entry.identity for entry in request}) == len(request) for request in wide.requests)


def test_messages_behind_a_slow_request_keep_their_time() -> None:
    deliveries = [FakeDelivery(sequence=n, data=b"x" * 900) for n in range(5)]
    forward(deliveries, FakeQueue(), BRIDGE_MESSAGE_BYTES="1024", BRIDGE_REQUEST_BYTES="2048")
    assert [delivery.settled for delivery in deliveries] == [
        ["ack"],
        ["ack"],
        ["wait", "ack"],
        ["wait", "ack"],
        ["wait", "wait", "ack"],
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"x" * 2000, "too_large"),
        (b"caf\xe9", "not_utf8"),
        (b"\xed\xa0\x80", "not_utf8"),
        (b"a\x00b", "forbidden_character"),
        ("￿".encode(), "forbidden_character"),
    ],
)
def test_what_can_never_be_sent_is_parked_with_its_reason_and_then_terminated(body: bytes, code: str) -> None:
    delivery, neighbour, publish = (
        FakeDelivery(sequence=9, data=body),
        FakeDelivery(sequence=10, data=order(10)),
        FakePublish(),
    )
    forward([delivery, neighbour], FakeQueue(), publish, BRIDGE_MESSAGE_BYTES="1024")
    ((subject, parked, headers),) = publish.published
    assert (subject, parked) == ("parked.credit-service", body)
    assert headers["Parked-Code"] == code
    assert headers["Parked-Reason"].endswith(".")
    assert (headers["Parked-Subject"], headers["Parked-Stream"], headers["Parked-Stream-Sequence"]) == (
        "evt.shopify.webhook.order_paid",
        "UPSTREAM",
        "9",
    )
    assert delivery.settled == ["term"]
    assert neighbour.settled == ["ack"]


def test_what_is_parked_is_named_in_a_letter_that_says_why_whose_and_where_it_is_kept() -> None:
    letters, publish = FakeQueue(), FakePublish()
    delivery = FakeDelivery(sequence=9, data=order(1) + b" " * 2000)
    forward([delivery], FakeQueue(), publish, letters=letters, BRIDGE_MESSAGE_BYTES="1024")
    ((entry,),) = letters.requests
    body = json.loads(entry.body)
    assert (body["event_type"], body["payload"]) == (delivery.subject, {"merchant_id": MERCHANT})
    assert body["kept"] == {
        "stream": "PARKED",
        "sequences": [1],
        "bytes": len(delivery.data),
        "sha256": sha256(delivery.data).hexdigest(),
    }
    assert entry.attributes == {
        "code": "too_large",
        "reason": entry.attributes["reason"],
        "origin": "bridge",
        "subject": delivery.subject,
        "stream": "UPSTREAM",
        "stream_sequence": "9",
        "first_seen": "2026-01-01T00:00:00.000Z",
    }
    assert entry.attributes["reason"].endswith("NATS keeps it in the stream PARKED, sequence 1.")
    assert delivery.settled == ["term"]


@pytest.mark.parametrize(
    "letters",
    [
        FakeQueue(failures=[QueueUnavailableError("Timeout", "no answer")]),
        FakeQueue(refuse=lambda _: Refusal(code="InternalError", reason="later")),
        FakeQueue(forget=frozenset({"letter"})),
    ],
    ids=["away", "refused", "unanswered"],
)
def test_a_message_is_not_given_up_before_the_dead_letters_have_it(letters: FakeQueue) -> None:
    delivery, publish = FakeDelivery(sequence=1, data=b""), FakePublish()
    report = forward([delivery], FakeQueue(), publish, letters=letters)
    assert delivery.settled == ["nak 1"]
    assert report.outcomes == {Outcome.RETRIED: 1}
    again = FakeQueue()
    forward([delivery], FakeQueue(), publish, letters=again)
    assert (delivery.settled, len(publish.published), len(again.requests)) == (["nak 1", "term"], 1, 1)


@pytest.mark.parametrize("failure", [nats.errors.TimeoutError(), nats.errors.NoRespondersError()])
def test_a_message_is_not_given_up_before_the_parking_stream_has_it(failure: Exception) -> None:
    delivery = FakeDelivery(sequence=1, data=b"", attempt=3)
    forward([delivery], FakeQueue(), FakePublish(fail=lambda *_: failure))
    assert delivery.settled == ["nak 4"]


def test_a_body_that_leaves_no_room_for_headers_is_parked_in_parts_that_make_the_whole() -> None:
    body, publish = bytes(range(256)) * 80, FakePublish()
    forward([FakeDelivery(sequence=1, data=body)], FakeQueue(), publish, largest_payload=len(body))
    assert b"".join(part for _, part, _ in publish.published) == body
    assert [headers["Parked-Part"] for _, _, headers in publish.published] == ["1/2", "2/2"]
    assert len({headers["Nats-Msg-Id"] for _, _, headers in publish.published}) == 2


def test_parking_again_adds_nothing() -> None:
    publish = FakePublish()
    for _ in range(2):
        forward([FakeDelivery(sequence=1, data=b"")], FakeQueue(), publish)
    assert len(publish.published) == 1


def test_the_limit_counts_the_attributes_and_includes_its_own_size() -> None:
    attributes = {"origin": "nats"}
    room = 1024 - len("origin") - len("String") - len("nats")
    assert screen(b"x" * room, attributes, limit=1024) == "x" * room
    assert isinstance(screen(b"x" * (room + 1), attributes, limit=1024), Unsendable)


@pytest.mark.parametrize(
    "body",
    [
        {"payload": {"merchant_id": MERCHANT}},
        {"data": {"merchant_id": MERCHANT.upper()}},
        {"payload": {"merchant_id": MERCHANT.replace("-", "")}},
        {"payload": {"identifiers": {"merchant_id": MERCHANT}}},
        {"merchant_id": MERCHANT, "payload": {}},
    ],
)
def test_the_merchant_is_found_in_every_spelling_and_makes_the_same_group(body: Mapping[str, object]) -> None:
    assert merchant_group(json.dumps(body)) == MERCHANT


@pytest.mark.parametrize(
    ("body", "group"),
    [
        (
            {"headers": {"x-shopify-shop-domain": "Tea.myshopify.com"}, "payload": {"id": 1}},
            "shopify:tea.myshopify.com",
        ),
        ({"metadata": {"X-Shopify-Shop-Domain": "tea.myshopify.com"}, "payload": {}}, "shopify:tea.myshopify.com"),
        ({"payload": {"headers": {"X-Shopify-Shop-Domain": "tea.example"}, "payload": {}}}, "shopify:tea.example"),
        ({"payload": {"type": "invoice.paid", "data": {"object": {"customer": "cus_1"}}}}, "stripe:cus_1"),
        ({"headers": {"X-Shopify-Topic": "orders/paid"}, "payload": {"id": 1}}, None),
        (
            {"headers": {"X-Shopify-Shop-Domain": 5}, "payload": {"data": {"object": {"customer": {"id": "cus_1"}}}}},
            None,
        ),
        ({"headers": ["X-Shopify-Shop-Domain"], "payload": {"data": []}}, None),
    ],
)
def test_a_webhook_is_grouped_by_its_shop_or_customer(body: Mapping[str, object], group: str | None) -> None:
    assert merchant_group(json.dumps(body)) == group


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[" * 100_000,
        "9" * 5000,
        "[]",
        "null",
        '{"payload": []}',
        '{"payload": {"identifiers": 3}}',
        '{"payload": {"merchant_id": 5}}',
        '{"payload": {"merchant_id": ""}}',
        '{"payload": {"merchant_id": "two words"}}',
        '{"payload": {"merchant_id": "%s"}}' % ("x" * 129),
        '{"payload": {"merchant_id": "é"}}',
        '{"payload": {"merchant_id": "\\ud800"}}',
    ],
)
def test_a_body_without_a_usable_merchant_has_no_group(text: str) -> None:
    assert merchant_group(text) is None

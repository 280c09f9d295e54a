"""A replay that was broken off between its two calls is run again: no stream is passed over."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.bridge import replay
from infra.bridge.subjects import INBOUND_TYPES

SINCE = datetime(2025, 6, 1, 12, tzinfo=UTC)
STREAM = "UPSTREAM"


class JetStream:
    """One stream with a consumer or none; `lost` is the call whose answer does not come."""

    def __init__(self, consumer: dict[str, Any] | None, *, lost: str | None = None) -> None:
        self.consumer = consumer
        self.lost = lost

    async def request(self, subject: str, payload: bytes, *, timeout: float) -> Any:  # noqa: ASYNC109 - the client's own
        call, asked = subject.removeprefix("$JS.API.CONSUMER."), json.loads(payload)
        answer: dict[str, Any] = {}
        if call.startswith("INFO"):
            answer = {"config": self.consumer} if self.consumer else {"error": {"err_code": replay.NO_SUCH_CONSUMER}}
        elif call.startswith("DELETE"):
            self.consumer = None
        elif call.startswith("DURABLE.CREATE"):
            self.consumer, answer = asked["config"], {"num_pending": 7}
        if self.lost and call.startswith(self.lost):
            raise TimeoutError(timeout)
        return SimpleNamespace(data=json.dumps(answer).encode())

    def again(self, inbound: list[str]) -> int | None:
        return asyncio.run(replay._again(cast("Any", self), STREAM, inbound, SINCE))


@pytest.mark.parametrize("lost", ["DELETE", "DURABLE.CREATE"])
def test_a_consumer_that_was_removed_is_made_by_the_next_run(lost: str) -> None:
    stream = JetStream({"durable_name": "credit-service", "ack_policy": "explicit"}, lost=lost)
    with pytest.raises(TimeoutError):
        stream.again(list(INBOUND_TYPES))
    stream.lost = None

    assert stream.again(list(INBOUND_TYPES)) == 7
    assert stream.consumer is not None
    assert (stream.consumer["deliver_policy"], stream.consumer["opt_start_time"]) == (
        "by_start_time",
        "2025-06-01T12:00:00Z",
    )
    assert stream.consumer["durable_name"] == "credit-service"


def test_a_stream_without_events_in_gets_no_consumer() -> None:
    stream = JetStream(None)

    assert (stream.again([]), stream.consumer) == (None, None)

"""The event bus on EventBridge: publishes in batches, and returns the events that it did not accept."""

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.contracts.outbound.published import PublishedEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "credits"
ENTRIES_MAX = 10
"""Entries that one PutEvents takes."""
PUT_TRIES_MAX = 4
PAUSE_SECONDS = 0.1
PUT_MARGIN_SECONDS = 2.0
"""What is left of a call's time for answering: no request is begun inside it."""


class EventBridgeBus:
    """Puts events on the bus, source `credits`, at least once each."""

    def __init__(self, client: "EventBridgeClient", *, bus: str, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._bus = bus
        self._sleep = sleep

    def publish(
        self, events: Sequence[PublishedEvent], *, remaining_seconds: Callable[[], float] = lambda: inf
    ) -> list[PublishedEvent]:
        """Publish `events`, ten in a request, and return those that the bus did not accept after a few attempts.

        PutEvents fails entry by entry: only the failed ones are sent again, and an event's id identifies a repeat. No
        request starts when the call's time is short: events not sent are returned too.
        """
        pending = list(events)
        for attempt in range(PUT_TRIES_MAX):
            pause = PAUSE_SECONDS * 2**attempt if attempt else 0
            if not pending or remaining_seconds() < PUT_MARGIN_SECONDS + pause:
                break
            if pause:
                self._sleep(pause)
            pending = [
                event
                for start in range(0, len(pending), ENTRIES_MAX)
                for event in self._put(pending[start : start + ENTRIES_MAX], remaining_seconds)
            ]
        return pending

    def _put(
        self, events: Sequence[PublishedEvent], remaining_seconds: Callable[[], float]
    ) -> Sequence[PublishedEvent]:
        if remaining_seconds() < PUT_MARGIN_SECONDS:
            return events
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": event.event_type,
                        "Detail": event.detail(),
                        "EventBusName": self._bus,
                        "Time": event.time,
                    }
                    for event in events
                ]
            )
        except (ClientError, BotoCoreError):
            return events
        return [event for event, entry in zip(events, answer["Entries"], strict=True) if entry.get("ErrorCode")]

"""What `credits doctor` reports of streams."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.dynamodb.fleet import BridgeView, StreamMark
from infra.commands.checks import in_order, troubles

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def mark(
    *, ok: bool = True, waiting: int = 0, age: int | None = None, dropped: int = 0, dropped_ago: timedelta | None = None
) -> StreamMark:
    return StreamMark(
        name="SHOPIFY",
        ok=ok,
        detail="in place" if ok else "its consumer is paused",
        waiting=waiting,
        oldest_at=None if age is None else NOON - timedelta(seconds=age),
        dropped=dropped,
        dropped_at=None if dropped_ago is None else NOON - dropped_ago,
    )


@pytest.mark.parametrize(
    ("stream", "failing", "odd"),
    [
        (mark(), [], []),
        (mark(waiting=5, age=299), [], []),
        (mark(dropped=5, dropped_ago=timedelta(days=8)), [], []),
        (mark(ok=False, waiting=1200), ["SHOPIFY: its consumer is paused (1,200 wait)"], []),
        (mark(waiting=5, age=301), [], ["SHOPIFY: 5 wait, the oldest for 301 s"]),
        (
            mark(dropped=5, dropped_ago=timedelta(days=1)),
            [],
            ["SHOPIFY dropped up to 5 messages before they were read, at last 2025-05-31 12:00:00+00:00"],
        ),
    ],
)
def test_a_stream_that_fails_waits_or_has_dropped_messages_is_named(
    stream: StreamMark, failing: list[str], odd: list[str]
) -> None:
    assert troubles(BridgeView(streams=(stream,)), NOON) == (failing, odd)


def test_a_warning_is_worth_a_look() -> None:
    assert troubles(BridgeView(streams=(mark(),), warnings=("mind the limits",)), NOON) == ([], ["mind the limits"])


def test_subjects_without_a_stream_are_named_and_no_fault() -> None:
    seen = BridgeView(streams=(mark(waiting=2),), unowned=("evt.order.updated",))
    assert troubles(seen, NOON) == ([], [])
    assert in_order(seen) == "SHOPIFY: all read, 2 wait; no stream takes evt.order.updated"

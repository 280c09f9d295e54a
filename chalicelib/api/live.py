"""The figures of the live view, from the fleet, the counters of all containers, and the queues."""

from collections.abc import Iterable
from datetime import datetime

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.fleet import FleetReader
from chalicelib.adapters.dynamodb.recent_events import RecentEvents
from chalicelib.adapters.queues import Queues
from chalicelib.contracts.api.fleet import Activity, FleetStatus, ThresholdEvent, Waiting
from chalicelib.domain.ids import instant
from chalicelib.telemetry import COUNT, OLDEST_SECONDS, SUM, over_labels, sample


def activity_now(
    fleet: FleetReader,
    recent: RecentEvents,
    queues: Queues,
    *,
    inbox_url: str,
    waiting_url: str,
    dead_letter_urls: Iterable[str],
    now: datetime,
) -> Activity:
    """Return the latest figures; raises `RetryLater` if a table or a queue does not answer."""
    with transient_faults("the queues"):
        read = fleet.read()
        inbox = queues.waiting(inbox_url)
        for_ground = sum(queues.waiting(waiting_url))
        dead_letters = sum(sum(queues.waiting(url)) for url in dead_letter_urls)
        events = recent.read()
    return Activity(
        as_of=instant(now),
        fleet=FleetStatus.of(read.figures),
        transactions=read.figures.transactions,
        orders=read.figures.orders,
        duplicates=over_labels(read.counters, "credits_duplicates_total"),
        conflicts=over_labels(read.counters, "credits_conflicts_total"),
        ignored=over_labels(read.counters, "credits_events_ignored_total"),
        parked=over_labels(read.counters, "credits_messages_parked_total"),
        shortfall=read.figures.shortfall,
        batches=over_labels(read.counters, OLDEST_SECONDS + COUNT),
        oldest_message_seconds=round(max(0.0, read.counters.get(sample(OLDEST_SECONDS + SUM), 0.0)), 3),
        inbox=Waiting(waiting=inbox.waiting, under_way=inbox.under_way + for_ground),
        dead_letters=dead_letters,
        bridge_seen_at=instant(read.marks.heartbeat) if read.marks.heartbeat else None,
        drift=read.marks.drift,
        threshold_events=[ThresholdEvent.model_validate(event) for event in events],
    )

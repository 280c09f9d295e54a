"""The live view of the service: the fleet, the counters and the queues (contract, section 6)."""

from chalicelib.contracts.api.fleet import FleetStatus
from chalicelib.contracts.api.model import Model


class Waiting(Model):
    """Messages of a queue: those that wait, and those that a function is processing or has delayed."""

    waiting: int
    under_way: int


class ThresholdEvent(Model):
    """One of the latest threshold events of the fleet."""

    time: str
    event_type: str
    event_id: str
    merchant_id: str
    transaction_id: str | None
    sequence: int
    balance: int
    status: str | None


class Activity(Model):
    """The latest figures. Counters count since the beginning: the difference of two answers is a rate."""

    as_of: str
    fleet: FleetStatus
    transactions: int
    orders: int
    duplicates: int
    conflicts: int
    ignored: int
    parked: int
    shortfall: int
    inbox: Waiting
    batches: int
    oldest_message_seconds: float
    dead_letters: int
    bridge_seen_at: str | None
    drift: int | None
    threshold_events: list[ThresholdEvent]

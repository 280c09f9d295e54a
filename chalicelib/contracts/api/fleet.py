"""The fleet in figures, and the live view of the service: its counters and queues (contract, section 6)."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain.figures import Figures


class FleetStatus(Model):
    """The fleet in figures. A percentage and an average are no credits: they have two decimals."""

    total_merchants: int
    enabled_count: int
    disabled_count: int
    enabled_percentage: float
    average_balance: float
    zero_balance_count: int
    low_balance_count: int

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """Return the answer's `data`; an empty fleet has 0 throughout."""
        merchants = max(figures.merchants, 1)
        return cls(
            total_merchants=figures.merchants,
            enabled_count=figures.enabled,
            disabled_count=figures.disabled,
            enabled_percentage=round(100 * figures.enabled / merchants, 2),
            average_balance=round(figures.balance / merchants, 2),
            zero_balance_count=figures.zero,
            low_balance_count=figures.low,
        )


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

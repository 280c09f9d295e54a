"""Everything in /metrics, read together: the fleet's figures, all containers' counters, the marks of other parts."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from chalicelib.adapters.dynamodb.batch_read import batch_read
from chalicelib.adapters.dynamodb.container_counters import ContainerCounters
from chalicelib.adapters.dynamodb.due_list import Pending
from chalicelib.adapters.dynamodb.faults import pages, transient_faults
from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.domain.due import as_of
from chalicelib.domain.figures import Figures, contribution, total
from chalicelib.domain.ids import MerchantId, instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HEARTBEAT = "heartbeat#bridge"
"""The bridge's heartbeat: its attribute `at` is a time, `look` the bridge's view of NATS, as JSON."""
RECONCILED = "reconcile"
"""The daily comparison's last result: its attribute `drift` counts the differences."""
DUE = "due"
"""The sweep of what falls due: its attribute `until` is a time by which all that was due has been posted."""
MERCHANTS_MAX = 1000
"""The most merchants for which each has its own metric (contract, section 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMark:
    """A stream of NATS as the bridge last saw it. `ok` is False where it cannot be read, and `detail` is the reason.

    `waiting` messages are not acknowledged, the oldest since `oldest_at`; `dropped` were dropped by the stream before
    they were read, the last of them at `dropped_at`.
    """

    name: str
    ok: bool
    detail: str
    waiting: int
    oldest_at: datetime | None
    dropped: int
    dropped_at: datetime | None

    def age_seconds(self, now: datetime) -> float:
        """Return how long the oldest message has waited, 0 where none waits."""
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeView:
    """The bridge's last view of NATS: each stream, inbound subjects without one, and warnings."""

    streams: tuple[StreamMark, ...] = ()
    unowned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, heartbeat: Mapping[str, Any] | None) -> Self:
        """Return the content of the heartbeat's item; empty for an item of another version of the bridge."""
        try:
            look = json.loads(heartbeat["look"]["S"]) if heartbeat and "look" in heartbeat else {}
            return cls(
                streams=tuple(_mark(stream) for stream in look.get("streams", ())),
                unowned=tuple(look.get("unowned", ())),
                warnings=tuple(look.get("warnings", ())),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Marks of other parts; None: none yet.

    `heartbeat` is the bridge's last, `drift` the last comparison's. All that was due by `due_until` has been posted.
    """

    heartbeat: datetime | None
    bridge: BridgeView
    drift: int | None
    due_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What is known of the fleet: the accounts' figures, the counters of all containers, and the other parts' marks."""

    figures: Figures
    counters: Mapping[str, float]
    marks: Marks


class FleetReader:
    """Reads the figures table; of the credits table the due accounts, and all balances for metrics per merchant."""

    def __init__(self, client: "DynamoDBClient", *, figures_table: str, credits_table: str) -> None:
        self._client = client
        self._pending = Pending(client, credits_table=credits_table)
        self._credits_table = credits_table
        self._figures = DynamoDBFigures(client, table=figures_table)
        self._counters = ContainerCounters(client, table=figures_table)

    def figures(self) -> Figures:
        """Return the fleet's figures as of now; raises `RetryLater` when they cannot be read.

        An account that time has changed counts as changed, whether that was posted or not.
        """
        counted = self._figures.fleet()
        return total([counted, *self._due()])

    def read(self) -> Fleet:
        """Return all that is known of the fleet; raises `RetryLater` when it cannot be read."""
        return Fleet(figures=self.figures(), counters=self._counters.sums(), marks=self.marks())

    def _due(self) -> Iterator[Figures]:
        """Yield the difference between each due account and its counted figures."""
        merchants = self._pending.merchants()
        if not merchants:
            return
        known = self._figures.counted(merchants)
        keys = [{"merchant_id": {"S": merchant_id}} for merchant_id in known]
        now = instant(datetime.now(UTC))
        with transient_faults():
            for _, items in batch_read(self._client, self._credits_table, keys, component="the accounts"):
                for item in items:
                    account = as_of(account_from(item, answering=True), now)
                    yield contribution(account).figures - known[account.merchant_id].figures

    def marks(self) -> Marks:
        """Return the marks of other parts; raises `RetryLater` when they cannot be read."""
        marks = {item["id"]["S"]: item for item in self._figures.read([HEARTBEAT, RECONCILED, DUE])}
        heartbeat = marks.get(HEARTBEAT)
        reconciled = marks.get(RECONCILED)
        return Marks(
            heartbeat=datetime.fromisoformat(heartbeat["at"]["S"]) if heartbeat else None,
            bridge=BridgeView.of(heartbeat),
            drift=int(reconciled["drift"]["N"]) if reconciled and "drift" in reconciled else None,
            due_until=_instant(marks[DUE]["until"]["S"]) if DUE in marks else None,
        )

    def balances(self) -> dict[MerchantId, int] | None:
        """Return the balance of every merchant, None if there are too many for metrics per merchant."""
        found: dict[MerchantId, int] = {}
        asked = {"TableName": self._credits_table, "ProjectionExpression": "merchant_id, balance"}
        for page in pages(self._client.scan, **asked):
            found |= {MerchantId(item["merchant_id"]["S"]): int(item["balance"]["N"]) for item in page["Items"]}
            if len(found) >= MERCHANTS_MAX:
                return None
        return found


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _mark(stream: Mapping[str, Any]) -> StreamMark:
    return StreamMark(
        name=stream["name"],
        ok=stream["ok"],
        detail=stream["detail"],
        waiting=stream["waiting"],
        oldest_at=_instant(stream["oldest_at"]),
        dropped=stream["dropped"],
        dropped_at=_instant(stream["dropped_at"]),
    )

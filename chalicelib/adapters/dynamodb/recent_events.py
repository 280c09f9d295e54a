"""The latest threshold events of the whole fleet, in one small item of the figures table, for a live view.

A view, not the ledger: events that two shards write at the same moment may be missing; the ledger has them all.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.contracts.outbound.payloads import StatusChanged
from chalicelib.contracts.outbound.published import PublishedEvent
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECENT = "recent"
"""The item's key."""
KEPT_MAX = 12
"""Events that are kept: below 4 KB, so a write costs four units at most, and only a crossing causes one."""
TRIES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentEvent:
    """A threshold event: merchant, time, and the balance after it; `transaction_id` as in the event.

    `status` is that of the plugin where the event says that it was switched: a freeze switches one off with credits.
    """

    time: Instant
    event_type: str
    event_id: str
    merchant_id: MerchantId
    transaction_id: TransactionId | None
    sequence: int
    balance: int
    status: str | None = None

    @classmethod
    def of(cls, event: PublishedEvent) -> Self:
        """Return the kept part of `event`."""
        return cls(
            time=instant(event.time),
            event_type=event.event_type,
            event_id=event.event_id,
            merchant_id=event.merchant_id,
            transaction_id=event.payload.transaction_id,
            sequence=event.payload.sequence,
            balance=event.payload.balance,
            status=event.payload.current_status if isinstance(event.payload, StatusChanged) else None,
        )


class RecentEvents:
    """Notes events, and reads the latest. Both may raise what botocore raises."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._figures = DynamoDBFigures(client, table=table)

    def note(self, events: Iterable[RecentEvent]) -> None:
        """Add the events to the latest; a repeat changes nothing. Gives up if others write all the time."""
        news = {event.event_id: event for event in events}
        for _ in range(TRIES_MAX):
            item = self._item()
            known = {event.event_id: event for event in _events(item)}
            latest = _latest({**known, **news}.values())
            if latest == list(known.values()) or self._put(latest, item):
                return

    def read(self) -> list[RecentEvent]:
        """Return the latest events, newest first."""
        return _events(self._item())

    def _item(self) -> dict[str, Any]:
        return dict(next(iter(self._figures.read([RECENT])), {}))

    def _put(self, events: list[RecentEvent], known: dict[str, Any]) -> bool:
        """Write the item if it is still the known one, and return whether it was."""
        writes = int(known["writes"]["N"]) if known else 0
        item: dict[str, Any] = {
            "id": {"S": RECENT},
            "writes": {"N": str(writes + 1)},
            "events": {"S": json.dumps([asdict(event) for event in events], separators=(",", ":"))},
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if known:
            condition = {
                "ConditionExpression": "writes = :writes",
                "ExpressionAttributeValues": {":writes": {"N": str(writes)}},
            }
        return self._figures.put(item, condition)


def _latest(events: Iterable[RecentEvent]) -> list[RecentEvent]:
    newest_first = sorted(events, key=lambda event: (event.time, event.merchant_id, event.sequence), reverse=True)
    return newest_first[:KEPT_MAX]


def _events(item: dict[str, Any]) -> list[RecentEvent]:
    # A newer release may keep more of an event.
    known = {field.name for field in fields(RecentEvent)}
    kept = json.loads(item["events"]["S"]) if item else []
    return [RecentEvent(**{name: value for name, value in event.items() if name in known}) for event in kept]

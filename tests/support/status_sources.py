"""Fakes of the sources of plugin statuses: a shared cache and a table, each readable or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ConnectTimeoutError

from chalicelib.adapters.dynamodb.status_table import DynamoDBStatusTable
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.plugin_status import KnownStatus
from chalicelib.ports import SharedStatuses
from chalicelib.usecases.plugin_status import PluginStatuses

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 15
STALE_SECONDS = 300
TABLE = "credits"


@dataclass
class FakeShared:
    """The shared cache in memory, with the one rule of the real one: a newer version stays."""

    held: dict[MerchantId, KnownStatus] = field(default_factory=dict)
    broken: bool = False
    reads: list[tuple[MerchantId, ...]] = field(default_factory=list)

    def read(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, KnownStatus] | None:
        asked = tuple(merchants)
        self.reads.append(asked)
        return None if self.broken else {merchant: self.held[merchant] for merchant in asked if merchant in self.held}

    def write(
        self, statuses: Mapping[MerchantId, KnownStatus], *, now: datetime
    ) -> dict[MerchantId, KnownStatus] | None:
        assert all(status.as_of <= now for status in statuses.values())
        if self.broken:
            return None
        for merchant, status in statuses.items():
            held = self.held.get(merchant)
            if held is None or (held.version, held.as_of) < (status.version, status.as_of):
                self.held[merchant] = status
        return {merchant: self.held[merchant] for merchant in statuses}


@dataclass
class FakeTable:
    """The credits table as DynamoDB answers: (version, balance) of each merchant that has an account.

    All have the attributes `of_time` too. It cannot be read while `broken`, and leaves `unprocessed` keys of each batch
    unanswered.
    """

    rows: dict[MerchantId, tuple[int, int]] = field(default_factory=dict)
    broken: bool = False
    unprocessed: int = 0
    of_time: Mapping[str, str] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)

    def get_item(self, **request: Any) -> dict[str, Any]:
        self._called(1)
        found = self._item(request["Key"])
        return {"Item": found} if found else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        keys = request["RequestItems"][TABLE]["Keys"]
        assert len({key["merchant_id"]["S"] for key in keys}) == len(keys) <= 100
        self._called(len(keys))
        answered = len(keys) - self.unprocessed
        items = [item for key in keys[:answered] if (item := self._item(key))]
        left = {TABLE: {"Keys": keys[answered:]}} if answered < len(keys) else {}
        return {"Responses": {TABLE: items}, "UnprocessedKeys": left}

    def _called(self, keys: int) -> None:
        self.calls.append(keys)
        if self.broken:
            raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    def _item(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        row = self.rows.get(key["merchant_id"]["S"])
        if row is None:
            return None
        version, balance = row
        texts = {name: {"S": text} for name, text in self.of_time.items()}
        return {**key, "version": {"N": str(version)}, "balance": {"N": str(balance)}, **texts}


def container(table: FakeTable, shared: SharedStatuses | None = None) -> PluginStatuses:
    """Return the statuses of a fresh container."""
    return PluginStatuses(
        DynamoDBStatusTable(cast("DynamoDBClient", table), table=TABLE),
        cache_seconds=CACHE_SECONDS,
        stale_seconds=STALE_SECONDS,
        shared=shared,
    )

"""Plugin status, read with one eventually consistent GetItem of one attribute and kept in memory for a while.

Per container. What was read last also answers when the table cannot be read (spec, section 6): the rule is
last known, or else disabled, never enabled out of nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.contracts.plugin_status import UNKNOWN_MERCHANT_SECONDS, PluginStatus, Reason
from chalicelib.domain.movements import MerchantId, instant
from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KNOWN_MERCHANTS_MAX = 10_000
"""Merchants whose last status a container remembers; the one asked for longest ago goes first."""


@dataclass(frozen=True, slots=True)
class _Seen:
    reason: Reason
    at: datetime


class PluginStatuses:
    """Answers plugin statuses from memory for `cache_seconds`, else from the table.

    When the table cannot be read, the last known status goes on for `stale_seconds` from its reading.
    """

    def __init__(self, client: "DynamoDBClient", *, table: str, cache_seconds: int, stale_seconds: int) -> None:
        self._client = client
        self._table = table
        self._cache_seconds = cache_seconds
        self._stale_seconds = stale_seconds
        self._seen: dict[MerchantId, _Seen] = {}

    def of(self, merchant_id: MerchantId, *, now: datetime) -> PluginStatus:
        """Return the merchant's status; its `stale` or `unavailable` tells that the table could not be read."""
        seen = self._seen.get(merchant_id)
        if seen is not None and _age(seen, now) < self._cache_seconds:
            return self._fresh(seen, now)
        try:
            enabled = self._read(merchant_id)
        except (ClientError, BotoCoreError) as error:
            logger.warning("plugin status unreadable", merchant_id=merchant_id, reason=_reason(error))
            return self._without_the_table(seen, now)
        if enabled is None:
            self._seen.pop(merchant_id, None)
            return PluginStatus(
                reason=Reason.ACCOUNT_NOT_FOUND, as_of=instant(now), fresh_seconds=UNKNOWN_MERCHANT_SECONDS
            )
        seen = _Seen(Reason.SUFFICIENT_CREDITS if enabled else Reason.INSUFFICIENT_CREDITS, now)
        self._remember(merchant_id, seen)
        return self._fresh(seen, now)

    def _read(self, merchant_id: MerchantId) -> bool | None:
        answer = self._client.get_item(
            TableName=self._table, Key={"merchant_id": {"S": merchant_id}}, ProjectionExpression="balance"
        )
        item = answer.get("Item")
        return int(item["balance"]["N"]) > 0 if item else None

    def _fresh(self, seen: _Seen, now: datetime) -> PluginStatus:
        left = max(0, int(self._cache_seconds - _age(seen, now)))
        return PluginStatus(reason=seen.reason, as_of=instant(seen.at), fresh_seconds=left)

    def _without_the_table(self, seen: _Seen | None, now: datetime) -> PluginStatus:
        if seen is not None and _age(seen, now) < self._stale_seconds:
            # A second at most, so that the truth is asked for again as soon as it can be had.
            return PluginStatus(reason=seen.reason, as_of=instant(seen.at), fresh_seconds=1, stale=True)
        return PluginStatus(reason=Reason.UNAVAILABLE, as_of=instant(now), fresh_seconds=0)

    def _remember(self, merchant_id: MerchantId, seen: _Seen) -> None:
        self._seen.pop(merchant_id, None)
        self._seen[merchant_id] = seen
        if len(self._seen) > KNOWN_MERCHANTS_MAX:
            del self._seen[next(iter(self._seen))]


def _reason(error: ClientError | BotoCoreError) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def _age(seen: _Seen, now: datetime) -> float:
    return (now - seen.at).total_seconds()

"""Plugin statuses from the credits table: eventually consistent reads of a few attributes.

An account that cannot be read is missing in the result; one that does not exist is None.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.account_attributes import freeze_from, grace_from, lots_from
from chalicelib.adapters.dynamodb.batch_read import KEYS_MAX, batch_read
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.grace import after_time
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.plugin_status import KnownStatus
from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLOSED = "closed "
"""How the attribute `closure` of a closed account begins (items.py)."""
BATCH_TRIES = 3
"""How often keys that DynamoDB leaves unprocessed in a batch are requested."""

_ATTRIBUTES = "balance,version,closure,lots,grace,freeze"


class DynamoDBStatusTable:
    """Reads the statuses of one merchant or of many; `now` is the time at which the answers are known to hold."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def read_one(self, merchant: MerchantId, now: datetime) -> dict[MerchantId, KnownStatus | None]:
        """Return the result of one GetItem."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"merchant_id": {"S": merchant}}, ProjectionExpression=_ATTRIBUTES
            )
        except (ClientError, BotoCoreError) as error:
            logger.warning("plugin status unreadable", merchant_id=merchant, reason=_reason(error))
            return {}
        return _reading(merchant, answer.get("Item"), now)

    def read_many(self, merchants: tuple[MerchantId, ...], now: datetime) -> dict[MerchantId, KnownStatus | None]:
        """Return the results of one BatchGetItem for each hundred merchants, which must be distinct."""
        readings: dict[MerchantId, KnownStatus | None] = {}
        for start in range(0, len(merchants), KEYS_MAX):
            keys = [{"merchant_id": {"S": merchant}} for merchant in merchants[start : start + KEYS_MAX]]
            wanted = f"merchant_id,{_ATTRIBUTES}"
            try:
                for answered, items in batch_read(
                    self._client, self._table, keys, rounds=BATCH_TRIES, ProjectionExpression=wanted
                ):
                    found = {item["merchant_id"]["S"]: item for item in items}
                    for merchant in (MerchantId(key["merchant_id"]["S"]) for key in answered):
                        readings |= _reading(merchant, found.get(merchant), now)
            except (ClientError, BotoCoreError, RetryLater) as error:
                logger.warning("plugin statuses unreadable", merchants=len(keys), reason=_reason(error))
        return readings


def _reading(merchant: MerchantId, item: Any, now: datetime) -> dict[MerchantId, KnownStatus | None]:
    if item is None:
        return {merchant: None}
    try:
        version, balance = int(item["version"]["N"]), int(item["balance"]["N"])
        closed = item.get("closure", {"S": ""})["S"].startswith(CLOSED)
        lots, grace = lots_from(_text(item, "lots")), grace_from(_text(item, "grace"))
        freeze = freeze_from(_text(item, "freeze"))
    except (KeyError, ValueError):
        # Not written by this service: no reason to report the plugin as enabled, nor to fail other merchants.
        logger.warning("plugin status unreadable", merchant_id=merchant, reason="the item is none of ours")
        return {}
    # As of now, whether what time has changed since the last write was posted or not.
    at = instant(now)
    left = balance - sum(lot.credits for lot in lots if lot.expires_at <= at)
    grace = after_time(grace, at)
    running = left <= 0 and grace is not None and grace.running
    frozen = freeze is not None and (freeze.until is None or freeze.until > at)
    ends = [lot.expires_at for lot in lots if lot.expires_at > at]
    ends += [grace.until] if running and grace is not None and grace.until is not None else []
    ends += [freeze.until] if frozen and freeze is not None and freeze.until is not None else []
    status = KnownStatus(
        version=version,
        enabled=(left > 0 or running) and not closed and not frozen,
        as_of=now,
        closed=closed,
        frozen=frozen,
        grace=running,
        until=min(ends, default=None),
    )
    return {merchant: status}


def _text(item: Any, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _reason(error: ClientError | BotoCoreError | RetryLater) -> str:
    if isinstance(error, RetryLater):
        return error.message
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__

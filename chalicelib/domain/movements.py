"""Movements: the changes of credits that can be asked for, their kinds and their keys (spec, section 3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from hashlib import sha1
from typing import NewType
from uuid import UUID

from chalicelib.domain.orders import Direction, Policy

MerchantId = NewType("MerchantId", str)
TransactionId = NewType("TransactionId", str)
Instant = NewType("Instant", str)
"""A time as text: UTC, ISO 8601 with milliseconds and `Z`, so that it sorts and compares as time does."""


def instant(moment: datetime) -> Instant:
    """Return a time as it is kept and said; finer than milliseconds is cut off."""
    return Instant(moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def later_than(time: Instant, *, now: Instant) -> Instant:
    """Return `now`, or the first instant behind `time` where the clock has not come to it."""
    return max(now, instant(datetime.fromisoformat(time) + timedelta(milliseconds=1)))


TRIAL_KEY = "TRIAL_MERCHANT"
"""The one idempotency key that opens an account (spec, section 3)."""

ORDER_UPDATED = "evt.order.updated"
"""The event type that may charge an order but never contradicts a charge; recorded as `source` where it did."""


class Kind(Enum):
    """What a movement is, and which way it goes: the pairs of type and direction that can occur."""

    TRIAL = ("TRIAL", Direction.INCREASE)
    ORDER_USED = ("ORDER_PAID", Direction.DECREASE)
    ORDER_EARNED = ("ORDER_PAID", Direction.INCREASE)
    REFUND_RETURNED = ("REFUND", Direction.INCREASE)
    REFUND_TAKEN = ("REFUND", Direction.DECREASE)
    PAYMENT = ("PAYMENT", Direction.INCREASE)
    SUBSCRIPTION = ("SUBSCRIPTION", Direction.INCREASE)
    MANUAL_ADDED = ("MANUAL", Direction.INCREASE)
    MANUAL_REMOVED = ("MANUAL", Direction.DECREASE)

    def __init__(self, transaction_type: str, direction: Direction) -> None:
        self.transaction_type = transaction_type
        self.direction = direction

    @property
    def is_order(self) -> bool:
        """Whether a refund may follow."""
        return self.transaction_type == "ORDER_PAID"


_MERCHANT_ID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.ASCII)


def merchant_id(text: str) -> MerchantId:
    """Return the merchant's id as it is kept: a UUID in lower case with hyphens (spec, section 3).

    Raises:
        ValueError: `text` is no UUID, with or without its hyphens.
    """
    lower = text.lower()
    if _MERCHANT_ID.fullmatch(lower) is None:
        raise ValueError("a merchant id is a UUID")
    return MerchantId(lower if "-" in lower else str(UUID(lower)))


def uuid_v5(namespace: str, name: str) -> str:
    """Return the UUIDv5 (RFC 9562) of a name in a namespace, itself a UUID: what `uuid.uuid5` gives, in a third."""
    digest = sha1(bytes.fromhex(namespace.replace("-", "")) + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


@lru_cache(maxsize=4096)
def transaction_id(merchant: MerchantId, key: str) -> TransactionId:
    """Return the id under which the movement with this idempotency key is recorded: UUIDv5 of both."""
    return TransactionId(uuid_v5(merchant, key))


def credit_id(merchant: MerchantId) -> str:
    """Return the account's own id in answers: UUIDv5 of the merchant, derived and never stored."""
    return uuid_v5(merchant, "CREDIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A change of one merchant's credits, asked for under an idempotency key.

    `reference_id` is the business id behind the key; `metadata` is kept with the record and is all that is
    kept of the event besides ids and times (spec, section 2, rule 7).
    """

    merchant_id: MerchantId
    key: str
    reference_id: str
    occurred_at: Instant | None = None
    correlation_id: str | None = None
    metadata: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def transaction_id(self) -> TransactionId:
        """The id of its record, whether that is written yet or not."""
        return transaction_id(self.merchant_id, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedMovement(Movement):
    """A trial, payment, renewal or adjustment: it says itself how many credits it asks for."""

    kind: Kind
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMovement(Movement):
    """An order with its number of `lines` and, where known, its `total` money; `policy` says what it asks for.

    `updated` tells an `evt.order.updated`, which never contradicts a charge that already stands.
    """

    policy: Policy
    lines: int
    total: Decimal | None = None
    updated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundMovement(Movement):
    """A refund of `amount` money of an order, or of all that is left of it where `amount` is None."""

    order_id: str
    amount: Decimal | None = None
    order_total: Decimal | None = None

    @property
    def order_transaction_id(self) -> TransactionId:
        """The id of the record that this refund needs as its ground."""
        return transaction_id(self.merchant_id, order_key(self.order_id))


def order_key(order_id: str) -> str:
    """Return the idempotency key of an order (spec, section 3)."""
    return f"SHOPIFY_ORDER_{order_id}"

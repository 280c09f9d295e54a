"""Builds the adapters from the settings, once a container and on first use."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from chalicelib.adapters import sdk
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger, send_as_built
from chalicelib.domain.ids import Instant, instant
from chalicelib.ports import CallTime
from chalicelib.settings import Settings, settings
from chalicelib.usecases.posting import MERCHANTS_AT_ONCE, Posting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.eventbridge import EventBridgeBus
    from chalicelib.adapters.queues import Queues
    from chalicelib.contracts.inbound.payloads import Terms
    from chalicelib.usecases.linking import Linking

_CLIENT = Config(
    # botocore's own retries send the same client token again, so they cannot write twice.
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=2,
    read_timeout=4,
    max_pool_connections=MERCHANTS_AT_ONCE,
    # Requests are built by this package and covered by its tests; validating them costs 100 µs a write.
    parameter_validation=False,
    tcp_keepalive=True,
    # Otherwise botocore builds it for each request, which takes as long as signing.
    user_agent="credits",
)


@cache
def dynamodb() -> "DynamoDBClient":
    """Return this container's one DynamoDB client."""
    client: DynamoDBClient = sdk.client("dynamodb", _CLIENT)
    send_as_built(client)
    return client


@cache
def ledger() -> DynamoDBLedger:
    """Return the store of the ledger."""
    return DynamoDBLedger(
        dynamodb(),
        credits_table=settings().tables.credits,
        transactions_table=settings().tables.transactions,
    )


@cache
def posting() -> Posting:
    """Return the posting of this container, which remembers the accounts it wrote last."""
    return Posting(ledger(), default_threshold=settings().default_threshold, terms=settings().lapsing.terms)


def terms(configured: Settings) -> "Terms":
    """Return the settings that decide what an event asks for."""
    from chalicelib.contracts.inbound.payloads import Terms

    return Terms(
        trial_credits=configured.trial_credits,
        policy=configured.policy,
        count_test_orders=configured.count_test_orders,
        month_as_period=configured.month_as_period,
        renewal_repeat_days=configured.renewal_repeat_days,
        debt_owed=configured.debt_owed,
        trial_expires_days=configured.lapsing.trial_days,
        renewal_expires_days=configured.lapsing.renewal_days,
        renewal_expires_with_period=configured.lapsing.renewal_with_period,
    )


@cache
def linking() -> "Linking":
    """Return the links of shops, customers and payments, with this container's cache."""
    from chalicelib.adapters.dynamodb.links import DynamoDBLinks
    from chalicelib.usecases.linking import Linking

    return Linking(DynamoDBLinks(dynamodb(), table=settings().tables.links))


@cache
def bus() -> "EventBridgeBus":
    """Return the event bus."""
    from chalicelib.adapters.eventbridge import EventBridgeBus

    return EventBridgeBus(sdk.client("events", _CLIENT), bus=settings().bus.name, sleep=time.sleep)


@cache
def queues() -> "Queues":
    """Return the queues."""
    from chalicelib.adapters.queues import Queues

    return Queues(sdk.client("sqs", _CLIENT))


def now() -> Instant:
    """Return the time in the form of transactions: UTC with milliseconds."""
    return instant(datetime.now(UTC))


def call_time(context: Any) -> CallTime:
    """Return the time of the call that `context` belongs to, with what is left of it."""
    remaining: Callable[[], int] = context.get_remaining_time_in_millis
    return CallTime(now=now, remaining_seconds=lambda: remaining() / 1000, sleep=time.sleep)

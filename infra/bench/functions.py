"""The functions as AWS calls them, in this process: called with raw events in one container that can be restarted."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import app
from chalicelib import telemetry
from chalicelib.adapters.dynamodb.items import account_item, transaction_item
from chalicelib.api import door
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import ORDER_UPDATED, FixedMovement, Kind, Movement
from chalicelib.handlers import roll_up
from chalicelib.settings import settings
from chalicelib.wiring import for_api, for_figures, for_posting
from infra.bench.units import Item
from infra.packaging.region import REGION

CALL_MILLISECONDS = 30_000
OPENED_AT = Instant("2026-01-01T00:00:00.000Z")
THRESHOLD = 20
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": REGION,
    "CREDITS_TABLE": "credits",
    "TRANSACTIONS_TABLE": "transactions",
    "FIGURES_TABLE": "",
    "EVENT_BUS": "credits",
    "INBOX_QUEUE_URL": "https://sqs.example/inbox",
    "WAITING_QUEUE_URL": "https://sqs.example/waiting",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.example/dead-letters",
    "STREAM_DEAD_LETTER_QUEUE_URL": "https://sqs.example/stream-dead-letters",
    "POWERTOOLS_METRICS_NAMESPACE": "credits",
}

LONGEST_ID = "9" * 56
"""With eight digits appended, an id of the maximum length; integers are texts too."""
LONGEST_MONEY = "9999999999999999.9999999999999999"


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a call."""

    aws_request_id: str = "8d3bf1f6-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left of the call."""
        return CALL_MILLISECONDS


@dataclass(slots=True)
class Orders:
    """Makes messages of paid orders, all different; `longest`: with every field at its limit."""

    longest: bool = False
    made: int = 0

    def message(self, merchant_id: str) -> dict[str, Any]:
        """Return the queue's record of the next order."""
        self.made += 1
        number = f"{self.made:08}"
        event = {
            "event_id": f"{LONGEST_ID}{number}",
            "event_type": ORDER_UPDATED if self.longest else "evt.shopify.webhook.order_paid",
            "correlation_id": f"{LONGEST_ID}{number}",
            "idempotency_key": f"order-{number}",
            "timestamp": "2026-11-25T12:00:00.123Z",
            "metadata": {"source": "shopify"},
            "payload": {
                "merchant_id": merchant_id,
                "order_id": LONGEST_ID + number if self.longest else 5_000_000_000 + self.made,
                "total": LONGEST_MONEY if self.longest else "129.90",
                "currency": "EUR",
            },
        }
        return record(event, number)

    def refund(self, merchant_id: str) -> dict[str, Any]:
        """Return the event of a batch with a refund, in part, of the last order."""
        number = f"{self.made:08}"
        event = {
            "event_type": "evt.shopify.webhook.order_refunded",
            "correlation_id": f"{LONGEST_ID}{number}",
            "timestamp": "2026-11-25T12:00:00.123Z",
            "payload": {
                "merchant_id": merchant_id,
                "order_id": LONGEST_ID + number,
                "refund_id": LONGEST_ID + number,
                "refund_amount": "1000000000000000.0000000000000001",
                "order_total": LONGEST_MONEY,
            },
        }
        return {"Records": [record(event, f"refund {number}")]}

    def edition(self, merchant_id: str, *, hour: int, total: str) -> dict[str, Any]:
        """Return the event of a batch with an order as it was at an hour, which has the longest number of a shop's."""
        at = f"2026-11-25T{hour:02}:00"
        order = {"order_id": 5_999_999_999_999, "total": total, "currency": "EUR", "updated_at": f"{at}:00Z"}
        payload = {"merchant_id": merchant_id, **order}
        event = {"event_type": ORDER_UPDATED, "timestamp": f"{at}:01Z", "payload": payload}
        return {"Records": [record(event, f"edition {hour}")]}

    def batch(self, *merchants: str) -> dict[str, Any]:
        """Return the event of a batch with one order for each occurrence of a merchant."""
        return {"Records": [self.message(merchant_id) for merchant_id in merchants]}


def record(event: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """Return a message with an event in the inbox, as the queue delivers it."""
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1795608000000"}
    return {
        "messageId": message_id,
        "receiptHandle": message_id,
        "body": json.dumps(event),
        "attributes": {**attributes, "ApproximateFirstReceiveTimestamp": "1795608000000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def payment(merchant_id: str, payment_id: str, *aliases: str) -> dict[str, Any]:
    """Return the event of a batch with a payment that has these other names."""
    payload = {"merchant_id": merchant_id, "payment_id": payment_id, "credits": 1, "aliases": aliases}
    event = {"event_type": "evt.billing.payment_succeeded", "payload": payload}
    return {"Records": [record(event, f"payment {payment_id}")]}


def merchant(number: int) -> MerchantId:
    """Return the id of the merchant with a number."""
    return MerchantId(str(uuid5(NAMESPACE_DNS, f"merchant {number}")))


def account(merchant_id: MerchantId, *, balance: int, movements: Sequence[Movement] = ()) -> tuple[Account, list[Item]]:
    """Return an account opened with a trial, after these movements, and its transactions' items, oldest first."""
    opening = FixedMovement(
        merchant_id=merchant_id, key="TRIAL_MERCHANT", reference_id=merchant_id, kind=Kind.TRIAL, credits=balance
    )
    account: Account | None = None
    items: list[Item] = []
    waiting: list[Movement] = [opening, *movements]
    while waiting:
        chunk, waiting = waiting[:99], waiting[99:]
        written = fold(merchant_id, account, chunk, stored={}, default_threshold=THRESHOLD, now=OPENED_AT).commit
        assert written is not None
        account = written.after
        items += [transaction_item(one) for one in written.transactions]
    assert account is not None
    return account, items


def stream_event(accounts: Sequence[Item]) -> dict[str, Any]:
    """Return the event of the credits table's stream after writes that left these items."""
    records = [
        {
            "eventID": str(place),
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": "arn:aws:dynamodb:::credits/stream",
            "dynamodb": {"SequenceNumber": str(place), "NewImage": item},
        }
        for place, item in enumerate(accounts)
    ]
    return {"Records": records}


def http_event(route: str, *, path: Mapping[str, str] | None = None, **parameters: str) -> dict[str, Any]:
    """Return API Gateway's event of a GET by an admin who operates the service too."""
    address = route.format(**(path or {}))
    return {
        "resource": route,
        "path": address,
        "httpMethod": "GET",
        "headers": {"Accept": "application/json"},
        "multiValueHeaders": {"Accept": ["application/json"]},
        "multiValueQueryStringParameters": {name: [text] for name, text in parameters.items()} or None,
        "queryStringParameters": parameters or None,
        "pathParameters": dict(path or {}) or None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "8d3bf1f6-0000-4000-8000-000000000001",
            "resourcePath": route,
            "httpMethod": "GET",
            "path": f"/prod{address}",
            "stage": "prod",
            "authorizer": {"scope": "credits:admin credits:ops credits:read", "subject": "bench"},
        },
    }


def ingest(event: Mapping[str, Any]) -> None:
    """Let the function process a batch completely."""
    done = app.ingest_events(event, Context())
    assert done == {"batchItemFailures": []}, done


def answer(event: Mapping[str, Any]) -> Any:
    """Return a route's answer as the gateway gets it, which must be 200."""
    answered = door.serve(dict(event), Context())
    assert answered["statusCode"] == 200, answered  # noqa: PLR2004 - HTTP
    return answered


def get(event: Mapping[str, Any]) -> Any:
    """Return the body of a route's answer, which must be 200."""
    return json.loads(answer(event)["body"])


def roll_up_accounts(accounts: Sequence[Item]) -> None:
    """Let the function count the accounts."""
    done = app.roll_up(stream_event(accounts), Context())
    assert done == {"batchItemFailures": []}, done


def post_due() -> Any:
    """Let the function post what is due, and return its answer."""
    scheduled = ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources")
    return app.post_due(dict.fromkeys(scheduled, ""), Context())


def publish_thresholds(accounts: Sequence[Item]) -> None:
    """Let the function publish what the accounts crossed."""
    done = app.publish_threshold_events(stream_event(accounts), Context())
    assert done == {"batchItemFailures": []}, done


def new_container() -> None:
    """Clear everything that a container builds once or caches between calls."""
    for module in (for_posting, for_api, for_figures):
        for built_once in vars(module).values():
            if hasattr(built_once, "cache_clear"):
                built_once.cache_clear()
    settings.cache_clear()
    # What a container does every ten seconds, every minute or once a day is not measured as part of a call.
    for_figures.counter_writer().written_at = roll_up._FleetReport.at = float("inf")  # noqa: SLF001
    roll_up._FleetDay.begun = "9999-12-31"  # noqa: SLF001


@contextmanager
def container(**environment: str) -> Iterator[None]:
    """Run functions in a new container with these settings; log lines and metrics are discarded."""
    before = dict(os.environ)
    os.environ.update({**ENVIRONMENT, **environment})
    telemetry.logger.stream = StringIO()
    new_container()
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        telemetry.logger.stream = None
        os.environ.clear()
        os.environ.update(before)
        new_container()


def item_of(account: Account) -> Item:
    """Return the account as an item."""
    return account_item(account)

"""Any page of a history costs what the first costs, also on a merchant with 200,000 transactions."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest
from botocore.client import BaseClient

from app import app
from chalicelib.adapters.dynamodb.items import account_item, transaction_item
from chalicelib.adapters.dynamodb.models import AccountRow, TransactionRow
from chalicelib.domain.fold import fold
from chalicelib.domain.ledger import Account
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from tests.support.api import Api
from tests.support.builders import NOON, SHOP, order, trial
from tests.support.engines import FAKE_AWS_ENVIRONMENT, ministack
from tests.support.stores import Tables, tables_at

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("long history")]

TRANSACTIONS = 200_000
FOLD = 99
WRITTEN_AT_ONCE = 25
LIMIT = 20
ANSWER_SECONDS = 120.0
"""The emulator looks at every row of a table for a query; what is counted here does not depend on it."""
OWNER = {"merchant_id": SHOP, "scope": "credits:read", "subject": "owner"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url, tables_at(url) as created:
        fill(created)
        yield created


def fill(tables: Tables) -> None:
    """Write a ledger of one merchant as the fold makes it, without its conditions, which would take an hour."""
    transactions = ledger(tables)

    def write(items: list[dict[str, Any]]) -> None:
        remaining = {tables.transactions: [{"PutRequest": {"Item": item}} for item in items]}
        while remaining:
            answer = tables.client.batch_write_item(RequestItems=remaining)  # type: ignore[arg-type]
            remaining = answer["UnprocessedItems"]  # type: ignore[assignment]

    with ThreadPoolExecutor(4) as pool:
        while chunk := list(islice(transactions, 40 * WRITTEN_AT_ONCE)):
            batches = [chunk[start : start + WRITTEN_AT_ONCE] for start in range(0, len(chunk), WRITTEN_AT_ONCE)]
            list(pool.map(write, batches))


def ledger(tables: Tables) -> Iterable[dict[str, Any]]:
    """Yield the items of the transactions, and write the account last."""
    account: Account | None = None
    orders = iter(range(TRANSACTIONS - 1))
    movements: list[Any] = [trial(1_000_000)]
    while movements:
        decided = fold(SHOP, account, movements, stored={}, default_threshold=20, now=NOON)
        assert decided.commit is not None
        account = decided.commit.after
        yield from map(transaction_item, decided.commit.transactions)
        movements = [order(str(number)) for number in islice(orders, FOLD)]
    assert account is not None
    assert account.sequence == TRANSACTIONS
    tables.client.put_item(TableName=tables.credits, Item=account_item(account))


@pytest.fixture
def api(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    environment = {
        **FAKE_AWS_ENVIRONMENT,
        "AWS_ENDPOINT_URL": str(tables.url),
        "CREDITS_TABLE": tables.credits,
        "TRANSACTIONS_TABLE": tables.transactions,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for row in (AccountRow, TransactionRow):
        monkeypatch.setattr(row.Meta, "read_timeout_seconds", ANSWER_SECONDS)
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    forget()
    yield Api(app)
    forget()


def forget() -> None:
    settings.cache_clear()
    for_api.history.cache_clear()


def test_pages_1_1000_and_10000_of_200000_read_what_they_return_in_as_many_requests(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_call = BaseClient._make_api_call  # type: ignore[attr-defined]
    calls: list[tuple[str, int | None]] = []

    def watched(client: BaseClient, operation: str, request: Mapping[str, Any]) -> Any:
        answer = real_call(client, operation, request)
        calls.append((operation, answer.get("ScannedCount")))
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", watched)
    for page in (1, 1_000, 10_000):
        calls.clear()
        parameters = {"merchant_id": SHOP, "page": str(page), "limit": str(LIMIT)}
        answered = api.get("/credits/transactions", token=OWNER, parameters=parameters)

        newest = TRANSACTIONS - (page - 1) * LIMIT
        sequences = [row["sequence"] for row in answered.body["data"]]
        assert sequences == list(range(newest, newest - LIMIT, -1))
        assert answered.body["pagination"]["total"] == TRANSACTIONS
        assert [call for call in calls if call[0] in {"GetItem", "Query", "Scan", "BatchGetItem"}] == [
            ("GetItem", None),
            ("Query", LIMIT),
        ]

"""Any page of a history costs what the first costs, also on a merchant with 200,000 transactions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from botocore.client import BaseClient

from app import app
from chalicelib.adapters.dynamodb.items import account_item, transaction_item
from chalicelib.adapters.dynamodb.models import AccountRow, TransactionRow
from chalicelib.domain.fold import fold
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from infra.deploying.emulator import emulator_client
from infra.local.tables import declared
from tests.support.api import Api
from tests.support.builders import NOON, SHOP, order, trial
from tests.support.engines import FAKE_AWS_ENVIRONMENT, ministack
from tests.support.running_stack import until
from tests.support.stores import Tables, tables_at

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("long history")]

TRANSACTIONS = 200_000
LIMIT = 20
BUCKET = "ledgers"
IMPORTED_SECONDS = 600.0
ANSWER_SECONDS = 120.0
"""The emulator looks at every row of a table for a query; what is counted here does not depend on it."""
OWNER = {"merchant_id": SHOP, "scope": "credits:read", "subject": "owner"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url, tables_at(url) as created:
        yield imported(created)


def imported(tables: Tables) -> Tables:
    """Return the tables with the long ledger of one merchant, imported: 200,000 writes would take minutes."""
    s3, name = emulator_client(tables.url, "s3"), f"{tables.transactions}-imported"
    s3.create_bucket(Bucket=BUCKET)
    lines = "\n".join(json.dumps({"Item": item}) for item in ledger(tables))
    s3.put_object(Bucket=BUCKET, Key=name, Body=lines.encode())
    started = tables.client.import_table(
        S3BucketSource={"S3Bucket": BUCKET, "S3KeyPrefix": name},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters={"TableName": name, **declared("TransactionsTable")},  # type: ignore[arg-type]
    )

    def outcome() -> str:
        told = tables.client.describe_import(ImportArn=started["ImportTableDescription"]["ImportArn"])
        status = told["ImportTableDescription"]["ImportStatus"]
        return "" if status == "IN_PROGRESS" else status

    assert until("the import of the transactions", outcome, IMPORTED_SECONDS) == "COMPLETED"
    return replace(tables, transactions=name)


def ledger(tables: Tables) -> Iterator[dict[str, Any]]:
    """Yield transactions that differ in id and place alone, which is all that a page is found by; write the account."""
    decided = fold(SHOP, None, [trial(1_000_000), order("1")], stored={}, default_threshold=20, now=NOON)
    assert decided.commit is not None
    account = replace(decided.commit.after, sequence=TRANSACTIONS)
    tables.client.put_item(TableName=tables.credits, Item=account_item(account))
    latest = transaction_item(decided.commit.transactions[-1])
    for sequence in range(1, TRANSACTIONS + 1):
        yield {**latest, "transaction_id": {"S": str(UUID(int=sequence))}, "sequence": {"N": str(sequence)}}


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

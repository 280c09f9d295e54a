"""The ledger's tables on every engine, set up as infra/template.yaml declares them.

Each `Tables` is a separate pair of tables, so tests share only an engine.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import boto3
from botocore.config import Config
from moto import mock_aws

import tests.support.quick_aws  # noqa: F401 - moto and botocore, quicker
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger, send_as_built
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.wiring.for_posting import _CLIENT
from infra.local.dynamodb_local import URL_VARIABLE
from infra.local.tables import declared
from infra.packaging.dependencies import ROOT
from infra.packaging.yaml_text import yaml_parse
from tests.simulator.aws import Aws
from tests.simulator.clients import Client, answering
from tests.support.engines import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DYNAMODB_LOCAL_URL = os.environ.get(URL_VARIABLE)
NO_SECOND_OPINION = f"AWS's own engine was not asked: python -m infra.local.dynamodb_local pytest … sets {URL_VARIABLE}"

PATIENCE_SECONDS = 60
"""An engine may take long to make its first table: a retry meanwhile would fail because the table exists."""

# One session reads botocore's models once; moto answers its clients too, since it was imported before.
_SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The two tables of a ledger on some engine, and a client of it, configured as the functions' own."""

    client: "DynamoDBClient"
    credits: str
    transactions: str
    links: str
    url: str | None = None

    def ledger(
        self, client: "DynamoDBClient | None" = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> DynamoDBLedger:
        """Return a store on the tables."""
        return DynamoDBLedger(
            client or self.client, credits_table=self.credits, transactions_table=self.transactions, sleep=sleep
        )

    def account_item(self, merchant_id: MerchantId) -> dict[str, Any]:
        """Return the account's current item, empty where there is none."""
        key = {"merchant_id": {"S": merchant_id}}
        return dict(self.client.get_item(TableName=self.credits, Key=key, ConsistentRead=True).get("Item", {}))

    def transaction_item(self, transaction_id: TransactionId) -> dict[str, Any]:
        """Return the transaction's current item, empty where there is none."""
        key = {"transaction_id": {"S": transaction_id}}
        return dict(self.client.get_item(TableName=self.transactions, Key=key, ConsistentRead=True).get("Item", {}))


@contextmanager
def tables_at(url: str) -> Iterator[Tables]:
    """Yield new tables on the engine that listens at `url`."""
    patient = Config(read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1})
    with (
        closing(client_at(url)) as client,
        closing(_SESSION.client("dynamodb", endpoint_url=url, config=_CLIENT.merge(patient))) as creating,
    ):
        yield replace(_created(creating, url), client=client)


@contextmanager
def tables_simulated() -> Iterator[Tables]:
    """Yield new tables on the simulator's own engine, which must pass the contract suite like all others."""
    with answering(Aws(clock=time.time).answer):
        client = cast("DynamoDBClient", Client("dynamodb", _CLIENT).client)
        send_as_built(client)
        yield _created(client, None)


@contextmanager
def tables_in_process() -> Iterator[Tables]:
    """Yield new tables on moto; no request leaves the process."""
    with mock_aws(), closing(client_at(None)) as client:
        yield _created(client, None)


@cache
def _template() -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = yaml_parse((ROOT / "infra/template.yaml").read_text())
    return parsed


def declared_with_stream(logical_id: str) -> Mapping[str, Any]:
    """Return CreateTable's parameters of a table in infra/template.yaml, except its name."""
    stream = _template()["Resources"][logical_id]["Properties"].get("StreamSpecification")
    enabled = {"StreamSpecification": {**stream, "StreamEnabled": True}} if stream is not None else {}
    return {**declared(logical_id), **enabled}


def client_at(url: str | None) -> "DynamoDBClient":
    """Return a client as the functions have it, but with made-up keys."""
    client = _SESSION.client("dynamodb", endpoint_url=url, config=_CLIENT)
    send_as_built(client)
    return client


def _created(client: "DynamoDBClient", url: str | None) -> Tables:
    suffix = uuid4().hex
    names = {logical_id: f"{logical_id}-{suffix}" for logical_id in ("CreditsTable", "TransactionsTable", "LinksTable")}
    for logical_id, name in names.items():
        client.create_table(TableName=name, **cast("Any", declared_with_stream(logical_id)))
    return Tables(
        client=client,
        credits=names["CreditsTable"],
        transactions=names["TransactionsTable"],
        links=names["LinksTable"],
        url=url,
    )

"""A figures table on every engine, set up as infra/template.yaml declares it, one for each test."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import boto3
from moto import mock_aws

import tests.support.quick_aws  # noqa: F401 - moto and botocore, quicker
from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.wiring.for_posting import _CLIENT
from infra.packaging.region import REGION
from tests.simulator.aws import Aws
from tests.simulator.clients import Client, answering
from tests.simulator.mappings import declared

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIGURES_TABLE = "figures-test"
DESK_TABLE = "desk-test"
"""The names of it and of the desk's table, where a test has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresTable:
    """An empty figures table, and a client of its engine as the functions have it."""

    client: "DynamoDBClient"
    name: str

    @property
    def store(self) -> DynamoDBFigures:
        """Return the store on it."""
        return DynamoDBFigures(self.client, table=self.name)

    def item(self, key: str) -> dict[str, Any]:
        """Return the current item, empty where there is none."""
        answer = self.client.get_item(TableName=self.name, Key={"id": {"S": key}}, ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def put(self, key: str, **texts: str) -> None:
        """Put an item of texts."""
        self.client.put_item(
            TableName=self.name, Item={name: {"S": text} for name, text in {"id": key, **texts}.items()}
        )


@contextmanager
def table_at(url: str | None) -> Iterator[FiguresTable]:
    """Yield a new table on the engine that listens at `url`."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=_CLIENT,
    )
    with closing(client):
        yield created(client, f"figures-{uuid4().hex}")


@contextmanager
def table_in_process() -> Iterator[FiguresTable]:
    """Yield a new table on moto; no request leaves the process."""
    with mock_aws(), table_at(None) as table:
        yield table


@contextmanager
def table_simulated() -> Iterator[FiguresTable]:
    """Yield a new table on the simulator's own engine."""
    with answering(Aws(clock=time.time).answer):
        yield created(cast("DynamoDBClient", Client("dynamodb", _CLIENT).client), "figures")


def created(client: "DynamoDBClient", name: str, *, logical_id: str = "FiguresTable") -> FiguresTable:
    """Create the table under a name, or another one of the template that has neither index nor stream."""
    properties = declared()[logical_id]["Properties"]
    wanted = {part: properties[part] for part in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    client.create_table(TableName=name, **cast("Any", wanted))
    return FiguresTable(client=client, name=name)

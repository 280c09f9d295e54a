"""A step of the recovery that was broken off is begun again, and nothing of it is lost or done twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb.items import account_item
from infra.recovery import again, agreement, tables
from infra.recovery.tables import Tables
from tests.support.api import REGION
from tests.support.builders import SHOP, account_of, merchant
from tests.support.stores import declared

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEDGER = Tables(credits="credits", transactions="transactions")
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def dynamodb() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        for logical_id, name in LEDGER.by_logical_id.items():
            client.create_table(TableName=name, **declared(logical_id))
            client.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        yield client


def test_an_account_is_named_before_it_is_taken_back(dynamodb: "DynamoDBClient") -> None:
    shops = {SHOP, merchant("other")}
    for shop in shops:
        account = replace(account_of(5, of=shop), last_transaction_id=None)
        item = {**account_item(account), "last_transaction_id": {"S": f"of {shop}"}}
        dynamodb.put_item(TableName=LEDGER.credits, Item=item)

    first = next(agreement.agree(dynamodb, LEDGER, at=AT, at_once=1))
    left = {item["merchant_id"]["S"] for item in dynamodb.scan(TableName=LEDGER.credits)["Items"]}
    again_named = {each.merchant_id for each in agreement.agree(dynamodb, LEDGER, at=AT, at_once=1)}

    assert (left, first.merchant_id in shops) == (shops, True)
    assert again_named == shops
    assert dynamodb.scan(TableName=LEDGER.credits)["Count"] == 0


def test_a_restore_goes_on_with_the_tables_that_it_began(
    dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    made_ready: list[str] = []
    monkeypatch.setattr(tables, "_make_ready", lambda _client, table: made_ready.append(table))
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=LEDGER.credits, TargetTableName="new-credits", UseLatestRestorableTime=True
    )

    restored = tables.restore(dynamodb, LEDGER, "new", at=None)

    assert restored == Tables(credits="new-credits", transactions="new-transactions")
    assert made_ready == ["new-credits", "new-transactions"]


def test_a_table_of_that_name_which_was_not_restored_from_ours_is_left_alone(dynamodb: "DynamoDBClient") -> None:
    dynamodb.create_table(TableName="new-credits", **declared("CreditsTable"))

    with pytest.raises(dynamodb.exceptions.TableAlreadyExistsException):
        tables.restore(dynamodb, LEDGER, "new", at=None)


def test_a_replay_that_was_started_is_not_started_again() -> None:
    with mock_aws():
        events: Any = boto3.client("events", region_name=REGION)
        bus = events.create_event_bus(Name="credits")["EventBusArn"]
        events.create_archive(ArchiveName="archive", EventSourceArn=bus)
        until = AT.replace(hour=13)

        first, second = (again.replay(events, "credits", since=AT, until=until, name="noon") for _ in range(2))

        assert first == second
        assert len(events.list_replays()["Replays"]) == 1

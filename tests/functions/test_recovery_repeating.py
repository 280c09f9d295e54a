"""A step of the recovery that was broken off is begun again, and nothing of it is lost or done twice."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.adapters.dynamodb.items import account_item
from infra.deploying.emulator import ROOT
from infra.recovery import adoption, agreement, tables
from infra.recovery.tables import Tables
from tests.support.api import REGION
from tests.support.builders import SHOP, account_of, merchant
from tests.support.stores import declared_with_stream

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES = Tables(credits="credits", transactions="transactions", links="links", desk="desk")
NEW = Tables(credits="new-credits", transactions="new-transactions", links="new-links", desk="new-desk")
LEDGER = agreement.Ledger(credits=TABLES.credits, transactions=TABLES.transactions)
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def dynamodb() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        for logical_id, name in TABLES.by_logical_id.items():
            client.create_table(TableName=name, **declared_with_stream(logical_id))
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


def test_a_restore_goes_on_with_the_tables_that_it_began(dynamodb: "DynamoDBClient") -> None:
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=TABLES.credits, TargetTableName="new-credits", UseLatestRestorableTime=True
    )

    restored = tables.restore(dynamodb, TABLES, "new", at=None)

    assert restored.tables == NEW
    assert all(is_ready(dynamodb, logical_id, name) for logical_id, name in NEW.by_logical_id.items())


def is_ready(client: "DynamoDBClient", logical_id: str, name: str) -> bool:
    """Return whether a table is protected, keeps backups, and has a stream only if the template's has one."""
    table: Any = client.describe_table(TableName=name)["Table"]
    kept: Any = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    images = table.get("StreamSpecification", {}).get("StreamViewType")
    assert images == ("NEW_AND_OLD_IMAGES" if "StreamSpecification" in declared_with_stream(logical_id) else None), name
    recovery = kept["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    return bool(table["DeletionProtectionEnabled"]) and recovery == "ENABLED"


def changes_of(client: "DynamoDBClient") -> list[str]:
    """Return a list that grows with each change of a table."""
    changes: list[str] = []
    for operation in ("UpdateTable", "UpdateContinuousBackups"):
        client.meta.events.register(
            f"before-call.dynamodb.{operation}", lambda model, **_: changes.append(model.name), unique_id=operation
        )
    return changes


def test_a_restore_that_was_complete_changes_nothing_when_it_is_repeated(dynamodb: "DynamoDBClient") -> None:
    first = tables.restore(dynamodb, TABLES, "new", at=None)
    changes = changes_of(dynamodb)

    assert tables.restore(dynamodb, TABLES, "new", at=None) == first
    assert first.moment == dynamodb.describe_table(TableName=NEW.desk)["Table"]["RestoreSummary"]["RestoreDateTime"]
    assert changes == []


def test_a_restore_waits_for_a_table_that_takes_no_backups_yet(dynamodb: "DynamoDBClient") -> None:
    told: list[str] = []
    slept: list[float] = []
    refuse_backups(dynamodb, times=30)

    tables.restore(dynamodb, TABLES, "new", at=None, tell=told.append, sleep=slept.append)

    assert all(is_ready(dynamodb, logical_id, name) for logical_id, name in NEW.by_logical_id.items())
    assert sum(slept) == 600
    assert "new-credits was just restored and takes no backups yet" in told[0]


def test_a_table_that_never_takes_backups_ends_the_restore(dynamodb: "DynamoDBClient") -> None:
    slept: list[float] = []
    refuse_backups(dynamodb, times=1000)

    with pytest.raises(dynamodb.exceptions.ContinuousBackupsUnavailableException):
        tables.restore(dynamodb, TABLES, "new", at=None, tell=lambda _: None, sleep=slept.append)

    assert sum(slept) == 880


def refuse_backups(client: "DynamoDBClient", *, times: int) -> None:
    """Refuse the next switches of point-in-time recovery, as AWS does for a table that was just restored."""
    left = iter(range(times))

    def refuse(**_: Any) -> None:
        if next(left, None) is not None:
            error: Any = {"Error": {"Code": "ContinuousBackupsUnavailableException", "Message": "not yet"}}
            raise client.exceptions.ContinuousBackupsUnavailableException(error, "UpdateContinuousBackups")

    client.meta.events.register("before-call.dynamodb.UpdateContinuousBackups", refuse)


def test_a_table_of_that_name_which_was_not_restored_from_ours_is_left_alone(dynamodb: "DynamoDBClient") -> None:
    dynamodb.create_table(TableName="new-credits", **declared_with_stream("CreditsTable"))

    with pytest.raises(dynamodb.exceptions.TableAlreadyExistsException):
        tables.restore(dynamodb, TABLES, "new", at=None)


class CloudFormation:
    """Stands in for CloudFormation: a stack's status and tables, and where a call is broken off."""

    def __init__(self, status: str | None = None, held: Tables | None = None, broken_off: str | None = None) -> None:
        self.status, self.held, self.broken_off = status, held, broken_off
        self.asked: list[str] = []

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - boto3's names
        if self.status is None:
            message = {"Error": {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}}
            raise ClientError(message, "DescribeStacks")  # type: ignore[arg-type]
        return {"Stacks": [{"StackStatus": self.status}]}

    def get_paginator(self, name: str) -> "CloudFormation":
        assert name == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> Iterator[Any]:  # noqa: ARG002, N803
        """Yield the tables on a page of their own, after a hundred other resources."""
        tables = self.held.by_logical_id if self.held else {}
        named = [{"LogicalResourceId": one, "PhysicalResourceId": name} for one, name in tables.items()]
        yield {"StackResourceSummaries": [{"LogicalResourceId": f"Other{one}"} for one in range(100)]}
        yield {"StackResourceSummaries": named}

    def create_change_set(self, **asked: Any) -> None:
        named = {one["LogicalResourceId"]: one["ResourceIdentifier"]["TableName"] for one in asked["ResourcesToImport"]}
        self.wanted = Tables(**{kind: named[one] for one, kind in tables.KINDS.items()})
        self.status, self.change_set = adoption.DESCRIBED, asked["ChangeSetName"]
        self._called("create")

    def execute_change_set(self, StackName: str, ChangeSetName: str) -> None:  # noqa: ARG002, N803
        assert ChangeSetName == self.change_set
        self.status, self.held = adoption.IMPORTING, self.wanted
        self._called("execute")

    def get_waiter(self, name: str) -> "CloudFormation":
        self.waited_for = name
        return self

    def wait(self, **_: Any) -> None:
        if self.waited_for == "stack_import_complete":
            self._called("wait")
            self.status = "IMPORT_COMPLETE"

    def _called(self, step: str) -> None:
        self.asked.append(step)
        if step == self.broken_off:
            self.broken_off = None
            raise KeyboardInterrupt


@pytest.fixture
def package(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "infra/template.yaml", tmp_path / "sam.yaml")
    return tmp_path


@pytest.mark.parametrize("broken_off", ["create", "execute", "wait"])
def test_an_adoption_that_was_broken_off_is_repeated(package: Path, broken_off: str) -> None:
    aws: Any = CloudFormation(broken_off=broken_off)
    with pytest.raises(KeyboardInterrupt):
        adoption.adopt(aws, "credits-2", package, TABLES)

    adoption.adopt(aws, "credits-2", package, TABLES)
    done = list(aws.asked)
    adoption.adopt(aws, "credits-2", package, TABLES)

    assert (aws.status, aws.held) == ("IMPORT_COMPLETE", TABLES)
    assert (aws.asked, done.count("execute")) == (done, 1)


@pytest.mark.parametrize(
    ("status", "held", "why"),
    [
        ("UPDATE_COMPLETE", replace(TABLES, desk="others"), "has others as DeskTable"),
        ("IMPORT_ROLLBACK_COMPLETE", None, "delete it"),
        ("DELETE_FAILED", TABLES, "delete it"),
        ("UPDATE_IN_PROGRESS", TABLES, "wait for its end"),
        ("UPDATE_ROLLBACK_FAILED", TABLES, "make deploy"),
    ],
)
def test_another_stack_of_that_name_is_left_alone(package: Path, status: str, held: Tables | None, why: str) -> None:
    aws: Any = CloudFormation(status, held)

    with pytest.raises(adoption.OtherStackError, match=f"credits-2 .*{why}"):
        adoption.adopt(aws, "credits-2", package, TABLES)

    assert aws.asked == []


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_was_deployed_over_the_adopted_one_is_left_as_it_is(package: Path, status: str) -> None:
    aws: Any = CloudFormation(status, TABLES)

    adoption.adopt(aws, "credits-2", package, TABLES)

    assert aws.asked == []

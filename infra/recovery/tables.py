"""Both tables as they were at one moment, as new tables beside the old ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS: Final[Mapping[str, str]] = {"CreditsTable": "credits", "TransactionsTable": "transactions"}
"""The tables that hold the ledger, by logical id, with the end of a restored one's name. Figures are recounted."""

POLL_SECONDS: Final = 20
ATTEMPTS: Final = 1080
"""Six hours; by AWS's figures most restores end within one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The names of the ledger's two tables."""

    credits: str
    transactions: str

    @property
    def by_logical_id(self) -> Mapping[str, str]:
        """Return the names by the template's logical ids."""
        return {"CreditsTable": self.credits, "TransactionsTable": self.transactions}


def restore(
    client: "DynamoDBClient", sources: Tables, prefix: str, *, at: datetime | None, arns: Tables | None = None
) -> Tables:
    """Restore both tables to the moment `at`, or to the latest one, under names that begin with `prefix`; return them.

    When it returns they are active, have the stream that the functions read, and are protected: AWS's restore sets none
    of that. `sources` name tables of the client's own region, or with `arns` tables of another one. The two restores
    agree only to the second: `credits rebuild` makes accounts agree with the transactions before anybody writes. A
    second call with the same arguments continues with the tables of the first.

    Raises:
        ClientError: AWS refused: another table has the name, the moment lies outside the window.
        WaiterError: A table was not there after six hours.
    """
    names = {logical_id: f"{prefix}-{kind}" for logical_id, kind in KINDS.items()}
    restored = Tables(credits=names["CreditsTable"], transactions=names["TransactionsTable"])
    moment: dict[str, Any] = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
    for logical_id, target in restored.by_logical_id.items():
        source = (
            {"SourceTableName": sources.by_logical_id[logical_id]}
            if arns is None
            else {"SourceTableArn": arns.by_logical_id[logical_id]}
        )
        try:
            client.restore_table_to_point_in_time(**source, TargetTableName=target, **moment)  # type: ignore[arg-type]
        except client.exceptions.TableAlreadyExistsException:
            if not _is_restored(client, target, next(iter(source.values())), at):
                raise
    for target in restored.by_logical_id.values():
        _make_ready(client, target)
    return restored


def _is_restored(client: "DynamoDBClient", table: str, source: str, at: datetime | None) -> bool:
    """Return whether `table` was restored from the table `source` (a name or an ARN) to this moment."""
    summary = client.describe_table(TableName=table)["Table"].get("RestoreSummary")
    if summary is None or at not in (None, summary["RestoreDateTime"]):
        return False
    return summary.get("SourceTableArn", "").rpartition("/")[2] == source.rpartition("/")[2]


def _make_ready(client: "DynamoDBClient", table: str) -> None:
    there = client.get_waiter("table_exists")
    patience: Any = {"Delay": POLL_SECONDS, "MaxAttempts": ATTEMPTS}
    there.wait(TableName=table, WaiterConfig=patience)
    client.update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    there.wait(TableName=table, WaiterConfig=patience)
    client.update_table(TableName=table, DeletionProtectionEnabled=True)
    client.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

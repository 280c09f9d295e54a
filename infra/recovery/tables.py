"""Every table that cannot be derived, as it was at one moment, as new tables beside the old ones."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

KINDS: Final[Mapping[str, str]] = {
    "CreditsTable": "credits",
    "TransactionsTable": "transactions",
    "LinksTable": "links",
    "DeskTable": "desk",
}
"""The tables that hold what nothing else knows, by logical id, with the end of a restored one's name: those with
point-in-time recovery. Figures are recounted."""
WITH_STREAM: Final = frozenset({"CreditsTable", "TransactionsTable"})
"""Those whose stream the functions read."""

POLL_SECONDS: Final = 20
ATTEMPTS: Final = 1080
"""Six hours; by AWS's figures most restores end within one."""
BACKUP_POLLS: Final = 45
"""Fifteen minutes: a table that was just restored may refuse backups for about ten."""

Sleep = Callable[[float], object]
Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The names of the tables that are restored together."""

    credits: str
    transactions: str
    links: str
    desk: str

    @property
    def by_logical_id(self) -> Mapping[str, str]:
        """Return the names by the template's logical ids."""
        return {logical_id: getattr(self, kind) for logical_id, kind in KINDS.items()}


def tables_of(outputs: Mapping[str, str]) -> Tables:
    """Return the tables of the stack with these `outputs`."""
    return Tables(**{kind: outputs[f"{logical_id}Name"] for logical_id, kind in KINDS.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The new tables, and the latest moment that one of them shows; None where the engine does not report it."""

    tables: Tables
    moment: datetime | None


def restore(
    client: "DynamoDBClient",
    sources: Tables,
    prefix: str,
    *,
    at: datetime | None,
    arns: Tables | None = None,
    tell: Tell = print,
    sleep: Sleep = time.sleep,
) -> Restored:
    """Restore the tables to the moment `at`, or to the latest one, under names that begin with `prefix`.

    When it returns they are active, have the streams that the functions read, and are protected: AWS's restore sets
    none of that. `sources` name tables of the client's own region, or with `arns` tables of another one. The restores
    agree only to the second: `credits rebuild` makes accounts agree with the transactions before anybody writes. A
    second call with the same arguments continues with the tables of the first, and sets only what they lack.

    Raises:
        ClientError: AWS refused: another table has the name, the moment lies outside the window.
        WaiterError: A table was not there after six hours.
    """
    restored = Tables(**{kind: f"{prefix}-{kind}" for kind in KINDS.values()})
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
    moments = []
    for logical_id, target in restored.by_logical_id.items():
        table = _make_ready(client, target, stream=logical_id in WITH_STREAM, tell=tell, sleep=sleep)
        if summary := table.get("RestoreSummary"):
            moments.append(summary["RestoreDateTime"])
    return Restored(tables=restored, moment=max(moments, default=None))


def _is_restored(client: "DynamoDBClient", table: str, source: str, at: datetime | None) -> bool:
    """Return whether `table` was restored from the table `source` (a name or an ARN) to this moment."""
    summary = client.describe_table(TableName=table)["Table"].get("RestoreSummary")
    if summary is None or at not in (None, summary["RestoreDateTime"]):
        return False
    return summary.get("SourceTableArn", "").rpartition("/")[2] == source.rpartition("/")[2]


def _make_ready(
    client: "DynamoDBClient", table: str, *, stream: bool, tell: Tell, sleep: Sleep
) -> "TableDescriptionTypeDef":
    """Set what `table` lacks, each step once it is active again, and return its description."""
    found = _active(client, table)
    if stream and not found.get("StreamSpecification", {}).get("StreamEnabled"):
        client.update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        )
        found = _active(client, table)
    if not found.get("DeletionProtectionEnabled"):
        client.update_table(TableName=table, DeletionProtectionEnabled=True)
        found = _active(client, table)
    _keep_backups(client, table, tell=tell, sleep=sleep)
    return found


def _active(client: "DynamoDBClient", table: str) -> "TableDescriptionTypeDef":
    patience: Any = {"Delay": POLL_SECONDS, "MaxAttempts": ATTEMPTS}
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig=patience)
    return client.describe_table(TableName=table)["Table"]


def _keep_backups(client: "DynamoDBClient", table: str, *, tell: Tell, sleep: Sleep) -> None:
    """Switch point-in-time recovery on, as soon as the table takes it."""
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        return
    for left in reversed(range(BACKUP_POLLS)):
        try:
            client.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        except client.exceptions.ContinuousBackupsUnavailableException:
            if not left:
                raise
            tell(f"{table} was just restored and takes no backups yet: asking again in {POLL_SECONDS} seconds.")
            sleep(POLL_SECONDS)
        else:
            return

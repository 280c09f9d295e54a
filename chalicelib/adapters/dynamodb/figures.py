"""The fleet's figures in DynamoDB: an item for each merchant counted, and a few for the sums.

The merchants' items and their bucket's sums change in one TransactWriteItems, and only if every merchant still has the
known version: so repeats, partial retries and two shards at once count once. Everything stays under 1 KB, so an
account's write costs 2 units and a share of the bucket's 2.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb.batch_read import Item, batch_read
from chalicelib.adapters.dynamodb.faults import BUSY, FAILED_CONDITION, TRANSIENT, transient_faults
from chalicelib.domain.figures import BUCKETS, Counted, Figures, FiguresChange, total
from chalicelib.domain.ids import MerchantId, day_of
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MERCHANT = "merchant#"
_BUCKET = "fleet#"
FLEET_KEYS = tuple(f"{_BUCKET}{number}" for number in range(BUCKETS))
"""The ids of the items that hold the fleet's sums; each names the day of the changes that it last took."""
_SUMS = ("merchants", "zero", "low", "balance", "shortfall", "debt", "closed")
_LOST = BUSY | TRANSIENT | {FAILED_CONDITION, "None"}


class FiguresTable:
    """The figures table, whose items have one key, `id`. `item` and `keep_item` may raise `RetryLater`."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def item(self, name: str) -> dict[str, Any]:
        """Return the item of this id, read consistently; empty if there is none."""
        key: Any = {"id": {"S": name}}
        with transient_faults("the figures"):
            return dict(self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))

    def keep_item(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Write the item of this id, whatever it was."""
        with transient_faults("the figures"):
            self._client.put_item(TableName=self._table, Item={"id": {"S": name}, **attributes})

    def read(self, keys: Sequence[str]) -> list[Item]:
        """Return the items that exist under these keys, read consistently."""
        wanted = [{"id": {"S": key}} for key in keys]
        with transient_faults():
            answers = batch_read(self._client, self._table, wanted, component="the figures", ConsistentRead=True)
            return [item for _, items in answers for item in items]

    def put(self, item: Item, condition: Mapping[str, Any]) -> bool:
        """Write an item if the condition, in the form of PutItem, holds, and return whether it did.

        May raise whatever botocore raises.
        """
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


class DynamoDBFigures(FiguresTable):
    """The `FiguresStore` on the figures table."""

    def counted(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, Counted]:
        """Return each merchant's counted figures, read consistently, 100 in a request."""
        found = {}
        for item in self.read([f"{_MERCHANT}{merchant_id}" for merchant_id in merchants]):
            merchant_id = MerchantId(item["id"]["S"].removeprefix(_MERCHANT))
            found[merchant_id] = Counted(version=int(item["version"]["N"]), figures=_figures_from(item))
        return found

    def count(self, bucket: int, changes: Sequence[FiguresChange]) -> bool:
        """Write the merchants' items and add to the bucket's sums in one TransactWriteItems, or do neither."""
        actions = [self._counted_action(change) for change in changes]
        if sums := _attributes(total(change.difference for change in changes)):
            actions.append(self._sums_action(bucket, sums, max(day_of(change.at) for change in changes)))
        try:
            with transient_faults():
                self._client.transact_write_items(TransactItems=cast("Any", actions))
        except self._client.exceptions.TransactionCanceledException as error:
            _refuse_bugs(cast("Sequence[Item]", error.response["CancellationReasons"]))
            return False
        except ClientError as error:
            if error.response["Error"]["Code"] in BUSY:
                return False
            raise
        return True

    def fleet(self) -> Figures:
        """Return the sum of all buckets, each of them as of one moment."""
        return fleet_from(self.read(FLEET_KEYS))[0]

    def _counted_action(self, change: FiguresChange) -> Item:
        item = {
            "id": {"S": f"{_MERCHANT}{change.merchant_id}"},
            "version": {"N": str(change.after.version)},
            **_attributes(change.after.figures),
        }
        put: dict[str, Any] = {"TableName": self._table, "Item": item}
        if change.before is None:
            put["ConditionExpression"] = "attribute_not_exists(id)"
        else:
            put["ConditionExpression"] = "version = :known"
            put["ExpressionAttributeValues"] = {":known": {"N": str(change.before.version)}}
        return {"Put": put}

    def _sums_action(self, bucket: int, sums: Item, day: str) -> Item:
        places = list(enumerate(sums))
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"id": {"S": f"{_BUCKET}{bucket}"}},
                "UpdateExpression": "SET #day = :day ADD " + ",".join(f"#{place} :{place}" for place, _ in places),
                "ExpressionAttributeNames": {"#day": "day", **{f"#{place}": name for place, name in places}},
                "ExpressionAttributeValues": {
                    ":day": {"S": day},
                    **{f":{place}": sums[name] for place, name in places},
                },
            }
        }


def fleet_from(items: Iterable[Item]) -> tuple[Figures, str]:
    """Return the sum of the items of `FLEET_KEYS`, and the latest day that they name, empty if they name none."""
    buckets = list(items)
    return total(map(_figures_from, buckets)), max((item["day"]["S"] for item in buckets if "day" in item), default="")


def _attributes(figures: Figures) -> dict[str, Any]:
    """Return the figures that are not 0 as attributes, flat so that ADD works on each."""
    numbers = {name: getattr(figures, name) for name in _SUMS}
    for kind, of_kind in figures.totals.items():
        counted, moved = _names(kind)
        numbers |= {counted: of_kind.count, moved: of_kind.credits}
    return {name: {"N": str(number)} for name, number in numbers.items() if number}


def _figures_from(item: Item) -> Figures:
    totals = {}
    for kind in Kind:
        counted, moved = _names(kind)
        of_kind = Total(count=_whole(item, counted), credits=_whole(item, moved))
        if of_kind != Total():
            totals[kind] = of_kind
    return Figures(**{name: _whole(item, name) for name in _SUMS}, totals=totals)


def _names(kind: Kind) -> tuple[str, str]:
    return f"{kind.name}_count", f"{kind.name}_credits"


def _whole(item: Item, name: str) -> int:
    attribute = item.get(name)
    return int(attribute["N"]) if attribute else 0


def _refuse_bugs(reasons: Sequence[Item]) -> None:
    unknown = {str(reason.get("Code")) for reason in reasons if reason.get("Code") is not None} - _LOST
    if unknown:
        # The write itself is wrong: a bug, never a lost race.
        raise RuntimeError(f"DynamoDB refused to count {len(reasons)} items: {sorted(unknown)}")

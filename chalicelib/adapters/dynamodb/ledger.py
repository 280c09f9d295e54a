"""The ledger's store on DynamoDB: one read for a whole batch, one atomic write for a merchant's movements.

The write goes through the botocore client and not through PynamoDB, which exposes neither the items behind failed
conditions nor the order of its requests, and is fifteen times slower at writing an item (infra/docs/traps.md).
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.batch_read import KEYS_MAX, READ_ROUNDS_MAX
from chalicelib.adapters.dynamodb.faults import BUSY, FAILED_CONDITION, TRANSIENT, raise_if_transient, transient_faults
from chalicelib.adapters.dynamodb.items import (
    Item,
    account_from,
    account_item,
    crossings_attribute,
    guard_item,
    named_by,
    transaction_from,
    transaction_item,
)
from chalicelib.adapters.dynamodb.tallies import tally_attributes
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account, Commit, TallyChange
from chalicelib.domain.names import torn
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed, Known, Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READ_PAUSE_SECONDS = 0.01
"""The pause, which grows, before keys that a batch read left unprocessed are asked for again."""

_OPTIONAL_ATTRIBUTES = (
    *("total_shortfall", "debt", "use", "low_balance_threshold", "outdated", "level", "crossings"),
    *("lots", "due_at", "due_shard", "alerts", "grace", "grace_terms", "freeze", "counters", "back_at"),
)
"""What an account's item may hold or not: a write sets what there is and removes the rest."""
_WRITE = "dynamodb.TransactWriteItems"
_ACTIONS = "TransactItems"

_encode = json.JSONEncoder(separators=(",", ":")).encode


class DynamoDBLedger:
    """The `LedgerStore` on the two tables."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        credits_table: str,
        transactions_table: str,
        sleep: Callable[[float], None] = time.sleep,
        answering: bool = False,
    ) -> None:
        """`answering` is for a caller that only reports what it read (`items.account_from`) and never commits."""
        self._answering = answering
        self._client = client
        self._sleep = sleep
        self._credits_table = credits_table
        self._transactions_table = transactions_table

    def read(self, merchants: Iterable[MerchantId], transactions: Iterable[TransactionId]) -> Known:
        """Return the accounts and transactions, read consistently, 100 of both together in a request.

        A guard whose transaction is missing, after a restore, counts as unreadable.
        """
        keys: list[tuple[str, str, str]] = [
            (self._credits_table, "merchant_id", key) for key in dict.fromkeys(merchants)
        ]
        keys += [(self._transactions_table, "transaction_id", key) for key in dict.fromkeys(transactions)]
        accounts: dict[MerchantId, Account] = {}
        found: dict[TransactionId, Transaction] = {}
        guards: dict[TransactionId, TransactionId] = {}
        unreadable: dict[str, Exception] = {}
        remaining = iter(keys)
        while chunk := list(islice(remaining, KEYS_MAX)):
            for table, item in self._read_items(chunk):
                name = "merchant_id" if table == self._credits_table else "transaction_id"
                try:
                    if table == self._credits_table:
                        account = account_from(item, answering=self._answering)
                        accounts[account.merchant_id] = account
                    elif (named := named_by(item)) is not None:
                        guards[TransactionId(item[name]["S"])] = named
                    else:
                        transaction = transaction_from(item, answering=self._answering)
                        found[transaction.transaction_id] = transaction
                except Exception as error:  # noqa: BLE001 - whatever is wrong with an item, it is reported with its key
                    unreadable[item[name]["S"]] = error
        if unread := set(guards.values()) - found.keys():
            followed = self.read([], unread)
            found |= followed.transactions
            for guard in [one for one, transaction in guards.items() if transaction not in found]:
                # The work of every merchant follows all guards of the batch: this one would put all of them off.
                lost = guards.pop(guard)
                unreadable[guard] = followed.unreadable.get(lost) or torn(guard, lost)
        return Known(accounts=accounts, transactions=found, guards=guards, unreadable=unreadable)

    def commit(self, commit: Commit) -> Committed | Refused:
        """Write all of `commit` in one TransactWriteItems, or nothing."""
        actions = [self._account_action(commit)] if commit.writes_account else []
        actions += [self._new_item(transaction_item(transaction)) for transaction in commit.transactions]
        actions += [self._new_item(guard_item(guard)) for guard in commit.guards]
        actions += [self._tally_action(change) for change in commit.tallies]
        try:
            self._client.transact_write_items(TransactItems=cast("Any", actions))
        except self._client.exceptions.TransactionCanceledException as error:
            refused = _refusal(commit, cast("Sequence[Mapping[str, Any]]", error.response["CancellationReasons"]))
            return replace(refused, repeated=_repeated(error))
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in BUSY:
                return Refused(account=commit.before, contended=True, repeated=_repeated(error))
            raise_if_transient(error)
            raise
        return Committed()

    def _read_items(self, keys: Sequence[tuple[str, str, str]]) -> Iterable[tuple[str, Item]]:
        wanted: dict[str, Any] = {}
        for table, name, key in keys:
            request = wanted.setdefault(table, {"Keys": [], "ConsistentRead": True})
            request["Keys"].append({name: {"S": key}})
        for attempt in range(READ_ROUNDS_MAX):
            if attempt:
                self._sleep(READ_PAUSE_SECONDS * 2**attempt)
            with transient_faults():
                answer = self._client.batch_get_item(RequestItems=wanted)
            for table, items in answer["Responses"].items():
                yield from ((table, cast("Item", item)) for item in items)
            wanted = cast("dict[str, Any]", answer["UnprocessedKeys"])
            if not wanted:
                return
        raise RetryLater(Code.UNAVAILABLE, "the ledger did not answer for all keys of a batch read")

    def _account_action(self, commit: Commit) -> Item:
        item = account_item(commit.after)
        if commit.crossings:
            item["crossings"] = crossings_attribute(commit.crossings)
        if commit.before is None:
            return self._put(self._credits_table, item, "attribute_not_exists(merchant_id)")
        key = {"merchant_id": item.pop("merchant_id")}
        names = {f"#{place}": name for place, name in enumerate(item)}
        values = {f":{place}": value for place, value in enumerate(item.values())}
        expression = "SET " + ",".join(f"#{place}=:{place}" for place in range(len(item)))
        if absent := [name for name in _OPTIONAL_ATTRIBUTES if name not in item]:
            names |= {f"#{name}": name for name in absent}
            expression += " REMOVE " + ",".join(f"#{name}" for name in absent)
        return {
            "Update": {
                "TableName": self._credits_table,
                "Key": key,
                "UpdateExpression": expression,
                "ConditionExpression": "#known=:known",
                "ExpressionAttributeNames": {**names, "#known": "version"},
                "ExpressionAttributeValues": {**values, ":known": {"N": str(commit.before.version)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _new_item(self, item: Item) -> Item:
        return self._put(self._transactions_table, item, "attribute_not_exists(transaction_id)")

    def _tally_action(self, change: TallyChange) -> Item:
        attributes = tally_attributes(change.after, change.time)
        values = {f":{name}": value for name, value in attributes.items()}
        known = tally_attributes(change.before, change.time) if change.before else {}
        condition = "attribute_exists(transaction_id)"
        # A refund counts one more and an edit has a later version: they show whether the tally is the known one.
        for name in ("refunded_count", "edited"):
            if name in known:
                condition += f" AND {name}=:known_{name}"
                values[f":known_{name}"] = known[name]
            else:
                condition += f" AND attribute_not_exists({name})"
        expression = "SET " + ",".join(f"{name}=:{name}" for name in attributes)
        if gone := [name for name in known if name not in attributes]:
            expression += " REMOVE " + ",".join(gone)
        return {
            "Update": {
                "TableName": self._transactions_table,
                "Key": {"transaction_id": {"S": change.transaction_id}},
                "UpdateExpression": expression,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    @staticmethod
    def _put(table: str, item: Item, condition: str) -> Item:
        return {
            "Put": {
                "TableName": table,
                "Item": item,
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def _refusal(commit: Commit, reasons: Sequence[Mapping[str, Any]]) -> Refused:
    """Read the cancellation, whose reasons come in the order of the request: account, transactions, guards, tallies.

    There may be several reasons, and each is read separately. Only a failed condition proves a lost race or a
    duplicate, and it returns the existing item; a conflict proves nothing (infra/docs/traps.md).
    """
    codes = {reason.get("Code") for reason in reasons}
    transient = codes & TRANSIENT
    unknown = codes - TRANSIENT - BUSY - {FAILED_CONDITION, "None", None}
    if unknown:
        # The write itself is at fault (ValidationError, ItemCollectionSizeLimitExceeded): a bug, never a lost race.
        raise RuntimeError(f"DynamoDB refused a write of {len(reasons)} items: {sorted(map(str, unknown))}")
    evidence = [reason.get("Item") for reason in reasons if reason.get("Code") == FAILED_CONDITION]
    if transient and not evidence:
        raise RetryLater(Code.UNAVAILABLE, f"the ledger is throttled: {', '.join(sorted(map(str, transient)))}")
    account = commit.before
    if commit.writes_account:
        of_account, *reasons = reasons
        if of_account.get("Code") == FAILED_CONDITION:
            account = account_from(of_account["Item"]) if of_account.get("Item") else None
    found: list[Item] = [
        reason["Item"] for reason in reasons if reason.get("Code") == FAILED_CONDITION and reason.get("Item")
    ]
    return Refused(
        account=account,
        transactions=tuple(transaction_from(item) for item in found if named_by(item) is None),
        guards={TransactionId(item["transaction_id"]["S"]): name for item in found if (name := named_by(item))},
        contended=bool(codes & BUSY or transient),
    )


def _repeated(error: ClientError) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def send_as_built(client: "DynamoDBClient") -> None:
    """Make the client's TransactWriteItems send the actions unchanged; safe to call twice.

    The actions of a write are built in DynamoDB's own form, which is the form on the wire. botocore would walk them
    again shape by shape, and once more to look for table names: as much work as the rest of an order. Signing,
    endpoints, tokens, retries and errors stay botocore's. The client must not check parameters
    (`parameter_validation=False`): it would find no action at all.
    """
    client.meta.events.register(f"provide-client-params.{_WRITE}", _set_aside, unique_id="set-aside")  # type: ignore[arg-type]
    client.meta.events.register(f"before-call.{_WRITE}", _put_back, unique_id="put-back")


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    context[_ACTIONS] = params[_ACTIONS]
    return {**params, _ACTIONS: []}


def _put_back(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    body = json.loads(params["body"])
    params["body"] = _encode({**body, _ACTIONS: context[_ACTIONS]}).encode()

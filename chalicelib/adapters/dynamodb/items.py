"""How accounts, transactions and guards are stored in DynamoDB: plain readers and writers of the low-level item.

Attribute names are the API's. Values that are zero, absent or derivable are omitted, so that an account and an order's
transaction stay under 1 KB, one write unit each (decision 0002). The models of the tables (models.py) describe the same
items for reading; a contract test holds the two together.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from chalicelib.adapters.dynamodb import account_attributes as texts
from chalicelib.adapters.dynamodb.sizes import WRITE_UNIT_BYTES, item_bytes
from chalicelib.adapters.dynamodb.tallies import tally_attributes, tally_from
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, milliseconds
from chalicelib.domain.ledger import Account, Crossing, CrossingType
from chalicelib.domain.movements import Kind
from chalicelib.domain.names import Guard
from chalicelib.domain.transactions import SCHEMA_VERSION_DRAWN, Total, Transaction

Item = dict[str, Any]
"""A low-level item: attribute name -> `{"S": …}`, `{"N": …}`, `{"M": …}` or `{"BOOL": …}`."""

ACCOUNT_VERSION = 2
"""The newest form of an account's item, for accounts on which time acts. All others have the first form, which every
release may write; an item without `schema_version` has the first form too."""
GUARD_VERSION: Final = 2
"""The form of a guard's item. Releases that know no guards take it for a newer form, and leave it to those that do."""

_Read = TypeVar("_Read")
_KINDS = {(kind.transaction_type, str(kind.direction)): kind for kind in Kind}


def account_item(account: Account) -> Item:
    """Return the account as an item, without the crossings of the write that it belongs to."""
    item: Item = {
        "merchant_id": {"S": account.merchant_id},
        "balance": {"N": str(account.balance)},
        "sequence": {"N": str(account.sequence)},
        "version": {"N": str(account.version)},
        "schema_version": {"N": str(ACCOUNT_VERSION if _timed(account) else 1)},
        "totals": {"M": texts.totals_map(account.totals)},
        "hash": {"S": account.hash},
        "threshold": {"N": str(account.threshold)},
        "status_changed_at": {"S": account.status_changed_at},
        "created_at": {"S": account.created_at},
        "updated_at": {"S": account.updated_at},
    }
    if account.total_shortfall:
        item["total_shortfall"] = {"N": str(account.total_shortfall)}
    if account.debt:
        item["debt"] = {"N": str(account.debt)}
    if account.closure is not None:
        item["closure"] = {"S": texts.closure_text(account.closure)}
        if account.closure.back_at is not None:
            # Not in the text of `closure`: older releases read all of it after its first word as one time.
            item["back_at"] = {"N": str(milliseconds(account.closure.back_at))}
    if account.outdated is not None:
        item["outdated"] = {"S": texts.outdated_text(account.outdated)}
    if account.low_balance_threshold is not None:
        item["low_balance_threshold"] = {"N": str(account.low_balance_threshold)}
    for name in ("last_transaction_id", "last_transaction_at", "status_transaction_id"):
        if (value := getattr(account, name)) is not None:
            item[name] = {"S": value}
    if (partition := texts.level(account)) is not None:
        item["level"] = {"S": partition}
    item |= _of_time(account)
    return _fitted(item, account.totals) if _timed(account) else item


def _fitted(item: Item, totals: Mapping[Kind, Total]) -> Item:
    """Return an item of the second form within 1 KB, if its counters as one text bring it there."""
    if item_bytes(item) <= WRITE_UNIT_BYTES:
        return item
    return item | {"totals": {"M": {}}, "counters": {"S": texts.counters_text(totals)}}


def _of_time(account: Account) -> Item:
    item: Item = texts.due_attributes(account)
    if account.use is not None:
        item["use"] = {"S": texts.use_text(account.use)}
    if account.alerts is not None:
        item["alerts"] = {"S": texts.alerts_text(account.alerts)}
    if account.grace is not None:
        item["grace"] = {"S": texts.grace_text(account.grace)}
    if account.grace_terms is not None:
        item["grace_terms"] = {"S": texts.grace_terms_text(account.grace_terms)}
    if account.freeze is not None:
        item["freeze"] = {"S": texts.freeze_text(account.freeze)}
    if account.lots:
        item["lots"] = {"S": texts.lots_text(account.lots)}
    return item


def _timed(account: Account) -> bool:
    """Return whether the account has an attribute that releases before section 16 would lose with their next write."""
    if account.lots or account.due_at is not None or account.alerts is not None or account.grace is not None:
        return True
    return account.grace_terms is not None or account.freeze is not None or Kind.EXPIRY in account.totals


def account_from(item: Mapping[str, Any], *, answering: bool = False) -> Account:
    """Return the account that `account_item` wrote.

    A caller that is only `answering` gets an account of a newer form too, as far as this release knows it: a newer form
    adds to an item, and changes the meaning of nothing. Whoever writes or publishes must leave it to those who know it.

    Raises:
        NewerForm: A newer release wrote it in a form that this one does not know.
    """
    return _known_form(item, ACCOUNT_VERSION, _account, answering=answering)


def _account(item: Mapping[str, Any]) -> Account:
    last_id, last_at, status_id = (
        _text(item, name) for name in ("last_transaction_id", "last_transaction_at", "status_transaction_id")
    )
    return Account(
        merchant_id=MerchantId(item["merchant_id"]["S"]),
        balance=int(item["balance"]["N"]),
        sequence=int(item["sequence"]["N"]),
        version=int(item["version"]["N"]),
        totals=texts.counters_from(counters)
        if (counters := _text(item, "counters"))
        else texts.totals_from(item["totals"]["M"]),
        total_shortfall=_whole(item, "total_shortfall") or 0,
        hash=item["hash"]["S"],
        last_transaction_id=TransactionId(last_id) if last_id else None,
        last_transaction_at=Instant(last_at) if last_at else None,
        threshold=int(item["threshold"]["N"]),
        low_balance_threshold=_whole(item, "low_balance_threshold"),
        status_changed_at=Instant(item["status_changed_at"]["S"]),
        status_transaction_id=TransactionId(status_id) if status_id else None,
        created_at=Instant(item["created_at"]["S"]),
        updated_at=Instant(item["updated_at"]["S"]),
        outdated=texts.outdated_from(_text(item, "outdated")),
        debt=_whole(item, "debt") or 0,
        closure=texts.closure_from(_text(item, "closure"), back_at=_whole(item, "back_at")),
        use=texts.use_from(_text(item, "use")),
        alerts=texts.alerts_from(_text(item, "alerts")),
        grace=texts.grace_from(_text(item, "grace")),
        grace_terms=texts.grace_terms_from(_text(item, "grace_terms")),
        freeze=texts.freeze_from(_text(item, "freeze")),
        lots=texts.lots_from(_text(item, "lots")),
        due_at=Instant(due_at) if (due_at := _text(item, "due_at")) else None,
    )


def transaction_item(transaction: Transaction) -> Item:
    """Return the transaction as an item, with its tally where it has one."""
    item: Item = {
        "transaction_id": {"S": transaction.transaction_id},
        "merchant_id": {"S": transaction.merchant_id},
        "sequence": {"N": str(transaction.sequence)},
        "operation_type": {"S": transaction.kind.direction},
        "transaction_type": {"S": transaction.kind.transaction_type},
        "amount": {"N": str(transaction.amount)},
        "requested": {"N": str(transaction.requested)},
        "threshold": {"N": str(transaction.threshold)},
        "balance_before": {"N": str(transaction.balance_before)},
        "balance_after": {"N": str(transaction.balance_after)},
        "idempotency_key": {"S": transaction.idempotency_key},
        "reference_id": {"S": transaction.reference_id},
        "extra_metadata": {"M": {name: _scalar(value) for name, value in transaction.metadata.items()}},
        "created_at": {"S": transaction.created_at},
        "schema_version": {"N": str(transaction.schema_version)},
        "previous_hash": {"S": transaction.previous_hash},
        "hash": {"S": transaction.hash},
    }
    if transaction.shortfall:
        item["shortfall"] = {"N": str(transaction.shortfall)}
    if transaction.drawn:
        item["drawn"] = {"S": texts.lots_text(transaction.drawn)}
    if transaction.correlation_id is not None:
        item["correlation_id"] = {"S": transaction.correlation_id}
    if transaction.occurred_at is not None:
        item["occurred_at"] = {"S": transaction.occurred_at}
    if transaction.tally is not None and transaction.refunded_at is not None:
        item |= tally_attributes(transaction.tally, transaction.refunded_at)
    return item


def transaction_from(item: Mapping[str, Any], *, answering: bool = False) -> Transaction:
    """Return the transaction that `transaction_item` wrote; one of a newer form as `account_from` does.

    Raises:
        NewerForm: A newer release wrote it in a form that this one does not know.
    """
    return _known_form(item, SCHEMA_VERSION_DRAWN, _transaction, answering=answering)


def _transaction(item: Mapping[str, Any]) -> Transaction:
    occurred_at, refunded_at = _text(item, "occurred_at"), _text(item, "refunded_at")
    return Transaction(
        transaction_id=TransactionId(item["transaction_id"]["S"]),
        merchant_id=MerchantId(item["merchant_id"]["S"]),
        sequence=int(item["sequence"]["N"]),
        kind=kind_of(item["transaction_type"]["S"], item["operation_type"]["S"]),
        amount=int(item["amount"]["N"]),
        requested=int(item["requested"]["N"]),
        shortfall=_whole(item, "shortfall") or 0,
        threshold=int(item["threshold"]["N"]),
        balance_before=int(item["balance_before"]["N"]),
        balance_after=int(item["balance_after"]["N"]),
        idempotency_key=item["idempotency_key"]["S"],
        reference_id=item["reference_id"]["S"],
        metadata={name: _scalar_from(value) for name, value in item["extra_metadata"]["M"].items()},
        correlation_id=_text(item, "correlation_id"),
        occurred_at=Instant(occurred_at) if occurred_at else None,
        created_at=Instant(item["created_at"]["S"]),
        previous_hash=item["previous_hash"]["S"],
        hash=item["hash"]["S"],
        schema_version=int(item["schema_version"]["N"]),
        drawn=texts.lots_from(_text(item, "drawn")),
        tally=tally_from(item),
        refunded_at=Instant(refunded_at) if refunded_at else None,
    )


def crossings_attribute(crossings: Iterable[Crossing]) -> Item:
    """Return the crossings of an account's last write as one JSON text.

    A stream's filter can match a text, but not a list: see infra/docs/traps.md.
    """
    carried = [
        {
            "type": crossing.type,
            "transaction_id": crossing.transaction_id,
            "sequence": crossing.sequence,
            "balance": crossing.balance,
            "threshold": crossing.threshold,
            "time": crossing.time,
            "correlation_id": crossing.correlation_id,
            **({"details": dict(crossing.details)} if crossing.details else {}),
        }
        for crossing in crossings
    ]
    return {"S": json.dumps(carried, separators=(",", ":"))}


def crossings_from(item: Mapping[str, Any]) -> tuple[Crossing, ...]:
    """Return the crossings of the write that left this account item, in the order of the movements.

    Raises:
        NewerForm: The item is of a newer form, which may carry them otherwise.
    """
    if is_newer(item, ACCOUNT_VERSION):
        raise NewerForm
    return tuple(
        Crossing(**{**carried, "type": CrossingType(carried["type"])})
        for carried in json.loads(item.get("crossings", {"S": "[]"})["S"])
    )


def kind_of(transaction_type: str, operation_type: str) -> Kind:
    """Return the kind of a transaction that holds these two."""
    return _KINDS[transaction_type, operation_type]


def guard_item(guard: Guard) -> Item:
    """Return a guard as an item: without a sequence, it is in no index, so no reader of histories gets it."""
    return {
        "transaction_id": {"S": guard.transaction_id},
        "merchant_id": {"S": guard.merchant_id},
        "idempotency_key": {"S": guard.key},
        "names": {"S": guard.names},
        "schema_version": {"N": str(GUARD_VERSION)},
    }


def named_by(item: Mapping[str, Any]) -> TransactionId | None:
    """Return the id of the transaction that the item names if it is a guard, None if it is a transaction itself."""
    return TransactionId(item["names"]["S"]) if "names" in item else None


def _known_form(
    item: Mapping[str, Any], known: int, read: Callable[[Mapping[str, Any]], _Read], *, answering: bool
) -> _Read:
    """Read an item, unless it has a newer form: a write of this release could lose attributes that it does not know."""
    newer = is_newer(item, known)
    if newer and not answering:
        raise NewerForm
    try:
        return read(item)
    except (KeyError, ValueError, TypeError) as error:
        if newer:
            raise NewerForm from error
        raise


def is_newer(item: Mapping[str, Any], known: int) -> bool:
    """Return whether an item has a form after the newest `known` one."""
    return (_whole(item, "schema_version") or known) > known


def _scalar(value: str | int) -> Item:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _scalar_from(value: Mapping[str, str]) -> str | int:
    return value["S"] if "S" in value else int(value["N"])


def _text(item: Mapping[str, Any], name: str) -> str | None:
    attribute = item.get(name)
    return attribute["S"] if attribute else None


def _whole(item: Mapping[str, Any], name: str) -> int | None:
    attribute = item.get(name)
    return int(attribute["N"]) if attribute else None

"""Two releases of the product side by side: this one, and a newer one, which is this code with another configuration.

The newer one knows another form of accounts and transactions, and writes only that: under schema version 3, and with an
attribute unknown to this release. Each call belongs to one of the two.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from chalicelib.adapters.dynamodb import items
from chalicelib.adapters.dynamodb import ledger as dynamodb
from chalicelib.domain import ledger, moving, transactions
from tests.simulator.aws import CREDITS, TRANSACTIONS
from tests.simulator.tables import Table, Write

THIS, NEWER = 2, 3
LOTS = "later"
"""The attribute of the newer form: on an account, the version of its write."""


def shares(seed: int, seconds: float) -> list[tuple[float, float]]:
    """Return the newer release's share of calls from each moment on; in the end it has all.

    A gradual shift, sometimes rolled back for a while, in every other seed; nothing in the others.
    """
    random = Random(f"releases {seed}")
    if random.random() < 0.5:
        return []
    moment = random.uniform(0, seconds)
    plan = [(moment, random.choice([0.1, 0.5, 0.9]))]
    if random.random() < 0.6:
        plan.append((moment := moment + random.uniform(1, 60), 0.0))
        plan.append((moment := moment + random.uniform(1, 60), random.choice([0.1, 0.5])))
    return [*plan, (moment + random.uniform(1, 60), 1.0)]


def run_as(release: int) -> None:
    """Let the product be of a release from now on."""
    for module, name, of_release in _PLACES:
        setattr(module, name, of_release[release])


def is_newer(item: Mapping[str, Any] | None) -> bool:
    """Whether an item has the newer release's form; a guard's is the same in both."""
    return item is not None and "names" not in item and item.get("schema_version") == {"N": str(NEWER)}


def newer_since(log: Sequence[Write]) -> dict[str, float]:
    """Return since when the newer release has written to which merchant's ledger."""
    found: dict[str, float] = {}
    for write in log:
        for change in write.changes:
            if is_newer(change.new):
                found.setdefault((change.new or {})["merchant_id"]["S"], write.at)
    return found


def of_newer_form(tables: Mapping[str, Table]) -> set[str]:
    """Return the merchants of whose ledger anything has the newer form now, which a restore may have undone."""
    items = [item for name in (CREDITS, TRANSACTIONS) for item in tables[name].items.values()]
    return {item["merchant_id"]["S"] for item in items if is_newer(item)}


def _newer_account_item(account: ledger.Account) -> items.Item:
    return {**items.account_item(account), "schema_version": _FORM, LOTS: {"N": str(account.version)}}


def _newer_transaction_item(transaction: transactions.Transaction) -> items.Item:
    return {**items.transaction_item(transaction), LOTS: {"N": str(transaction.sequence)}}


_PLACES: Sequence[tuple[object, str, Mapping[int, object]]] = (
    (items, "ACCOUNT_VERSION", {THIS: THIS, NEWER: NEWER}),
    (items, "SCHEMA_VERSION_DRAWN", {THIS: THIS, NEWER: NEWER}),
    (moving, "SCHEMA_VERSION", {THIS: 1, NEWER: NEWER}),
    (moving, "SCHEMA_VERSION_DRAWN", {THIS: THIS, NEWER: NEWER}),
    (dynamodb, "account_item", {THIS: items.account_item, NEWER: _newer_account_item}),
    (dynamodb, "transaction_item", {THIS: items.transaction_item, NEWER: _newer_transaction_item}),
)
_FORM = {"N": str(NEWER)}

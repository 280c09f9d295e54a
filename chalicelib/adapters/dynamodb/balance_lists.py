"""The accounts at zero, low or off, from the sparse index: never a scan (contract, "Low, zero and off lists").

The index holds keys only and follows the table with a little delay, so the accounts themselves are read in batches, and
accounts that have left the level meanwhile are omitted. Accounts that reached the level by time, and whose transaction
is not posted yet, are found among the due accounts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import merge
from itertools import groupby, islice

from chalicelib.adapters.dynamodb.account_attributes import LEVEL_SHARDS, LEVELS_OF, level_shard
from chalicelib.adapters.dynamodb.history import translated
from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.adapters.dynamodb.models import AccountRow, bound
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.ledger import Account

BATCH = 100
"""Accounts of one batch read, DynamoDB's limit."""
Only = Callable[[Account], bool]
"""Whether an account of the level is listed."""
ACCOUNTS_EXAMINED_MAX = 1000
"""Accounts that one request looks at, whether they are listed or not."""


class BalanceList(StrEnum):
    """What the index lists: accounts without credits, accounts with few credits, and those whose plugin is off."""

    ZERO = "zero"
    LOW = "low"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Accounts of a level. `after` is the merchant after which to continue, None when everything was examined."""

    accounts: tuple[Account, ...]
    after: MerchantId | None


class BalanceLists:
    """Lists the levels of the index. Every method may raise `RetryLater` (`unavailable`)."""

    def __init__(self, *, credits_table: str, pending: Callable[[], Iterable[MerchantId]]) -> None:
        self._accounts = bound(AccountRow, credits_table)
        self._pending = pending

    def accounts(
        self, level: BalanceList, *, after: MerchantId | None, wanted: int, only: Only | None = None
    ) -> Listed:
        """Return up to `wanted` accounts of the level after `after` that `only` accepts.

        The order is the index's own and always the same. After `ACCOUNTS_EXAMINED_MAX` accounts the search stops, and
        `Listed.after` is where it would continue.
        """
        found: list[Account] = []
        examined = 0
        # One more than wanted shows whether more follow. A filter leaves few, so it examines whole batches.
        size = BATCH if only is not None else min(BATCH, wanted + 1)
        keys = self._keys(level, after, size)
        with translated():
            while batch := list(islice(keys, size)):
                found += [one for one in self._read(batch) if _is(level, one) and (only is None or only(one))]
                examined += len(batch)
                if len(found) > wanted:
                    return Listed(accounts=tuple(found[:wanted]), after=found[wanted - 1].merchant_id)
                if examined >= ACCOUNTS_EXAMINED_MAX:
                    return Listed(accounts=tuple(found), after=batch[-1])
        return Listed(accounts=tuple(found), after=None)

    def named(self, merchants: Sequence[MerchantId]) -> list[Account]:
        """Return the accounts of up to `BATCH` merchants, in the order given; those without an account are left out."""
        with translated():
            return self._read(list(merchants))

    def _keys(self, level: BalanceList, after: MerchantId | None, size: int) -> Iterator[MerchantId]:
        """Yield the merchants of the level and those whose accounts are due, each once, in the index's order."""
        begin = _place(after) if after is not None else (0, "")
        due = sorted(place for merchant_id in self._pending() if (place := _place(merchant_id)) > begin)
        indexed = (_place(merchant_id) for merchant_id in self._indexed(level, after, size))
        return (MerchantId(merchant_id) for (_, merchant_id), _ in groupby(merge(due, indexed)))

    def _indexed(self, level: BalanceList, after: MerchantId | None, size: int) -> Iterator[MerchantId]:
        first = level_shard(after) if after is not None else 0
        for shard in range(first, LEVEL_SHARDS):
            after_key = AccountRow.merchant_id > after if after is not None and shard == first else None
            listed = [
                self._accounts.by_level.query(f"{name}#{shard}", after_key, page_size=size) for name in LEVELS_OF[level]
            ]
            yield from (MerchantId(row.merchant_id) for row in merge(*listed, key=lambda row: row.merchant_id))

    def _read(self, keys: list[MerchantId]) -> list[Account]:
        """Return the accounts as of now, in the order of their keys."""
        rows = {row.merchant_id: row for row in self._accounts.batch_get(keys)}
        now = instant(datetime.now(UTC))
        return [as_of(account_from(rows[key].to_dynamodb_dict(), answering=True), now) for key in keys if key in rows]


def _place(merchant_id: MerchantId) -> tuple[int, str]:
    return level_shard(merchant_id), merchant_id


def _is(level: BalanceList, account: Account) -> bool:
    if level is BalanceList.OFF:
        return not account.enabled
    return account.low if level is BalanceList.LOW else not account.balance

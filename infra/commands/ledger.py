"""A target's accounts and transactions, read with the rights of whoever runs the command."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from chalicelib.adapters.dynamodb.faults import pages
from chalicelib.adapters.dynamodb.items import transaction_from
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger
from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.contracts.api.problems import Refusal
from chalicelib.domain.grace import repayment_key
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from infra.commands.output import refused
from infra.commands.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def ledger_of(target: Target, *, answering: bool = False) -> DynamoDBLedger:
    """Return the target's ledger, to write to it or, where `answering`, to show it."""
    return DynamoDBLedger(
        target.client("dynamodb"),
        credits_table=target.credits_table,
        transactions_table=target.transactions_table,
        answering=answering,
    )


def reader_of(target: Target) -> DynamoDBLedgerReader:
    """Return the reader of the target's whole ledger."""
    return DynamoDBLedgerReader(
        target.client("dynamodb"), credits_table=target.credits_table, transactions_table=target.transactions_table
    )


def no_account(merchant: MerchantId) -> typer.Exit:
    """Say that a merchant has no account; return the exit to raise."""
    return refused(
        f"Merchant {merchant} has no account: no evt.merchant.created or evt.account.created has been recorded.",
        Refusal.NOT_FOUND,
    )


class TargetLedger:
    """Reads the two tables: what has a key consistently, a merchant's history from the index."""

    def __init__(self, target: Target) -> None:
        self._client: DynamoDBClient = target.client("dynamodb")
        self._transactions_table = target.transactions_table
        self._ledger = ledger_of(target, answering=True)

    def account(self, merchant: MerchantId) -> Account | None:
        """Return the merchant's account as it is now, None if there is none."""
        return self._ledger.read([merchant], []).account(merchant)

    def accounts(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, Account]:
        """Return the accounts that there are, a hundred in a request."""
        wanted = list(merchants)
        known = self._ledger.read(wanted, [])
        known.require(*wanted)
        return known.accounts

    def account_or_refuse(self, merchant: MerchantId) -> Account:
        """Return the merchant's account; ends the command with a sentence where there is none."""
        account = self.account(merchant)
        if account is None:
            raise no_account(merchant)
        return account

    def transactions(self, wanted: Iterable[TransactionId]) -> dict[TransactionId, Transaction]:
        """Return those of the transactions that there are, by the id asked for, which may be that of another name."""
        ids = list(wanted)
        return self._ledger.read([], ids).named(ids)

    def transaction(self, wanted: TransactionId) -> Transaction | None:
        """Return one transaction, None if there is none."""
        return self.transactions([wanted]).get(wanted)

    def repayments(self, inflows: Iterable[TransactionId], merchant: MerchantId) -> dict[TransactionId, Transaction]:
        """Return the repayment of debt that each inflow of the merchant caused, by inflow; others are left out."""
        keys = {inflow: transaction_id(merchant, repayment_key(inflow)) for inflow in inflows}
        found = self.transactions(keys.values())
        return {inflow: found[key] for inflow, key in keys.items() if key in found}

    def span(self, account: Account, since: Instant | None, until: Instant | None) -> tuple[int, int]:
        """Return the lowest and highest sequence of the transactions created from `since` to `until`, both included.

        Bisected, since times follow sequences: one query for each doubling of the ledger's length.
        """
        lowest = 1 if since is None else self._first_at(account, since)
        # Times are texts of one length, so a longer text sorts right after its beginning.
        highest = account.sequence if until is None else self._first_at(account, f"{until}~") - 1
        return lowest, highest

    def _first_at(self, account: Account, time: str) -> int:
        def created_at(sequence: int) -> str:
            found = self.history(account.merchant_id, sequence, sequence)
            # A transaction that the index lacks yet is among the newest.
            return found[0].created_at if found else account.updated_at

        return bisect_left(range(account.sequence + 1), time, lo=1, key=created_at)

    def history(self, merchant: MerchantId, lowest: int, highest: int) -> Sequence[Transaction]:
        """Return the merchant's transactions of these sequences, both included, newest first.

        The index may show the newest of them a moment late.
        """
        found = pages(
            self._client.query,
            TableName=self._transactions_table,
            IndexName="by_merchant",
            KeyConditionExpression="merchant_id = :merchant AND #sequence BETWEEN :lowest AND :highest",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={
                ":merchant": {"S": merchant},
                ":lowest": {"N": str(lowest)},
                ":highest": {"N": str(highest)},
            },
            ScanIndexForward=False,
        )
        return [transaction_from(item, answering=True) for page in found for item in page["Items"]]

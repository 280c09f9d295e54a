"""Drift planted in the tables of the running stack: `reconcile` finds, names and tells it, and `credits verify` too."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.adapters.dynamodb.items import transaction_from, transaction_item
from chalicelib.domain.ids import transaction_id
from chalicelib.domain.transactions import transaction_hash
from infra.commands.cli import command_line
from tests.support.command_line import CliRunner
from tests.support.marketplace import happened, merchant
from tests.support.poison import ORDER_PAID
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

REFUNDED = "evt.shopify.webhook.order_refunded"
DRIFT = "evt.credits.drift_detected"


class Hand:
    """A hand in the stack's tables. What it does to orders that use credits wakes no publisher."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.dynamodb
        self._credits = stack.description.credits_table
        self._transactions = stack.description.transactions_table

    def record(self, shop: str, sequence: int) -> dict[str, Any]:
        [item] = self._client.query(
            TableName=self._transactions,
            IndexName="by_merchant",
            KeyConditionExpression="merchant_id = :shop AND #sequence = :sequence",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={":shop": {"S": shop}, ":sequence": {"N": str(sequence)}},
        )["Items"]
        return dict(item)

    def put_record(self, item: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=self._transactions, Item=item)

    def remove_record(self, item: Mapping[str, Any]) -> None:
        self._client.delete_item(TableName=self._transactions, Key={"transaction_id": item["transaction_id"]})

    def put_account(self, item: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=self._credits, Item=item)


def forged(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that claims the sequence of another, well sealed."""
    record = transaction_from(item)
    key = f"{record.idempotency_key}_forged"
    other = replace(
        record,
        idempotency_key=key,
        transaction_id=transaction_id(record.merchant_id, key),
        tally=None,
        refunded_at=None,
    )
    return transaction_item(replace(other, hash=transaction_hash(other)))


@contextmanager
def planted(stack: Stack, one: str, other: str) -> Iterator[None]:
    """Plant everything that can be planted by hand in two ledgers, and take it out again."""
    hand = Hand(stack)
    account = dict(stack.account_item(one))
    refunded, inserted = hand.record(one, 2), forged(hand.record(one, 3))
    changed, removed = hand.record(other, 2), hand.record(other, 4)
    try:
        totals = {**account["totals"]["M"], "TRIAL": {"M": {"increases": {"N": "2"}, "credits_in": {"N": "100"}}}}
        hand.put_account({**account, "balance": {"N": "5000"}, "totals": {"M": totals}})
        hand.put_record({**refunded, "refunded_credits": {"N": "0"}})
        hand.put_record(inserted)
        hand.put_record({**changed, "reference_id": {"S": "another"}})
        hand.remove_record(removed)
        yield
    finally:
        hand.put_account(account)
        for item in (refunded, changed, removed):
            hand.put_record(item)
        hand.remove_record(inserted)


def reconciled(stack: Stack) -> dict[str, Any]:
    """Return what a new sweep says in the end, in as many calls as a busy machine takes."""
    while not swept(stack, {"only": "unfinished"})["finished"]:
        continue
    told = swept(stack, {})
    while not told["finished"]:
        told = swept(stack, {})
    return told


def swept(stack: Stack, event: Mapping[str, str]) -> dict[str, Any]:
    """Return what one call says."""
    name = stack.description.functions["reconcile"]
    answer = stack.lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return told


def verified(stack: Stack, *shops: str) -> tuple[int, list[tuple[str, str, int]]]:
    said = CliRunner(env={"LOCAL_DIR": str(stack.directory)}).invoke(command_line(), ["verify", *shops, "--json"])
    findings = json.loads(said.stdout)["findings"]
    return said.exit_code, sorted((each["merchant_id"], each["kind"], each["sequence"]) for each in findings)


def test_drift_planted_by_hand_is_found_named_and_told_by_the_running_system(flows: Stack) -> None:
    one, other = merchant("drifts"), merchant("drifts too")
    for shop in (one, other):
        orders = [happened(ORDER_PAID, shop, order_id=number) for number in (1, 2, 3)]
        flows.tell(happened("evt.merchant.created", shop), *orders, happened(REFUNDED, shop, order_id=1))
    flows.settle()
    assert verified(flows, one, other) == (0, [])
    # Tests that share the stack may have left their own.
    known = reconciled(flows)["drift"]

    with planted(flows, one, other):
        expected = sorted(
            [
                (one, "account_balance", 5),
                (one, "account_counter", 5),
                (one, "record_inserted", 3),
                (one, "tally_wrong", 2),
                (other, "record_changed", 2),
                (other, "record_missing", 4),
            ]
        )
        assert reconciled(flows)["drift"] == known + 6
        assert verified(flows, one, other) == (1, expected)
        until("the events on NATS", lambda: len(heard(flows, one, other)) >= 6)
        assert sorted(heard(flows, one, other)) == expected
        assert f"\ncredits_ledger_drift {known + 6}.0" in metrics(flows)
    assert reconciled(flows)["drift"] == known
    assert f"\ncredits_ledger_drift {known}.0" in metrics(flows)


def heard(stack: Stack, *shops: str) -> list[tuple[str, str, int]]:
    payloads = [told.event["payload"] for told in stack.told_about(*shops) if told.subject == DRIFT]
    return [(each["merchant_id"], each["kind"], each["sequence"]) for each in payloads]


def metrics(stack: Stack) -> str:
    with closing(http.client.HTTPConnection(urlsplit(stack.description.api_url).netloc, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {stack.description.ops_token}"}
        connection.request("GET", "/metrics", headers=headers)
        return connection.getresponse().read().decode()

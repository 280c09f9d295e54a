"""Every kind of poison on the running stack: parked with its reason, no credit moved, and its neighbours applied."""

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from infra.commands.cli import command_line
from tests.support.command_line import CliRunner
from tests.support.marketplace import happened, merchant
from tests.support.poison import CREATED, KINDS, ORDER_PAID, PAID
from tests.support.running_stack import Letter, Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]


def reasons(letters: list[Letter]) -> list[tuple[str, str | None]]:
    return sorted((letter.attributes["code"], letter.attributes.get("field")) for letter in letters)


def test_twenty_five_kinds_of_poison_are_parked_with_their_reason_and_their_neighbours_count(flows: Stack) -> None:
    shop = merchant("drinks poison")
    flows.tell(happened(CREATED, shop), happened(PAID, shop, payment_id="good", credits=5))
    bodies = {name: kind.body(shop) for name, kind in KINDS.items()}
    assert len(bodies) == 25

    sent = []
    for place, (name, kind) in enumerate(KINDS.items()):
        neighbour = happened(ORDER_PAID, shop, order_id=f"neighbour {place}")
        sent += [(kind.subject, bodies[name].encode()), (ORDER_PAID, json.dumps(neighbour).encode())]
    flows.nats.publish(sent)

    until("25 letters", lambda: len(flows.letters(naming=shop)) >= 25)
    flows.settle()
    letters = flows.letters(naming=shop)
    assert sorted(letter.body for letter in letters) == sorted(bodies.values())
    for name, kind in KINDS.items():
        [letter] = [letter for letter in letters if letter.body == bodies[name]]
        attributes = letter.attributes
        assert (name, attributes["code"], attributes.get("field")) == (name, kind.code, kind.field)
        assert attributes["reason"]
        assert attributes["origin"] == "nats"
        assert attributes["first_seen"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    ledger = flows.ledger(shop)
    moved = {row["reference_id"] for row in ledger if row["transaction_type"] == "ORDER_PAID"}
    assert moved == {f"neighbour {place}" for place in range(25)}
    assert (len(ledger), flows.read(f"/credits/accounts/{shop}/balance")["balance"]) == (27, 80)


def command(stack: Stack, *arguments: str, status: int = 0) -> Any:
    said = CliRunner(env={"LOCAL_DIR": str(stack.directory)}).invoke(command_line(), [*arguments, "--json"])
    assert said.exit_code == status, said.output
    return json.loads(said.stdout)


def parked(stack: Stack, shop: str) -> list[Mapping[str, Any]]:
    letters = command(stack, "dead-letters", "list")["items"]
    return [letter for letter in letters if letter["merchant_id"] == shop]


def put_back_so_often(stack: Stack, shop: str, times: int) -> bool:
    return [letter["redriven"] for letter in parked(stack, shop)] == [times, times]


def test_what_is_parked_on_the_real_queue_is_put_back_as_often_as_anybody_likes(flows: Stack) -> None:
    shop = merchant("put back")
    flows.tell(happened(CREATED, shop), happened(PAID, shop, payment_id="good", credits=5))
    flows.publish(happened(PAID, shop, payment_id="good", credits=6), happened(PAID, shop, payment_id="x", credits=0))

    until("two letters", lambda: len(parked(flows, shop)) == 2)
    assert sorted(letter["code"] for letter in parked(flows, shop)) == ["credits_invalid", "key_reused"]
    for times in (1, 2):
        ids = [letter["id"] for letter in parked(flows, shop)]
        assert command(flows, "dead-letters", "redrive", *ids)["put_back"] == 2
        until("both to be parked again", partial(put_back_so_often, flows, shop, times))
    shown = command(flows, "dead-letters", "show", parked(flows, shop)[0]["id"])
    assert json.loads(shown["body"])["payload"]["merchant_id"] == shop
    assert shown["origin"] == "nats"

    flows.settle()
    assert flows.read(f"/credits/accounts/{shop}/balance")["balance"] == 105
    assert len(flows.ledger(shop)) == 2
    assert len(flows.letters(naming=shop)) == 2


def test_a_record_that_the_streams_functions_cannot_read_is_parked_and_goes_back_to_them(flows: Stack) -> None:
    shop = merchant("cannot be read")
    table, key = flows.description.credits_table, {"merchant_id": {"S": shop}}
    flows.dynamodb.put_item(TableName=table, Item={**key, "crossings": {"S": "nonsense"}})
    try:
        until("both functions to park it", lambda: len(parked(flows, shop)) == 2)
        letters = parked(flows, shop)
        assert sorted(letter["function"] for letter in letters) == ["publish_threshold_events", "roll_up"]
        assert {(letter["parking"], letter["code"]) for letter in letters} == {("stream", "record_unreadable")}

        # They still cannot read it, so they park it anew.
        ids = {letter["id"] for letter in letters}
        assert command(flows, "dead-letters", "redrive", *ids)["put_back"] == 2
        again = parked(flows, shop)
        assert sorted(letter["function"] for letter in again) == ["publish_threshold_events", "roll_up"]
        assert not ids & {letter["id"] for letter in again}
    finally:
        flows.dynamodb.delete_item(TableName=table, Key=key)

"""Cases from the field through the whole system: over the queue, the bus and NATS, and CloudEvents on each of them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest
from typing import Any
from uuid import uuid4

import pytest

from tests.support.field_cases import CASES, Case, Right
from tests.support.running_stack import Stack, running_stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

POSSIBLE = sorted(CASES, key=lambda case: str(case.settings))
BY_SETTINGS = [(dict(settings), list(cases)) for settings, cases in groupby(POSSIBLE, key=lambda case: case.settings)]
# Each group's stack is started once, by one worker.
GROUPS = [
    pytest.param(group, id=name, marks=pytest.mark.xdist_group(f"field cases, {name}"))
    for group in BY_SETTINGS
    for name in [group[0].get("ORDER_CREDIT_BASIS", "default")]
]


def _type(message: Mapping[str, Any]) -> str:
    return str(message.get("event_type") or message["type"])


def over_the_queue(stack: Stack, messages: Sequence[Mapping[str, Any]]) -> None:
    stack.enqueue(*map(json.dumps, messages))


def over_the_bus(stack: Stack, messages: Sequence[Mapping[str, Any]]) -> None:
    stack.put_as([(_type(message), message) for message in messages])


def over_nats(stack: Stack, messages: Sequence[Mapping[str, Any]]) -> None:
    stack.nats.publish([(_type(message), json.dumps(message).encode()) for message in messages])


WAYS: Sequence[Callable[[Stack, Sequence[Mapping[str, Any]]], None]] = (over_the_queue, over_the_bus, over_nats)


@pytest.fixture(scope="module", params=GROUPS)
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Mapping[tuple[str, str], str], Sequence[Case]]]:
    """Play all cases of the same settings side by side, each over each way as a shop of its own."""
    settings, cases = request.param
    shops = {(case.name, way.__name__): str(uuid4()) for case in cases for way in WAYS}
    with running_stack(tmp_path_factory.mktemp("field"), settings) as stack:
        for steps in zip_longest(*(case.steps for case in cases), fillvalue=()):
            for case, step in zip(cases, steps, strict=True):
                for way in WAYS:
                    shop = shops[case.name, way.__name__]
                    way(stack, json.loads(json.dumps(step).replace(case.merchant_id, shop)))
            stack.settle()
        yield stack, shops, cases


def test_each_case_ends_as_is_right_over_each_way(
    played: tuple[Stack, Mapping[tuple[str, str], str], Sequence[Case]],
) -> None:
    stack, shops, cases = played
    wrong = {}  # transactions are compared sorted: what is sent in one step may arrive in any order
    for case in cases:
        for way in WAYS:
            shop = shops[case.name, way.__name__]
            right = Right(
                balance=stack.read(f"/credits/accounts/{shop}/balance")["balance"],
                transactions=tuple(sorted((row["transaction_type"], row["amount"]) for row in stack.ledger(shop))),
                parked=tuple(letter.attributes["code"] for letter in stack.letters(naming=shop)),
                ignored=case.right.ignored,
                debt=None if case.right.debt is None else stack.read(f"/credits/accounts/{shop}")["debt"],
            )
            if right != replace(case.right, transactions=tuple(sorted(case.right.transactions))):
                wrong[case.name, way.__name__] = right
    assert wrong == {}


def test_what_was_ignored_is_seen_in_the_live_view(
    played: tuple[Stack, Mapping[tuple[str, str], str], Sequence[Case]],
) -> None:
    """A container writes its counters at most every ten seconds, at the end of a call: so looks cause some.

    On a busy machine messages that were ignored may have met several containers.
    """
    stack, shops, cases = played
    expected = len(WAYS) * sum(case.right.ignored for case in cases)
    repeated = json.dumps(
        {"event_type": "evt.merchant.created", "payload": {"merchant_id": next(iter(shops.values()))}}
    )

    def all_are_seen() -> bool:
        if not any(stack.inbox()):
            stack.enqueue(*[repeated] * 20)
        ignored: int = stack.read("/credits/admin/activity")["ignored"]
        assert ignored <= expected
        return ignored == expected

    until("the figure of what was ignored", all_are_seen)


def test_a_cloud_event_in_binary_mode_is_taken_over_nats(
    played: tuple[Stack, Mapping[tuple[str, str], str], Sequence[Case]],
) -> None:
    stack, _, _ = played
    shop = str(uuid4())
    for event_type, payload in (
        ("evt.merchant.created", {}),
        ("evt.shopify.webhook.order_paid", {"order_id": "gid://shopify/Order/7", "total": "10"}),
    ):
        headers = {"CE-Type": event_type, "ce-id": "e1", "ce-subject": shop, "ce-time": "2026-11-20T10:00:00Z"}
        stack.nats.publish([(event_type, json.dumps(payload).encode())], {"ce-specversion": "1.0", **headers})
        stack.settle()

    rows = stack.ledger(shop)
    assert [(row["reference_id"], row["occurred_at"]) for row in rows] == [
        (shop, "2026-11-20T10:00:00.000Z"),
        ("7", "2026-11-20T10:00:00.000Z"),
    ]


def test_head_answers_as_get_does_through_the_gateway(
    played: tuple[Stack, Mapping[tuple[str, str], str], Sequence[Case]],
) -> None:
    stack, shops, _ = played
    shop = next(iter(shops.values()))
    path, token = f"/credits/accounts/{shop}/balance", stack.description.admin_token
    get, head = (stack.get(path, token, method=method) for method in ("GET", "HEAD"))

    assert (head.status, head.body) == (get.status, None)
    assert get.body is not None

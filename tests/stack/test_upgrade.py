"""The release before this one serves; this one is deployed over it in mid-traffic, and taken back again.

Old and new workers then meet each other's items and events, in both directions, and nobody outside may notice.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local.tokens import new_signer
from infra.packaging.build import package
from tests.oracles.published_chain import broken_links_in_answers
from tests.oracles.recount import Event, facts
from tests.support.engines import ministack
from tests.support.marketplace import happened
from tests.support.releases import package_of, previous_release
from tests.support.running_stack import until
from tests.support.service import UNANSWERED, Service

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("upgrade")]

SHOPS, EVENTS, PAYMENTS = 6, 5000, 300
OPENED_WITH = 10_000
DEPLOYMENTS = 2
SETTLED_SECONDS = 600.0


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    commit = previous_release()
    if commit is None:
        pytest.skip("no earlier release is in this clone's history, so no upgrade was rehearsed: fetch all of it")
    return package_of(commit, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ministack(tmp_path) as endpoint:
        yield Service(endpoint=endpoint, signer=new_signer(tmp_path), name="credits-upgrade")


def traffic(shops: Sequence[str]) -> list[Event]:
    """Return orders and payments of the shops in turn, all different."""
    orders: list[Event] = [
        happened("evt.shopify.webhook.order_paid", shops[number % SHOPS], order_id=number, total="10.00")
        for number in range(EVENTS - PAYMENTS)
    ]
    payments = [
        happened("evt.billing.payment_succeeded", shops[number % SHOPS], payment_id=number, credits=5)
        for number in range(PAYMENTS)
    ]
    step = len(orders) // PAYMENTS
    for number, payment in enumerate(payments):
        orders.insert(number * (step + 1), payment)
    return orders


def test_two_deployments_in_mid_traffic_are_seen_by_nobody(previous: Path, service: Service) -> None:
    shops = [str(uuid4()) for _ in range(SHOPS)]
    openings = [happened("evt.account.created", shop, trial_id="t", credits_to_use=OPENED_WITH) for shop in shops]
    events = traffic(shops)
    thirds = [events[start::3] for start in range(3)]
    service.deploy(previous)
    service.send(openings)
    until("the accounts", lambda: all(service.ask(f"/credits/accounts/{shop}")[0] == 200 for shop in shops), 120)

    with service.visited(shops), ThreadPoolExecutor(1) as senders:
        for third, release in zip(thirds, (None, package("dev"), previous), strict=True):
            # Each deployment meets a full inbox, and what the release before it recorded comes again.
            sent = senders.submit(service.send, [*third, *thirds[0][::5]])
            if release is not None:
                time.sleep(2)
                service.deploy(release)
            sent.result()
        until("the inbox to be drained", lambda: service.is_empty("InboxQueueUrl"), SETTLED_SECONDS)

    assert service.is_empty("DeadLetterQueueUrl")
    # A worker that the emulator replaces dies with the call that is in the air (AWS lets it finish): of the one
    # visitor's calls at most two a deployment, the authorizer's and the API's. While the emulator makes the API
    # anew, it knows of none.
    lost = sum(times for (status, _), times in service.statuses.items() if status == UNANSWERED or status >= 500)
    assert lost <= 2 * DEPLOYMENTS, service.statuses
    assert {status for status, deploying in service.statuses if not deploying} == {200}, service.statuses
    for shop in shops:
        mine = [event for event in (*openings, *events) if event["payload"]["merchant_id"] == shop]
        ledger = service.ledger(shop)
        expected = Counter(fact.transaction_id for event in mine for fact in facts(event))
        assert Counter(row["id"] for row in ledger) == expected
        assert broken_links_in_answers(ledger) == []
        paid = sum(event["event_type"] == "evt.billing.payment_succeeded" for event in mine)
        assert ledger[-1]["balance_after"] == OPENED_WITH + 5 * paid - (len(mine) - paid - 1)
    told: list[Any] = []

    def all_told() -> bool:
        told.extend(service.told())
        return len({event["event_id"] for event in told}) >= SHOPS + PAYMENTS

    until("every event out", all_told, SETTLED_SECONDS)
    kinds = Counter(event["event_type"] for event in {event["event_id"]: event for event in told}.values())
    assert kinds == {"evt.credits.account.created": SHOPS, "evt.credits.recharged": PAYMENTS}
    assert {event["metadata"]["schema_version"] for event in told} == {1}


def test_an_account_on_which_time_acts_waits_for_the_release_that_knows_it(previous: Path, service: Service) -> None:
    timed, plain = str(uuid4()), str(uuid4())
    opened: list[Event] = [
        happened("evt.account.created", shop, trial_id="t", credits_to_use=10) for shop in (timed, plain)
    ]
    lapsing = happened("evt.billing.payment_succeeded", timed, payment_id="p", credits=5, expires_in_days=30)
    before, meanwhile, after = (
        [
            happened("evt.shopify.webhook.order_paid", shop, order_id=f"{when}-{number}", total="10.00")
            for shop in (timed, plain)
            for number in range(3)
        ]
        for when in ("before", "meanwhile", "after")
    )

    known: list[Event] = [*opened, lapsing, *before]

    def recorded(shop: str, events: Sequence[Event]) -> bool:
        expected: int = sum(event["payload"]["merchant_id"] == shop for event in events)
        return len(service.ledger(shop)) == expected

    service.deploy(package("dev"))
    service.send(known)
    until("the accounts", lambda: all(service.ask(f"/credits/accounts/{s}")[0] == 200 for s in (timed, plain)), 120)
    until("both shops", lambda: all(recorded(shop, known) for shop in (timed, plain)), 120)

    service.deploy(previous)
    # Apart, because that release let a whole batch wait for an item that it did not know.
    service.send([event for event in meanwhile if event["payload"]["merchant_id"] == plain])
    until("the other shop's orders", lambda: recorded(plain, [*known, *meanwhile]), SETTLED_SECONDS)
    service.send([event for event in meanwhile if event["payload"]["merchant_id"] == timed])
    time.sleep(5)
    assert not service.is_empty("InboxQueueUrl")
    assert service.is_empty("DeadLetterQueueUrl")
    service.deploy(package("dev"))
    service.send([*after, *before, lapsing])
    until("the inbox to be drained", lambda: service.is_empty("InboxQueueUrl"), SETTLED_SECONDS)

    assert service.is_empty("DeadLetterQueueUrl")
    for shop in (timed, plain):
        mine = [event for event in (*known, *meanwhile, *after) if event["payload"]["merchant_id"] == shop]
        ledger = service.ledger(shop)
        assert Counter(row["id"] for row in ledger) == Counter(
            fact.transaction_id for one in mine for fact in facts(one)
        )
        assert broken_links_in_answers(ledger) == []
    # Nine orders of the shop with ten credits of its trial and five that lapse: those went first.
    assert [row["balance_after"] for row in service.ledger(timed)][-1] == 6
    assert {row["schema_version"] for row in service.ledger(timed) if row["drawn"]} == {2}
    assert {row["schema_version"] for row in service.ledger(plain)} == {1}

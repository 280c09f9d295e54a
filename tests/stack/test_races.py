"""Sixteen writers at once, on engines whose transactions really race: nothing is lost, nothing is done twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from threading import Barrier

import pytest

from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import CallTime
from chalicelib.usecases.posting import Posting
from chalicelib.wiring import for_posting
from tests.oracles.published_chain import broken_links
from tests.support.builders import SHOP, adjustment, merchant, order, payment, refund_of, trial
from tests.support.engines import ministack
from tests.support.stores import DYNAMODB_LOCAL_URL, Tables, client_at, tables_at

WRITERS = 16
MESSAGES_AT_ONCE = 6
DELIVERIES_MAX = 50
"""How often a writer brings a message again that was given back; more would be a livelock."""
CALL_SECONDS = 30.0
SHARED_ORDERS = 24
OWN_ORDERS = 12
TRIAL_CREDITS = 1_000
SHOPS = [merchant(f"shop {number}") for number in range(8)]
BUSY_SHOP = SHOPS[0]
BUSY_ORDERS, ORDERS = 60, 8
"""Orders of the busy shop, about as many as of all others together; every order has the same id at every shop."""
POT = 40
"""Credits that all writers together try to take out at once, in more adjustments than it has room for."""

Message = Sequence[Movement]


DYNAMODB_LOCAL = "DynamoDB Local"
ENGINES = [
    pytest.param(
        "ministack", marks=[pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("races on ministack")]
    )
]
if DYNAMODB_LOCAL_URL is not None:
    ENGINES.append(pytest.param(DYNAMODB_LOCAL))


@pytest.fixture(scope="module", params=ENGINES)
def engine_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == DYNAMODB_LOCAL:
        assert DYNAMODB_LOCAL_URL is not None
        yield DYNAMODB_LOCAL_URL
        return
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture
def tables(engine_url: str) -> Iterator[Tables]:
    with tables_at(engine_url) as tables:
        yield tables


def messages_of(writer: int) -> list[Message]:
    """Return what a writer is brought: what all of them are, and what it alone is, in an order of its own."""
    shared: list[Message] = [[order(f"s{number}", total="10")] for number in range(SHARED_ORDERS)]
    # Half of the shared orders are given back in two refunds, which come to all writers too.
    shared += [
        [refund_of(f"s{number}", f"s{number}-{part}", amount="5")]
        for number in range(0, SHARED_ORDERS, 2)
        for part in ("a", "b")
    ]
    shared.append([payment("shared", 7), *(order(f"m{number}") for number in range(5))])
    own: list[Message] = [[order(f"w{writer}-{number}")] for number in range(OWN_ORDERS)]
    own += [[payment(f"w{writer}", 3)], [adjustment(f"w{writer}", -2)], [refund_of(f"w{writer}-0")]]
    brought = [*shared, *own]
    random.Random(writer).shuffle(brought)  # noqa: S311 - the same order in every run
    return [[trial(TRIAL_CREDITS)], *brought]


EXPECTED_BALANCE = TRIAL_CREDITS + 7 - (SHARED_ORDERS - SHARED_ORDERS // 2) - 5 + WRITERS * (-OWN_ORDERS + 3 - 2 + 1)


def write(tables: Tables, messages: Sequence[Message], start: Barrier) -> list[tuple[Movement, Posted | Duplicate]]:
    """Bring the messages to a container of its own until each has its outcomes, and return all of these."""
    finished: list[tuple[Movement, Posted | Duplicate]] = []
    with closing(client_at(tables.url)) as client:
        posting = Posting(tables.ledger(client), default_threshold=20)
        call = CallTime(now=for_posting.now, remaining_seconds=lambda: CALL_SECONDS, sleep=time.sleep)
        waiting = [(message, 1) for message in messages]
        start.wait()
        while waiting:
            batch, waiting = waiting[:MESSAGES_AT_ONCE], waiting[MESSAGES_AT_ONCE:]
            answers = posting.post([message for message, _ in batch], time=call)
            for (message, deliveries), outcomes in zip(batch, answers, strict=True):
                later = [outcome for outcome in outcomes if isinstance(outcome, RetryLater)]
                assert deliveries < DELIVERIES_MAX, later
                if later:
                    waiting.append((message, deliveries + 1))
                for movement, outcome in zip(message, outcomes, strict=True):
                    assert isinstance(outcome, Posted | Duplicate | RetryLater), outcome
                    if not isinstance(outcome, RetryLater):
                        finished.append((movement, outcome))
    return finished


def ledger_of(tables: Tables, shop: MerchantId = SHOP) -> tuple[Account, list[Transaction]]:
    """Return the shop's account and its transactions, oldest first."""
    ids = [
        TransactionId(item["transaction_id"]["S"])
        for page in tables.client.get_paginator("scan").paginate(TableName=tables.transactions, ConsistentRead=True)
        for item in page["Items"]
        if item["merchant_id"]["S"] == shop
    ]
    known = tables.ledger().read([shop], ids)
    return known.accounts[shop], sorted(known.transactions.values(), key=lambda transaction: transaction.sequence)


def test_sixteen_writers_of_one_merchant_record_each_fact_once(tables: Tables) -> None:
    start = Barrier(WRITERS)
    with ThreadPoolExecutor(WRITERS) as writers:
        runs = [writers.submit(write, tables, messages_of(writer), start) for writer in range(WRITERS)]
        finished = [outcome for run in runs for outcome in run.result()]

    account, history = ledger_of(tables)
    assert broken_links(history) == []
    assert [transaction.sequence for transaction in history] == list(range(1, len(history) + 1))
    assert account.hash == history[-1].hash
    assert (account.balance, account.sequence) == (sum(transaction.amount for transaction in history), len(history))
    assert account.balance == EXPECTED_BALANCE
    assert {transaction.shortfall for transaction in history} == {0}
    counted = {kind: total.count for kind, total in account.totals.items()}
    assert counted == Counter(transaction.kind for transaction in history)

    wanted = {movement.transaction_id for writer in range(WRITERS) for m in messages_of(writer) for movement in m}
    assert {transaction.transaction_id for transaction in history} == wanted
    # Each transaction was posted by exactly one writer, and every other one was told that it was there.
    posted = Counter(movement.transaction_id for movement, outcome in finished if isinstance(outcome, Posted))
    assert posted == Counter(wanted)
    assert all(
        outcome.transaction is None or outcome.transaction.transaction_id == movement.transaction_id
        for movement, outcome in finished
    )


def test_every_order_keeps_the_tally_of_all_its_refunds(tables: Tables) -> None:
    start = Barrier(WRITERS)
    whole = str(10 * WRITERS)
    orders: Message = [trial(TRIAL_CREDITS), *(order(f"o{number}", total=whole) for number in range(3))]
    with ThreadPoolExecutor(WRITERS) as writers:
        runs = [
            writers.submit(
                write,
                tables,
                [orders, *([refund_of(f"o{number}", f"o{number}-{writer}", amount="10")] for number in range(3))],
                start,
            )
            for writer in range(WRITERS)
        ]
        for run in runs:
            run.result()

    account, history = ledger_of(tables)
    tallies = [transaction.tally for transaction in history if transaction.kind.is_order]
    assert [(tally.count, tally.credits, tally.money) for tally in tallies if tally] == [
        (WRITERS, 1, Decimal(whole))
    ] * 3
    assert account.balance == TRIAL_CREDITS
    assert broken_links(history) == []


def test_what_does_not_fit_into_the_balance_is_declined_whoever_is_first(tables: Tables) -> None:
    store = tables.ledger()
    call = CallTime(now=for_posting.now, remaining_seconds=lambda: CALL_SECONDS, sleep=time.sleep)
    Posting(store, default_threshold=20).post([[trial(POT)]], time=call)
    start = Barrier(WRITERS)

    def take(writer: int) -> list[str]:
        with closing(client_at(tables.url)) as client:
            posting = Posting(tables.ledger(client), default_threshold=20)
            start.wait()
            takings = [[adjustment(f"w{writer}-{number}", -4)] for number in range(3)]
            return [type(outcome).__name__ for taking in takings for [outcome] in posting.post([taking], time=call)]

    with ThreadPoolExecutor(WRITERS) as writers:
        outcomes = Counter(name for names in writers.map(take, range(WRITERS)) for name in names)

    account, history = ledger_of(tables)
    assert outcomes == {"Posted": POT // 4, "Rejected": 3 * WRITERS - POT // 4}
    assert account.balance == sum(transaction.amount for transaction in history) == 0
    assert broken_links(history) == []


def storm_of(writer: int) -> list[Message]:
    """Return what a writer is brought in the storm: every order of every shop, in an order of its own."""
    brought: list[Message] = [
        [order(str(number), of=shop)]
        for shop in SHOPS
        for number in range(BUSY_ORDERS if shop == BUSY_SHOP else ORDERS)
    ]
    brought += [[payment(f"w{writer}", 2, of=shop)] for shop in SHOPS]
    random.Random(writer).shuffle(brought)  # noqa: S311 - the same order in every run
    return [*([trial(TRIAL_CREDITS, of=shop)] for shop in SHOPS), *brought]


def test_a_storm_on_many_merchants_and_a_busy_one_that_all_have_the_same_orders(tables: Tables) -> None:
    start, began = Barrier(WRITERS), time.monotonic()
    with ThreadPoolExecutor(WRITERS) as writers:
        runs = [writers.submit(write, tables, storm_of(writer), start) for writer in range(WRITERS)]
        finished = [outcome for run in runs for outcome in run.result()]
    seconds = time.monotonic() - began

    wrong = Counter[str]()
    for shop in SHOPS:
        account, history = ledger_of(tables, shop)
        orders = BUSY_ORDERS if shop == BUSY_SHOP else ORDERS
        wanted = {movement.transaction_id for writer in range(WRITERS) for [movement] in storm_of(writer)}
        of_shop = {transaction.transaction_id for transaction in history}
        wrong["lost updates"] += account.balance != TRIAL_CREDITS - orders + 2 * WRITERS
        wrong["double charges"] += len(history) - (1 + orders + WRITERS)
        wrong["sequence gaps"] += [transaction.sequence for transaction in history] != list(range(1, len(history) + 1))
        wrong["broken links"] += len(broken_links(history))
        wrong["transactions that nobody asked for"] += len(of_shop - wanted)
    posted = Counter(movement.transaction_id for movement, outcome in finished if isinstance(outcome, Posted))
    wrong["posted twice"] += sum(times - 1 for times in posted.values())
    # The figures are the report: `pytest -rP` shows them.
    print(f"{WRITERS} writers, {len(finished)} movements, {len(posted)} posted, {seconds:.1f} s, {dict(wrong)}")  # noqa: T201
    assert set(wrong.values()) == {0}
    assert len(finished) == sum(len(storm_of(writer)) for writer in range(WRITERS))

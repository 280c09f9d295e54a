"""The figures' store: one suite for the fake, moto and the emulator, and what the adapter asks of DynamoDB."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.figures import BUCKETS, Figures, FiguresChange, change, contribution, recount
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total
from chalicelib.ports import FiguresStore
from chalicelib.usecases.counting import count
from tests.support.builders import account_of, merchant
from tests.support.calls import FakeCall
from tests.support.engines import ministack
from tests.support.fake_figures import FakeFigures
from tests.support.figures_tables import FiguresTable, table_at, table_in_process, table_simulated
from tests.support.histories import images

FAKE, MOTO, MINISTACK, SIMULATED = "fake", "moto", "ministack", "the simulator's engine"
IN_PROCESS = {MOTO: table_in_process, SIMULATED: table_simulated}
ON_MINISTACK = pytest.param(
    MINISTACK, marks=[pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("figures on ministack")]
)
UNIT_BYTES = 1024
TWO_UNITS = 2

EVERY_KIND = {kind: Total(count=10**6 + place, credits=10**9 - place) for place, kind in enumerate(Kind)}


@pytest.fixture(scope="module")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("figures")) as url:
        yield url


@pytest.fixture(params=[MOTO, SIMULATED, ON_MINISTACK])
def table(request: pytest.FixtureRequest) -> Iterator[FiguresTable]:
    if request.param in IN_PROCESS:
        with IN_PROCESS[request.param]() as found:
            yield found
        return
    with table_at(request.getfixturevalue("ministack_url")) as found:
        yield found


@pytest.fixture(params=[FAKE, MOTO, SIMULATED, ON_MINISTACK])
def store(request: pytest.FixtureRequest) -> Iterator[FiguresStore]:
    if request.param == FAKE:
        yield FakeFigures()
    elif request.param in IN_PROCESS:
        with IN_PROCESS[request.param]() as found:
            yield found.store
    else:
        with table_at(request.getfixturevalue("ministack_url")) as found:
            yield found.store


def some(name: str = "shop", *, balance: int = 7, version: int = 1, totals: Any = None) -> Account:
    account = replace(account_of(balance, of=merchant(name)), version=version, total_shortfall=2 * version)
    return replace(account, totals=EVERY_KIND if totals is None else totals)


def first(account: Account) -> FiguresChange:
    wanted = change(account, None)
    assert wanted is not None
    return wanted


def test_nothing_counted_is_nothing_known_and_a_fleet_of_nobody(store: FiguresStore) -> None:
    assert store.counted([merchant("shop")]) == {}
    assert store.fleet() == Figures()


def test_what_was_counted_is_found_again_with_all_its_figures(store: FiguresStore) -> None:
    account = some()

    assert store.count(3, [first(account)])

    assert store.counted([account.merchant_id, merchant("other")]) == {account.merchant_id: contribution(account)}
    assert store.fleet() == recount([account])


def test_a_change_replaces_what_was_counted_also_downwards_and_to_zero(store: FiguresStore) -> None:
    before, after = some(balance=21), some(balance=0, version=2)
    store.count(0, [first(before)])
    wanted = change(after, contribution(before))
    assert wanted is not None

    assert store.count(0, [wanted])

    assert store.fleet() == recount([after])
    assert store.counted([after.merchant_id]) == {after.merchant_id: contribution(after)}


def test_the_fleet_is_the_sum_of_all_buckets(store: FiguresStore) -> None:
    accounts = [some(f"shop {number}", balance=number) for number in range(BUCKETS)]

    for number, account in enumerate(accounts):
        store.count(number, [first(account)])

    assert store.fleet() == recount(accounts)


@pytest.mark.parametrize("known", [None, 1, 7])
def test_one_merchant_that_stands_elsewhere_holds_up_the_whole_write(store: FiguresStore, known: int | None) -> None:
    standing, neighbour = some(version=2), some("neighbour")
    store.count(0, [first(standing)])
    before = contribution(some(version=known)) if known else None
    stale = FiguresChange(
        merchant_id=standing.merchant_id, before=before, after=contribution(some(version=9)), at=some().updated_at
    )

    assert not store.count(0, [first(neighbour), stale])

    assert store.fleet() == recount([standing])
    assert store.counted([neighbour.merchant_id]) == {}


def test_a_merchant_that_vanished_holds_it_up_too(store: FiguresStore) -> None:
    wanted = change(some(version=2), contribution(some(version=1)))
    assert wanted is not None

    assert not store.count(0, [wanted])


def test_a_hundred_merchants_are_known_by_one_read(store: FiguresStore) -> None:
    accounts = [some(f"shop {number}", totals={}) for number in range(100)]
    assert count(store, accounts, time=FakeCall().time) == set()

    assert len(store.counted([account.merchant_id for account in accounts])) == 100


def test_a_history_counted_twice_in_batches_equals_a_recount(store: FiguresStore) -> None:
    written, ledger = images(150, 8, seed=5)
    for start in range(0, len(written), 20):
        for _ in range(2):
            assert count(store, written[start : start + 20], time=FakeCall().time) == set()

    assert store.fleet() == recount(ledger.accounts.values())


def test_a_merchants_item_and_a_buckets_sums_are_a_unit_each_whatever_they_hold(table: FiguresTable) -> None:
    account = some(balance=10**9)
    table.store.count(0, [first(account)])

    sizes = [item_bytes(table.item(key)) for key in (f"merchant#{account.merchant_id}", "fleet#0")]

    assert 0 < max(sizes) <= UNIT_BYTES


def item_bytes(item: dict[str, Any]) -> int:
    """Return the item's size as DynamoDB counts it: names and texts by byte, numbers by two digits and one."""
    return sum(
        len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2) for name, value in item.items()
    )


class Recorder:
    """Between the store and its client: what is sent, and faults in its place or after it took effect."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.instead: Exception | None = None
        self.afterwards: Exception | None = None

    def __getattr__(self, operation: str) -> Any:
        def called(**request: Any) -> Any:
            self.sent.append((operation, request))
            if self.instead is not None:
                raise self.instead
            answer = getattr(self._client, operation)(**request)
            if self.afterwards is not None:
                raise self.afterwards
            return answer

        return called

    def units(self) -> int:
        """Return the write units of all transactions sent: two for each item, none of which is above 1 KB."""
        writes = [request["TransactItems"] for operation, request in self.sent if operation == "transact_write_items"]
        return sum(TWO_UNITS * len(items) for items in writes)


@pytest.fixture
def recorded() -> Iterator[tuple[Recorder, DynamoDBFigures]]:
    with table_in_process() as table:
        recorder = Recorder(table.client)
        yield recorder, DynamoDBFigures(recorder, table=table.name)  # type: ignore[arg-type]


@pytest.mark.parametrize(("merchants", "units_per_write"), [(100, 2.2), (30, 1.0), (1, 0.1)])
def test_an_account_write_costs_at_most_so_many_units_in_batches_of_a_hundred(
    recorded: tuple[Recorder, DynamoDBFigures], merchants: int, units_per_write: float
) -> None:
    recorder, store = recorded
    accounts = [some(f"shop {place % merchants}", version=1 + place // merchants) for place in range(100)]

    count(store, accounts, time=FakeCall().time)

    requests = [operation for operation, _ in recorder.sent]
    assert requests.count("batch_get_item") == 1
    assert requests.count("transact_write_items") <= BUCKETS
    assert recorder.units() / 100 <= units_per_write


def test_an_account_write_alone_costs_four_units(recorded: tuple[Recorder, DynamoDBFigures]) -> None:
    recorder, store = recorded

    count(store, [some()], time=FakeCall().time)

    assert recorder.units() == 4


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_cancelled_write_that_may_work_later_is_no_success(
    recorded: tuple[Recorder, DynamoDBFigures], code: str
) -> None:
    recorder, store = recorded
    recorder.instead = cancelled(recorder, code)

    assert not store.count(0, [first(some())])


def test_a_write_that_can_never_work_is_a_bug(recorded: tuple[Recorder, DynamoDBFigures]) -> None:
    recorder, store = recorded
    recorder.instead = cancelled(recorder, "ValidationError")

    with pytest.raises(RuntimeError, match="ValidationError"):
        store.count(0, [first(some())])


def cancelled(recorder: Recorder, code: str) -> Exception:
    error: Exception = recorder.exceptions.TransactionCanceledException(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": [{"Code": "None"}, {"Code": code}]},
        "TransactWriteItems",
    )
    return error


def test_a_write_whose_answer_is_lost_counts_once(recorded: tuple[Recorder, DynamoDBFigures]) -> None:
    recorder, store = recorded
    recorder.afterwards = ReadTimeoutError(endpoint_url="https://dynamodb")
    with pytest.raises(RetryLater):
        store.count(0, [first(some())])
    recorder.afterwards = None

    assert count(store, [some()], time=FakeCall().time) == set()

    assert store.fleet() == recount([some()])


def test_an_outage_is_to_be_tried_again_and_a_missing_right_is_not(
    recorded: tuple[Recorder, DynamoDBFigures],
) -> None:
    recorder, store = recorded
    recorder.instead = ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchGetItem")
    with pytest.raises(RetryLater):
        store.fleet()
    recorder.instead = ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchGetItem")
    with pytest.raises(ClientError):
        store.fleet()

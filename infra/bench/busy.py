"""One busy merchant: many workers write its orders at once, on the emulator and against DynamoDB's limits.

Workers are processes with a container's own client and memory, as functions are. Orders are delivered in batches, as a
queue does: an order that is put back is delivered again.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger, send_as_built
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.movements import OrderMovement, order_key
from chalicelib.domain.orders import Policy
from chalicelib.ports import CallTime
from chalicelib.usecases.posting import Posting
from chalicelib.wiring import for_posting
from infra.bench.counted import BALANCE
from infra.bench.functions import THRESHOLD, account, item_of, merchant
from infra.bench.measurements import Measurement
from infra.bench.tables import LOGICAL_IDS
from infra.deploying.emulator import emulator_client
from infra.local.engines import ministack
from infra.local.tables import declared

ORDERS = 10_000
WORKERS = (1, 4, 16)
FOLDS = {99: 0.05, 10: 0.1}
"""Orders in a batch, and how many conflicts an order may meet."""
CALL_SECONDS = 30.0
ROUNDS_MAX = 50
SHOP = merchant(1)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run: orders a second of all workers together, and lost races and redeliveries per order."""

    rate: float
    conflicts: float
    again: float


def busy_measurements() -> list[Measurement]:
    """Return rates and conflicts of one merchant on the emulator."""
    figures = []
    with TemporaryDirectory() as folder, ministack(Path(folder)) as url:
        for fold, most in FOLDS.items():
            runs = {workers: _on_emulator(url, workers, fold) for workers in WORKERS}
            for workers, run in runs.items():
                what = f"busy merchant, folds of {fold}, workers: {workers}"
                figures += [
                    Measurement(f"{what}: orders a second", run.rate, ""),
                    Measurement(f"{what}: conflicts an order", run.conflicts, "", most),
                ]
            slower = runs[1].rate / runs[WORKERS[-1]].rate
            figures.append(
                Measurement(f"busy merchant, folds of {fold}: one worker's rate ÷ sixteen's", slower, "×", 2.0)
            )
    return figures


def _on_emulator(url: str, workers: int, fold: int) -> Run:
    client = client_at(url)
    names = {}
    for logical_id, name in LOGICAL_IDS.items():
        names[name] = f"{name}-{workers}-{fold}"
        client.create_table(TableName=names[name], **declared(logical_id))
    opening, _ = account(SHOP, balance=BALANCE)
    client.put_item(TableName=names["credits"], Item=item_of(opening))
    shares = [list(range(worker, ORDERS, workers)) for worker in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        # The clock starts after all of them have started, imported and connected.
        list(pool.map(_write, *zip(*[(url, names, [], fold)] * workers, strict=True)))
        started = time.perf_counter()
        counted = list(pool.map(_write, *zip(*[(url, names, share, fold) for share in shares], strict=True)))
        seconds = time.perf_counter() - started
    found = client.get_item(TableName=names["credits"], Key={"merchant_id": {"S": SHOP}}, ConsistentRead=True)
    check_nothing_lost(found["Item"], ORDERS)
    conflicts, again = (sum(numbers) for numbers in zip(*counted, strict=True))
    return Run(ORDERS / seconds, conflicts / ORDERS, again / ORDERS)


def _write(url: str, names: dict[str, str], numbers: Sequence[int], fold: int) -> tuple[int, int]:
    """Write a worker's share; return how many races it lost and how many orders were redelivered."""
    if not numbers:
        time.sleep(1)  # so that no worker takes two of these
        return 0, 0
    return write_all(url, names, numbers, fold)


def write_all(url: str, names: Mapping[str, str], numbers: Sequence[int], fold: int) -> tuple[int, int]:
    """Post these orders in batches, by a client of one's own, until all are; return lost races and redeliveries."""
    client = client_at(url)
    send_as_built(client)
    store = DynamoDBLedger(client, credits_table=names["credits"], transactions_table=names["transactions"])
    posting = Posting(store, default_threshold=THRESHOLD)
    waiting, again = list(numbers), 0
    for _ in range(ROUNDS_MAX * (len(numbers) // fold + 1)):
        if not waiting:
            break
        batch, waiting = waiting[:fold], waiting[fold:]
        outcomes = posting.post([[_order(number)] for number in batch], time=_call())
        back = [number for number, [outcome] in zip(batch, outcomes, strict=True) if isinstance(outcome, RetryLater)]
        again += len(back)
        waiting += back
    assert not waiting, "orders were given back again and again"
    return posting.take_lost_races(), again


def _call() -> CallTime:
    """Return the time of a call that starts now."""
    ends = time.monotonic() + CALL_SECONDS
    return CallTime(now=for_posting.now, remaining_seconds=lambda: ends - time.monotonic(), sleep=time.sleep)


def _order(number: int) -> OrderMovement:
    order_id = str(5_000_000_000 + number)
    return OrderMovement(
        merchant_id=SHOP,
        key=order_key(order_id),
        reference_id=order_id,
        policy=Policy(),
        lines=1,
        metadata={"lines": 1},
    )


def check_nothing_lost(item: Any, orders: int) -> None:
    """Fail where the account has not been charged each order once."""
    found = account_from(item)
    assert (found.sequence, found.balance) == (1 + orders, BALANCE - orders), f"orders were lost: {found}"


def client_at(url: str) -> Any:
    """Return a container's own client of an engine."""
    retries = {"mode": "standard", "total_max_attempts": 3}
    return emulator_client(url, "dynamodb", parameter_validation=False, retries=retries)

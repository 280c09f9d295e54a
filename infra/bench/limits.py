"""One busy merchant against DynamoDB's limits: 1,000 write units a second for an item, and for an index's partition.

A simulation: tables in memory that delay each request, refuse a transaction that conflicts with another one on an item
(TransactionConflict) or exceeds a limit (ThrottlingError), and charge a refused one as DynamoDB does.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from botocore.awsrequest import AWSResponse

from infra.bench.busy import ORDERS, SHOP, check_nothing_lost, write_all
from infra.bench.counted import BALANCE, NINETY_NINE, TEN
from infra.bench.functions import account, item_of
from infra.bench.measurements import Measurement
from infra.bench.tables import LOGICAL_IDS, MeteredTables, answered

UNITS_A_SECOND = 1000
"""DynamoDB's maximum of writes to one partition, and so to one item (developer guide, "Partitions")."""
REQUEST_SECONDS = 0.012
"""How long a transaction takes, and so how long another one may conflict with it on an item."""
RUNS = ((NINETY_NINE, 5), (NINETY_NINE, 16), (TEN, 5))
"""Orders in a batch, and numbers of workers: the queue's maximum at once, and more than that."""
SLOW_UNITS, SLOW_ORDERS = 200, 2_000
"""A limit that even a busy laptop reaches, to see what throttles do."""


class LimitedTables(MeteredTables):
    """Tables with the limits of one merchant's partitions."""

    def __init__(self, units_a_second: int) -> None:
        super().__init__()
        self._units_a_second = units_a_second
        self.throttled = self.conflicts = 0
        self._under_way: set[str] = set()
        self._gate = Lock()
        self._spent = {"account": 0.0, "index": 0.0}
        self._since = time.monotonic()

    def answer(self, request: Any) -> AWSResponse:
        """Answer a request after its delay, or refuse it."""
        target = str(request.headers["X-Amz-Target"])
        if "TransactWriteItems" not in target:
            time.sleep(REQUEST_SECONDS / 2)
            return super().answer(request)
        actions = [action for member in json.loads(request.body)["TransactItems"] for action in member.values()]
        keys = {str(action.get("Key") or action["Item"].get("transaction_id")) for action in actions}
        with self._gate:
            conflict = bool(keys & self._under_way)
            throttled = not conflict and not self._room_for(len(actions) - 1)
            self.conflicts += conflict
            self.throttled += throttled
            if not conflict and not throttled:
                self._under_way |= keys
        time.sleep(REQUEST_SECONDS)
        if conflict or throttled:
            code = "TransactionConflict" if conflict else "ThrottlingError"
            return _cancelled(request, code, len(actions))
        try:
            return super().answer(request)
        finally:
            with self._gate:
                self._under_way -= keys

    def _room_for(self, transactions: int) -> bool:
        """Take the units of a write with this many transactions, if the last second has room for them."""
        now = time.monotonic()
        for partition in self._spent:
            self._spent[partition] = max(0.0, self._spent[partition] - (now - self._since) * self._units_a_second)
        self._since = now
        needed = {"account": 2, "index": transactions}
        # A write larger than a second's units passes alone, and delays those after it.
        if any(0 < self._spent[part] > self._units_a_second - units for part, units in needed.items()):
            return False
        for partition, units in needed.items():
            self._spent[partition] += units
        return True


def limit_measurements() -> list[Measurement]:
    """Return rates, conflicts and throttles of one merchant's orders at the limits."""
    usual = [figure for fold, workers in RUNS for figure in _at_limits(workers, fold, UNITS_A_SECOND, ORDERS)]
    return usual + _at_limits(5, NINETY_NINE, SLOW_UNITS, SLOW_ORDERS)


def _at_limits(workers: int, fold: int, units_a_second: int, orders: int) -> list[Measurement]:
    tables = LimitedTables(units_a_second)
    opening, _ = account(SHOP, balance=BALANCE)
    tables.load("credits", [item_of(opening)])
    shares = [list(range(worker, orders, workers)) for worker in range(workers)]

    names = {name: name for name in LOGICAL_IDS.values()}

    def write(share: list[int]) -> int:
        return write_all("http://127.0.0.1:1", names, share, fold)[1]

    with tables.under_botocore(), ThreadPoolExecutor(workers) as pool:
        started = time.perf_counter()
        again = sum(pool.map(write, shares))
        seconds = time.perf_counter() - started
    check_nothing_lost(tables.item("credits", SHOP), orders)
    what = f"at {units_a_second:,} units a second, folds of {fold}, workers: {workers}"
    return [
        Measurement(f"{what}: orders a second", orders / seconds, ""),
        Measurement(f"{what}: conflicts an order", tables.conflicts / orders, ""),
        Measurement(f"{what}: throttled writes an order", tables.throttled / orders, ""),
        Measurement(f"{what}: deliveries again an order", again / orders, ""),
    ]


def _cancelled(request: Any, code: str, actions: int) -> AWSResponse:
    reasons = [{"Code": code, "Message": code}, *[{"Code": "None"}] * (actions - 1)]
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons [{code}]",
        "CancellationReasons": reasons,
    }
    return answered(request, 400, json.dumps(body).encode())

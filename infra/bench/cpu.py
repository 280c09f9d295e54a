"""CPU of the functions and of the SDK that they use, warm, with a transport that answers at once without a network.

Process time, best of several: other load only makes figures larger, never smaller. The SDK's bare calls are measured in
the same run, by a default client, with the same parameters as the function's.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.config import Config

from chalicelib.domain.ids import MerchantId
from infra.bench import functions
from infra.bench.counted import BALANCE, NINETY_NINE, STATUS, TEN
from infra.bench.functions import Orders, account, container, http_event, item_of, merchant
from infra.bench.measurements import Measurement
from infra.bench.tables import answered, answering, target_of
from infra.bench.units import Item

RUNS = 40
ORDERS_A_RUN = 100
STATUSES_A_RUN = 100
Work = tuple[Callable[[], list[Any]], Callable[[Any], object]]
"""A maker of a run's events, and the function called with each."""
OURS = {1: 100, TEN: 28, NINETY_NINE: 15}
"""How much our own code should add to an order's share of the bare call, in microseconds, by orders a call."""


def cpu_measurements() -> list[Measurement]:
    """Return the CPU of orders and statuses, in milliseconds and microseconds."""
    shop = merchant(1)
    opening, _ = account(shop, balance=BALANCE)
    figures = []
    with _null_transport(item_of(opening)), container():
        for together, goal in ((1, 0.5), (TEN, 0.10), (NINETY_NINE, 0.06)):
            whole, bare = _best(_orders(shop, together), _bare_calls(shop, together))
            what = f"order, {together} together" if together > 1 else "order alone"
            figures += [
                Measurement(f"CPU, {what}: function and SDK", whole / together * 1e3, "ms", goal),
                Measurement(f"CPU, {what}: the SDK's bare call", bare / together * 1e3, "ms"),
                Measurement(f"CPU, {what}: ours on top of it", (whole - bare) / together * 1e6, "µs", OURS[together]),
            ]
        shops = iter(range(10**9))
        known = _asked(shop)
        uncached, cached = _best(
            (lambda: [_asked(merchant(next(shops))) for _ in range(STATUSES_A_RUN)], functions.answer),
            (lambda: [known] * STATUSES_A_RUN, functions.answer),
        )
        figures += [
            Measurement("CPU, status uncached", uncached * 1e3, "ms", 1.0),
            Measurement("CPU, status cached", cached * 1e6, "µs", 60),
        ]
    return figures


def called(together: int = 0) -> float:
    """Return how many functions are called for an order, of so many together; for a cached status with none.

    Unlike time it is the same on every machine, and what takes time here are calls. The SDK's are among them.
    """
    shop = merchant(1)
    opening, _ = account(shop, balance=BALANCE)
    with _null_transport(item_of(opening)), container():
        prepare, call = _orders(shop, together) if together else (lambda: [_asked(shop)], functions.answer)
        # What is done once a container, once a second or for the first time is done before.
        for event in [*prepare(), *prepare(), *prepare()]:
            call(event)
        (event, *_) = prepare()
        counted = 0

        def count(_frame: object, kind: str, _what: object) -> None:
            nonlocal counted
            counted += kind in ("call", "c_call")

        sys.setprofile(count)
        try:
            call(event)
        finally:
            sys.setprofile(None)
    return counted / max(1, together)


def _asked(shop: MerchantId) -> Item:
    return http_event(STATUS, path={"merchant_id": shop})


def _orders(shop: str, together: int) -> Work:
    """Return batches of this many orders, and the function that processes them."""
    made = Orders()
    calls = max(1, ORDERS_A_RUN // together)
    return lambda: [made.batch(*[shop] * together) for _ in range(calls)], functions.ingest


def _bare_calls(shop: str, together: int) -> Work:
    """Return the parameters of the SDK call that writes this many orders, and that call."""
    asked: list[Any] = []
    real = BaseClient._make_api_call  # type: ignore[attr-defined] # noqa: SLF001 - nobody else sees the parameters

    def watched(client: BaseClient, operation: str, parameters: Any) -> Any:
        if operation == "TransactWriteItems":
            asked.append(dict(parameters))
        return real(client, operation, parameters)

    BaseClient._make_api_call = watched  # type: ignore[attr-defined] # noqa: SLF001
    try:
        functions.ingest(Orders(made=10**6).batch(*[shop] * together))
    finally:
        BaseClient._make_api_call = real  # type: ignore[attr-defined] # noqa: SLF001
    client = boto3.client("dynamodb", config=Config(parameter_validation=False))
    calls = max(1, ORDERS_A_RUN // together)
    return lambda: [asked[0]] * calls, lambda parameters: client.transact_write_items(**parameters)


def _best(*works: Work) -> list[float]:
    """Return each call's CPU in seconds: the average over a run, of the best run.

    The calls take turns, so that other load affects all of them.
    """
    best = [float("inf")] * len(works)
    for _ in range(RUNS):
        for place, (prepare, call) in enumerate(works):
            events = prepare()
            started = time.process_time()
            for event in events:
                call(event)
            best[place] = min(best[place], (time.process_time() - started) / len(events))
    return best


def _null_transport(opening: Item) -> AbstractContextManager[None]:
    """Answer every request at once: reads with the account, writes with an empty answer."""
    bodies = {
        "BatchGetItem": json.dumps({"Responses": {"credits": [opening]}, "UnprocessedKeys": {}}).encode(),
        "GetItem": json.dumps({"Item": {name: opening[name] for name in ("balance", "version")}}).encode(),
    }

    def answer(request: Any) -> AWSResponse:
        return answered(request, 200, bodies.get(target_of(request)[1], b"{}"))

    return answering(answer)

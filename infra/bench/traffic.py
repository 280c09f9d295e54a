"""Orders as they arrive, in batches as Lambda makes them: a seeded simulation, so the same on every machine.

    python -m infra.bench.traffic [--write]

Five pollers read a queue side by side (SQS as an event source, "Configuring scaling behavior"). Each takes the messages
that are there, ten a request, until its batch is full or its window is over; then it calls the function and waits for
it. All orders of one merchant in a batch are one write, at the counted units. A function's time is a request to
DynamoDB and CPU, both constants below. Where messages wait, a fair queue hands out first those of merchants with few in
flight.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from infra.bench import prices
from infra.bench.measurements import Place, number

SHOPS = 1_000
REQUEST_SECONDS = 0.010
"""A write to DynamoDB and all the rest of a call's waiting."""
MERCHANT_SECONDS, ORDER_SECONDS = 0.0015, 0.0002
"""CPU of a write and of an order in it, at 1,024 MB, which have a share of a core; more than was measured."""
PARTITION_ORDERS_A_SECOND = 1_000
"""Orders of one merchant that the index takes: a write unit each, a thousand units a partition."""
BUSY = 0
"""The number of the merchant with the most orders."""
RATES, WINDOWS = (1, 10, 100, 1_000), (0.0, 1.0, 2.0, 5.0)
STREAM_WINDOWS = (0, 5, 60, 300)
BUCKETS = 8

PLACE = Place(name="traffic", module="infra.bench.traffic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How Lambda reads the queue, and whether the queue is fair to merchants with few messages under way."""

    window_seconds: float
    batch_max: int = prices.BATCH
    fair: bool = True


@dataclass(slots=True)
class Outcome:
    """The result of a run: seconds from arrival to the write, and what was asked of AWS.

    `delays` has those of the busy merchant under True, all others' under False.
    """

    delays: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    orders: int = 0
    batches: int = 0
    receives: int = 0
    deletes: int = 0
    units: float = 0.0
    busy_seconds: float = 0.0
    longest_queue: int = 0
    drained_at: float = 0.0

    def delay(self, share: float, *, busy: bool = False) -> float:
        """Return the delay in seconds that this share of the orders did not exceed: the busy merchant's, or others'."""
        delays = sorted(self.delays[busy])
        return delays[min(len(delays) - 1, int(share * len(delays)))]

    def dollars(self) -> dict[str, float]:
        """Return what a million orders cost: the ledger, the function and the queue."""
        function = self.batches * (prices.LAMBDA_CALL + prices.LINE)
        function += self.busy_seconds * prices.INGEST_GB * prices.LAMBDA_GB_SECOND
        asked = self.orders + self.receives + self.deletes
        return {
            "ledger": self.units * prices.WRITE_UNIT / self.orders * 1e6,
            "function": function / self.orders * 1e6,
            "queue": asked * prices.QUEUE_REQUEST / self.orders * 1e6,
        }


def shares(shops: int = SHOPS, *, skew: float = 1.0) -> list[float]:
    """Return each shop's share of all orders: the n-th has one n-th of the first's, or all the same without skew."""
    weights = [1 / place**skew for place in range(1, shops + 1)]
    return [weight / sum(weights) for weight in weights]


def arrivals(rate: float, seconds: float, rng: random.Random, *, of: Sequence[float]) -> list[tuple[float, int]]:
    """Return when orders arrive and of which merchant, in order: independent of each other, `rate` a second."""
    moments = []
    now = rng.expovariate(rate)
    while now < seconds:
        moments.append(now)
        now += rng.expovariate(rate)
    merchants = rng.choices(range(1, len(of) + 1), weights=of, k=len(moments))
    return list(zip(moments, merchants, strict=True))


class _Backlog:
    """Messages that wait: in one line; where the queue is fair, the busy merchant's come after all others'."""

    def __init__(self, *, fair: bool) -> None:
        self._fair = fair
        self._lines: tuple[deque[tuple[float, int]], deque[tuple[float, int]]] = (deque(), deque())

    def __len__(self) -> int:
        return len(self._lines[0]) + len(self._lines[1])

    def add(self, message: tuple[float, int]) -> None:
        self._lines[int(self._fair and message[1] == BUSY)].append(message)

    def take(self, most: int) -> list[tuple[float, int]]:
        taken: list[tuple[float, int]] = []
        for line in self._lines:
            while line and len(taken) < most:
                taken.append(line.popleft())
        return taken


class Simulation:
    """One queue, its pollers and the ledger. Call `run` once."""

    def __init__(self, queue: Queue, arriving: Sequence[tuple[float, int]], rng: random.Random) -> None:
        self._queue, self._arriving, self._rng = queue, arriving, rng
        self._backlog = _Backlog(fair=queue.fair)
        self._buffers: list[list[tuple[float, int]]] = [[] for _ in range(prices.POLLERS)]
        self._round = [0] * prices.POLLERS
        self._free = set(range(prices.POLLERS))
        self._events: list[tuple[float, int, int, int]] = []
        self._partition_free_at = 0.0
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Let all orders arrive and be written, and return the result."""
        for message in self._arriving:
            self._until(message[0])
            self._arrive(message)
        self._until(float("inf"))
        return self.outcome

    def _until(self, moment: float) -> None:
        while self._events and self._events[0][0] <= moment:
            at, kind, poller, made = heapq.heappop(self._events)
            if kind == 0:
                self._free.add(poller)
                self._take(poller, at)
            elif made == self._round[poller] and self._buffers[poller]:
                self._call(poller, at)

    def _arrive(self, message: tuple[float, int]) -> None:
        if not self._free:
            self._backlog.add(message)
            self.outcome.longest_queue = max(self.outcome.longest_queue, len(self._backlog))
            return
        poller = self._rng.choice(sorted(self._free))
        self.outcome.receives += 1
        self._put(poller, [message], message[0])

    def _take(self, poller: int, now: float) -> None:
        """Let a poller that has come back take what waits."""
        if taken := self._backlog.take(self._queue.batch_max):
            self.outcome.receives += ceil(len(taken) / prices.RECEIVED_AT_ONCE)
            self._put(poller, taken, now)

    def _put(self, poller: int, messages: list[tuple[float, int]], now: float) -> None:
        buffer = self._buffers[poller]
        if not buffer:
            self._round[poller] += 1
            heapq.heappush(self._events, (now + self._queue.window_seconds, 1, poller, self._round[poller]))
        buffer += messages
        if len(buffer) >= self._queue.batch_max or not self._queue.window_seconds:
            self._call(poller, now)

    def _call(self, poller: int, now: float) -> None:
        batch, self._buffers[poller] = self._buffers[poller], []
        self._free.discard(poller)
        by_merchant = Counter(merchant for _, merchant in batch)
        seconds = REQUEST_SECONDS + MERCHANT_SECONDS * len(by_merchant) + ORDER_SECONDS * len(batch)
        busy_until = ends = now + seconds
        if of_busy := by_merchant.get(BUSY):
            # The partition takes a thousand a second, whoever writes: the rest of the batch does not wait for it.
            self._partition_free_at = max(self._partition_free_at, now) + of_busy / PARTITION_ORDERS_A_SECOND
            busy_until = ends = max(ends, self._partition_free_at)
        out = self.outcome
        for arrived, merchant in batch:
            busy = merchant == BUSY
            out.delays[busy].append((busy_until if busy else now + seconds) - arrived)
        out.orders += len(batch)
        out.batches += 1
        out.deletes += ceil(len(batch) / prices.RECEIVED_AT_ONCE)
        out.units += sum(3 * orders + 2 * ceil(orders / prices.FOLD) for orders in by_merchant.values())
        out.busy_seconds += ends - now
        out.drained_at = max(out.drained_at, ends)
        heapq.heappush(self._events, (ends, 0, poller, 0))


def ordinary(rate: float, window_seconds: float, *, seed: int = 1) -> Outcome:
    """Return the result for orders of a thousand shops at this rate and window."""
    rng = random.Random(seed)  # noqa: S311 - the same every time
    seconds = max(200.0, 20_000 / rate) if rate < 1_000 else 60.0  # noqa: PLR2004 - enough orders for a p99
    arriving = arrivals(rate, seconds, rng, of=shares())
    return Simulation(Queue(window_seconds=window_seconds), arriving, rng).run()


def beyond_a_partition(*, fair: bool, rate: int = 3_000, seconds: int = 600, others: int = 50) -> Outcome:
    """Return the result where one merchant orders at three times its partition's limit, beside other shops."""
    rng = random.Random(7)  # noqa: S311 - the same every time
    busy = [(moment, BUSY) for moment, _ in arrivals(rate, seconds, rng, of=(1.0,))]
    # Others order until the busy merchant's queue is empty again.
    rest = arrivals(others, seconds * rate / PARTITION_ORDERS_A_SECOND, rng, of=shares())
    return Simulation(Queue(window_seconds=1.0, fair=fair), sorted([*busy, *rest]), rng).run()


def figures_dollars(rate: float, window_seconds: float, *, skew: float = 1.0, batch_max: int = 1_000) -> float:
    """Return what counting a million orders costs: a stream's batch writes each of its merchants once."""
    rng = random.Random(3)  # noqa: S311 - the same every time
    seconds = max(3_000.0, 30 * window_seconds)
    batch: list[int] = []
    opened, dollars, orders = 0.0, 0.0, 0
    for moment, merchant in [*arrivals(rate, seconds, rng, of=shares(skew=skew)), (float("inf"), 0)]:
        if batch and (len(batch) >= batch_max or moment > opened + window_seconds):
            dollars, orders, batch = dollars + _counted(batch), orders + len(batch), []
        if not batch:
            opened = moment
        batch.append(merchant)
    return dollars / orders * 1e6


def _counted(batch: Sequence[int]) -> float:
    """Return what counting a batch of a stream costs: each merchant read and written, each bucket's sums added to."""
    merchants = set(batch)
    buckets = Counter(merchant % BUCKETS for merchant in merchants)
    units = 2 * len(merchants) + sum(2 * ceil(of_bucket / prices.FOLD) for of_bucket in buckets.values())
    seconds = REQUEST_SECONDS * (1 + len(buckets)) + ORDER_SECONDS * len(batch)
    call = prices.call(prices.STREAM_GB, seconds) + prices.LINE
    return units * prices.WRITE_UNIT + len(merchants) * prices.READ_UNIT + call


def text() -> str:
    """Return the tables as Markdown."""
    rows = ["| orders a second | window | orders a batch | p50 | p99 | ledger | function | queue | dollars a million |"]
    rows.append("|---|---|---|---|---|---|---|---|---|")
    for rate in RATES:
        for window in WINDOWS:
            ran = ordinary(rate, window)
            parts = ran.dollars()
            cells = [f"{rate:,}", f"{window:g} s", number(round(ran.orders / ran.batches, 1))]
            cells += [f"{ran.delay(share):.2f} s" for share in (0.5, 0.99)]
            cells += [f"{dollars:.2f}" for dollars in parts.values()]
            rows.append("| " + " | ".join([*cells, f"{sum(parts.values()):.2f}"]) + " |")
    rows += [
        "",
        "| counting a million orders at 10 a second, in dollars | window | all shops alike | the n-th with 1/n |",
    ]
    rows.append("|---|---|---|---|")
    for window in STREAM_WINDOWS:
        alike, skewed = (figures_dollars(10, window, skew=skew) for skew in (0.0, 1.0))
        rows.append(f"| | {window} s | {alike:.2f} | {skewed:.2f} |")
    rows += ["", "| 3,000 orders a second of one merchant, ten minutes | fair queue | one line |", "|---|---|---|"]
    fair, line = beyond_a_partition(fair=True), beyond_a_partition(fair=False)
    rows += [
        f"| longest queue, messages | {fair.longest_queue:,} | {line.longest_queue:,} |",
        f"| all written after | {fair.drained_at / 60:.1f} min | {line.drained_at / 60:.1f} min |",
        f"| other shops, p50 | {fair.delay(0.5):.2f} s | {line.delay(0.5):,.0f} s |",
        f"| other shops, p99 | {fair.delay(0.99):.2f} s | {line.delay(0.99):,.0f} s |",
        (
            f"| the merchant's own orders, p99 | {fair.delay(0.99, busy=True):,.0f} s "
            f"| {line.delay(0.99, busy=True):,.0f} s |"
        ),
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    PLACE.show(text())

"""Plugin statuses of the running system with a shared Redis: how soon they are right, also when Redis goes away."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.support.engines import LOOPBACK, free_port, redis_server
from tests.support.running_stack import client
from tests.support.stack_process import started
from tests.support.timing import least

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("shared status")]

SHARED_SECONDS = 1.0
MEMORY_SECONDS = 15.0
REDIS_RESTS_SECONDS = 3.0
MACHINE_SECONDS = 1.0
"""What a busy test machine may add."""
ARRIVAL_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shops:
    """A running stack, as shops and those who ask about them see it."""

    description: Mapping[str, Any]

    def opened(self) -> str:
        """Return a shop that has two credits."""
        shop = str(uuid.uuid4())
        self._say("evt.merchant.created", {"merchant_id": shop})
        wait_until(lambda: self.balance(shop) == 2, ARRIVAL_SECONDS)
        return shop

    def use_up(self, shop: str) -> float:
        """Use the shop's credits; return when the ledger had it, in seconds of the monotonic clock."""
        for _ in range(2):
            self._say("evt.shopify.webhook.order_paid", {"merchant_id": shop, "order_id": str(uuid.uuid4())})
        wait_until(lambda: self.balance(shop) == 0, ARRIVAL_SECONDS)
        return time.monotonic()

    def _say(self, event_type: str, payload: Mapping[str, str]) -> None:
        body = json.dumps({"event_type": event_type, "payload": payload})
        client(self.description, "sqs").send_message(QueueUrl=self.description["inbox_queue_url"], MessageBody=body)

    def balance(self, shop: str) -> int | None:
        answer = client(self.description, "dynamodb").get_item(
            TableName=self.description["credits_table"], Key={"merchant_id": {"S": shop}}, ConsistentRead=True
        )
        return int(answer["Item"]["balance"]["N"]) if "Item" in answer else None

    def status(self, shop: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(self.description["api_url"])
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request("GET", f"/api/v1/credits/plugin-status/{shop}")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())["data"]

    def says(self, shop: str, word: str) -> bool:
        return bool(self.status(shop)[1]["status"] == word)


@dataclass
class Traffic:
    """Asks for one shop's status without a pause until it ends, and keeps the answers."""

    shops: Shops
    shop: str
    answers: list[tuple[int, str, bool]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def more(self, count: int) -> None:
        """Return when so many more answers have come."""
        wanted = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= wanted, ARRIVAL_SECONDS)

    def _ask(self) -> None:
        while not self._over.is_set():
            number, data = self.shops.status(self.shop)
            self.answers.append((number, data["status"], data["stale"]))


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen in time"
        time.sleep(0.02)


@dataclass
class RedisServer:
    """A Redis that can be stopped and started again in its place."""

    directory: Path
    port: int
    running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self.running.enter_context(redis_server(self.directory, self.port))

    def stop(self) -> None:
        self.running.close()

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}"

    def holds(self, shop: str) -> bool:
        with closing(Redis.from_url(self.url)) as asking:
            return bool(asking.keys(f"*{shop}"))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shops(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    settings = {"REDIS_URL": redis.url, "TRIAL_CREDITS": "2"}
    with started(tmp_path_factory.mktemp("stack"), settings) as run:
        run.wait_for_line("READY ")
        yield Shops(description=run.description())


def test_an_opening_is_in_redis_before_anybody_asks(shops: Shops, redis: RedisServer) -> None:
    shop = shops.opened()

    wait_until(lambda: redis.holds(shop), ARRIVAL_SECONDS)


def test_a_status_that_redis_holds_is_right_within_a_second_after_the_last_credit(shops: Shops) -> None:
    def seconds() -> float:
        shop = shops.opened()
        wait_until(lambda: shops.says(shop, "enabled"), ARRIVAL_SECONDS)
        used_up = shops.use_up(shop)
        wait_until(lambda: shops.says(shop, "disabled"), ARRIVAL_SECONDS)
        return time.monotonic() - used_up

    assert least(seconds) < SHARED_SECONDS + MACHINE_SECONDS


def test_redis_stopped_in_mid_traffic_makes_no_answer_wrong_and_no_error(shops: Shops, redis: RedisServer) -> None:
    shop, other, unasked = shops.opened(), shops.opened(), shops.opened()
    with Traffic(shops, shop) as traffic:
        traffic.more(50)
        redis.stop()
        traffic.more(50)
        try:
            assert shops.says(other, "enabled")
            used_up = [shops.use_up(one) for one in (other, unasked)]
            assert shops.says(unasked, "disabled"), "in no cache that is left, so read from the table"
            time.sleep(max(0.0, used_up[0] + MEMORY_SECONDS - time.monotonic()))
            # Several containers answer by turns, each from its own memory.
            assert {shops.says(other, "disabled") for _ in range(20)} == {True}
        finally:
            redis.start()
        wait_until(lambda: redis.holds(shop), REDIS_RESTS_SECONDS + MEMORY_SECONDS + ARRIVAL_SECONDS)
        traffic.more(50)

    assert set(traffic.answers) == {(200, "enabled", False)}

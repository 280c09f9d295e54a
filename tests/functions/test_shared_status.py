"""The shared plugin statuses on a real Redis: newest wins, and a broken one costs neither answers nor time."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from chalicelib.adapters.parameters import Parameter, ParameterError
from chalicelib.adapters.redis import connection
from chalicelib.adapters.redis.connection import RedisConnection
from chalicelib.adapters.redis.statuses import RedisStatuses
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.ids import instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.plugin_status import KnownStatus, PluginStatus, Reason
from chalicelib.environment import SettingError
from chalicelib.settings import Settings
from chalicelib.usecases.plugin_status import PluginStatuses
from chalicelib.wiring import for_api
from tests.support.builders import NOON, SHOP, account_of, merchant, trial
from tests.support.engines import LOOPBACK, free_port, redis_server
from tests.support.redis_faults import proxy, silent_server, tls_server
from tests.support.status_sources import STALE_SECONDS, FakeTable, container
from tests.support.timing import least

KEY = "{credits}:status:" + SHOP
BUDGET_SECONDS = 0.05
MACHINE_SECONDS = 0.1
"""What a busy test machine may add."""
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def held(server: str) -> Iterator[Redis]:
    with closing(Redis.from_url(server)) as client:
        client.flushall()
        yield client


@contextmanager
def connected(url: str, now: datetime = NOW) -> Iterator[RedisStatuses]:
    with closing(RedisConnection(url)) as line:
        yield RedisStatuses(line, prefix="credits", stale_seconds=STALE_SECONDS, clock=lambda: now)


@pytest.fixture
def shared(server: str, held: Redis) -> Iterator[RedisStatuses]:
    with connected(server) as statuses:
        yield statuses


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a server that is well the time that a busy test machine takes from it."""
    for name in ("READ_SECONDS", "WRITE_SECONDS", "LEARN_SECONDS"):
        monkeypatch.setattr(f"chalicelib.adapters.redis.statuses.{name}", 10.0)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.adapters.redis.statuses.READ_SECONDS", 0.03)
    monkeypatch.setattr("chalicelib.adapters.redis.statuses.WRITE_SECONDS", 0.02)
    monkeypatch.setattr(connection, "SOCKET_SECONDS", 0.3)


def known(version: int, *, enabled: bool = True, as_of: datetime = NOW) -> KnownStatus:
    return KnownStatus(version=version, enabled=enabled, as_of=as_of)


def account(version: int, balance: int = 1, *, at: datetime = NOW) -> Account:
    return replace(account_of(balance), version=version, updated_at=instant(at))


def test_a_status_stands_in_redis_with_its_version_and_time_until_it_is_of_no_use(
    shared: RedisStatuses, held: Redis
) -> None:
    written = known(12, as_of=NOW - timedelta(seconds=100))

    assert shared.write({SHOP: written}, now=NOW) == {SHOP: written}

    assert held.get(KEY) == b"12 enabled 2025-06-01T11:58:20.000Z"
    assert 198_000 < held.pttl(KEY) <= 200_001
    assert shared.read([SHOP, merchant("nobody")]) == {SHOP: written}


@pytest.mark.parametrize(
    ("known_as", "word"),
    [
        (known(12), b"enabled"),
        (replace(known(12), grace=True), b"grace"),
        (replace(known(12, enabled=False), frozen=True), b"frozen"),
    ],
)
def test_a_status_that_ends_by_time_is_dropped_then(
    shared: RedisStatuses, held: Redis, known_as: KnownStatus, word: bytes
) -> None:
    ends = replace(known_as, until=instant(NOW + timedelta(seconds=40)))

    assert shared.write({SHOP: ends}, now=NOW) == {SHOP: ends}
    assert shared.write({SHOP: known(11)}, now=NOW) == {SHOP: ends}

    assert held.get(KEY) == b"12 " + word + b" 2025-06-01T12:00:00.000Z 2025-06-01T12:00:40.000Z"
    assert 38_000 < held.pttl(KEY) <= 40_001
    assert shared.write({SHOP: known(13)}, now=NOW) == {SHOP: known(13)}


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [
        (known(5), known(6, enabled=False), 2),
        (known(6, enabled=False), known(5), 1),
        (known(9), known(10, as_of=NOW - timedelta(seconds=200)), 2),
        (known(10, as_of=NOW - timedelta(seconds=200)), known(9), 1),
        (known(5, as_of=NOW - timedelta(seconds=9)), known(5), 2),
        (known(5), known(5, as_of=NOW - timedelta(seconds=9)), 1),
        (known(2**53 - 1), known(2**53), 2),
    ],
)
def test_the_newer_version_stands_whenever_it_comes_and_is_what_the_writer_is_told(
    shared: RedisStatuses, first: KnownStatus, second: KnownStatus, stands: int
) -> None:
    shared.write({SHOP: first}, now=NOW)

    told = shared.write({SHOP: second}, now=NOW)

    assert told == shared.read([SHOP]) == {SHOP: (first, second)[stands - 1]}


def test_many_writers_at_once_leave_the_newest_of_every_merchant(server: str, shared: RedisStatuses) -> None:
    shops = [merchant(f"shop {number}") for number in range(20)]

    def write(seed: int) -> None:
        shuffled = sorted(range(1, 41), key=lambda version: (version * 7919 + seed * 104_729) % 41)
        with connected(server) as own:
            for version in shuffled:
                for shop in shops:
                    own.write({shop: known(version * 4 + seed, enabled=seed == 3)}, now=NOW)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert shared.read(shops) == dict.fromkeys(shops, known(163))


def test_the_stream_teaches_many_accounts_at_once_each_by_its_newest_version(
    shared: RedisStatuses, held: Redis
) -> None:
    others = [replace(account(3, number % 2), merchant_id=merchant(f"shop {number}")) for number in range(500)]
    before = held.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]

    shared.learn([account(8, 0), account(7, 4), *others])

    assert held.info("commandstats")["cmdstat_eval"]["calls"] == before + 1
    assert shared.read([SHOP]) == {SHOP: known(8, enabled=False)}
    assert shared.read([one.merchant_id for one in others]) == {
        one.merchant_id: known(3, enabled=one.balance > 0) for one in others
    }


def test_a_frozen_account_is_learned_with_its_end(shared: RedisStatuses) -> None:
    until = instant(NOW + timedelta(seconds=40))
    freeze = Freeze(since=NOON, transaction_id=trial().transaction_id, reason="r", admin_id="a", until=until)

    shared.learn([replace(account(3, 100), freeze=freeze, due_at=until)])

    learned = shared.read([SHOP])
    assert learned is not None
    assert (learned[SHOP].reason, learned[SHOP].enabled, learned[SHOP].until) == (Reason.FROZEN, False, until)


def test_an_opening_is_learned_too(shared: RedisStatuses) -> None:
    shared.learn([account(1, 100)])

    assert shared.read([SHOP]) == {SHOP: known(1)}


def test_a_record_played_back_late_says_when_it_was_known_and_one_too_old_says_nothing(
    shared: RedisStatuses,
) -> None:
    shared.learn([account(4, at=NOW - timedelta(seconds=60))])
    shared.learn([replace(account(9, at=NOW - timedelta(seconds=STALE_SECONDS)), merchant_id=merchant("late"))])

    assert shared.read([SHOP, merchant("late")]) == {SHOP: known(4, as_of=NOW - timedelta(seconds=60))}


def test_a_writer_with_its_clock_ahead_makes_nothing_last_longer(shared: RedisStatuses, held: Redis) -> None:
    shared.learn([account(4, at=NOW + timedelta(hours=1))])

    assert shared.read([SHOP]) == {SHOP: known(4)}
    assert held.pttl(KEY) <= STALE_SECONDS * 1000 + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "enabled",
        "5 enabled",
        "x enabled 2025-06-01T12:00:00.000Z",
        "5 perhaps 2025-06-01T12:00:00.000Z",
        "5 enabled soon",
        "\xff\xfe",
    ],
)
def test_a_text_that_is_not_ours_is_no_status_and_is_written_over(
    shared: RedisStatuses, held: Redis, text: str
) -> None:
    held.set(KEY, text.encode("latin-1"))

    assert shared.read([SHOP]) == {}
    assert shared.write({SHOP: known(1)}, now=NOW) == {SHOP: known(1)}


def test_statuses_go_through_tls(server: str, held: Redis, tmp_path: Path) -> None:
    with tls_server(server, tmp_path) as url, connected(url) as shared:
        assert shared.write({SHOP: known(3)}, now=NOW) == {SHOP: known(3)}
    assert held.get(KEY) is not None


def test_a_certificate_that_nobody_vouches_for_is_a_broken_redis(server: str, tmp_path: Path) -> None:
    with tls_server(server, tmp_path) as url, connected(url.partition("?")[0]) as shared:
        assert shared.read([SHOP]) is None


def test_a_password_is_used_and_a_wrong_one_is_a_broken_redis(tmp_path: Path) -> None:
    with redis_server(tmp_path, password="right") as url:
        with connected(url.replace("//", "//:right@")) as shared:
            assert shared.read([SHOP]) == {}
        with connected(url.replace("//", "//:wrong@")) as shared:
            assert shared.read([SHOP]) is None
        with connected(url) as shared:
            assert shared.read([SHOP]) is None


def asked(statuses: PluginStatuses, now: datetime = NOW) -> tuple[PluginStatus, float]:
    started = time.perf_counter()
    status = statuses.of(SHOP, now=now)
    return status, time.perf_counter() - started


@contextmanager
def faulty(kind: str, server: str) -> Iterator[str]:
    """Yield the address of a Redis with a fault."""
    with ExitStack() as stack:
        if kind == "nobody listens":
            yield f"redis://{LOOPBACK}:{free_port()}"
        elif kind == "never answers":
            yield stack.enter_context(silent_server())
        elif kind == "never shakes hands":
            yield stack.enter_context(silent_server()).replace("redis", "rediss")
        elif kind == "slow by 200 ms":
            yield f"redis://{LOOPBACK}:{stack.enter_context(proxy(server, delay_seconds=lambda: 0.2))}"
        elif kind == "dripping":
            port = stack.enter_context(proxy(server, delay_seconds=lambda: 0.02, piece_bytes=1))
            yield f"redis://{LOOPBACK}:{port}"
        elif kind == "a name that nobody knows":
            yield "redis://redis.invalid:6379"


FAULTS = [
    "nobody listens",
    "never answers",
    "never shakes hands",
    "slow by 200 ms",
    "dripping",
    "a name that nobody knows",
]


@pytest.mark.slow
@pytest.mark.usefixtures("held", "strict")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_redis_changes_no_answer_costs_one_short_wait_and_then_nothing(server: str, fault: str) -> None:
    def first_wait() -> float:
        with faulty(fault, server) as url, connected(url) as shared:
            return asked(container(FakeTable(rows={SHOP: (3, 1)}), shared))[1]

    table = FakeTable(rows={SHOP: (3, 1)})
    with faulty(fault, server) as url, connected(url) as shared:
        statuses = container(table, shared)
        first = asked(statuses)[0]
        repeated = [asked(statuses) for _ in range(500)]

    assert least(first_wait) < BUDGET_SECONDS + MACHINE_SECONDS
    assert sorted(seconds for _, seconds in repeated)[450] < 0.001
    assert {status.reason for status, _ in repeated} == {first.reason} == {Reason.SUFFICIENT_CREDITS}
    assert table.calls == [1], "memory answers while Redis does not"


@pytest.mark.usefixtures("strict")
def test_a_broken_redis_is_tried_again_while_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 0.05)
    with silent_server() as url, connected(url) as shared:
        statuses = container(FakeTable(rows={SHOP: (3, 1)}), shared)
        asked(statuses)
        time.sleep(0.1)
        waits = [asked(statuses)[1] for _ in range(300)]

    assert sorted(waits)[290] < 0.001


def test_a_redis_that_is_still_down_is_left_alone_again_after_each_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 0.1)
    tried: list[str] = []

    def down(url: str) -> Redis:
        tried.append(url)
        raise OSError

    monkeypatch.setattr(connection, "_connected", down)
    with connected("redis://nowhere") as shared:
        ends = time.monotonic() + 0.35
        while time.monotonic() < ends:
            assert shared.read([SHOP]) is None

    assert 3 <= len(tried) <= 2 + 3, "at the start, for the first read, and after each rest"


def test_a_connection_that_the_server_closed_meanwhile_is_not_a_broken_redis(
    shared: RedisStatuses, held: Redis
) -> None:
    shared.write({SHOP: known(3)}, now=NOW)
    held.client_kill_filter(_type="normal", skipme=True)

    assert shared.read([SHOP]) == {SHOP: known(3)}


def test_redis_stopped_and_started_again_in_mid_traffic_leaves_every_answer_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 0.05)
    port = free_port()
    table = FakeTable(rows={SHOP: (1, 1)})
    with ExitStack() as running, connected(f"redis://{LOOPBACK}:{port}") as shared:
        one = running.enter_context(ExitStack())
        one.enter_context(redis_server(tmp_path, port))
        statuses = container(table, shared)
        answers = [asked(statuses)[0] for _ in range(50)]
        one.close()
        answers += [asked(statuses)[0] for _ in range(50)]
        with redis_server(tmp_path, port):
            answers += answers_until_redis_is_back(statuses, shared)
            # The status changed and the stream said so: it is right at once, though memory holds the old one.
            table.rows[SHOP] = (2, 0)
            shared.learn([account(2, 0)])
            changed = asked(statuses)[0]

    assert {status.reason for status in answers} == {Reason.SUFFICIENT_CREDITS}
    assert not any(status.stale for status in answers)
    assert changed.reason is Reason.INSUFFICIENT_CREDITS


def answers_until_redis_is_back(statuses: PluginStatuses, shared: RedisStatuses) -> list[PluginStatus]:
    answers = [asked(statuses)[0]]
    deadline = time.monotonic() + 60
    while shared.read([SHOP]) is None:
        assert time.monotonic() < deadline, "Redis is not found again"
        answers.append(asked(statuses)[0])
        time.sleep(0.01)
    return answers


def test_a_full_server_breaks_no_answer(shared: RedisStatuses, held: Redis) -> None:
    statuses = container(FakeTable(rows={SHOP: (3, 1)}), shared)
    held.config_set("maxmemory", "1")
    try:
        assert asked(statuses)[0].reason is Reason.SUFFICIENT_CREDITS
        assert held.get(KEY) is None
    finally:
        held.config_set("maxmemory", "0")


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://:secret@host:many"])
def test_an_address_that_is_none_is_refused_by_name_and_not_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings.read({"REDIS_URL": url, "CREDITS_TABLE": "credits"})
    monkeypatch.setattr(for_api, "settings", lambda: chosen)
    for_api.shared_statuses.cache_clear()

    with pytest.raises(SettingError, match="REDIS_URL takes") as raised:
        for_api.shared_statuses()

    assert "secret" not in str(raised.value)


def test_without_an_address_nothing_of_redis_is_imported() -> None:
    asking = (
        "import sys; from chalicelib.wiring import for_api; import app; "
        "assert for_api.shared_statuses() is None; for_api.plugin_statuses(); "
        "print([name for name in sys.modules if name.partition('.')[0] in {'redis', 'pydantic', 'pynamodb', 'jwt'}])"
    )
    environment = {"CREDITS_TABLE": "credits", "AWS_DEFAULT_REGION": "eu-west-1"}
    ran = subprocess.run(
        [sys.executable, "-c", asking], capture_output=True, check=True, text=True, env=environment, timeout=60
    )

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "answer", "url"),
    [
        ({}, "unasked", ""),
        ({"REDIS_URL": "redis://plain:1"}, "unasked", "redis://plain:1"),
        ({"REDIS_URL": "redis://plain:1", "REDIS_URL_PARAMETER": "/redis"}, "unasked", "redis://plain:1"),
        ({"REDIS_URL_PARAMETER": "/redis"}, "rediss://:secret@host:1", "rediss://:secret@host:1"),
        ({"REDIS_URL_PARAMETER": "/redis"}, ParameterError("no"), ""),
    ],
)
def test_the_address_of_redis_comes_from_a_parameter_where_it_holds_a_password(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], answer: str | ParameterError, url: str
) -> None:
    def text(parameter: Parameter) -> str:
        assert (parameter.name, answer != "unasked") == ("/redis", True)
        if isinstance(answer, ParameterError):
            raise answer
        return answer

    monkeypatch.setattr(Parameter, "text", text)
    monkeypatch.setattr(for_api, "settings", lambda: Settings.read(environment))

    assert for_api._redis_url() == url

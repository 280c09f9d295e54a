"""The detailed health: who may ask, and that each component that fails is named and names nothing internal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.dynamodb.fleet import HEARTBEAT
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from infra.bridge.states import StreamState
from tests.support import heartbeats
from tests.support.api import ADMIN, CREDITS_TABLE, LINKS_TABLE, OPS, OWNER, TRANSACTIONS_TABLE, Api, Ledger
from tests.support.figures_tables import DESK_TABLE, FIGURES_TABLE, FiguresTable, created
from tests.support.stores import declared_with_stream

TABLES = {
    "credits": CREDITS_TABLE,
    "transactions": TRANSACTIONS_TABLE,
    "figures": FIGURES_TABLE,
    "links": LINKS_TABLE,
    "desk": DESK_TABLE,
}


@pytest.fixture
def figures(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    for name in ("figures", "links", "desk"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", TABLES[name])
    settings.cache_clear()
    for_api.components.cache_clear()
    ledger.client.create_table(TableName=LINKS_TABLE, **declared_with_stream("LinksTable"))
    created(ledger.client, DESK_TABLE, logical_id="DeskTable")
    yield created(ledger.client, FIGURES_TABLE)
    for_api.components.cache_clear()


def beat(figures: FiguresTable, *, seconds_ago: int, status: str = "ok") -> None:
    figures.put(HEARTBEAT, at=(datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(), status=status)


def asked(api: Api) -> Any:
    answered = api.get("/health/detailed", token=OPS)
    assert answered.status == 200
    return answered.body["data"]


@pytest.mark.parametrize(("token", "status"), [(None, 401), (OWNER, 403), (ADMIN, 403), (OPS, 200)])
def test_only_those_who_operate_the_service_learn_its_health(
    api: Api, figures: FiguresTable, token: dict[str, str] | None, status: int
) -> None:
    assert api.get("/health/detailed", token=token).status == status


def test_a_healthy_service_names_each_component_with_its_latency(api: Api, figures: FiguresTable) -> None:
    beat(figures, seconds_ago=5)

    data = asked(api)

    assert data["status"] == "ok"
    assert set(data["components"]) == {*TABLES, "bridge"}
    assert all(one["status"] == "ok" and one["latency_ms"] >= 0 for one in data["components"].values())


def test_a_bridge_that_was_never_heard_of_is_unknown_and_degrades_nothing(api: Api, figures: FiguresTable) -> None:
    data = asked(api)

    assert data["status"] == "ok"
    assert data["components"]["bridge"]["status"] == "unknown"


@pytest.mark.parametrize(("seconds_ago", "status"), [(90, "ok"), (5, "degraded")])
def test_a_bridge_that_is_silent_or_says_so_fails(
    api: Api, figures: FiguresTable, seconds_ago: int, status: str
) -> None:
    beat(figures, seconds_ago=seconds_ago, status=status)

    data = asked(api)

    assert data["status"] == "degraded"
    assert data["components"]["bridge"]["status"] == "failing"


def test_a_stream_that_the_bridge_cannot_read_is_named(api: Api, figures: FiguresTable) -> None:
    streams = StreamState(name="SHOPIFY", detail="paused"), StreamState(name="BILLING", ok=True)
    heartbeats.beat(figures, datetime.now(UTC), *streams)

    assert asked(api)["components"]["bridge"]["detail"] == "The bridge cannot read SHOPIFY."


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_does_not_answer_is_named_by_its_part_and_not_by_its_name(
    api: Api, figures: FiguresTable, ledger: Ledger, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    beat(figures, seconds_ago=5)
    ledger.client.delete_table(TableName=TABLES[name])

    data = asked(api)

    assert data["status"] == "degraded"
    failing = {part: one for part, one in data["components"].items() if one["status"] == "failing"}
    assert name in failing
    assert TABLES[name] not in str(data)
    assert all(one["detail"] for one in failing.values())
    assert "a component fails" in capsys.readouterr().out


def test_a_redis_that_is_away_degrades_the_service(
    api: Api, figures: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(figures, seconds_ago=5)
    # Nobody listens on the discard port of the loopback interface.
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    settings.cache_clear()

    data = asked(api)

    assert data["status"] == "degraded"
    assert data["components"]["shared_cache"]["status"] == "failing"

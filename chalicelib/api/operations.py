"""The routes for operating the service: its health, the fleet in figures, metrics for Prometheus.

Contract, sections 6 and 7.
"""

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes, about
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.wiring import for_api, for_figures

if TYPE_CHECKING:
    from chalicelib.adapters.dynamodb.fleet import FleetReader
    from chalicelib.domain.ids import MerchantId

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/api/v1/credits/plugin-status/metrics", access=Access.OPS, summary="The fleet in figures")
def plugin_status_metrics(call: Call) -> Reply:
    """Return how many plugins are on and off, and figures of the balances."""
    from chalicelib.contracts.api.fleet import FleetStatus

    return about(call, FleetStatus.of(for_figures.fleet().figures()))


@routes.get("/api/v1/health/detailed", access=Access.OPS, summary="Is each component healthy?")
def health_detailed(call: Call) -> Reply:
    """Return each component's state and response time; 200 even if one of them fails."""
    from chalicelib.contracts.api.health import Component, DetailedHealth, Overall, State

    words = {True: State.OK, False: State.FAILING, None: State.UNKNOWN}
    states = for_api.components().states()
    data = DetailedHealth(
        status=Overall.DEGRADED if any(found.healthy is False for found in states.values()) else Overall.OK,
        service=logger.service,
        stage=settings().stage,
        components={
            name: Component(status=words[found.healthy], latency_ms=round(found.seconds * 1000, 1), detail=found.detail)
            for name, found in states.items()
        },
    )
    return about(call, data)


@routes.get("/metrics", "/api/v1/metrics", access=Access.OPS, summary="Metrics for Prometheus")
def metrics(call: Call) -> Reply:
    """Return the metrics of the fleet and of all containers as Prometheus text."""
    from chalicelib.api.exposition import CONTENT_TYPE, prometheus_text

    # What this container has counted belongs to the sum too, as far as it may write it down by now.
    for_figures.counter_writer().write()
    fleet = for_figures.fleet()
    text = prometheus_text(fleet.read(), balances=_balances(fleet), now=call.now)
    return Reply(body=text, headers={"Content-Type": CONTENT_TYPE})


def _balances(fleet: "FleetReader") -> "dict[MerchantId, int] | None":
    if not settings().metrics_per_merchant:
        return None
    balances = fleet.balances()
    if balances is None:
        logger.warning("METRICS_PER_MERCHANT is on, but there are too many merchants: theirs are omitted")
    return balances

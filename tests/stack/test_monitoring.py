"""A real Prometheus over the running stack, with the very files that operators get."""

import json
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.telemetry import PROCESSING_SECONDS
from infra.local.engines import LOOPBACK, Engine, answers, launch, running
from tests.support.engines import clean_environment, free_port
from tests.support.marketplace import happened
from tests.support.monitoring import BRIDGE_METRICS, METRICS, MONITORING, PER_MERCHANT, expressions
from tests.support.running_stack import Stack, until

PROMETHEUS = shutil.which("prometheus")
SCRAPED_SECONDS = 300.0
"""Containers write their counters down every ten seconds, and only when they are called."""
HISTOGRAMS = (PROCESSING_SECONDS, "credits_bridge_batch_seconds")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.xdist_group("flows"),
    pytest.mark.skipif(
        PROMETHEUS is None,
        reason="Prometheus is missing, so nobody has scraped the stack: install Debian's package prometheus",
    ),
]


@dataclass(frozen=True, slots=True)
class Prometheus:
    url: str

    def asked(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        address = f"{self.url}/api/v1/{path}?{query}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - on loopback
            content = json.load(answer)
        assert content["status"] == "success"
        return content["data"]

    def samples(self, expression: str) -> list[Any]:
        found: list[Any] = self.asked("query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.asked("alerts")["alerts"] if alert["state"] == "firing"}


@pytest.fixture(scope="module")
def prometheus(flows: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus on the files of infra/monitoring, told of the test's ports and made more hasty, and nothing else."""
    assert PROMETHEUS is not None
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(MONITORING / "prometheus", folder, dirs_exist_ok=True)
    configuration = folder / "prometheus.yml"
    text = configuration.read_text()
    description = flows.description
    for usual, here in {
        "127.0.0.1:8015": urllib.parse.urlsplit(description.api_url).netloc,
        "127.0.0.1:8016": urllib.parse.urlsplit(description.bridge_health_url).netloc,
        "/etc/credits/ops-token": str(flows.directory / "ops-token"),
        "interval: 15s": "interval: 5s",
        "scrape_timeout: 10s": "scrape_timeout: 5s",
    }.items():
        assert usual in text
        text = text.replace(usual, here)
    configuration.write_text(text)
    port = free_port()
    command = [PROMETHEUS, f"--config.file={configuration}", f"--web.listen-address={LOOPBACK}:{port}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"]
    log = folder / "prometheus.log"
    process = launch(command, log=log, environment=clean_environment({}))
    url = f"http://{LOOPBACK}:{port}"
    with running(Engine(name="Prometheus", process=process, log=log, ready=lambda: answers(f"{url}/-/ready"))):
        yield Prometheus(url)


@pytest.fixture(scope="module")
def life(flows: Stack, prometheus: Prometheus) -> str:
    """Something of everything that is counted.

    A shop sells, repeats itself, contradicts itself, tries its shop out, sends an id that is none, and runs out.
    """
    shop = str(uuid4())
    order = happened("evt.shopify.webhook.order_paid", shop, order_id=1, total="9.00")
    payment = happened("evt.billing.payment_succeeded", shop, payment_id="p", credits=1)
    flows.tell(happened("evt.account.created", shop, trial_id="t", credits_to_use=1), order, payment)
    flows.publish(order)
    flows.publish({**payment, "payload": {**payment["payload"], "credits": 2}})
    flows.publish(happened("evt.shopify.webhook.order_paid", shop, order_id={"not": "an id"}))
    flows.publish({**happened("evt.shopify.webhook.order_paid", shop, order_id=2, test=True), "event_id": ["bad"]})
    for merchant in (shop, str(uuid4())):
        flows.get(f"/credits/plugin-status/{merchant}")
    if "reconcile" in flows.description.functions:
        flows.lambdas.invoke(FunctionName=flows.description.functions["reconcile"], Payload=b"{}")
    return shop


def go_on(flows: Stack, shop: str) -> bool:
    """Call the containers again, which is when they write their counters down; and let a moment pass."""
    flows.get(f"/credits/plugin-status/{shop}")
    flows.publish(happened("evt.shopify.webhook.order_paid", shop, order_id=1, total="9.00"))
    time.sleep(1)
    return False


def test_prometheus_reaches_the_api_and_the_bridge(prometheus: Prometheus) -> None:
    def up() -> set[str]:
        return {each["metric"]["job"] for each in prometheus.samples("up == 1")}

    until("both targets to be up", lambda: up() == {"credits", "credits-bridge"}, SCRAPED_SECONDS)


@pytest.mark.parametrize("metric", sorted({*METRICS, *BRIDGE_METRICS} - {PER_MERCHANT}))
def test_every_metric_of_the_contract_is_really_emitted(
    flows: Stack, prometheus: Prometheus, life: str, metric: str
) -> None:
    if metric == "credits_ledger_drift" and "reconcile" not in flows.description.functions:
        pytest.skip("nothing compares the ledgers yet, so nobody says that they differ")
    asked = f"{metric}_bucket" if metric in HISTOGRAMS else metric

    until(f"a sample of {asked}", lambda: prometheus.samples(asked) or go_on(flows, life), SCRAPED_SECONDS)


def test_every_panel_of_the_dashboard_gets_an_answer_and_every_rule_is_well(prometheus: Prometheus, life: str) -> None:
    for expression in expressions():
        prometheus.samples(expression)
    until("the rules to be evaluated", lambda: prometheus.asked("rules")["groups"], SCRAPED_SECONDS)

    def health() -> set[str]:
        groups = prometheus.asked("rules")["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}

    until("every rule to have been evaluated", lambda: health() == {"ok"}, SCRAPED_SECONDS)


def test_a_parked_message_raises_its_alert(flows: Stack, prometheus: Prometheus, life: str) -> None:
    until("the alert", lambda: "CreditsMessagesParked" in prometheus.firing() or go_on(flows, life), SCRAPED_SECONDS)

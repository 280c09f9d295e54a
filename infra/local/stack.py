"""Brings the parts of the stack up, side by side where they do not need each other."""

import json
import secrets
import socket
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.domain.links import LinkKind
from infra.deploying.emulator import ROOT, api_address, deploy, emulator_client, package_directory
from infra.deploying.outputs import function_names
from infra.deploying.parameters import choose_parameters, declared_parameters
from infra.local.connected import BUSES
from infra.local.description import FILE_NAME, Addresses
from infra.local.engines import (
    FAKE_AWS_ENVIRONMENT,
    LOOPBACK,
    Engine,
    answers,
    clean_environment,
    launch,
    launch_ministack,
    launch_nats,
    launch_redis,
    status_of,
)
from infra.local.examples import kept
from infra.local.keeping import Keeping
from infra.local.pages import write_pages
from infra.local.ports import REDIS_PORT, Port
from infra.local.screen import Screen
from infra.local.tokens import ALGORITHM, AUDIENCE, ISSUER, Signer
from infra.local.watch import StackFailedError, Watch, in_background
from infra.packaging.build import UNLINTED

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_ssm import SSMClient

ENGINES, SERVICES, VISITORS = 0, 1, 2
"""Layers of the watch: engines, the programs that use them, and the traffic."""

STACK_NAME = "credits-local"
BACKLOG = 1024
INGEST = "ingest_events"
WARM_SECONDS = 150
WARM_STATUSES = (200, 404)
BUSY = 503
BRIDGE_PATIENCE: Mapping[str, str] = {"BRIDGE_POLL_SECONDS": "1", "BRIDGE_DRAIN_SECONDS": "5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The inputs of one stack: its folder, stage, ports, keys, secrets, the caller's settings, and what it keeps."""

    directory: Path
    stage: str
    ports: Mapping[str, Port]
    signer: Signer
    webhook_secrets: Mapping[str, str]
    environment: Mapping[str, str]
    keeping: Keeping

    @property
    def addresses(self) -> Addresses:
        """Return where the parts listen."""
        number = {setting: port.number for setting, port in self.ports.items()}
        return Addresses(
            api_url=f"http://{LOOPBACK}:{number['API_PORT']}",
            aws_endpoint=f"http://{LOOPBACK}:{number['AWS_PORT']}",
            nats_url=f"nats://{LOOPBACK}:{number['NATS_PORT']}",
            bridge_health_url=f"http://{LOOPBACK}:{number['BRIDGE_HEALTH_PORT']}/health",
        )


def bring_up(site: Site, watch: Watch, screen: Screen) -> dict[str, str]:
    """Start, package, deploy and warm everything, and return the outputs of the deployed stack.

    When it returns the API answers, the bridge is connected, and the functions that API and inbox call have run once.

    Raises:
        StackFailedError, AskedToEndError: See `watch`.
        DeploymentFailedError: The emulator refused the stack.
    """
    nats = watch.add(launch_nats(site.directory, site.ports["NATS_PORT"].number, leashed=True), layer=ENGINES)
    port = site.ports["AWS_PORT"].number
    emulator = watch.add(launch_ministack(site.directory, port, leashed=True, keeps=site.keeping.on), layer=ENGINES)
    if REDIS_PORT in site.ports:
        watch.add(launch_redis(site.directory, site.ports[REDIS_PORT].number, leashed=True), layer=ENGINES)
        screen.note(f"Redis with the shared plugin statuses: {_redis_url(site)}")
    _package(site, watch, screen)
    with screen.step("NATS with JetStream and the AWS emulator"):
        watch.wait(nats.ready, "NATS")
        watch.wait(emulator.ready, "the AWS emulator")
    outputs = _deploy(site, watch, screen)
    bridge = watch.add(_launch_bridge(site, outputs), layer=SERVICES)
    proxy = watch.add(_launch_proxy(site, outputs), layer=SERVICES)
    with screen.step("The bridge, the API and a first call"):
        watch.wait(proxy.ready, "the API")
        calls = [in_background(lambda: _call_api(site)), _called(site, outputs, INGEST)]
        for call in calls:
            watch.wait_for(call, "the first calls")
        watch.wait(bridge.ready, "the bridge")
    return outputs


def call_others(site: Site, outputs: Mapping[str, str], watch: Watch) -> None:
    """Call once the functions that a first order sets off: the first call of each costs a second or two."""
    names = [name for name in function_names(outputs) if name.startswith(("publish", "adjust", "set", "roll"))]
    for call in [_called(site, outputs, name) for name in names]:
        watch.wait_for(call, "the first call of each function")


def launch_traffic(site: Site, watch: Watch) -> Engine:
    """Start the sample traffic; it begins once stack.json exists, and its lines go to the screen.

    Where data of earlier runs are still there, it sends other orders than theirs.
    """
    environment = clean_environment({**FAKE_AWS_ENVIRONMENT, "LOCAL_DIR": str(site.directory)})
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TRAFFIC_SEED"):
        if name in site.environment:
            environment[name] = site.environment[name]
    log = site.directory / "traffic.log"
    process = launch(
        [sys.executable, "-m", "infra.sample.traffic", "--runs", str(site.keeping.runs)],
        log=log,
        environment=environment,
        directory=ROOT,
        on_screen=True,
        leashed=True,
    )
    engine = Engine(name="the sample traffic", process=process, log=log, ready=(site.directory / FILE_NAME).exists)
    return watch.add(engine, layer=VISITORS)


def _package(site: Site, watch: Watch, screen: Screen) -> None:
    """Package what has changed since the last time.

    The build gets the caller's whole environment, which decides where it downloads from.
    """
    log = site.directory / "packaging.log"
    with screen.step("Packaging the application, as for AWS"):
        command = [sys.executable, "-m", "infra.packaging.build", site.stage, UNLINTED]
        process = launch(command, log=log, environment=site.environment, directory=ROOT, leashed=True)
        build = Engine(name="packaging", process=process, log=log, ready=lambda: process.poll() == 0, finishes=True)
        watch.add(build, layer=SERVICES)
        watch.wait(build.ready, "the package")


def _deploy(site: Site, watch: Watch, screen: Screen) -> dict[str, str]:
    declared = declared_parameters(package_directory(site.stage) / "sam.yaml")
    cursor_key = f"/credits/{site.stage}/cursor-key"
    secret_parameters = {source: f"/credits/{site.stage}/{source}-webhook-secret" for source in LinkKind}
    own = {
        "JWT_ALGORITHM": ALGORITHM,
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS_URL": f"{site.addresses.api_url}/.well-known/jwks.json",
        "CURSOR_KEY_PARAMETER": cursor_key,
        **{f"{source}_SECRET_PARAMETER": parameter for source, parameter in secret_parameters.items()},
        **{f"{source}_EVENT_BUS": bus for source, bus in BUSES.items()},
    }
    if REDIS_PORT in site.ports:
        own["REDIS_URL"] = _redis_url(site)
    choice = choose_parameters(declared, site.environment, own)
    for name in choice.unknown:
        screen.note(f"{name} has no parameter in the template and is not passed on.")
    endpoint = site.addresses.aws_endpoint

    def work() -> dict[str, str]:
        ssm: SSMClient = emulator_client(endpoint, "ssm")
        kept = {parameter: site.webhook_secrets[source] for source, parameter in secret_parameters.items()}
        for name, value in {cursor_key: secrets.token_urlsafe(32), **kept}.items():
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
        events: EventBridgeClient = emulator_client(endpoint, "events")
        for bus in BUSES.values():
            with suppress(events.exceptions.ResourceAlreadyExistsException):
                events.create_event_bus(Name=bus)
        return deploy(endpoint, site.stage, STACK_NAME, choice.parameters)

    with screen.step("Deploying the package into the emulator"):
        return watch.wait_for(in_background(work), "the deployment")


def _redis_url(site: Site) -> str:
    return f"redis://{LOOPBACK}:{site.ports[REDIS_PORT].number}"


def _launch_bridge(site: Site, outputs: Mapping[str, str]) -> Engine:
    addresses = site.addresses
    chosen = {name: value for name, value in site.environment.items() if name.startswith("BRIDGE_") and value}
    environment = clean_environment(
        {
            **FAKE_AWS_ENVIRONMENT,
            **BRIDGE_PATIENCE,
            # Nobody else makes streams here.
            "BRIDGE_UPSTREAM": "create",
            **chosen,
            "AWS_ENDPOINT_URL": addresses.aws_endpoint,
            "NATS_URL": addresses.nats_url,
            "INBOX_QUEUE_URL": outputs["InboxQueueUrl"],
            "OUTBOX_QUEUE_URL": outputs["OutboxQueueUrl"],
            "DEAD_LETTER_QUEUE_URL": outputs["DeadLetterQueueUrl"],
            "FIGURES_TABLE": outputs["FiguresTableName"],
            "BRIDGE_HEALTH_PORT": str(site.ports["BRIDGE_HEALTH_PORT"].number),
        }
    )
    log = site.directory / "bridge.log"
    process = launch(
        [sys.executable, "-m", "infra.bridge"], log=log, environment=environment, directory=ROOT, leashed=True
    )
    return Engine(name="the bridge", process=process, log=log, ready=lambda: answers(addresses.bridge_health_url))


def _launch_proxy(site: Site, outputs: Mapping[str, str]) -> Engine:
    keys = site.directory / "jwks.json"
    keys.write_text(json.dumps(site.signer.public_keys))
    pages = write_pages(site.directory, site.environment, kept(site.keeping))
    upstream = api_address(site.addresses.aws_endpoint, site.stage, outputs)
    log = site.directory / "api.log"
    with socket.create_server((LOOPBACK, site.ports["API_PORT"].number), backlog=BACKLOG) as listening:
        number = listening.fileno()
        command = [sys.executable, "-m", "infra.local.proxy", "--socket", str(number)]
        process = launch(
            [*command, "--upstream", upstream, "--keys", str(keys), "--pages", str(pages)],
            log=log,
            environment=clean_environment({}),
            directory=ROOT,
            passed=[number],
            leashed=True,
        )
    address = f"{site.addresses.api_url}/.well-known/jwks.json"
    return Engine(name="API", process=process, log=log, ready=lambda: answers(address))


def _called(site: Site, outputs: Mapping[str, str], name: str) -> "Future[Any]":
    """Call a function without work, and return what that becomes."""
    once: dict[str, Any] = {"read_timeout": WARM_SECONDS, "retries": {"total_max_attempts": 1}}
    lambdas = emulator_client(site.addresses.aws_endpoint, "lambda", **once)
    # The alias is what queues, streams and the API call.
    asked = {"FunctionName": function_names(outputs)[name], "Qualifier": "live", "Payload": b'{"Records": []}'}
    return in_background(lambda: lambdas.invoke(**asked))


def _call_api(site: Site) -> None:
    """Request health and, with a token, an account that does not exist, so that the authorizer runs too.

    Raises:
        StackFailedError: An answer has another status than it should.
    """
    token = site.signer.token(subject="local-warm-up", scope="credits:admin credits:read")
    api = f"{site.addresses.api_url}/api/v1"
    asked = [f"{api}/health", f"{api}/credits/accounts/{uuid.uuid4()}"]
    for url, expected in zip(asked, WARM_STATUSES, strict=True):
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - loopback
        deadline = time.monotonic() + WARM_SECONDS
        # A busy machine may be too slow for the first answer, which has a limit.
        while (status := status_of(request, WARM_SECONDS)) == BUSY and time.monotonic() < deadline:
            time.sleep(1)
        if status != expected:
            raise StackFailedError(
                f"{url} answered {status} instead of {expected}; see {site.directory}/ministack.log."
            )

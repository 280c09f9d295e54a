"""The checks of `credits doctor`: each asks one component, and names the next command if it fails."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats.errors
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.fleet import HEARTBEAT, BridgeView
from chalicelib.adapters.queues import Queues
from infra.bridge.access import Access
from infra.commands import api
from infra.commands.diagnoses import Diagnosis, again, failed, logs, look, ok, restart
from infra.commands.failures import sentence
from infra.commands.jetstream import access_to, connected
from infra.commands.known_letters import told_apart
from infra.commands.letters import dead_letters
from infra.commands.output import counted
from infra.commands.target import Target
from infra.deploying.names import stack_name

HEARTBEAT_SECONDS = 60
"""The bridge writes its heartbeat every ten seconds."""
BACKLOG = 1000
"""Messages in the inbox from which on it is a backlog worth a look."""
FED = ("ingest_events", "publish_threshold_events", "publish_transaction_events", "roll_up")
"""The functions that a queue or a stream feeds."""
CONSUMER = "credit-service"
OLD_SECONDS = 300
"""How long a message may wait in its stream; the alarm waits as long."""
DROPPED_FOR = timedelta(days=7)
"""How long dropped messages are worth a look."""
RUNBOOK_OF_STREAMS = "infra/monitoring/runbook/bridge-streams.md"


Check = Callable[[Target], Iterator[Diagnosis]]


def diagnoses(target: Target, nats_url: str | None) -> Iterator[Diagnosis]:
    """Yield a diagnosis of every component, each after those it depends on."""
    for component, check in _checks(target, nats_url):
        try:
            yield from check(target)
        except (ClientError, BotoCoreError) as error:
            yield failed(component, sentence(error), restart(target))
        except (OSError, api.ApiSilentError, nats.errors.Error, TimeoutError) as error:
            said = str(error) or type(error).__name__
            yield failed(component, said, restart(target))


def _checks(target: Target, nats_url: str | None) -> Iterator[tuple[str, Check]]:
    yield ("processes", _processes) if target.local else ("stack", _stack)
    yield "tables", _tables
    yield "functions", _functions
    yield "sources", _sources
    yield "bus", _bus
    yield "inbox", _inbox
    yield "dead letters", _dead_letters
    if nats_url or target.local:
        yield "NATS", lambda _: _nats(target, nats_url)
    yield "bridge", _bridge
    yield "API", _api
    if target.local is None:
        yield "alarms", _alarms


def _processes(target: Target) -> Iterator[Diagnosis]:
    assert target.local is not None, "only a local stack has processes here"
    gone = [name for name, number in target.local.pids.items() if not _lives(number)]
    if gone:
        yield failed("processes", f"{', '.join(gone)} of this stack ended", restart(target))
    else:
        yield ok("processes", f"all {len(target.local.pids)} running: {', '.join(target.local.pids)}")


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # The process runs, for another user.
    return True


def _stack(target: Target) -> Iterator[Diagnosis]:
    name = stack_name(target.stage)
    stack = target.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    status = stack["StackStatus"]
    if status.endswith("_COMPLETE") and "ROLLBACK" not in status:
        yield ok("stack", f"{name} is {status}")
    else:
        yield failed("stack", f"{name} is {status}", restart(target))


def _tables(target: Target) -> Iterator[Diagnosis]:
    client = target.client("dynamodb")
    for table, streams in (
        (target.credits_table, True),
        (target.transactions_table, True),
        (target.figures_table, False),
        (target.links_table, False),
        (target.desk_table, False),
    ):
        found = client.describe_table(TableName=table)["Table"]
        streaming = found.get("StreamSpecification", {}).get("StreamEnabled", False)
        if found["TableStatus"] != "ACTIVE" or (streams and not streaming):
            said = f"{table} is {found['TableStatus']}{'' if streaming or not streams else ', without its stream'}"
            yield failed("tables", said, restart(target))
            return
    yield ok("tables", "five, active, the ledger's two with streams")


def _functions(target: Target) -> Iterator[Diagnosis]:
    client = target.client("lambda")
    names = {name: deployed for name, deployed in target.functions.items() if name == name.lower()}
    for name, deployed in names.items():
        found = client.get_function_configuration(FunctionName=deployed)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if state not in {"Active", "Inactive"} or update == "Failed":
            said = f"{name} is {state}, its last update {update}: {found.get('StateReason', 'no reason given')}"
            yield failed("functions", said, logs(target, name))
            return
    yield ok("functions", f"{len(names)} ready: {', '.join(names)}")


def _sources(target: Target) -> Iterator[Diagnosis]:
    client = target.client("lambda")
    stopped = [
        f"{name} is {source.get('State')}"
        for name in FED
        for source in _mappings(client, target.functions[name])
        if source.get("State") not in {"Enabled", "Enabling", "Creating", "Updating"}
    ]
    if stopped:
        yield failed("sources", "; ".join(stopped), "aws lambda update-event-source-mapping --enabled --uuid …")
    else:
        yield ok("sources", "the queue and the streams feed their functions")


def _mappings(client: Any, function: str) -> Sequence[Any]:
    found: Sequence[Any] = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    return found or [{"State": "missing"}]


def _bus(target: Target) -> Iterator[Diagnosis]:
    rules = target.client("events").list_rules(EventBusName=target.event_bus)["Rules"]
    disabled = [rule["Name"] for rule in rules if rule.get("State") != "ENABLED"]
    if disabled or not rules:
        said = f"disabled: {', '.join(disabled)}" if disabled else f"{target.event_bus} has no rules"
        yield failed("bus", said, restart(target))
    else:
        yield ok("bus", f"{target.event_bus}, {counted(len(rules), 'rule')} enabled")


def _inbox(target: Target) -> Iterator[Diagnosis]:
    queues = Queues(target.client("sqs"))
    inbox, waiting = (queues.waiting(url) for url in (target.inbox_queue_url, target.waiting_queue_url))
    tried = inbox.under_way + waiting.waiting + waiting.under_way
    said = f"{inbox.waiting:,} waiting, {tried:,} at work or waiting for their ground"
    if inbox.waiting > BACKLOG:
        yield look("inbox", f"a backlog: {said}", logs(target, "ingest_events"))
    else:
        yield ok("inbox", said)


def _dead_letters(target: Target) -> Iterator[Diagnosis]:
    urls = (target.dead_letter_queue_url, target.outbox_dead_letter_queue_url, target.stream_dead_letter_queue_url)
    counts = map(Queues(target.client("sqs")).waiting, urls)
    parked = sum(count.waiting + count.under_way for count in counts)
    if not parked:
        yield ok("dead letters", "none")
        return
    said, new = told_apart(dead_letters(target), parked, now=datetime.now(UTC))
    if new:
        yield look("dead letters", said, again(target, "dead-letters list"))
    else:
        yield ok("dead letters", said)


def _nats(target: Target, nats_url: str | None) -> Iterator[Diagnosis]:
    access = access_to(target, nats_url)
    assert access is not None, "looked at only where it is known"
    streams, waiting = asyncio.run(_jetstream(access))
    if not streams:
        said = f"{access.hosts} has no consumer {CONSUMER}: the bridge has not set up its streams"
        yield failed("NATS", said, _bridge_log(target))
    else:
        yield ok("NATS", f"{access.hosts}, streams {', '.join(streams)}, {counted(waiting, 'message')} for the bridge")


async def _jetstream(access: Access) -> tuple[list[str], int]:
    client = await connected(access)
    try:
        jetstream = client.jetstream()
        names, waiting = [], 0
        for stream in await jetstream.streams_info():
            name = stream.config.name or ""
            for consumer in await jetstream.consumers_info(name):
                if consumer.name == CONSUMER:
                    names.append(name)
                    waiting += consumer.num_pending or 0
        return names, waiting
    finally:
        await client.close()


def _bridge_log(target: Target) -> str:
    if target.local is not None:
        return f"tail -n 50 {Path(target.local.jwt.private_key_path).parent}/bridge.log"
    return "the log of the bridge's container; its /health names the part that fails"


def _bridge(target: Target) -> Iterator[Diagnosis]:
    key = {"id": {"S": HEARTBEAT}}
    item = target.client("dynamodb").get_item(TableName=target.figures_table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        yield failed("bridge", "no heartbeat: it has not run yet, or without FIGURES_TABLE", _bridge_log(target))
        return
    now = datetime.now(UTC)
    age = (now - datetime.fromisoformat(item["at"]["S"])).total_seconds()
    status = item.get("status", {}).get("S", "ok")
    if age > HEARTBEAT_SECONDS or status != "ok":
        yield failed("bridge", f"its last heartbeat is {age:.0f} s old and says {status}", _bridge_log(target))
    else:
        yield ok("bridge", f"heartbeat {age:.0f} s ago, {status}")
    seen = BridgeView.of(item)
    failing, odd = troubles(seen, now)
    yield from (failed("streams", said, RUNBOOK_OF_STREAMS) for said in failing)
    yield from (look("streams", said, RUNBOOK_OF_STREAMS) for said in odd)
    if seen.streams and not failing and not odd:
        yield ok("streams", in_order(seen))


def troubles(seen: BridgeView, now: datetime) -> tuple[list[str], list[str]]:
    """Return a sentence for each stream that cannot be read, and one for whatever else is worth a look."""
    failing = [f"{stream.name}: {stream.detail} ({stream.waiting:,} wait)" for stream in seen.streams if not stream.ok]
    odd = [
        f"{stream.name}: {stream.waiting:,} wait, the oldest for {stream.age_seconds(now):,.0f} s"
        for stream in seen.streams
        if stream.age_seconds(now) > OLD_SECONDS
    ]
    odd += [
        f"{stream.name} dropped up to {stream.dropped:,} messages before they were read, at last {stream.dropped_at}"
        for stream in seen.streams
        if stream.dropped_at is not None and now - stream.dropped_at < DROPPED_FOR
    ]
    return failing, [*odd, *seen.warnings]


def in_order(seen: BridgeView) -> str:
    """Return what there is to say when all is well; a subject without a stream may be one that nobody publishes."""
    waiting = sum(stream.waiting for stream in seen.streams)
    text = f"{', '.join(stream.name for stream in seen.streams)}: all read, {waiting:,} wait"
    return f"{text}; no stream takes {', '.join(seen.unowned)}" if seen.unowned else text


def _api(target: Target) -> Iterator[Diagnosis]:
    started = time.monotonic()
    health = api.ask(target, "/api/v1/health")
    milliseconds = (time.monotonic() - started) * 1000
    status = api.ask(target, f"/api/v1/credits/plugin-status/{uuid4()}")
    if health.status != HTTPStatus.OK:
        yield failed("API", f"{target.api_url}/api/v1/health answers {health.status}", logs(target, "api"))
        return
    reason = ((status.body or {}).get("data") or {}).get("reason")
    if reason != "account_not_found":
        said = f"an unknown merchant's status is {status.status} {reason or ''}: the table cannot be read"
        yield failed("API", said, logs(target, "api"))
        return
    yield ok("API", f"{target.api_url} answers in {milliseconds:.0f} ms and reads the table")


def _alarms(target: Target) -> Iterator[Diagnosis]:
    prefix = stack_name(target.stage)
    found = target.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")
    ringing = [alarm["AlarmName"] for alarm in found.get("MetricAlarms", [])]
    if ringing:
        yield look("alarms", f"ringing: {', '.join(ringing)}", "infra/monitoring has the runbook of each")
    else:
        yield ok("alarms", f"no alarm of {prefix} is on")

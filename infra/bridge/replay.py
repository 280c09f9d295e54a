"""`python -m infra.bridge.replay 2026-11-25T00:00:00Z`: have the bridge forward again what NATS has kept since then.

The bridge's durable consumers are made anew, starting at that time, on every stream that has one. The ledger records
each fact once, so a time that is too early costs only work. Stop every bridge before, and start it after: it fills in
its own settings and leaves the start as it is. Reads the bridge's settings from the environment.

After an interrupted run, run it again: it makes the consumer that it had removed, on every stream with inbound
subjects.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from nats.aio.client import Client

from infra.bridge.access import Access
from infra.bridge.nats_client import NatsClient
from infra.bridge.settings import Settings, SettingsError
from infra.bridge.streams import CONSUMER, consumed

ANSWER_SECONDS: Final = 10.0
NO_SUCH_CONSUMER: Final = 10014
DONE, UNABLE = 0, 2


def main(arguments: Sequence[str]) -> int:
    """Replay since the time given as the only argument, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.bridge.replay", description=__doc__)
    parser.add_argument("since", type=_time, help="a time such as 2026-11-25T00:00:00Z")
    since: datetime = parser.parse_args(arguments).since
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"replay: {error}\n")
        return UNABLE
    for stream, messages in asyncio.run(replay(settings.nats, since)).items():
        sys.stdout.write(f"{stream}: {messages} messages since then\n")
    return DONE


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-25T00:00:00Z") from None


async def replay(access: Access, since: datetime) -> dict[str, int]:
    """Make the consumers anew from `since` on and return how many messages each has to read, by stream."""
    client = NatsClient(access)
    await client.connect(servers=list(access.servers), name="credit-service replay", **access.login())
    try:
        found = {one.config.name or "": one.config.subjects or () for one in await client.jetstream().streams_info()}
        inbound = consumed(found)
        again = {name: await _again(client, name, inbound.get(name, ()), since) for name in found}
        return {name: pending for name, pending in again.items() if pending is not None}
    finally:
        await client.close()


async def _again(client: Client, stream: str, inbound: Sequence[str], since: datetime) -> int | None:
    """Make our consumer on `stream` anew and return how many messages it has to read; None where it needs none."""
    known = await _ask(client, f"CONSUMER.INFO.{stream}.{CONSUMER}", {})
    missing = known.get("error", {}).get("err_code") == NO_SUCH_CONSUMER
    if missing and not inbound:
        return None
    starts = {"deliver_policy": "by_start_time", "opt_start_time": since.isoformat().replace("+00:00", "Z")}
    if missing:
        kept: dict[str, Any] = {"durable_name": CONSUMER, "ack_policy": "explicit", "filter_subjects": list(inbound)}
    else:
        kept = {name: value for name, value in known["config"].items() if name != "opt_start_seq"}
        await _ask(client, f"CONSUMER.DELETE.{stream}.{CONSUMER}", {})
    body = {"stream_name": stream, "config": {**kept, **starts}}
    made = await _ask(client, f"CONSUMER.DURABLE.CREATE.{stream}.{CONSUMER}", body)
    return int(made["num_pending"])


async def _ask(client: Client, call: str, body: object) -> dict[str, Any]:
    answer = await client.request(f"$JS.API.{call}", json.dumps(body).encode(), timeout=ANSWER_SECONDS)
    content: dict[str, Any] = json.loads(answer.data)
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

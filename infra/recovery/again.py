"""Delivers events again, from the archives of the buses or from one queue to another. The ledger records each once."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

BATCH: Final = 10
WAIT_SECONDS: Final = 2

RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "CreditsArchive": ("BareInboundRule", "InboundRule"),
    "ShopifyArchive": ("ShopifyRule",),
    "StripeArchive": ("StripeRule",),
}
"""The archives by logical id, each with the rules of its bus that feed the inbox. The two last are of partners' buses.
No other rule gets a replay: `credits republish` publishes the service's own events again, and a rule that AWS manages
for the archive would archive its events once more."""

SETTLED: Final = timedelta(minutes=10)
"""AWS recommends to wait so long before a replay: an event may reach the archive later than the bus."""
NAME_CHARACTERS: Final = 64
DIGEST_CHARACTERS: Final = 8
POLL_SECONDS: Final = 30
POLLS: Final = 2880
"""A day; AWS replays minute by minute of the archive, at its own pace."""
ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})

Tell = Callable[[str], object]
Sleep = Callable[[float], object]


class ReplayError(Exception):
    """A replay that does not bring everything back; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that is replayed."""

    since: datetime
    until: datetime

    def refuse_unsettled(self, now: datetime) -> None:
        """Raise `ReplayError` where events of this time may still be on their way into the archive."""
        if self.until > (latest := now - SETTLED):
            raise ReplayError(
                f"UNTIL is later than ten minutes ago, and what passed the bus since then may not be in the archive "
                f"yet: give {latest.astimezone(UTC):%Y-%m-%dT%H:%M:%S%z}, or wait."
            )


def replay_name(stack: str, archive: str, span: Span) -> str:
    """Return the same name for the same replay, with a digest where it would be longer than AWS allows."""
    since, until = (f"{one.astimezone(UTC):%Y%m%dT%H%M%S}" for one in (span.since, span.until))
    name = f"{stack}-{archive}-{since}-{until}"
    if len(name) <= NAME_CHARACTERS:
        return name
    digest = sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{name[: NAME_CHARACTERS - DIGEST_CHARACTERS - 1]}-{digest}"


def replay(
    client: "EventBridgeClient",
    stack: str,
    resources: Mapping[str, str],
    span: Span,
    *,
    now: datetime,
    tell: Tell = print,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Replay the inbound events of `span` from every archive of the stack with these `resources`; return the ARNs.

    It returns when all of them are delivered: AWS replays in no order. A replay that exists already, of a call that was
    interrupted, is not started again, and is waited for.

    Raises:
        ReplayError: The stack keeps no archive, `span` ends too late, or a replay failed, was cancelled or takes longer
            than a day.
        ClientError: AWS refused.
    """
    span.refuse_unsettled(now)
    archives = [archive for archive in RULES if archive in resources]
    if not archives:
        raise ReplayError(f"The stack {stack} keeps no archive.")
    names = [_started(client, stack, archive, resources, span) for archive in archives]
    return [_completed(client, name, tell, sleep) for name in names]


def move(client: "SQSClient", source: str, target_client: "SQSClient", target: str) -> int:
    """Move every message of the queue `source` into the queue `target`, attributes and all; return how many.

    Each is deleted only when the other queue has it, so a message may be duplicated, and none is lost.
    """
    moved = 0
    while batch := client.receive_message(
        QueueUrl=source,
        MaxNumberOfMessages=BATCH,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["MessageGroupId"],
        WaitTimeSeconds=WAIT_SECONDS,
    ).get("Messages", []):
        for message in batch:
            attributes: Any = {
                name: {key: part for key, part in value.items() if key in {"DataType", "StringValue", "BinaryValue"}}
                for name, value in message.get("MessageAttributes", {}).items()
            }
            group: Any = message.get("Attributes", {})
            target_client.send_message(
                QueueUrl=target, MessageBody=message["Body"], MessageAttributes=attributes, **group
            )
            client.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _started(client: "EventBridgeClient", stack: str, archive: str, resources: Mapping[str, str], span: Span) -> str:
    """Start a replay, unless it was, and return its name."""
    kept = client.describe_archive(ArchiveName=resources[archive])
    bus = kept["EventSourceArn"]
    # The reference of a rule on a bus of one's own is `bus|rule`.
    rules = [resources[rule].rpartition("|")[2] for rule in RULES[archive]]
    _, _, bus_name = bus.partition(":event-bus/")
    found = [client.describe_rule(Name=rule, EventBusName=bus_name)["Arn"] for rule in rules]
    name = replay_name(stack, archive, span)
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.start_replay(
            ReplayName=name,
            EventSourceArn=kept["ArchiveArn"],
            EventStartTime=span.since,
            EventEndTime=span.until,
            Destination={"Arn": bus, "FilterArns": found},
        )
    return name


def _completed(client: "EventBridgeClient", name: str, tell: Tell, sleep: Sleep) -> str:
    """Wait until the replay has ended, and return its ARN."""
    for _ in range(POLLS):
        found = client.describe_replay(ReplayName=name)
        state = found["State"]
        if state == "COMPLETED":
            tell(f"{name}: everything is delivered.")
            return found["ReplayArn"]
        if state in ENDED:
            raise ReplayError(
                f"The replay {name} is {state}: {found.get('StateReason', 'AWS gives no reason')}. Its name is taken: "
                "give a SINCE that is a second earlier to start another."
            )
        done = ""
        if "EventLastReplayedTime" in found:
            done = f", up to {found['EventLastReplayedTime'].astimezone(UTC):%Y-%m-%dT%H:%M:%S%z}"
        tell(f"{name}: {state}{done}")
        sleep(POLL_SECONDS)
    raise ReplayError(f"The replay {name} takes longer than a day: run the command again to wait on.")

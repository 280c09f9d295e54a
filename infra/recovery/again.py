"""Delivers events again, from the bus's archive or from one queue to another. The ledger records each once."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

BATCH: Final = 10
WAIT_SECONDS: Final = 2


def replay(client: "EventBridgeClient", bus: str, *, since: datetime, until: datetime, name: str) -> str:
    """Start to replay the inbound events that passed `bus` in that time, and return the replay's ARN.

    The replay's only target is the rule that feeds the inbox: `credits republish` publishes the service's own events
    again. AWS replays in no order, at its own pace; `describe_replay` shows its progress. An existing replay of the
    same name is returned: the name holds the times.

    Raises:
        LookupError: The bus has no archive.
        ClientError: AWS refused.
    """
    source = client.describe_event_bus(Name=bus)["Arn"]
    archives = client.list_archives(EventSourceArn=source)["Archives"]
    if not archives:
        raise LookupError(f"The bus {bus} keeps no archive.")
    rules = [rule["Arn"] for rule in client.list_rules(EventBusName=bus)["Rules"] if _is_inbound(rule)]
    archive = archives[0]["ArchiveName"]
    try:
        answer = client.start_replay(
            ReplayName=name,
            EventSourceArn=client.describe_archive(ArchiveName=archive)["ArchiveArn"],
            EventStartTime=since,
            EventEndTime=until,
            Destination={"Arn": source, "FilterArns": rules},
        )
    except client.exceptions.ResourceAlreadyExistsException:
        return client.describe_replay(ReplayName=name)["ReplayArn"]
    return answer["ReplayArn"]


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


def _is_inbound(rule: Any) -> bool:
    return "evt.merchant.created" in rule.get("EventPattern", "")

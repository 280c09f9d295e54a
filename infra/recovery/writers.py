"""Stops and starts what writes to a stack's restored tables: two stacks must never write at once.

Functions that only write are stopped: one that reads the inbox by its event source mappings, others by a concurrency
of 0. The API goes on answering plugins, so it keeps running, and its tables refuse what admins would write by it. Only
`roll_up` goes on: it lists merchants in the desk by the ledger's stream, which ends when the ledger's writers stop.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

OF_THE_QUEUE: Final = "IngestEventsName"
BY_CALL: Final = ("AdjustCreditsName", "SetThresholdName", "PostDueName")
"""The outputs that name the functions that write: one for the inbox, two for admins' requests, one by the clock."""
REFUSING: Final[Mapping[str, Mapping[str, Any]]] = {
    "LinksTableName": {},
    "DeskTableName": {"ForAnyValue:StringNotLike": {"dynamodb:LeadingKeys": ["merchants#*"]}},
}
"""The outputs that name the tables that the API writes, with the condition under which they refuse a write."""
SID: Final = "StoppedForRecovery"
"""Names the statement by which a table refuses writes, among those of somebody else's policy."""
NO_POLICY: Final = "NO_POLICY"
"""What DynamoDB expects for the revision of a policy that is not there."""
WRITES: Final = ("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")

POLL_SECONDS: Final = 5
POLLS: Final = 60
"""Five minutes; by AWS's documentation a mapping changes within one or two."""
ON, OFF = "Enabled", "Disabled"

Sleep = Callable[[float], object]


class WritersError(Exception):
    """Not all writers could be stopped or let go. The text names what is left; the same command continues."""


class MappingError(WritersError):
    """An event source mapping did not get into the state that was asked for; the text names both."""


class PolicyError(WritersError):
    """A table's resource policy could not be changed without overwriting somebody else's; the text says why."""


def stop(
    client: "LambdaClient", dynamodb: "DynamoDBClient", outputs: Mapping[str, str], *, sleep: Sleep = time.sleep
) -> None:
    """Keep the functions of the stack with these `outputs` from writing; calls to them fail or wait.

    When it returns, no further batch is read. Calls under way finish first: wait a minute, longer than
    any of these functions may take, before relying on it.

    Raises:
        MappingError: a mapping was not disabled within five minutes; the tables do not refuse writes yet.
        PolicyError: a table's policy is being changed by somebody else.
    """
    for name in BY_CALL:
        client.put_function_concurrency(FunctionName=outputs[name], ReservedConcurrentExecutions=0)
    # Before the tables refuse writes, or what the inbox still brings would fail there.
    _set(client, outputs, OFF, sleep)
    for output, condition in REFUSING.items():
        refusal = {"Sid": SID, "Effect": "Deny", "Principal": "*", "Action": WRITES}
        _set_refusal(dynamodb, outputs[output], refusal | ({"Condition": condition} if condition else {}))


def let_go(
    client: "LambdaClient", dynamodb: "DynamoDBClient", outputs: Mapping[str, str], *, sleep: Sleep = time.sleep
) -> None:
    """Let the functions write again; their concurrency is unlimited until the next deployment.

    Raises:
        MappingError: a mapping was not enabled within five minutes.
        PolicyError: a table's policy is being changed by somebody else; nothing writes yet.
    """
    for output in REFUSING:
        _set_refusal(dynamodb, outputs[output], None)
    for name in BY_CALL:
        client.delete_function_concurrency(FunctionName=outputs[name])
    _set(client, outputs, ON, sleep)


def _set_refusal(dynamodb: "DynamoDBClient", table: str, refusal: Mapping[str, Any] | None) -> None:
    """Put our statement into the table's resource policy, or take it out; whatever else the policy has stays."""
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    try:
        found = dynamodb.get_resource_policy(ResourceArn=arn)
        policy, revision = json.loads(found["Policy"]), found["RevisionId"]
    except dynamodb.exceptions.PolicyNotFoundException:
        policy, revision = {"Version": "2012-10-17", "Statement": []}, NO_POLICY
    before = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    ours = [{**refusal, "Resource": arn}] if refusal else []
    policy["Statement"] = [*(one for one in before if one.get("Sid") != SID), *ours]
    try:
        if policy["Statement"]:
            dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy), ExpectedRevisionId=revision)
        elif revision != NO_POLICY:
            dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=revision)
    except dynamodb.exceptions.PolicyNotFoundException as error:
        # Another revision is there: the policy was changed a moment ago, or is read late.
        raise PolicyError(f"The resource policy of {table} is being changed: run the command again.") from error


def _set(client: "LambdaClient", outputs: Mapping[str, str], wanted: str, sleep: Sleep) -> None:
    """Bring all mappings of the queue's function into the state `wanted`.

    A mapping that changes takes no request (ResourceInUseException), so each is asked as soon as it has settled.
    """
    asked: set[str] = set()
    for poll in range(POLLS):
        if poll:
            sleep(POLL_SECONDS)
        waiting = {one["UUID"]: one["State"] for one in _mappings(client, outputs) if one["State"] != wanted}
        if not waiting:
            return
        for uuid in (uuid for uuid, state in waiting.items() if state in (ON, OFF) and uuid not in asked):
            try:
                client.update_event_source_mapping(UUID=uuid, Enabled=wanted == ON)
            except client.exceptions.ResourceInUseException:
                continue
            asked.add(uuid)
    states = ", ".join(f"{uuid} is {state}" for uuid, state in waiting.items())
    raise MappingError(f"{states}, not {wanted}, after {POLLS * POLL_SECONDS} seconds: run the command again.")


def _mappings(client: "LambdaClient", outputs: Mapping[str, str]) -> Iterator[Any]:
    # Found by the queue, since a mapping may point at an alias of the function, which its name would not find.
    function = outputs[OF_THE_QUEUE]
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            named = mapping["FunctionArn"].split(":function:")[1].split(":")[0]
            if named == function:
                yield mapping

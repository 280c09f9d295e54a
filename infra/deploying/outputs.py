"""What a deployed stack is made of: its description, its parameters, and the outputs of its template."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The names of a deployed stack's parts; `functions` has those of the functions by their names in app.py."""

    stage: str
    api_url: str
    credits_table: str
    transactions_table: str
    figures_table: str
    links_table: str
    desk_table: str
    event_bus: str
    inbox_queue_url: str
    waiting_queue_url: str
    dead_letter_queue_url: str
    outbox_queue_url: str
    outbox_dead_letter_queue_url: str
    stream_dead_letter_queue_url: str
    functions: Mapping[str, str]


PARTS = {
    field.name: field.name.title().replace("_", "") + ("" if field.name.endswith("_url") else "Name")
    for field in fields(Deployed)
    if field.name.endswith(("_table", "_bus", "_queue_url"))
}
"""The outputs that name the tables, queues and the bus, such as `CreditsTableName` and `InboxQueueUrl`."""


def described(cloudformation: "CloudFormationClient", name: str) -> "StackTypeDef | None":
    """Return CloudFormation's description of a stack, None where there is no such stack."""
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs in a stack's description, by name."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the parameters in a stack's description, by name; secret ones are stars."""
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}


def resources_of(cloudformation: "CloudFormationClient", name: str) -> dict[str, str]:
    """Return the physical ids of a stack's resources, by logical id: all, where a description stops at 100."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
        for page in pages
        for one in page["StackResourceSummaries"]
    }


def parts(outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the names of the tables, queues and the bus by the fields of `Deployed`."""
    return {part: outputs[output] for part, output in PARTS.items()}


def function_names(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the deployed names of the functions, from outputs such as `IngestEventsName`.

    Each is listed under its logical id in the template (`IngestEvents`) and its name in app.py (`ingest_events`).
    """
    names = {
        output.removesuffix("Name"): value
        for output, value in outputs.items()
        if output.endswith("Name") and not output.endswith(("TableName", "BusName"))
    }
    return {**names, **{_BETWEEN_WORDS.sub("_", name).lower(): value for name, value in names.items()}}

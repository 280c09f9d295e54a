"""A stack around existing tables: they are imported first and alone, then everything else is deployed around them."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.deploying.outputs import described, resources_of
from infra.deploying.stack_state import HALF_ROLLED_BACK
from infra.packaging.yaml_text import yaml_parse
from infra.recovery.tables import KINDS, Tables

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

CHANGE_SET: Final = "adopt"
TABLE: Final = "AWS::DynamoDB::Table"
NONE: Final = ""
"""The status of a stack that is not there."""
DESCRIBED: Final = "REVIEW_IN_PROGRESS"
IMPORTING: Final = "IMPORT_IN_PROGRESS"
WHOLE: Final = ("CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
"""The statuses of a stack that holds all that it declares."""


class OtherStackError(Exception):
    """A stack of that name exists and is not one around these tables; the text says what to do."""


def adopt(client: "CloudFormationClient", stack: str, package: Path, tables: Tables) -> None:
    """Make the new stack `stack` of nothing but `tables`, described as the package in `package` describes its own.

    When it returns the stack is complete, and an ordinary deployment of the same package updates it to the whole
    service. CloudFormation cannot import and create resources in one step of a new stack. A call that was broken off is
    repeated: it goes on where the stack is, and leaves one around these tables as it is.

    Raises:
        OtherStackError: a stack of that name holds other tables, or no import leads out of its state.
        ClientError: AWS refused: a table is part of another stack, say.
        WaiterError: CloudFormation did not finish.
    """
    found = described(client, stack)
    status: str = found["StackStatus"] if found else NONE
    if status in (NONE, DESCRIBED):
        # A stack that was only described has a change set from the call before, which nobody executes any more.
        name = f"{CHANGE_SET}-{time.time_ns() // 1_000_000}"
        imported: Any = [
            {"ResourceType": TABLE, "LogicalResourceId": logical_id, "ResourceIdentifier": {"TableName": table}}
            for logical_id, table in tables.by_logical_id.items()
        ]
        client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="IMPORT",
            ResourcesToImport=imported,
            TemplateBody=json.dumps(only_tables(package)),
        )
        client.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName=name)
        client.execute_change_set(StackName=stack, ChangeSetName=name)
        status = IMPORTING
    if status == IMPORTING:
        client.get_waiter("stack_import_complete").wait(StackName=stack)
    elif status.endswith("_IN_PROGRESS"):
        raise OtherStackError(f"The stack {stack} is {status}: wait for its end, then adopt again.")
    elif status == HALF_ROLLED_BACK:
        raise OtherStackError(f"The stack {stack} is {status}: `make deploy` offers to continue the rollback.")
    elif status not in WHOLE:
        raise OtherStackError(f"The stack {stack} is {status}: delete it (its tables are retained), then adopt again.")
    held = resources_of(client, stack)
    for logical_id, table in tables.by_logical_id.items():
        if held.get(logical_id) != table:
            raise OtherStackError(f"The stack {stack} has {held.get(logical_id)} as {logical_id}, not {table}.")


def only_tables(package: Path) -> dict[str, Any]:
    """Return the template of `package` reduced to the tables that are restored and what they refer to."""
    template = yaml_parse((package / "sam.yaml").read_text())
    resources = {logical_id: template["Resources"][logical_id] for logical_id in KINDS}
    used = json.dumps(resources)
    conditions = {name: value for name, value in template.get("Conditions", {}).items() if f'"{name}"' in used}
    used += json.dumps(conditions)
    parameters = {name: value for name, value in template["Parameters"].items() if f'"{name}"' in used}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": parameters,
        **({"Conditions": conditions} if conditions else {}),
        "Resources": resources,
    }

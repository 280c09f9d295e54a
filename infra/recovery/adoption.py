"""A stack around existing tables: they are imported first and alone, then everything else is deployed around them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samtranslator.yaml_helper import yaml_parse

from infra.recovery.tables import KINDS, Tables

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

CHANGE_SET: Final = "adopt"
TABLE: Final = "AWS::DynamoDB::Table"


def adopt(client: "CloudFormationClient", stack: str, package: Path, tables: Tables) -> None:
    """Make the new stack `stack` of nothing but `tables`, described as the package in `package` describes its own.

    When it returns the stack is complete, and an ordinary deployment of the same package updates it to the whole
    service. CloudFormation cannot import and create resources in one step of a new stack.

    Raises:
        ClientError: AWS refused: the stack exists already, or a table is part of another one.
        WaiterError: CloudFormation did not finish.
    """
    imported: Any = [
        {"ResourceType": TABLE, "LogicalResourceId": logical_id, "ResourceIdentifier": {"TableName": name}}
        for logical_id, name in tables.by_logical_id.items()
    ]
    client.create_change_set(
        StackName=stack,
        ChangeSetName=CHANGE_SET,
        ChangeSetType="IMPORT",
        ResourcesToImport=imported,
        TemplateBody=json.dumps(only_tables(package)),
    )
    client.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName=CHANGE_SET)
    client.execute_change_set(StackName=stack, ChangeSetName=CHANGE_SET)
    client.get_waiter("stack_import_complete").wait(StackName=stack)


def only_tables(package: Path) -> dict[str, Any]:
    """Return the template of `package` reduced to the ledger's tables and what they refer to."""
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

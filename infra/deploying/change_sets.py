"""Change sets: what a deployment would do to a stack, shown and refused before it is done."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import WaiterError
from rich.table import Table

from infra.deploying.emulator import DeploymentFailedError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

DATA = frozenset({"AWS::DynamoDB::Table"})
"""Types of resources that hold what cannot be made again."""
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a deployment does to one resource. `replacement` is CloudFormation's True, False or Conditional."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str
    scope: str

    @property
    def loses_data(self) -> bool:
        """Return whether data may be out of reach afterwards, retained or not."""
        return self.resource_type in DATA and (self.action == "Remove" or self.replacement in ("True", "Conditional"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A stack as it should become. `role` is the argument that names CloudFormation's role, or empty."""

    stack: str
    stage: str
    template_url: str
    parameters: Sequence["ParameterTypeDef"]
    new: bool
    role: Mapping[str, Any]


def propose(cloudformation: "CloudFormationClient", proposal: Proposal) -> str | None:
    """Return the change set that would bring the stack there, None where it is there already.

    Raises:
        DeploymentFailedError: CloudFormation refuses it, such as a parameter's value that the template does not allow.
    """
    try:
        created = cloudformation.create_change_set(
            StackName=proposal.stack,
            ChangeSetName=f"release-{time.time_ns() // 1_000_000}",
            ChangeSetType="CREATE" if proposal.new else "UPDATE",
            TemplateURL=proposal.template_url,
            Parameters=proposal.parameters,
            Capabilities=CAPABILITIES,
            **proposal.role,
            Tags=[{"Key": "service", "Value": "credit-service"}, {"Key": "stage", "Value": proposal.stage}],
        )["Id"]
    except cloudformation.exceptions.ClientError as error:
        raise DeploymentFailedError(str(error)) from error
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=created, WaiterConfig={"Delay": 2, "MaxAttempts": 150}
        )
    except WaiterError as error:
        reason = cloudformation.describe_change_set(ChangeSetName=created).get("StatusReason", "")
        cloudformation.delete_change_set(ChangeSetName=created)
        if "didn't contain changes" in reason or "No updates" in reason:
            return None
        raise DeploymentFailedError(f"no change set: {reason}") from error
    return created


def changes(cloudformation: "CloudFormationClient", change_set: str) -> Iterator[Change]:
    """Yield what a change set would do, one resource after the other."""
    for page in cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set):
        for one in page.get("Changes", []):
            change = one["ResourceChange"]
            yield Change(
                action=change["Action"],
                logical_id=change["LogicalResourceId"],
                resource_type=change["ResourceType"],
                replacement=change.get("Replacement", ""),
                scope=", ".join(change.get("Scope", [])),
            )


def guard(cloudformation: "CloudFormationClient", stack: str, *, tables: bool) -> None:
    """Set the stack's policy: any update may be made, but with `tables` none that replaces or removes a table.

    It holds for whoever updates the stack, by the console too, where nobody reads a change set first.
    """
    allowed = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    denied = {
        "Effect": "Deny",
        "Action": ["Update:Replace", "Update:Delete"],
        "Principal": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"ResourceType": sorted(DATA)}},
    }
    body = json.dumps({"Statement": [allowed, denied] if tables else [allowed]})
    cloudformation.set_stack_policy(StackName=stack, StackPolicyBody=body)


def shown(found: Sequence[Change]) -> Table:
    """Return changes as a table, with what may lose data in bold."""
    table = Table("", "resource", "type", "replaced", "what", title=f"{len(found)} changes", title_justify="left")
    colours = {"Add": "green", "Modify": "yellow", "Remove": "red"}
    for change in sorted(found, key=lambda one: (one.action, one.resource_type, one.logical_id)):
        colour = "bold red" if change.loses_data else colours.get(change.action, "")
        table.add_row(
            change.action, change.logical_id, change.resource_type, change.replacement, change.scope, style=colour
        )
    return table

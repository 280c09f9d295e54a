"""Deploys a stage to AWS: packages, lints, shows the change set, asks, and follows (`make deploy STAGE=prod`).

The values of parameters come from infra/stages, then from the environment under their setting's name (README,
"Settings") or in `PARAMETERS="Name=value ..."`; everything else keeps the value of the last deployment. Credentials and
region are the AWS SDK's own; `CLOUDFORMATION_ROLE` is the role that makes the resources, else the caller does. `YES=1`
does not ask; what would remove or replace a table is refused whoever says so, unless `REPLACE_DATA=1`.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from rich.console import Console
from rich.table import Table
from samtranslator.yaml_helper import yaml_parse

from infra.artifacts import upload
from infra.build import TemplateRefusedError, package
from infra.commands.target import stack_name
from infra.deployment import DeploymentFailedError, failures, release
from infra.local.parameters import SETTINGS, choose_parameters
from infra.stages import UnknownStageError, values

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

KEYS = (
    "JWT_ALGORITHM",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "JWT_JWKS_URL",
    "JWT_KEY_PARAMETER",
    "CURSOR_KEY_PARAMETER",
    "ALARM_EMAIL",
    "PERMISSIONS_BOUNDARY",
)
"""Settings that a local stack has of its own, and a stage from whoever deploys it."""
DATA = frozenset({"AWS::DynamoDB::Table"})
"""Types of resources that hold what cannot be made again."""
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
POLL_SECONDS = 2.0
WAIT_SECONDS = 3600.0
"""A gradual deployment takes five minutes for each alias, several at once."""


class DeploymentRefusedError(RuntimeError):
    """Raised when this deployment must not or shall not take place; its text says why."""


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


def deploy_stage(stage: str, environment: Mapping[str, str], console: Console) -> dict[str, str]:
    """Bring `stage` to the state of this repository and return the stack's outputs.

    Raises:
        DeploymentRefusedError: somebody said no, or a table would be removed or replaced.
        DeploymentFailedError: CloudFormation did not get there and went back; the text names what failed.
        TemplateRefusedError, UnknownStageError: there is nothing that could be deployed.
    """
    chosen = values(stage)
    session = boto3.Session()
    if session.region_name is None:
        raise DeploymentRefusedError("no region: set AWS_REGION, or the region of the profile")
    account = session.client("sts").get_caller_identity()["Account"]
    name = stack_name(stage)
    console.print(f"Stage {stage}: stack {name} in account {account}, {session.region_name}", highlight=False)
    folder = package(stage)
    template = upload(session, folder, account=account)
    cloudformation = session.client("cloudformation", config=Config(retries={"mode": "standard", "max_attempts": 10}))
    before = _stack(cloudformation, name)
    declared = yaml_parse((folder / "sam.yaml").read_text())["Parameters"]
    parameters = _parameters(declared, stage, chosen, environment, before)
    role = {"RoleARN": environment["CLOUDFORMATION_ROLE"]} if environment.get("CLOUDFORMATION_ROLE") else {}
    change_set = _propose(cloudformation, name, template, parameters, stage, new=before is None, role=role)
    if change_set is None:
        console.print("Nothing to change.")
        return _outputs(before)
    changes = list(_changes(cloudformation, change_set))
    console.print(_shown(changes))
    try:
        _refuse_loss(changes, environment)
        _ask(name, environment, console)
    except DeploymentRefusedError:
        cloudformation.delete_change_set(ChangeSetName=change_set)
        raise
    cloudformation.execute_change_set(ChangeSetName=change_set)
    outputs = _follow(cloudformation, name, console)
    if values(stage).get("DeletionProtection") == "true":
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    return outputs


def _stack(cloudformation: "CloudFormationClient", name: str) -> Mapping[str, Any] | None:
    """Return the description of a stack that exists; one whose first change set was never executed does not."""
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack


def _parameters(
    declared: Mapping[str, Any],
    stage: str,
    chosen: Mapping[str, str],
    environment: Mapping[str, str],
    before: Mapping[str, Any] | None,
) -> list["ParameterTypeDef"]:
    """Return every parameter with its value, or with the word that the last one stands."""
    by_setting = choose_parameters(set(declared), environment, {}, settings=(*SETTINGS, *KEYS)).parameters
    by_name = dict(pair.split("=", 1) for pair in environment.get("PARAMETERS", "").split())
    if unknown := sorted(by_name.keys() - declared.keys()):
        raise DeploymentRefusedError(f"the template has no parameter {', '.join(unknown)}")
    given = {**chosen, **by_setting, **by_name, "Stage": stage}
    known = {one["ParameterKey"]: one.get("ParameterValue", "") for one in (before or {}).get("Parameters", [])}
    kept = {name for name in declared if name in known and name not in given and name != "Release"}
    # A hash of what the functions will see: their versions are made anew when it changes, and only then.
    seen = {**{name: known[name] for name in kept}, **given}
    given["Release"] = release(declared["Release"]["Default"], seen)
    passed: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in sorted(given.items())
    ]
    passed += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]
    return passed


def _propose(
    cloudformation: "CloudFormationClient",
    name: str,
    template_url: str,
    parameters: Sequence["ParameterTypeDef"],
    stage: str,
    *,
    new: bool,
    role: Mapping[str, Any],
) -> str | None:
    """Return the change set that would bring the stack there, None where it is there already."""
    try:
        created = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"release-{int(time.time())}",
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateURL=template_url,
            Parameters=parameters,
            Capabilities=CAPABILITIES,
            **role,
            Tags=[{"Key": "service", "Value": "credit-service"}, {"Key": "stage", "Value": stage}],
        )["Id"]
    except cloudformation.exceptions.ClientError as error:
        # Such as a parameter whose value the template does not allow.
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


def _changes(cloudformation: "CloudFormationClient", change_set: str) -> Iterator[Change]:
    more: dict[str, Any] = {}
    while True:
        page = cloudformation.describe_change_set(ChangeSetName=change_set, **more)
        for one in page.get("Changes", []):
            change = one["ResourceChange"]
            yield Change(
                action=change["Action"],
                logical_id=change["LogicalResourceId"],
                resource_type=change["ResourceType"],
                replacement=change.get("Replacement", ""),
                scope=", ".join(change.get("Scope", [])),
            )
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _shown(changes: Sequence[Change]) -> Table:
    table = Table("", "resource", "type", "replaced", "what", title=f"{len(changes)} changes", title_justify="left")
    colours = {"Add": "green", "Modify": "yellow", "Remove": "red"}
    for change in sorted(changes, key=lambda one: (one.action, one.resource_type, one.logical_id)):
        colour = "bold red" if change.loses_data else colours.get(change.action, "")
        table.add_row(
            change.action, change.logical_id, change.resource_type, change.replacement, change.scope, style=colour
        )
    return table


def _refuse_loss(changes: Sequence[Change], environment: Mapping[str, str]) -> None:
    lost = sorted(change.logical_id for change in changes if change.loses_data)
    if lost and environment.get("REPLACE_DATA") != "1":
        raise DeploymentRefusedError(f"{', '.join(lost)} may be removed or replaced; REPLACE_DATA=1 if that is meant")


def _ask(name: str, environment: Mapping[str, str], console: Console) -> None:
    if environment.get("YES") == "1":
        return
    if console.input(f"Deploy to {name}? \\[y/N] ").strip().lower() not in ("y", "yes"):
        raise DeploymentRefusedError("not deployed")


def _follow(cloudformation: "CloudFormationClient", name: str, console: Console) -> dict[str, str]:
    """Show how the deployment comes along, and return the stack's outputs when it is done."""
    deadline, last = time.monotonic() + WAIT_SECONDS, ""
    with console.status("Deploying") as status:
        while time.monotonic() < deadline:
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            state = stack["StackStatus"]
            if state != last:
                console.print(f"  {state}", highlight=False)
                last = state
            status.update(f"{state}: infra/monitoring/runbook says what its alarms mean")
            # Done, rolled back or stuck; an update that takes its leavings away is still at work.
            if not state.endswith("_IN_PROGRESS"):
                if "ROLLBACK" in state or "FAILED" in state:
                    raise DeploymentFailedError(failures(cloudformation, name))
                return _outputs(stack)
            time.sleep(POLL_SECONDS)
    raise DeploymentFailedError(f"the stack {name} is still in progress after {WAIT_SECONDS / 60:.0f} minutes")


def _outputs(stack: Mapping[str, Any] | None) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", [])}


def main() -> None:
    """Deploy the stage that the command line names."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        outputs = deploy_stage(sys.argv[1], os.environ, console)
    except (DeploymentRefusedError, DeploymentFailedError, TemplateRefusedError, UnknownStageError) as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    for name in ("ApiUrl", "DashboardUrl", "AlarmTopicArn", "Release"):
        console.print(f"{name}: {outputs.get(name, '')}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()

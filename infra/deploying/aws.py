"""Deploys a stage to AWS: looks, packages, lints, shows the change set, asks, and follows (`make deploy STAGE=prod`).

The values of parameters come from infra/stages, then from the environment under their setting's name
(infra/docs/settings.md) or in `PARAMETERS="Name=value ..."`; everything else keeps the value of the last deployment.
Credentials are the AWS SDK's own, the region `AWS_REGION`'s, `AWS_DEFAULT_REGION`'s or the profile's;
`CLOUDFORMATION_ROLE` is the role that makes the resources, else the caller does. `YES=1` does not ask; what would
remove or replace a table is refused all the same, unless `REPLACE_DATA=1`. `EMERGENCY=1` moves all calls at once,
whatever alarm is on, and shows findings without stopping, but for errors of IAM Access Analyzer. `SUFFIX=-2` or
`STACK=name` deploys another stack of the stage, `LIKE=credits-prod` with the values that another stack has.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, Final, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.contracts.canary import bodies
from infra.deploying.access_analyzer import Names, documents, flaws
from infra.deploying.artifacts import upload
from infra.deploying.aws_session import aws_session, clients
from infra.deploying.change_sets import Change, Proposal, changes, guard, propose, shown
from infra.deploying.emulator import DeploymentFailedError
from infra.deploying.names import StackNameError, stack_to_deploy
from infra.deploying.outputs import function_names, outputs_of, parameters_of
from infra.deploying.parameters import ParametersError, given_parameters, in_effect, passed_parameters
from infra.deploying.preflight import Obstacle, Plan, obstacles, plan_of
from infra.deploying.preflight import shown as shown_obstacles
from infra.deploying.stack_state import StackBusyError, follow, mended, stack_there
from infra.deploying.versions import prune
from infra.packaging.build import TemplateRefusedError, package
from infra.packaging.lint import translated
from infra.packaging.refusals.resolved import resources
from infra.packaging.refusals.rules import broken
from infra.packaging.stages import UnknownStageError, values
from infra.packaging.yaml_text import yaml_parse

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

OVERTAKEN: Final = "InvalidChangeSetStatus"
"""The code of a change set that another deployment has made obsolete."""
REPEATED: Final = (
    "What CloudFormation has begun goes on without this command. When it has ended, make deploy STAGE={stage} does "
    "what is left."
)
INTERRUPTED: Final = 130
"""The exit status after Ctrl-C."""
PROTECTED: "ParameterTypeDef" = {"ParameterKey": "DeletionProtection", "ParameterValue": "true"}


class DeploymentRefusedError(RuntimeError):
    """Raised when this deployment must not or shall not take place; its text says why."""


def deploy_stage(stage: str, environment: Mapping[str, str], console: Console) -> dict[str, str]:
    """Bring `stage` to the state of this repository and return the stack's outputs.

    Raises:
        DeploymentRefusedError, StackBusyError: the answer was no, an obstacle stops it, or a table would be replaced.
        DeploymentFailedError: the deployment failed and was rolled back; the text names what failed.
        TemplateRefusedError, UnknownStageError, StackNameError, ParametersError: nothing can be deployed like this.
        ClientError, BotoCoreError: AWS does not answer, or refuses what the caller may not do.
    """
    chosen = {**values(stage), **given_parameters(environment)}
    name = stack_to_deploy(stage, environment)
    session = aws_session()
    if session.region_name is None:
        raise DeploymentRefusedError("no region: set AWS_REGION, or the region of the profile")
    cloudformation = session.client("cloudformation", config=Config(retries={"mode": "standard", "max_attempts": 10}))
    role = {"RoleARN": environment["CLOUDFORMATION_ROLE"]} if environment.get("CLOUDFORMATION_ROLE") else {}
    replacing = environment.get("REPLACE_DATA") == "1"
    ask = partial(_ask, environment=environment, console=console)
    before = mended(cloudformation, name, ask, role, console, replacing=replacing)
    chosen = {**_values_like(session, environment.get("LIKE", "")), **chosen}
    plan = plan_of(clients(session), name, session.region_name, chosen, before)
    console.print(f"Stage {stage}: stack {name} in account {plan.account}, {plan.region}", highlight=False)
    if not shown_obstacles(list(obstacles(clients(session), plan)), console):
        raise DeploymentRefusedError("nothing was changed")
    folder = package(stage)
    declared = yaml_parse((folder / "sam.yaml").read_text())["Parameters"]
    known = parameters_of(before or {})
    passed = passed_parameters(declared, stage, chosen, environment, known)
    emergency = environment.get("EMERGENCY") == "1"
    validated(session, folder, replace(plan, values=in_effect(passed, known)), console, emergency=emergency)
    proposal = Proposal(
        stack=name,
        stage=stage,
        template_url=upload(session, folder, account=plan.account),
        parameters=passed,
        new=before is None,
        role=role,
    )
    outputs = _deployed(cloudformation, proposal, environment, console, before)
    open_canary(session.client("sqs"), outputs["InboxQueueUrl"])
    if deleted := prune(session.client("lambda"), sorted(set(function_names(outputs).values()))):
        console.print(f"{deleted} old versions of functions deleted", highlight=False)
    return outputs


def validated(session: boto3.Session, folder: Path, plan: Plan, console: Console, *, emergency: bool = False) -> None:
    """Look at the packaged template with the plan's values, and let IAM Access Analyzer look at its policies.

    The build did the first with the stage's own values. In an `emergency` what is found is shown and stops nothing, but
    for Access Analyzer's errors.

    Raises:
        DeploymentRefusedError: AWS would refuse it, or Access Analyzer found an error or a security warning.
    """
    template: dict[str, Any] = json.loads(translated((folder / "sam.yaml").read_text(), plan.values))
    found = resources(template, plan.values)
    names = Names(found=found, stack=plan.stack, account=plan.account, region=plan.region)
    said = [
        Obstacle(text=f"{text} ({rule.source})", stops=rule.refused and not emergency) for rule, text in broken(found)
    ]
    said += flaws(session.client("accessanalyzer"), documents(names), emergency=emergency)
    if not shown_obstacles(said, console):
        raise DeploymentRefusedError(
            "the template is refused; nothing was changed (EMERGENCY=1 passes all but Access Analyzer's errors)"
        )


def open_canary(sqs: "SQSClient", inbox: str) -> None:
    """Send the events that open the account on which the next release is tried; from the second time on, duplicates.

    Raises:
        DeploymentFailedError: the queue did not take all of them.
    """
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies())
    ]
    if sqs.send_message_batch(QueueUrl=inbox, Entries=entries).get("Failed"):
        raise DeploymentFailedError("deployed, but the inbox did not take the events of the canary account")


def _values_like(session: boto3.Session, like: str) -> dict[str, str]:
    """Return the parameters of another stack, `credits-prod` or `eu-west-1/credits-prod`; none where `like` is empty.

    Secret ones have to be given.

    Raises:
        DeploymentRefusedError: there is no such stack.
    """
    if not like:
        return {}
    region, _, name = like.rpartition("/")
    stack = stack_there(session.client("cloudformation", region_name=region or session.region_name), name)
    if stack is None:
        raise DeploymentRefusedError(f"LIKE: there is no stack {like}")
    # Two stacks of one region would both write the one setting of API Gateway that it has.
    here = {} if region and region != session.region_name else {"ManageGatewayAccount": "false"}
    own = {"Stage", "Release"}
    return {key: value for key, value in parameters_of(stack).items() if key not in own and set(value) != {"*"}} | here


def _deployed(
    cloudformation: "CloudFormationClient",
    proposal: Proposal,
    environment: Mapping[str, str],
    console: Console,
    before: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Bring the stack to the proposal, protected from its first success on, and return its outputs.

    A table that is protected from the start could not be taken away when something else of a first creation fails,
    and the stack would be stuck: so a new one gets its protection by a second change set, which holds nothing else.
    """
    first = replace(proposal, parameters=_unprotected(proposal.parameters)) if proposal.new else proposal
    stack = _executed(cloudformation, first, environment, console) or before
    if first != proposal:
        then = replace(proposal, new=False)
        stack = _executed(cloudformation, then, {**environment, "YES": "1"}, console) or stack
    guard(cloudformation, proposal.stack, tables=True)
    if any(one == PROTECTED for one in proposal.parameters):
        cloudformation.update_termination_protection(StackName=proposal.stack, EnableTerminationProtection=True)
    return outputs_of(stack or {})


def _unprotected(parameters: Sequence["ParameterTypeDef"]) -> Sequence["ParameterTypeDef"]:
    """Return the parameters of a stack whose tables may still be deleted; the same where they may anyhow."""
    without: ParameterTypeDef = {"ParameterKey": PROTECTED["ParameterKey"], "ParameterValue": "false"}
    return [without if one == PROTECTED else one for one in parameters]


def _executed(
    cloudformation: "CloudFormationClient", proposal: Proposal, environment: Mapping[str, str], console: Console
) -> Mapping[str, Any] | None:
    """Show a change set, ask, execute it, and return the stack afterwards; None where there is nothing to change."""
    change_set = propose(cloudformation, proposal)
    if change_set is None:
        console.print("Nothing to change.")
        return None
    found = list(changes(cloudformation, change_set))
    console.print(shown(found))
    try:
        _refuse_loss(found, environment)
        _ask(f"Deploy to {proposal.stack}?", environment, console)
    except (DeploymentRefusedError, KeyboardInterrupt):
        cloudformation.delete_change_set(ChangeSetName=change_set)
        raise
    if not proposal.new and environment.get("REPLACE_DATA") == "1":
        guard(cloudformation, proposal.stack, tables=False)
    try:
        # Without it, tables that are new in this change set outlive its rollback and nobody knows them.
        cloudformation.execute_change_set(ChangeSetName=change_set, RetainExceptOnCreate=True)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != OVERTAKEN:
            raise
        raise DeploymentRefusedError(
            f"somebody else has changed {proposal.stack} since this was shown; nothing was changed by this deployment"
        ) from error
    return follow(cloudformation, proposal.stack, console, "Deploying")


def _refuse_loss(found: Sequence[Change], environment: Mapping[str, str]) -> None:
    lost = sorted(change.logical_id for change in found if change.loses_data)
    if lost and environment.get("REPLACE_DATA") != "1":
        raise DeploymentRefusedError(f"{', '.join(lost)} may be removed or replaced; REPLACE_DATA=1 allows it")


def _ask(question: str, environment: Mapping[str, str], console: Console) -> None:
    if environment.get("YES") == "1":
        return
    try:
        answer = console.input(f"{question} \\[y/N] ")
    except EOFError:
        raise DeploymentRefusedError("not deployed: nobody answers here; YES=1 deploys without asking") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise DeploymentRefusedError("not deployed")


def _end(console: Console, text: str, status: int) -> NoReturn:
    console.print(f"✗ {text}", style="red", markup=False, highlight=False)
    sys.exit(status)


def main() -> None:
    """Deploy the stage that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploying.aws", description=__doc__)
    parser.add_argument("stage", help="a stage of .chalice/config.json, such as dev")
    stage = parser.parse_args().stage
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        outputs = deploy_stage(stage, os.environ, console)
    except (
        DeploymentRefusedError,
        DeploymentFailedError,
        ParametersError,
        StackBusyError,
        StackNameError,
        TemplateRefusedError,
        UnknownStageError,
    ) as error:
        _end(console, str(error), 1)
    except (BotoCoreError, ClientError, CalledProcessError) as error:
        _end(console, f"{error}\n{REPEATED.format(stage=stage)}", 1)
    except KeyboardInterrupt:
        _end(console, f"interrupted\n{REPEATED.format(stage=stage)}", INTERRUPTED)
    for name in ("ApiUrl", "DashboardUrl", "AlarmTopicArn", "Release"):
        console.print(f"{name}: {outputs.get(name, '')}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()

"""Looks at an account before anything is made in it: `make preflight STAGE=prod`, and first of all in `make deploy`.

It reports at once, with what to do, what CloudFormation would roll back for after ten minutes. Nothing is changed. What
the caller has no right to read is only noted, and stops nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from infra.deploying.artifacts import bucket_name
from infra.deploying.aws_session import aws_session, clients
from infra.deploying.names import StackNameError, stack_to_deploy
from infra.deploying.outputs import parameters_of
from infra.deploying.parameters import ParametersError, given_parameters
from infra.deploying.stack_state import stack_there
from infra.packaging.refusals.wiring import UNRESERVED
from infra.packaging.stages import UnknownStageError, values

ROOT = Path(__file__).resolve().parents[2]
BUS_LOGS = "/aws/vendedlogs/events/event-bus/"
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
FUNCTIONS = [
    name.removesuffix("_handler")
    for name in json.loads((ROOT / ".chalice/config.json").read_text())["lambda_functions"]
]
"""The functions as their logs are called."""
ROLES_MADE, POLICIES_MADE = len(FUNCTIONS) + 6, 1
"""One a function, that of CodeDeploy, that of the gateway, and one for each function that runs on a schedule."""
EDGE_REGION = "us-east-1"
"""Where AWS keeps what belongs to CloudFront."""
LOG_POLICIES = 10
"""Resource policies of CloudWatch Logs in an account and region: docs.aws.amazon.com, cloudwatch_limits_cwl."""
CODE_BYTES = len(FUNCTIONS) * 15_000_000
"""What one release adds: a version of each function, each with the whole package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is about to be deployed, with the `values` that parameters will have.

    `before` holds the parameters of the stack that is there; None: there is none.
    """

    stack: str
    account: str
    region: str
    values: Mapping[str, str]
    before: Mapping[str, str] | None

    @property
    def reserved(self) -> int:
        """Return the copies that the API's function will reserve."""
        return int(self.values.get("ApiConcurrency", "0"))

    @property
    def reserved_before(self) -> int:
        """Return the copies that it has reserved."""
        return int((self.before or {}).get("ApiConcurrency", "0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing to know. `stops` is true where the deployment would fail."""

    text: str
    stops: bool = True


Clients = Callable[[str], Any]
"""Gives a client of a service."""
Check = Callable[[Clients, Plan], Iterator[Obstacle]]


def obstacles(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    """Yield the obstacles to `plan`, and what could not be checked."""
    for name, check in CHECKS.items():
        try:
            yield from check(client, plan)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            why = "the caller has no right to read it" if code in DENIED else f"{code}"
            yield Obstacle(text=f"{name} could not be looked at: {why}", stops=False)
        except BotoCoreError as error:
            yield Obstacle(text=f"{name} could not be looked at: {error}", stops=False)


def _concurrency(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    settings = client("lambda").get_account_settings()
    limit = settings["AccountLimit"]["ConcurrentExecutions"]
    free = settings["AccountLimit"]["UnreservedConcurrentExecutions"] + plan.reserved_before
    if plan.reserved and plan.reserved != plan.reserved_before and free - plan.reserved < UNRESERVED:
        most = max(0, free - UNRESERVED)
        yield Obstacle(
            text=f"ApiConcurrency is {plan.reserved}, but this account may run {limit} copies at once, {free} are not "
            f"reserved and {UNRESERVED} must remain so: set ApiConcurrency to {most} (0: no limit of its own) in "
            f'PARAMETERS="ApiConcurrency={most}", or ask for more (Service Quotas, Lambda, "Concurrent executions")'
        )
    used, most_bytes = settings["AccountUsage"]["TotalCodeSize"], settings["AccountLimit"]["TotalCodeSize"]
    if used + CODE_BYTES > most_bytes:
        yield Obstacle(
            text=f"the versions of functions fill {used / 1e9:.1f} of {most_bytes / 1e9:.1f} GB: delete old ones"
        )


def _roles(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    if plan.before is not None:
        return
    summary = client("iam").get_account_summary()["SummaryMap"]
    for what, made in (("Roles", ROLES_MADE), ("Policies", POLICIES_MADE)):
        if summary[what] + made > summary[f"{what}Quota"]:
            yield Obstacle(
                text=f"{made} {what.lower()} are to be made, {summary[what]} of {summary[f'{what}Quota']} are there"
            )


def _names(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    """Look for leavings of an earlier stack, which a new one cannot take over."""
    if plan.before is not None:
        return
    hint = "it belongs to no stack of this name: delete it, or deploy under another name (SUFFIX=-2)"
    # One page holds a hundred, as many as a region may have: docs.aws.amazon.com, eb-quota.
    buses = client("events").list_event_buses(NamePrefix=plan.stack)["EventBuses"]
    if any(bus["Name"] == plan.stack for bus in buses):
        yield Obstacle(text=f"there is an event bus {plan.stack}: {hint}")
    logs = client("logs")
    taken = {f"/aws/lambda/{plan.stack}-{one}" for one in FUNCTIONS}
    taken |= {f"/aws/apigateway/{plan.stack}", f"/aws/apigateway/{plan.stack}-public", f"{BUS_LOGS}{plan.stack}"}
    for prefix in (f"/aws/lambda/{plan.stack}-", f"/aws/apigateway/{plan.stack}", f"{BUS_LOGS}{plan.stack}"):
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                if group["logGroupName"] in taken:
                    yield Obstacle(text=f"there is a log group {group['logGroupName']}: {hint}")
    pages = client("scheduler").get_paginator("list_schedule_groups").paginate(NamePrefix=plan.stack)
    if any(one["Name"] == plan.stack for page in pages for one in page["ScheduleGroups"]):
        yield Obstacle(text=f"there is a group of schedules {plan.stack}: {hint}")


def _log_policies(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    """Look whether the policy for the bus's log has a place."""
    own = f"{plan.stack}-bus-log"
    pages = client("logs").get_paginator("describe_resource_policies").paginate()
    found = [one["policyName"] for page in pages for one in page["resourcePolicies"]]
    if plan.values.get("BusLogLevel") != "OFF" and own not in found and len(found) >= LOG_POLICIES:
        yield Obstacle(
            text=f"CloudWatch Logs has {len(found)} resource policies and takes no more: delete one, or leave the bus "
            'without a log (PARAMETERS="BusLogLevel=OFF")'
        )


def _edge(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    """Look whether AWS makes what the edge asks for, where this stack is."""
    del client
    if plan.values.get("Edge") != "on":
        return
    if int(plan.values.get("EdgeRequestsPerAddress", "0")) and plan.region != EDGE_REGION:
        yield Obstacle(
            text=f"EdgeRequestsPerAddress works in {EDGE_REGION} only, and this is {plan.region}: make a web ACL "
            "there and name it in EdgeWebAclArn"
        )
    if plan.values.get("PublicApi") == "false":
        yield Obstacle(text="Edge=on needs PublicApi=true: without the HTTP API no edge is made", stops=False)


def _bucket(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    name = bucket_name(plan.account, plan.region)
    try:
        client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=plan.account)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in ("404", "NoSuchBucket", "NotFound"):
            yield Obstacle(
                text=f"the bucket {name} for releases cannot be used ({code}): it may belong to another account"
            )


def _gateway(client: Clients, plan: Plan) -> Iterator[Obstacle]:
    if plan.before is not None or plan.values.get("ManageGatewayAccount") == "false":
        return
    if role := client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield Obstacle(
            text=f"API Gateway writes this account's logs as {role} already, and this stack would replace it: "
            'PARAMETERS="ManageGatewayAccount=false" leaves it',
            stops=False,
        )


CHECKS: Mapping[str, Check] = {
    "Lambda's concurrency": _concurrency,
    "the number of roles": _roles,
    "names that are taken": _names,
    "policies of CloudWatch Logs": _log_policies,
    "the edge": _edge,
    "the bucket for releases": _bucket,
    "API Gateway's logs": _gateway,
}


def shown(found: list[Obstacle], console: Console) -> bool:
    """Print obstacles; return whether nothing stops the deployment."""
    for finding in found:
        mark, style = ("✗", "red") if finding.stops else ("!", "yellow")
        console.print(f"{mark} {finding.text}", style=style, markup=False, highlight=False, soft_wrap=True)
    return not any(finding.stops for finding in found)


def plan_of(
    client: Clients, stack: str, region: str, chosen: Mapping[str, str], before: Mapping[str, Any] | None
) -> Plan:
    """Return the plan for `stack`, in the account of whoever asks: what is not `chosen` keeps its value.

    Raises:
        ClientError, BotoCoreError: nobody can tell whose credentials these are.
    """
    account = client("sts").get_caller_identity()["Account"]
    known = None if before is None else parameters_of(before)
    return Plan(stack=stack, account=account, region=region, values={**(known or {}), **chosen}, before=known)


def main() -> None:
    """Look at the account for the stage that the command line names, and end with 1 where something stops it."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploying.preflight", description=__doc__)
    parser.add_argument("stage", help="a stage of .chalice/config.json, such as dev")
    stage = parser.parse_args().stage
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        session = aws_session()
        chosen = {**values(stage), **given_parameters(os.environ)}
        name = stack_to_deploy(stage, os.environ)
        if session.region_name is None:
            sys.exit("✗ no region: set AWS_REGION, or the region of the profile")
        before = stack_there(session.client("cloudformation"), name)
        plan = plan_of(clients(session), name, session.region_name, chosen, before)
    except (ParametersError, StackNameError, UnknownStageError) as error:
        sys.exit(f"✗ {error}")
    except (ClientError, BotoCoreError) as error:
        sys.exit(f"✗ these credentials do not work: {error}")
    console.print(f"{name} in account {plan.account}, {plan.region}", highlight=False)
    if not shown(list(obstacles(clients(session), plan)), console):
        sys.exit(1)
    console.print("Nothing prevents a deployment.")


if __name__ == "__main__":
    main()

"""The steps of a walk: what each does to the stack, and what only AWS shows of it."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from io import StringIO
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.contracts.canary import CANARY, bodies
from infra.commands.events import made
from infra.deploying.aws import DeploymentRefusedError, deploy_stage
from infra.deploying.emulator import UNKNOWN_TO_EMULATOR, DeploymentFailedError, api_address, public_api_address
from infra.deploying.names import stack_to_deploy
from infra.recovery.tables import restore, tables_of

SUFFIX: Final = "-conformance"
EMULATED: Final = " ".join(
    f"{name}={value}" for name, value in {**UNKNOWN_TO_EMULATOR, "GradualDeployment": "false"}.items()
)
"""Parameters of a deployment into the emulator."""
OPENED: Final = "evt.account.created"
SETTLED_SECONDS: Final = 120.0
EXPECTED: Final = (DeploymentFailedError, DeploymentRefusedError, ClientError, BotoCoreError, AssertionError, KeyError)
"""What a step may end with; anything else is a bug of this script and ends it."""


@dataclass(slots=True)
class Run:
    """One walk: where it is, and what it has found. `outputs` are those of the stack, once there is one."""

    stage: str
    parameters: str
    client: Callable[[str], Any]
    outputs: dict[str, str] = field(default_factory=dict)
    restored: list[str] = field(default_factory=list)
    console: Console = field(default_factory=lambda: Console(file=StringIO(), width=140))

    @property
    def stack(self) -> str:
        """Return the name of the stack of this walk."""
        return stack_to_deploy(self.stage, {"SUFFIX": SUFFIX})

    @property
    def addresses(self) -> tuple[str, str]:
        """Return where the REST API and the HTTP API answer."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        if endpoint is None:
            return self.outputs["ApiUrl"], self.outputs["PublicApiUrl"]
        return api_address(endpoint, self.stage, self.outputs), public_api_address(endpoint, self.outputs)

    def deploy(self, **settings: str) -> dict[str, str]:
        """Deploy with these settings, and return the outputs."""
        asked = {
            "YES": "1",
            "SUFFIX": SUFFIX,
            "PARAMETERS": f"{self.parameters} ManageGatewayAccount=false",
            **settings,
        }
        role = {
            name: os.environ[name] for name in ("CLOUDFORMATION_ROLE", "PERMISSIONS_BOUNDARY") if name in os.environ
        }
        self.outputs = deploy_stage(self.stage, {**asked, **role}, self.console)
        return self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `only_aws` is what the emulator cannot show of it; `run` returns what was seen."""

    name: str
    only_aws: str
    run: Callable[[Run], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a step."""

    step: Step
    passed: bool
    seen: str
    seconds: float


def _create(run: Run) -> str:
    outputs = run.deploy()
    return f"{len(outputs)} outputs, {outputs['CreditsTableName']}"


def _update(run: Run) -> str:
    before = run.outputs["Release"]
    after = run.deploy(TRIAL_CREDITS="7")["Release"]
    assert before != after, "a changed setting made no new release"
    return f"release {before} became {after}"


def _leave_alone(run: Run) -> str:
    before = run.outputs["Release"]
    assert run.deploy()["Release"] == before, "a deployment without a change made a release"
    return "nothing to change"


def _roll_back(run: Run) -> str:
    before = dict(run.outputs)
    try:
        # Logs are kept for a week or two, never for two days.
        run.deploy(PARAMETERS=f"{run.parameters} LogRetentionDays=2")
    except (DeploymentFailedError, DeploymentRefusedError) as error:
        run.outputs = before
        return str(error).splitlines()[0][:120]
    raise AssertionError("a value that is not allowed was deployed")


def _shift(run: Run) -> str:
    alias = run.client("lambda").get_alias(FunctionName=run.outputs["IngestEventsName"], Name="live")
    versions = run.client("lambda").list_versions_by_function(FunctionName=run.outputs["IngestEventsName"])["Versions"]
    newest = max(int(one["Version"]) for one in versions if one["Version"].isdigit())
    assert int(alias["FunctionVersion"]) == newest, "callers do not get the newest version"
    return f"live is version {newest} of {len(versions) - 1}"


def _events(run: Run) -> str:
    merchant = str(uuid4())
    opened = made(OPENED, {"merchant_id": merchant, "trial_id": "t", "credits_to_use": 7}, checked=True)
    bus = run.outputs["EventBusName"]
    entry = {"EventBusName": bus, "Source": "conformance", "DetailType": OPENED, "Detail": opened.detail}
    for _ in range(2):
        assert run.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    found = _account(run, merchant)
    return f"sent twice, recorded {found['sequence']['N']} time, balance {found['balance']['N']}"


def _smoke_test(run: Run) -> str:
    found = _account(run, CANARY, at_least=len(bodies()))
    answer = run.client("lambda").invoke(FunctionName=run.outputs["SmokeTestName"], Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    assert said == {"passed": True, "faults": []}, f"{said}"
    return f"passed, the canary account is at {found['balance']['N']} credits"


def _account(run: Run, merchant: str, *, at_least: int = 1) -> Mapping[str, Any]:
    """Return the merchant's account once it has so many transactions."""
    key = {"merchant_id": {"S": merchant}}
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline:
        found: Any = run.client("dynamodb").get_item(TableName=run.outputs["CreditsTableName"], Key=key).get("Item")
        if found and int(found["sequence"]["N"]) >= at_least:
            return dict(found)
        time.sleep(1)
    raise AssertionError(f"no account of {merchant} with {at_least} transactions in {SETTLED_SECONDS:.0f} s")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API answered, without what differs from call to call."""

    status: int
    tag: str | None
    data: str


def _asked(address: str, headers: Mapping[str, str] | None = None) -> Answer:
    try:
        with urlopen(Request(address, headers=dict(headers or {}))) as response:  # noqa: S310 - this stack's address
            data = json.dumps(json.loads(response.read())["data"])
            return Answer(response.status, response.headers["ETag"], data)
    except HTTPError as error:
        return Answer(error.code, error.headers["ETag"], "")


def _public_api(run: Run) -> str:
    """Ask for a status by both APIs, and once more with the tag of the first answer."""
    path = f"/api/v1/plugin-status/{CANARY}"
    first, second = (_asked(f"{address}{path}") for address in run.addresses)
    assert first == second, f"{first} is not {second}"
    again = _asked(f"{run.addresses[1]}{path}", {"If-None-Match": str(second.tag)})
    assert again.status == HTTPStatus.NOT_MODIFIED, f"{again} for a copy that is current"
    return f"both say {json.loads(first.data)['status']}; 304 for the tag {second.tag}"


def _schedules(run: Run) -> str:
    """Look whether what runs by the clock is enabled, in the stack's group, with a queue for calls that fail."""
    scheduler = run.client("scheduler")
    names = [one["Name"] for one in scheduler.list_schedules(GroupName=run.stack)["Schedules"]]
    found = [scheduler.get_schedule(GroupName=run.stack, Name=name) for name in names]
    assert found, "nothing runs by the clock"
    assert all("DeadLetterConfig" in one["Target"] for one in found), "a call that fails is dropped"
    enabled = [one["Name"].removeprefix(f"{run.stack}-") for one in found if one["State"] == "ENABLED"]
    return f"{len(names)}, enabled are {', '.join(sorted(enabled))}"


def _alarms(run: Run) -> str:
    cloudwatch = run.client("cloudwatch")
    name = f"{run.stack}-dead-letters"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="conformance")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["AlarmActions"], "no topic is notified"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="conformance")
    return f"{name} notifies {len(alarm['AlarmActions'])} topic"


def _restore(run: Run) -> str:
    dynamodb = run.client("dynamodb")
    restored = restore(dynamodb, tables_of(run.outputs), f"{run.stack}-restored", at=None, tell=run.console.print)
    run.restored = list(restored.tables.by_logical_id.values())
    counts = [dynamodb.scan(TableName=name, Select="COUNT")["Count"] for name in run.restored]
    return f"{counts[0]} accounts, {counts[1]} transactions, {counts[2]} links, {counts[3]} items of the desk"


def _delete(run: Run) -> str:
    cloudformation, dynamodb = run.client("cloudformation"), run.client("dynamodb")
    cloudformation.update_termination_protection(StackName=run.stack, EnableTerminationProtection=False)
    tables = [
        run.outputs[f"{kind}TableName"] for kind in ("Credits", "Transactions", "Figures", "Links", "Desk")
    ] + run.restored
    cloudformation.delete_stack(StackName=run.stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=run.stack)
    for name in tables:
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=name)
            dynamodb.delete_table(TableName=name)
    return f"the stack and {len(tables)} tables"


STEPS = (
    Step(name="create", only_aws="rights of the roles, quotas, log delivery, CodeDeploy's groups", run=_create),
    Step(name="update", only_aws="CodeDeploy moves a tenth of the calls first and looks at alarms", run=_update),
    Step(name="leave alone", only_aws="that a change set without a change is empty there, too", run=_leave_alone),
    Step(name="roll back", only_aws="that resources go back, and what CloudFormation says of it", run=_roll_back),
    Step(name="alias shift", only_aws="weights of the alias while calls move", run=_shift),
    Step(name="real events", only_aws="delays, throttles, the archive, real batches of up to 100", run=_events),
    Step(name="smoke test", only_aws="that CodeDeploy calls it, takes its report and stops a release", run=_smoke_test),
    Step(name="both APIs", only_aws="the HTTP API's own limits, log and metrics; an edge before it", run=_public_api),
    Step(
        name="schedules", only_aws="retries, the role's rights, the queue of calls that were not made", run=_schedules
    ),
    Step(name="alarms", only_aws="alarms on several metrics, mails, metrics of the services", run=_alarms),
    Step(name="restore", only_aws="a moment in the past, the time that it takes, streams afterwards", run=_restore),
    Step(name="delete", only_aws="what stays behind: log groups, the archive, versions", run=_delete),
)


def walk(run: Run) -> Iterator[Result]:
    """Yield what came of each step, one after the other; nothing of the stack is there afterwards."""
    for step in STEPS:
        started = time.monotonic()
        try:
            seen, passed = step.run(run), True
        except EXPECTED as error:
            seen, passed = f"{type(error).__name__}: {error}".splitlines()[0][:200], False
        yield Result(step=step, passed=passed, seen=seen, seconds=time.monotonic() - started)

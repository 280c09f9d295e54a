"""`make deploy`: what it passes on, what it refuses, and a whole deployment into the emulator."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import NoCredentialsError
from rich.console import Console

from infra.conformance.walk import EMULATED
from infra.deploying.aws import (
    DeploymentRefusedError,
    _ask,
    _executed,
    _refuse_loss,
    _unprotected,
    deploy_stage,
    main,
)
from infra.deploying.aws_session import aws_session, region_of
from infra.deploying.change_sets import Change, Proposal, guard
from infra.deploying.emulator import DeploymentFailedError, release
from infra.deploying.names import StackNameError, stack_to_deploy
from infra.deploying.outputs import parameters_of
from infra.deploying.parameters import KEYS, ParametersError, in_effect, passed_parameters
from infra.packaging.dependencies import ROOT
from infra.packaging.refusals.resolved import listed
from infra.packaging.region import REGION
from infra.packaging.stages import UnknownStageError, values
from infra.packaging.yaml_text import yaml_parse
from tests.support.engines import FAKE_AWS_ENVIRONMENT, ministack
from tests.support.fake_account import FakeAccount, refused

ASKED: set[str] = set()
"""What deployments asked of the account, as service and operation."""
ACTIONS = {
    "apigateway:GetAccount": "apigateway:GET",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations whose right has another name."""
WITHOUT_RIGHT = {"sts:GetCallerIdentity", "lambda:GetFunctionConfiguration", "dynamodb:DescribeTable"}
"""What needs none, and what these tests asked themselves."""
NOT_PLAYED = {
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "iam:PassRole",
    "lambda:DeleteFunction",
    "s3:GetObject",
}
"""Rights for what does not happen here: stacks to be mended, old versions, CloudFormation's own role."""
STOOD: dict[str, Any] = {
    "Parameters": [
        {"ParameterKey": "JwtIssuer", "ParameterValue": "https://identity.example"},
        {"ParameterKey": "TrialCredits", "ParameterValue": "50"},
        {"ParameterKey": "ArchiveDays", "ParameterValue": "3"},
        {"ParameterKey": "Release", "ParameterValue": "the last one"},
        {"ParameterKey": "GoneSince", "ParameterValue": "x"},
    ]
}


def passed(
    template: dict[str, Any], environment: dict[str, str], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what is passed on by the name of its parameter; True for a value that stands."""
    found = passed_parameters(template["Parameters"], "prod", values("prod"), environment, parameters_of(before or {}))
    return {one["ParameterKey"]: one.get("ParameterValue", one.get("UsePreviousValue")) for one in found}


def test_what_will_be_in_effect_is_what_is_given_and_what_stands(template: dict[str, Any]) -> None:
    known = parameters_of(STOOD)
    given = passed_parameters(template["Parameters"], "prod", values("prod"), {"JWT_AUDIENCE": "shops"}, known)

    found = in_effect(given, known)

    expected = {"JwtAudience": "shops", "TrialCredits": "50", "JwtIssuer": "https://identity.example", "Stage": "prod"}
    assert expected.items() <= found.items()


def test_a_stages_own_values_are_passed_on_and_win_over_those_of_last_time(template: dict[str, Any]) -> None:
    found = passed(template, {}, STOOD)

    assert values("prod").items() <= found.items()
    assert found["Stage"] == "prod"


def test_what_nobody_names_keeps_its_value(template: dict[str, Any]) -> None:
    found = passed(template, {}, STOOD)

    assert (found["JwtIssuer"], found["TrialCredits"]) == (True, True)
    assert "GoneSince" not in found
    assert "LogLevel" not in found


def test_a_setting_of_the_environment_wins_and_so_does_a_parameter_by_name(template: dict[str, Any]) -> None:
    environment = {"TRIAL_CREDITS": "7", "JWT_ISSUER": "https://new.example", "PARAMETERS": "ArchiveDays=9 Stage=prod"}

    found = passed(template, environment, STOOD)

    assert (found["TrialCredits"], found["JwtIssuer"], found["ArchiveDays"]) == ("7", "https://new.example", "9")


def test_a_parameter_that_there_is_not_is_said(template: dict[str, Any]) -> None:
    with pytest.raises(ParametersError, match="TrialCredit"):
        passed(template, {"PARAMETERS": "TrialCredit=7"})


def test_another_value_is_another_release_and_the_same_values_are_the_same(template: dict[str, Any]) -> None:
    first, again, other = (
        passed(template, environment, STOOD)["Release"] for environment in ({}, {}, {"TRIAL_CREDITS": "51"})
    )

    assert first == again
    assert first != other
    assert release("0123456789abcdef", {"TrialCredits": "1"}) != release("0123456789abcdef", {})


@pytest.mark.parametrize(
    ("action", "replacement", "loses"),
    [
        ("Add", "", False),
        ("Modify", "False", False),
        ("Modify", "Conditional", True),
        ("Modify", "True", True),
        ("Remove", "", True),
    ],
)
def test_a_table_is_never_removed_or_replaced_by_accident(action: str, replacement: str, loses: bool) -> None:
    change = Change(
        action=action,
        logical_id="CreditsTable",
        resource_type="AWS::DynamoDB::Table",
        replacement=replacement,
        scope="Properties",
    )

    assert change.loses_data is loses
    _refuse_loss([change], {"YES": "1", "REPLACE_DATA": "1"})
    if loses:
        with pytest.raises(DeploymentRefusedError, match="CreditsTable"):
            _refuse_loss([change], {"YES": "1"})
    else:
        _refuse_loss([change], {"YES": "1"})


@pytest.mark.parametrize(("said", "goes_on"), [("y\n", True), ("Yes\n", True), ("\n", False), ("n\n", False)])
def test_nothing_is_deployed_without_a_yes(monkeypatch: pytest.MonkeyPatch, said: str, goes_on: bool) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(said))
    console = Console(file=StringIO())

    _ask("Deploy?", {"YES": "1"}, console)
    if goes_on:
        _ask("Deploy?", {}, console)
    else:
        with pytest.raises(DeploymentRefusedError):
            _ask("Deploy?", {}, console)


def test_nobody_there_to_answer_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(""))

    with pytest.raises(DeploymentRefusedError, match="YES=1"):
        _ask("Deploy?", {}, Console(file=StringIO()))


@pytest.mark.parametrize("given", ['CreditsByPrice={"price_1": 500}', "TrialCredits", "=7"])
def test_parameters_that_are_no_pairs_are_said(given: str) -> None:
    with pytest.raises(ParametersError, match=r"PARAMETERS.*Name=value.*no spaces"):
        deploy_stage("dev", {"PARAMETERS": given}, Console(file=StringIO()))


CHANGES: dict[str, Any] = {"Changes": []}
PROPOSAL = Proposal(stack="credits-prod", stage="prod", template_url="", parameters=[], new=False, role={})


def proposing(**answers: Any) -> FakeAccount:
    """Return an account in which a change set comes to be; what happens to it afterwards is in `answers`."""
    made = {
        "create_change_set": {"Id": "release-1"},
        "change_set_create_complete": {},
        "describe_change_set": CHANGES,
        "delete_change_set": {},
        "set_stack_policy": {},
    }
    return FakeAccount({f"cloudformation.{name}": answer for name, answer in {**made, **answers}.items()})


def test_a_change_set_that_somebody_else_has_overtaken_is_said() -> None:
    account = proposing(execute_change_set=refused("InvalidChangeSetStatus"))

    with pytest.raises(DeploymentRefusedError, match="somebody else"):
        _executed(account.client("cloudformation"), PROPOSAL, {"YES": "1"}, Console(file=StringIO()))


@pytest.mark.parametrize(("said", "ends"), [(KeyboardInterrupt, KeyboardInterrupt), (EOFError, DeploymentRefusedError)])
def test_a_question_that_gets_no_answer_leaves_no_change_set(
    monkeypatch: pytest.MonkeyPatch, said: type[BaseException], ends: type[BaseException]
) -> None:
    def answer(*_: Any) -> str:
        raise said

    account = proposing()
    console = Console(file=StringIO())
    monkeypatch.setattr(console, "input", answer)

    with pytest.raises(ends):
        _executed(account.client("cloudformation"), PROPOSAL, {}, console)
    assert account.asked[-1] == ("cloudformation.delete_change_set", {"ChangeSetName": "release-1"})


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        (refused("ExpiredToken", "The security token is expired"), 1, "ExpiredToken"),
        (NoCredentialsError(), 1, "Unable to locate credentials"),
        (subprocess.CalledProcessError(1, ["chalice"]), 1, "chalice"),
        (ParametersError("PARAMETERS takes pairs"), 1, "PARAMETERS"),
        (KeyboardInterrupt(), 130, "goes on"),
    ],
)
def test_a_deployment_that_is_cut_off_says_what_remains_to_be_done(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: BaseException,
    code: int,
    text: str,
) -> None:
    def cut_off(*_: Any) -> dict[str, str]:
        raise fault

    monkeypatch.setattr("infra.deploying.aws.deploy_stage", cut_off)
    monkeypatch.setattr("sys.argv", ["deploy", "prod"])

    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert (ended.value.code, text in said) == (code, True)
    assert ("make deploy STAGE=prod" in said) is not isinstance(fault, ParametersError)


def test_a_stage_that_there_is_not_is_said_with_those_that_there_are() -> None:
    with pytest.raises(UnknownStageError, match="dev, prod"):
        deploy_stage("live", {}, Console(file=StringIO()))


def test_in_an_emergency_all_calls_move_at_once_and_only_this_time(template: dict[str, Any]) -> None:
    at_once = {"Parameters": [{"ParameterKey": "GradualDeployment", "ParameterValue": "false"}]}

    assert passed(template, {"EMERGENCY": "1"}, STOOD)["GradualDeployment"] == "false"
    assert passed(template, {"EMERGENCY": "0"}, at_once)["GradualDeployment"] == "true"


def test_the_workflow_has_the_emergency_and_the_suffix() -> None:
    workflow = yaml_parse((ROOT / ".github/workflows/deploy.yml").read_text())
    inputs = (workflow.get("on") or workflow[True])["workflow_dispatch"]["inputs"]
    environment = workflow["jobs"]["deploy"]["steps"][-1]["env"]

    assert (inputs["emergency"]["type"], inputs["emergency"]["default"]) == ("boolean", False)
    assert environment["EMERGENCY"] == "${{ inputs.emergency && '1' || '' }}"
    assert environment["SUFFIX"] == "${{ inputs.suffix }}"
    assert environment["PERMISSIONS_BOUNDARY"] == "${{ vars.PERMISSIONS_BOUNDARY_ARN }}"
    assert {*KEYS, "CREDITS_BY_PRICE", "PARAMETERS"} <= environment.keys()


def test_a_deployment_does_not_cancel_the_checks_of_another_stages() -> None:
    check, deploy = (
        yaml_parse((ROOT / f".github/workflows/{name}.yml").read_text())["concurrency"] for name in ("check", "deploy")
    )

    assert deploy == {"group": "deploy-${{ inputs.stage }}", "cancel-in-progress": False}
    assert check["cancel-in-progress"] is True
    own = "${{ github.event_name == 'workflow_dispatch' && github.run_id || github.ref }}"
    assert check["group"].endswith(own)


def test_the_workflow_may_deploy_for_as_long_as_its_role_allows() -> None:
    job = yaml_parse((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]["deploy"]
    role = yaml_parse((ROOT / "infra/deploying/github.yaml").read_text())["Resources"]["DeployRole"]["Properties"]
    (credentials,) = [one["with"] for one in job["steps"] if "configure-aws-credentials" in one.get("uses", "")]

    assert credentials["role-duration-seconds"] == role["MaxSessionDuration"] > job["timeout-minutes"] * 60


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "credits-prod"),
        ({"SUFFIX": "-2"}, "credits-prod-2"),
        ({"STACK": "credits-prod-b"}, "credits-prod-b"),
        ({"STACK": "other", "SUFFIX": "-2"}, "other"),
        ({"STACK": "", "SUFFIX": ""}, "credits-prod"),
    ],
)
def test_another_stack_of_the_stage_has_a_name_of_its_own(environment: dict[str, str], name: str) -> None:
    assert stack_to_deploy("prod", environment) == name


@pytest.mark.parametrize("suffix", ["_2", " 2", "-B", "-" * 40])
def test_a_name_that_resources_cannot_have_is_refused(suffix: str) -> None:
    with pytest.raises(StackNameError):
        stack_to_deploy("prod", {"SUFFIX": suffix})


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, None),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_comes_from_either_variable(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], region: str | None
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    assert region_of(environment) == region
    assert aws_session().region_name == region


@pytest.mark.parametrize("tables", [True, False])
def test_no_update_of_anybody_replaces_a_table_unless_it_is_meant(*, tables: bool) -> None:
    account = FakeAccount({"cloudformation.set_stack_policy": {}})

    guard(account.client("cloudformation"), "credits-prod", tables=tables)

    ((_, request),) = account.asked
    allowed, *denied = json.loads(request["StackPolicyBody"])["Statement"]
    assert (request["StackName"], allowed["Effect"], allowed["Action"]) == ("credits-prod", "Allow", "Update:*")
    of_tables = {
        "Effect": "Deny",
        "Action": ["Update:Replace", "Update:Delete"],
        "Principal": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"ResourceType": ["AWS::DynamoDB::Table"]}},
    }
    assert denied == [of_tables] * tables


@pytest.mark.parametrize(
    ("new", "environment", "lifted"),
    [(False, {"REPLACE_DATA": "1"}, True), (False, {}, False), (True, {"REPLACE_DATA": "1"}, False)],
)
def test_the_guard_of_the_tables_is_lifted_only_where_their_loss_is_intended(
    *, new: bool, environment: dict[str, str], lifted: bool
) -> None:
    account = proposing(execute_change_set=refused("InvalidChangeSetStatus"))

    with pytest.raises(DeploymentRefusedError):
        _executed(
            account.client("cloudformation"),
            replace(PROPOSAL, new=new),
            {"YES": "1", **environment},
            Console(file=StringIO()),
        )
    assert ("cloudformation.set_stack_policy" in [call for call, _ in account.asked]) == lifted


def test_a_tables_protection_waits_for_the_first_success() -> None:
    parameters: Any = [{"ParameterKey": "DeletionProtection", "ParameterValue": "true"}, {"ParameterKey": "Stage"}]

    assert _unprotected(parameters) == [
        {"ParameterKey": "DeletionProtection", "ParameterValue": "false"},
        {"ParameterKey": "Stage"},
    ]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    answer: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(client: Any, operation: str, request: dict[str, Any]) -> Any:
        ASKED.add(f"{client.meta.service_model.signing_name}:{operation}")
        return answer(client, operation, request)

    with ministack(tmp_path_factory.mktemp("account")) as url, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
        for name, value in FAKE_AWS_ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.xdist_group("deployment")
def test_a_stage_is_deployed_shown_first_changed_and_left_alone_when_nothing_changed(account: str) -> None:
    screen = StringIO()
    console = Console(file=screen, width=160)

    first = deploy_stage("dev", {"YES": "1", "PARAMETERS": EMULATED}, console)
    assert first["CreditsTableName"]
    assert "AWS::DynamoDB::Table" in screen.getvalue()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("sys.stdin", StringIO("n\n"))
        with pytest.raises(DeploymentRefusedError, match="not deployed"):
            deploy_stage("dev", {"PARAMETERS": EMULATED, "TRIAL_CREDITS": "7"}, console)
    second = deploy_stage("dev", {"YES": "1", "PARAMETERS": EMULATED, "TRIAL_CREDITS": "7"}, console)

    assert second["CreditsTableName"] == first["CreditsTableName"]
    assert second["Release"] != first["Release"]
    like = {
        "YES": "1",
        "SUFFIX": "-2",
        "LIKE": "credits-dev",
        "PARAMETERS": f"{EMULATED} DeletionProtection=true",
    }
    beside = deploy_stage("dev", like, console)
    assert beside["CreditsTableName"].startswith("credits-dev-2")
    dynamodb = aws_session().client("dynamodb")
    assert dynamodb.describe_table(TableName=beside["CreditsTableName"])["Table"]["DeletionProtectionEnabled"]
    settings = aws_session().client("lambda").get_function_configuration(FunctionName=beside["IngestEventsName"])
    assert settings["Environment"]["Variables"]["TRIAL_CREDITS"] == "7"
    screen.truncate(0)
    assert deploy_stage("dev", {"YES": "1", "PARAMETERS": EMULATED}, console)["Release"] == second["Release"]


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.xdist_group("deployment")
def test_a_deployment_that_does_not_get_there_says_what_failed(account: str) -> None:
    screen = Console(file=StringIO())

    with pytest.raises(DeploymentFailedError, match="Archive"):
        deploy_stage("dev", {"YES": "1", "PARAMETERS": "ArchiveDays=1 AlarmsOnSums=false"}, screen)


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.xdist_group("deployment")
def test_the_role_that_deploys_may_do_what_a_deployment_asks_and_nothing_else(account: str) -> None:
    """Last, after the deployments above."""
    del account
    (policy,) = yaml_parse((ROOT / "infra/deploying/github.yaml").read_text())["Resources"]["DeployRole"]["Properties"][
        "Policies"
    ]
    granted = {action for statement in policy["PolicyDocument"]["Statement"] for action in listed(statement["Action"])}
    asked = {ACTIONS.get(one, one) for one in ASKED - WITHOUT_RIGHT}

    assert asked | NOT_PLAYED == granted

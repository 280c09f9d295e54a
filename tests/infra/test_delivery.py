"""How a release reaches its callers: by aliases, bit by bit where the stage says so, and back at an alarm."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.packaging.lint import translated
from infra.packaging.stages import STAGES, values
from infra.packaging.yaml_text import yaml_parse

Resources = dict[str, dict[str, Any]]

FUNCTION, SCHEDULE = "AWS::Serverless::Function", "AWS::Scheduler::Schedule"
ROLLED_BACK_BY = ["ApiErrorsAlarm", "ApiLatencyAlarm", "StatusUnavailableAlarm", "ReleaseErrorsAlarm"]


@pytest.fixture(scope="session")
def production(packaged: Path) -> Resources:
    """Return what CloudFormation gets when the package is deployed with the values of prod."""
    found: Resources = json.loads(translated((packaged / "sam.yaml").read_text(), values("prod")))["Resources"]
    return found


def of_type(resources: Resources, resource_type: str) -> list[dict[str, Any]]:
    return [one for one in resources.values() if one["Type"] == resource_type]


@pytest.mark.slow
def test_stages_differ_by_their_name_and_the_hash_that_follows_from_it(packaged: Path, packaged_for_prod: Path) -> None:
    templates = [yaml_parse((folder / "sam.yaml").read_text()) for folder in (packaged, packaged_for_prod)]
    for template, stage in zip(templates, ("dev", "prod"), strict=True):
        assert template["Parameters"]["Stage"].pop("Default") == stage
        assert len(template["Parameters"]["Release"].pop("Default")) == 16

    assert templates[0] == templates[1]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_parameters_that_there_are(template: dict[str, Any], stage: str) -> None:
    for name, value in values(stage).items():
        allowed = template["Parameters"][name].get("AllowedValues")
        assert allowed is None or value in [str(one) for one in allowed]


def test_prod_protects_its_data_keeps_it_longer_and_moves_calls_bit_by_bit() -> None:
    dev, prod = values("dev"), values("prod")

    assert (prod["DeletionProtection"], prod["GradualDeployment"]) == ("true", "true")
    assert int(prod["ArchiveDays"]) > int(dev["ArchiveDays"]) > 0
    assert int(prod["LogRetentionDays"]) > int(dev["LogRetentionDays"]) > 0


def test_every_function_has_an_alias_whose_version_follows_the_release(template: dict[str, Any]) -> None:
    functions = of_type(template["Resources"], FUNCTION)

    assert template["Globals"]["Function"]["AutoPublishAlias"] == "live"
    assert {json.dumps(one["Properties"]["AutoPublishCodeSha256"]) for one in functions} == {'{"Ref": "Release"}'}


def test_a_stage_may_move_calls_bit_by_bit_until_an_alarm_goes_off(template: dict[str, Any]) -> None:
    preference = template["Globals"]["Function"]["DeploymentPreference"]
    *single, of_functions = preference["Alarms"]

    assert preference["Enabled"] == {"Ref": "GradualDeployment"}
    assert preference["Type"] == "Canary10Percent5Minutes"
    assert [one["Ref"] for one in single] == ROLLED_BACK_BY[:-1]
    assert of_functions == {"Fn::If": ["HasAlarmsOnSums", {"Ref": ROLLED_BACK_BY[-1]}, {"Ref": "ApiErrorsAlarm"}]}


def test_in_prod_every_alias_moves_gradually_and_back_by_the_same_alarms(
    production: Resources, template: dict[str, Any]
) -> None:
    aliases = [one for one in production.values() if one["Type"] == "AWS::Lambda::Alias"]
    groups = of_type(production, "AWS::CodeDeploy::DeploymentGroup")

    hooked = [one for one in aliases if "UpdatePolicy" in one]
    # All but the smoke test's own.
    assert len(aliases) - 1 == len(hooked) == len(groups) == len(of_type(template["Resources"], FUNCTION)) - 1
    for alias in hooked:
        moves = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert moves["BeforeAllowTrafficHook"] == {"Ref": "SmokeTest"}
    for group in groups:
        said = json.dumps(group["Properties"]["AlarmConfiguration"])
        assert all(alarm in said for alarm in ROLLED_BACK_BY)
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]


def test_the_api_names_a_version_of_openapi_else_sam_makes_a_second_stage(template: dict[str, Any]) -> None:
    assert template["Resources"]["RestAPI"]["Properties"]["OpenApiVersion"] == "2.0"


def test_the_api_has_one_stage_with_limits_and_logs(production: Resources) -> None:
    (stage,) = of_type(production, "AWS::ApiGateway::Stage")
    (deployment,) = of_type(production, "AWS::ApiGateway::Deployment")

    assert "StageName" not in deployment["Properties"]
    assert stage["Properties"]["AccessLogSetting"]["DestinationArn"]
    assert stage["Properties"]["MethodSettings"][0]["ThrottlingRateLimit"]


def test_queues_streams_and_schedules_wake_aliases(production: Resources) -> None:
    sources = of_type(production, "AWS::Lambda::EventSourceMapping")
    scheduled = [one["Properties"]["Target"]["Arn"] for one in of_type(production, SCHEDULE)]

    assert sources
    assert scheduled
    for reference in [one["Properties"]["FunctionName"] for one in sources] + scheduled:
        assert reference["Ref"].endswith("Aliaslive")


def test_no_rule_calls_by_the_clock(production: Resources) -> None:
    assert not [one for one in of_type(production, "AWS::Events::Rule") if "ScheduleExpression" in one["Properties"]]


def test_without_gradual_deployment_nothing_of_it_is_set_up(packaged: Path) -> None:
    resources = json.loads(translated((packaged / "sam.yaml").read_text(), values("dev")))["Resources"]

    assert not [one["Type"] for one in resources.values() if "CodeDeploy" in one["Type"]]
    assert "UpdatePolicy" not in resources["APIHandlerAliaslive"]


def test_admins_get_their_right_by_a_policy_of_its_own(resources: Resources) -> None:
    policy = resources["AdjustCreditsPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Type"] == "AWS::IAM::ManagedPolicy"
    assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
    assert statement["Resource"] == {"Ref": "AdjustCredits.Alias"}


def test_the_outputs_name_what_to_invoke(template: dict[str, Any]) -> None:
    for function in ("AdjustCredits", "SetThreshold"):
        assert template["Outputs"][f"{function}AliasArn"] == {"Value": {"Ref": f"{function}.Alias"}}

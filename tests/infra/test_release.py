"""`make deploy`: what it passes on, what it refuses, and a whole deployment into the emulator."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from infra.deployment import DeploymentFailedError, release
from infra.region import REGION
from infra.release import (
    Change,
    DeploymentRefusedError,
    _ask,
    _parameters,
    _refuse_loss,
    deploy_stage,
)
from infra.stages import UnknownStageError, values
from tests.engines import FAKE_AWS_ENVIRONMENT, ministack

EMULATED = "ArchiveDays=0 AlarmsOnSums=false GradualDeployment=false"
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
    found = _parameters(template["Parameters"], "prod", values("prod"), environment, before)
    return {one["ParameterKey"]: one.get("ParameterValue", one.get("UsePreviousValue")) for one in found}


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
    with pytest.raises(DeploymentRefusedError, match="TrialCredit"):
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

    _ask("credits-prod", {"YES": "1"}, console)
    if goes_on:
        _ask("credits-prod", {}, console)
    else:
        with pytest.raises(DeploymentRefusedError):
            _ask("credits-prod", {}, console)


def test_a_stage_that_there_is_not_is_said_with_those_that_there_are() -> None:
    with pytest.raises(UnknownStageError, match="dev, prod"):
        deploy_stage("live", {}, Console(file=StringIO()))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("account")) as url, pytest.MonkeyPatch.context() as monkeypatch:
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
    screen.truncate(0)
    assert deploy_stage("dev", {"YES": "1", "PARAMETERS": EMULATED}, console)["Release"] == second["Release"]


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.xdist_group("deployment")
def test_a_deployment_that_does_not_get_there_says_what_failed(account: str) -> None:
    screen = Console(file=StringIO())

    with pytest.raises(DeploymentFailedError, match="Archive"):
        deploy_stage("dev", {"YES": "1", "PARAMETERS": "ArchiveDays=1 AlarmsOnSums=false"}, screen)

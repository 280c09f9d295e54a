"""The package in the emulator: it comes up, changes with its parameters, and says why when it does not."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.deploying.emulator import DeploymentFailedError, api_address, deploy, emulator_client
from tests.support.engines import ministack

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("deployment")]

STACK = "credits-test"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(scope="module")
def outputs(endpoint: str, packaged: Path) -> dict[str, str]:
    return deploy(endpoint, "dev", STACK, {}, package=packaged)


def variables(endpoint: str, function: str) -> dict[str, str]:
    """Return the environment of the version that callers get."""
    configuration = emulator_client(endpoint, "lambda").get_function_configuration(
        FunctionName=function, Qualifier="live"
    )
    found: dict[str, str] = configuration["Environment"]["Variables"]
    return found


def test_every_resource_of_the_stack_comes_up(endpoint: str, outputs: dict[str, str]) -> None:
    summaries = emulator_client(endpoint, "cloudformation").list_stack_resources(StackName=STACK)[
        "StackResourceSummaries"
    ]

    assert {one["ResourceStatus"] for one in summaries} == {"CREATE_COMPLETE"}


def test_a_function_gets_the_names_of_the_resources_that_came_up(endpoint: str, outputs: dict[str, str]) -> None:
    found = variables(endpoint, outputs["IngestEventsName"])

    assert found["CREDITS_TABLE"] == outputs["CreditsTableName"]
    assert found["DEAD_LETTER_QUEUE_URL"] == outputs["DeadLetterQueueUrl"]


def test_a_route_that_does_not_exist_is_a_problem_not_an_accusation(endpoint: str, outputs: dict[str, str]) -> None:
    asked = urllib.request.Request(  # noqa: S310 - a loopback address
        f"{api_address(endpoint, 'dev', outputs)}/api/v1/nowhere", headers={"X-Correlation-ID": "asked by a test"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)  # noqa: S310 - the same

    problem = json.loads(refused.value.read())
    assert refused.value.headers["X-Correlation-ID"] == "asked by a test"
    assert refused.value.headers["X-Request-Id"] == problem["meta"]["request_id"]
    assert "$" not in json.dumps(problem)
    assert refused.value.headers["Content-Type"] == "application/problem+json"
    assert (refused.value.code, problem["status"], problem["error"]["code"]) == (404, 404, "NOT_FOUND")


def test_a_deployment_with_nothing_changed_leaves_the_stack_as_it_is(
    endpoint: str, packaged: Path, outputs: dict[str, str]
) -> None:
    assert deploy(endpoint, "dev", STACK, {}, package=packaged) == outputs


def test_a_changed_parameter_reaches_the_functions_and_moves_no_table(
    endpoint: str, packaged: Path, outputs: dict[str, str]
) -> None:
    updated = deploy(endpoint, "dev", STACK, {"TrialCredits": "7"}, package=packaged)

    assert updated | {"Release": ""} == outputs | {"Release": ""}
    assert updated["Release"] != outputs["Release"]
    assert variables(endpoint, outputs["IngestEventsName"])["TRIAL_CREDITS"] == "7"


def states(cloudwatch: Any) -> dict[str, str]:
    found = cloudwatch.describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(f"{STACK}-"): alarm["StateValue"] for alarm in found}


def say(cloudwatch: Any, *, beyond: float) -> None:
    """Say of every alarm's metric that it is so much beyond the alarm's threshold."""
    for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]:
        datum = {
            "MetricName": alarm["MetricName"],
            "Dimensions": alarm["Dimensions"],
            "Value": alarm["Threshold"] + beyond,
        }
        cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def test_every_alarm_on_one_metric_goes_off_beyond_its_threshold_and_not_before(
    endpoint: str, outputs: dict[str, str]
) -> None:
    cloudwatch = emulator_client(endpoint, "cloudwatch")

    say(cloudwatch, beyond=0)
    assert "ALARM" not in states(cloudwatch).values()
    say(cloudwatch, beyond=1)

    # Those on several metrics are unknown to the emulator; tests/infra/test_alarms.py compares what they watch.
    assert states(cloudwatch) == dict.fromkeys(
        (
            "api-errors",
            "api-latency",
            "bridge-dropped",
            "bridge-heartbeat",
            "bridge-streams",
            "bridge-waiting",
            "dead-letters",
            "due-lag",
            "inbox-age",
            "inbox-in-flight",
            "waiting",
            "ledger-drift",
            "outbox-age",
            "outbox-dead-letters",
            "public-api-latency",
            "schedule-dead-letters",
            "status-unavailable",
            "stream-dead-letters",
        ),
        "ALARM",
    )


def test_a_parameter_that_the_template_refuses_is_said(endpoint: str, packaged: Path) -> None:
    with pytest.raises(DeploymentFailedError, match="OrderCreditBasis"):
        deploy(endpoint, "dev", "credits-refused", {"OrderCreditBasis": "moon"}, package=packaged)


def test_a_resource_that_does_not_come_up_is_named(endpoint: str, packaged: Path, tmp_path: Path) -> None:
    template = (packaged / "sam.yaml").read_text()
    (tmp_path / "sam.yaml").write_text(template.replace("VisibilityTimeout: 190", "VisibilityTimeout: 999999"))
    (tmp_path / "deployment.zip").symlink_to(packaged / "deployment.zip")

    with pytest.raises(DeploymentFailedError, match=r"InboxQueue: .*VisibilityTimeout"):
        deploy(endpoint, "dev", "credits-broken", {}, package=tmp_path)

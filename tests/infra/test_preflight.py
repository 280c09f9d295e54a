"""What is looked at before anything is made: limits, names, the bucket, the gateway's logs, and who asks."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from infra.deploying.preflight import BUS_LOGS, FUNCTIONS, ROLES_MADE, Obstacle, Plan, obstacles, plan_of, shown
from infra.packaging.stages import values
from tests.support.fake_account import Answer, FakeAccount, refused

STACK = "credits-prod"
NEW: dict[str, Answer] = {
    "sts.get_caller_identity": {"Account": "123456789012"},
    "lambda.get_account_settings": {
        "AccountLimit": {
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
            "TotalCodeSize": 80_000_000_000,
        },
        "AccountUsage": {"TotalCodeSize": 0},
    },
    "iam.get_account_summary": {
        "SummaryMap": {"Roles": 10, "RolesQuota": 1000, "Policies": 0, "PoliciesQuota": 1500},
    },
    "events.list_event_buses": {"EventBuses": [{"Name": "credits-prod-2"}]},
    "logs.describe_log_groups": {"logGroups": [{"logGroupName": "/aws/lambda/credits-prod-2-api"}]},
    "logs.describe_resource_policies": {"resourcePolicies": [{"policyName": f"other-{one}"} for one in range(9)]},
    "scheduler.list_schedule_groups": {"ScheduleGroups": [{"Name": "credits-prod-2"}]},
    "s3.head_bucket": refused("404"),
    "apigateway.get_account": {},
}
"""A new account in which nothing is in the way; another stack of the stage is there."""


OWN_LOG = f"/aws/lambda/{STACK}-api"
OTHERS = [{"logGroupName": f"/aws/lambda/{STACK}-2-{one}"} for one in range(50)]
POLICIES = [{"policyName": f"other-{one}"} for one in range(10)]
ALL_POLICIES: dict[str, Answer] = {"logs.describe_resource_policies": {"resourcePolicies": POLICIES}}


def plan(before: dict[str, str] | None = None, **chosen: str) -> Plan:
    return Plan(
        stack=STACK, account="123456789012", region="eu-west-1", values={**values("prod"), **chosen}, before=before
    )


def found(changed: dict[str, Answer], asked: Plan | None = None) -> list[Obstacle]:
    return list(obstacles(FakeAccount({**NEW, **changed}).client, asked or plan()))


def concurrency(limit: int, unreserved: int, used: int = 0) -> dict[str, Answer]:
    limits = {
        "ConcurrentExecutions": limit,
        "UnreservedConcurrentExecutions": unreserved,
        "TotalCodeSize": 80_000_000_000,
    }
    return {"lambda.get_account_settings": {"AccountLimit": limits, "AccountUsage": {"TotalCodeSize": used}}}


def test_nothing_is_in_the_way_of_a_new_account() -> None:
    assert found({}) == []


@pytest.mark.parametrize(("limit", "most"), [(10, 0), (50, 0), (300, 200)])
def test_a_young_account_cannot_reserve_what_prod_asks_for(limit: int, most: int) -> None:
    (finding,) = found(concurrency(limit, limit))

    assert finding.stops
    assert f"this account may run {limit} copies at once" in finding.text
    assert f"ApiConcurrency={most}" in finding.text


@pytest.mark.parametrize(
    ("chosen", "before", "unreserved", "stops"),
    [
        ({"ApiConcurrency": "0"}, None, 10, False),
        ({}, {"ApiConcurrency": "300"}, 100, False),
        ({}, {"ApiConcurrency": "200"}, 200, False),
        ({}, {"ApiConcurrency": "200"}, 199, True),
    ],
    ids=["none asked for", "already reserved", "just enough", "one too few"],
)
def test_what_the_stack_has_reserved_already_counts(
    chosen: dict[str, str], before: dict[str, str] | None, unreserved: int, *, stops: bool
) -> None:
    assert [one.stops for one in found(concurrency(1000, unreserved), plan(before, **chosen))] == [True] * stops


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (concurrency(1000, 1000, used=79_900_000_000), "79.9 of 80.0 GB"),
        (
            {
                "iam.get_account_summary": {
                    "SummaryMap": {"Roles": 990, "RolesQuota": 1000, "Policies": 0, "PoliciesQuota": 9}
                }
            },
            "990 of 1000 are there",
        ),
        ({"events.list_event_buses": {"EventBuses": [{"Name": STACK}]}}, f"an event bus {STACK}"),
        (
            {"logs.describe_log_groups": {"logGroups": [{"logGroupName": f"/aws/lambda/{STACK}-api"}]}},
            f"a log group /aws/lambda/{STACK}-api",
        ),
        (
            {"logs.describe_log_groups": {"logGroups": [{"logGroupName": f"{BUS_LOGS}{STACK}"}]}},
            f"a log group {BUS_LOGS}{STACK}",
        ),
        (
            {"logs.describe_log_groups": [{"logGroups": OTHERS}, {"logGroups": [{"logGroupName": OWN_LOG}]}]},
            f"a log group {OWN_LOG}",
        ),
        ({"scheduler.list_schedule_groups": {"ScheduleGroups": [{"Name": STACK}]}}, f"a group of schedules {STACK}"),
        (
            {"scheduler.list_schedule_groups": [{"ScheduleGroups": []}, {"ScheduleGroups": [{"Name": STACK}]}]},
            f"a group of schedules {STACK}",
        ),
        (ALL_POLICIES, "10 resource policies and takes no more"),
        (
            {
                "logs.describe_resource_policies": [
                    {"resourcePolicies": POLICIES[:6]},
                    {"resourcePolicies": POLICIES[6:]},
                ]
            },
            "10 resource policies and takes no more",
        ),
        ({"s3.head_bucket": refused("403")}, "credits-releases-123456789012-eu-west-1 for releases cannot be used"),
    ],
    ids=[
        "code",
        "roles",
        "bus",
        "logs",
        "log of the bus",
        "log on page 2",
        "schedules",
        "schedules on page 2",
        "log policies",
        "log policies on two pages",
        "bucket",
    ],
)
def test_what_would_make_a_creation_fail_is_said_before(changed: dict[str, Answer], text: str) -> None:
    stopping = [one for one in found(changed) if one.stops]

    assert stopping
    assert all(text in one.text for one in stopping)


def test_the_release_bucket_is_asked_for_with_this_account_as_its_owner() -> None:
    account = FakeAccount(NEW)

    list(obstacles(account.client, plan()))

    named = {"Bucket": "credits-releases-123456789012-eu-west-1", "ExpectedBucketOwner": "123456789012"}
    assert ("s3.head_bucket", named) in account.asked


@pytest.mark.parametrize(
    ("chosen", "stops"),
    [
        ({}, []),
        ({"Edge": "on"}, []),
        ({"Edge": "off", "EdgeRequestsPerAddress": "500"}, []),
        ({"Edge": "on", "EdgeRequestsPerAddress": "500"}, [True]),
        ({"Edge": "on", "PublicApi": "false"}, [False]),
    ],
)
def test_a_limit_for_the_edge_is_made_in_one_region_only(chosen: dict[str, str], stops: list[bool]) -> None:
    assert [one.stops for one in found({}, plan(None, **chosen))] == stops


def test_a_bus_without_a_log_needs_no_policy_and_one_that_is_there_counts_once() -> None:
    assert found(ALL_POLICIES, plan(BusLogLevel="OFF")) == []
    named = [{"policyName": f"{STACK}-bus-log"}, *({"policyName": f"other-{one}"} for one in range(9))]
    assert found({"logs.describe_resource_policies": {"resourcePolicies": named}}) == []


def test_what_stands_from_the_last_deployment_counts_as_what_is_given() -> None:
    stands = {"BusLogLevel": "OFF", "Edge": "on", "EdgeRequestsPerAddress": "500"}
    before = {"Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in stands.items()]}
    account = FakeAccount({**NEW, **ALL_POLICIES}).client

    kept = plan_of(account, STACK, "eu-west-1", values("prod"), before)
    given = plan_of(account, STACK, "eu-west-1", {**values("prod"), "EdgeRequestsPerAddress": "0"}, before)

    assert ["EdgeRequestsPerAddress works in us-east-1" in one.text for one in obstacles(account, kept)] == [True]
    assert list(obstacles(account, given)) == []


def test_the_roles_that_a_stack_makes_are_not_more_than_are_counted(resources: dict[str, dict[str, Any]]) -> None:
    made = [name for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"]
    groups = {one["Properties"]["LogGroupName"]["Fn::Sub"] for one in resources.values() if "LogGroup" in one["Type"]}

    assert len(FUNCTIONS) < len(made) <= ROLES_MADE
    assert {f"/aws/lambda/${{AWS::StackName}}-{one}" for one in FUNCTIONS} <= groups


@pytest.mark.parametrize("service", ["events.list_event_buses", "logs.describe_log_groups", "iam.get_account_summary"])
def test_a_stack_that_is_there_may_have_its_own_names(service: str) -> None:
    account = FakeAccount(NEW)

    assert list(obstacles(account.client, plan({"ApiConcurrency": "300"}))) == []
    assert service not in [name for name, _ in account.asked]


def test_the_gateways_logs_are_left_to_whoever_writes_them_already() -> None:
    taken: dict[str, Answer] = {"apigateway.get_account": {"cloudwatchRoleArn": "arn:theirs"}}

    (finding,) = found(taken)

    assert (finding.stops, "arn:theirs" in finding.text) == (False, True)
    assert found(taken, plan(ManageGatewayAccount="false")) == []


def test_what_may_not_be_asked_stops_nobody() -> None:
    (finding,) = found({"iam.get_account_summary": refused("AccessDenied")})

    assert (finding.stops, "the caller has no right to read it" in finding.text) == (False, True)


def test_whose_account_it_is_comes_from_the_credentials() -> None:
    before = {"Parameters": [{"ParameterKey": "ApiConcurrency", "ParameterValue": "5"}]}

    found_plan = plan_of(FakeAccount(NEW).client, STACK, "eu-west-1", {}, before)

    assert (found_plan.account, found_plan.region, found_plan.reserved) == ("123456789012", "eu-west-1", 5)


@pytest.mark.parametrize(("stops", "goes_on"), [(True, False), (False, True)])
def test_a_finding_is_shown_and_stops_what_it_must(*, stops: bool, goes_on: bool) -> None:
    screen = StringIO()

    assert shown([Obstacle(text="too few", stops=stops)], Console(file=screen)) is goes_on
    assert screen.getvalue() == f"{'✗' if stops else '!'} too few\n"

"""What GitHub's deployments may do: what CloudFormation needs, to the action, and never more than the boundary."""

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.deploying.cloudformation_rights import BESIDE_SCHEMAS, READ_ALL_THE_SAME, UNUSED, needed, of_schema
from infra.packaging.dependencies import ROOT
from infra.packaging.lint import translated
from infra.packaging.refusals.policies import INLINE_BYTES, MANAGED_BYTES, length
from infra.packaging.refusals.resolved import listed
from infra.packaging.stages import STAGES, values
from infra.packaging.yaml_text import yaml_parse

Statements = list[dict[str, Any]]

WITHOUT_RESOURCE = {
    "access-analyzer:ValidatePolicy",
    "cloudwatch:DescribeAlarms",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "events:ListEventBuses",
    "iam:GetAccountSummary",
    "lambda:CreateEventSourceMapping",
    "lambda:GetAccountSettings",
    "lambda:GetEventSourceMapping",
    "logs:CreateLogDelivery",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DeleteLogDelivery",
    "logs:DeleteResourcePolicy",
    "logs:DescribeDeliveries",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutLogEvents",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "scheduler:ListScheduleGroups",
}
"""What may be granted on everything: the calls know no resource, or write the log of a whole account."""
CODE_DEPLOY = {"lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"}
API_GATEWAY = {"logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:DescribeLogStreams"}
"""What the two services do by managed policies of AWS."""


@cache
def github() -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((ROOT / "infra/deploying/github.yaml").read_text())["Resources"]
    return found


def inline(role: str) -> Statements:
    (policy,) = github()[role]["Properties"]["Policies"]
    found: Statements = policy["PolicyDocument"]["Statement"]
    return found


def attached(policy: str) -> Statements:
    found: Statements = github()[policy]["Properties"]["PolicyDocument"]["Statement"]
    return found


def statements(role: str) -> Statements:
    """Return what a role may do, by its own policy and by those of this template that are attached to it."""
    others = [one["Ref"] for one in github()[role]["Properties"].get("ManagedPolicyArns", [])]
    return [*inline(role), *(statement for one in others for statement in attached(one))]


def boundary() -> Statements:
    return attached("Boundary")


def actions(found: Statements) -> set[str]:
    return {action for one in found for action in listed(one["Action"])}


@pytest.fixture(scope="module")
def types(packaged: Path) -> set[str]:
    """Return the types of all resources of all stages, those of a condition that does not hold among them."""
    found: set[str] = set()
    for stage in STAGES:
        template = json.loads(translated((packaged / "sam.yaml").read_text(), values(stage)))
        found |= {one["Type"] for one in template["Resources"].values()}
    return found


def test_the_role_of_deployments_may_do_what_the_schemas_of_the_resources_ask(types: set[str]) -> None:
    assert actions(statements("CloudFormationRole")) == needed(types)


def test_every_exception_is_needed_and_argued(types: set[str]) -> None:
    of_schemas = frozenset[str]().union(*(of_schema(one) for one in types))

    assert all(any(fnmatchcase(action, pattern) for action in of_schemas) for pattern in UNUSED)
    assert all(UNUSED.values())
    assert of_schemas >= READ_ALL_THE_SAME
    assert not of_schemas & BESIDE_SCHEMAS.keys() - {
        "cloudwatch:DescribeAlarms",
        *(action for action in BESIDE_SCHEMAS if action.startswith("logs:")),
    }


def test_event_sources_can_be_tagged() -> None:
    (sources,) = (one for one in statements("CloudFormationRole") if one["Sid"] == "Sources")

    assert {"lambda:TagResource", "lambda:UntagResource"} <= set(listed(sources["Action"]))
    assert "event-source-mapping" in str(sources["Resource"])


@pytest.mark.parametrize("found", [statements("CloudFormationRole"), statements("DeployRole"), boundary()])
def test_nothing_is_granted_by_a_pattern_and_little_on_everything(found: Statements) -> None:
    assert not [action for action in actions(found) if "*" in action]
    for statement in found:
        if "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE


def test_roles_are_made_and_changed_within_the_boundary_only() -> None:
    within = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:AttachRolePolicy"}
    for statement in statements("CloudFormationRole"):
        if within & set(listed(statement["Action"])):
            assert statement["Condition"]["StringEquals"] == {"iam:PermissionsBoundary": {"Ref": "Boundary"}}
    assert "iam:DeleteRolePermissionsBoundary" not in actions(statements("CloudFormationRole"))


def test_no_deployment_can_change_the_boundary_or_the_roles_that_deploy() -> None:
    name = github()["Boundary"]["Properties"]["ManagedPolicyName"]["Fn::Sub"]
    own = [
        text["Fn::Sub"].rsplit("/", 1)[-1]
        for statement in statements("CloudFormationRole")
        if any(action.startswith("iam:") for action in listed(statement["Action"]))
        and statement["Sid"] != "RoleOfContributorInsights"
        for text in listed(statement["Resource"])
    ]

    assert set(own) == {"credits-${Stage}*"}
    for stage in STAGES:
        pattern = own[0].replace("${Stage}", stage)
        assert not fnmatchcase(name.replace("${Stage}", stage), pattern)
        assert not fnmatchcase(f"credits-github-{stage}-CloudFormationRole-x", pattern)


def test_roles_are_handed_to_the_services_that_the_roles_of_the_stack_trust_and_no_others(packaged: Path) -> None:
    (passing,) = [one for one in statements("CloudFormationRole") if "iam:PassRole" in listed(one["Action"])]
    template: dict[str, Any] = yaml_parse((packaged / "sam.yaml").read_text())["Resources"]
    trusted = {
        statement["Principal"]["Service"]
        for one in template.values()
        if one["Type"] == "AWS::IAM::Role"
        for statement in one["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }

    assert passing["Condition"]["StringEquals"]["iam:PassedToService"] == sorted(trusted)
    assert "scheduler.amazonaws.com" in trusted


def test_policies_of_aws_are_attached_only_where_a_role_of_a_service_needs_them(packaged: Path) -> None:
    (attaching,) = [one for one in statements("CloudFormationRole") if "iam:AttachRolePolicy" in listed(one["Action"])]
    template: dict[str, Any] = yaml_parse((packaged / "sam.yaml").read_text())["Resources"]
    used = [arn for one in template.values() for arn in one.get("Properties", {}).get("ManagedPolicyArns", [])]

    assert sorted(map(str, attaching["Condition"]["ArnEquals"]["iam:PolicyARN"])) == sorted(map(str, used))


def test_the_boundary_allows_what_the_roles_of_the_stack_do_and_nothing_of_administrators(packaged: Path) -> None:
    template: dict[str, Any] = yaml_parse((packaged / "sam.yaml").read_text())["Resources"]
    granted = {
        action
        for one in template.values()
        if one["Type"] == "AWS::IAM::Role"
        for policy in one["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed((statement["Fn::If"][1] if "Fn::If" in statement else statement)["Action"])
    }
    of_services = CODE_DEPLOY | API_GATEWAY | {"cloudwatch:DescribeAlarms"}

    assert granted | of_services == actions(boundary())
    assert not {action for action in actions(boundary()) if action.split(":")[0] in ("iam", "sts", "cloudformation")}


def test_keys_are_used_through_services_of_the_accounts_own_partition() -> None:
    (keys,) = [one for one in boundary() if one["Sid"] == "KeysOfKeys"]

    assert keys["Condition"]["StringLike"]["kms:ViaService"] == [
        {"Fn::Sub": f"{service}.*.${{AWS::URLSuffix}}"} for service in ("secretsmanager", "ssm")
    ]


def test_the_policies_fit() -> None:
    assert length({"Statement": inline("CloudFormationRole")}) < INLINE_BYTES
    assert length({"Statement": inline("DeployRole")}) < INLINE_BYTES
    assert length({"Statement": attached("ServingPolicy")}) < MANAGED_BYTES
    assert length({"Statement": boundary()}) < MANAGED_BYTES

"""What AWS refuses: each rule finds what it is for, in the template of 2026-11-25 too, and nothing in today's."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.deploying.names import PATTERN
from infra.packaging.dependencies import ROOT
from infra.packaging.lint import translated
from infra.packaging.refusals.deliveries import LOG_TYPES
from infra.packaging.refusals.policies import global_names
from infra.packaging.refusals.resolved import resources as in_effect
from infra.packaging.refusals.rules import RULES, refusals
from infra.packaging.refusals.schedules import STACK_CHARACTERS
from infra.packaging.refusals.wiring import reserved_copies
from infra.packaging.stages import STAGES, values
from infra.packaging.yaml_text import yaml_parse
from tests.support.refused import (
    OLD,
    OTHERS,
    Resource,
    delivered,
    edge,
    hooked,
    kept,
    looping,
    public,
    resource,
    scheduled,
    searching,
)


def said(template: dict[str, Resource]) -> list[str]:
    return list(refusals(json.dumps({"Resources": template}), {}))


@pytest.mark.parametrize(("item", "rule", "template", "text"), OLD, ids=[f"{one[0]}-{one[1]}" for one in OLD])
def test_the_old_templates_faults_are_named(item: int, rule: str, template: dict[str, Resource], text: str) -> None:
    del item

    assert any(one.startswith(f"AWS: {rule} ") and text in one for one in said(template))


@pytest.mark.parametrize(("rule", "template", "text"), OTHERS, ids=[f"{one[0]}: {one[2]}" for one in OTHERS])
def test_a_rule_names_what_breaks_it(rule: str, template: dict[str, Resource], text: str) -> None:
    assert any(one.startswith(f"AWS: {rule} ") and text in one for one in said(template))


@pytest.mark.parametrize(("name", "called"), [("credits-smoke", True), ("CodeDeployHook_smoke", False)])
def test_a_hook_that_codedeploy_may_call_and_that_reports_breaks_no_rule(name: str, called: bool) -> None:
    assert said(hooked(name, called=called, reporting=True)) == []


@pytest.mark.parametrize(
    "template",
    [
        scheduled(),
        scheduled("cron(17 3 * * ? *)"),
        scheduled("at(2026-12-01T00:00:00)"),
        scheduled(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
        public("ANY /a", "GET /a/{id}", "$default"),
        {"Edge": edge("/a/batch", "/a/*"), "Policy": kept(0, 0, 60)},
        searching('\\"${AWS::StackName}\\",service,\\"reference_type\\"'),
        searching("Credits,service", "total"),
        looping(RecursiveLoop="Allow"),
        delivered("OFF"),
        delivered("ERROR", "ERROR_LOGS"),
        delivered("INFO", "ERROR_LOGS", "INFO_LOGS", before="DERROR_LOGS"),
    ],
)
def test_what_aws_takes_breaks_no_rule(template: dict[str, Resource]) -> None:
    assert said(template) == []


def test_the_longest_name_of_a_stack_is_the_one_that_the_rules_count_with() -> None:
    assert PATTERN.fullmatch("x" * STACK_CHARACTERS)
    assert not PATTERN.fullmatch("x" * (STACK_CHARACTERS + 1))


@pytest.mark.slow
@pytest.mark.parametrize("level", ["OFF", *LOG_TYPES])
def test_todays_template_breaks_no_rule_at_any_level_of_the_buss_log(packaged: Path, level: str) -> None:
    given = {**values("prod"), "BusLogLevel": level, "Stage": "prod"}

    assert list(refusals(translated((packaged / "sam.yaml").read_text(), given), given)) == []


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["0", "2000"])
def test_nor_does_it_with_an_edge(packaged: Path, limit: str) -> None:
    given = {**values("prod"), "Edge": "on", "EdgeRequestsPerAddress": limit, "Stage": "prod"}

    assert list(refusals(translated((packaged / "sam.yaml").read_text(), given), given)) == []


def test_every_rule_has_a_source_and_an_extract_that_breaks_it() -> None:
    assert {rule.name for rule in RULES} == {one[1] for one in OLD} | {one[0] for one in OTHERS}
    assert all(rule.source.startswith("https://docs.aws.amazon.com/") for rule in RULES)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_todays_template_breaks_no_rule(packaged: Path, stage: str) -> None:
    given = {**values(stage), "Stage": stage}

    assert list(refusals(translated((packaged / "sam.yaml").read_text(), given), given)) == []


@pytest.mark.parametrize("beside", ["deploying/github.yaml", "bridge/ecs.yaml", "finance/ledger.yaml"])
def test_nor_does_a_template_beside_it_take_a_name_from_another_region(beside: str) -> None:
    template = yaml_parse((ROOT / "infra" / beside).read_text())

    assert list(global_names(in_effect(template, {}))) == []


@pytest.mark.slow
def test_nor_does_it_with_the_buses_of_partners(packaged: Path) -> None:
    buses = {"ShopifyEventBus": "aws.partner/shopify.com/1/credits", "StripeEventBus": "aws.partner/stripe.com/1/x"}
    given = {**values("prod"), **buses, "Stage": "prod"}

    assert list(refusals(translated((packaged / "sam.yaml").read_text(), given), given)) == []


@pytest.mark.slow
@pytest.mark.xdist_group("linter")
def test_a_package_that_breaks_a_rule_is_refused_with_the_other_findings(found_in_broken: list[str]) -> None:
    assert any("alarm-few-samples ApiLatencyAlarm" in one for one in found_in_broken)


def test_a_young_account_has_too_few_copies_for_a_reservation() -> None:
    function = {"F": resource("Lambda::Function", ReservedConcurrentExecutions="300")}

    assert list(reserved_copies(function, 1000)) == []
    assert "300 copies reserved of 10" in next(reserved_copies(function, 10))


TEMPLATE: dict[str, Any] = {
    "Parameters": {"Copies": {"Default": 0}, "Name": {"Default": "x"}},
    "Conditions": {
        "Few": {"Fn::Equals": [{"Ref": "Copies"}, 0]},
        "Many": {"Fn::Not": [{"Condition": "Few"}]},
        "Both": {"Fn::And": [{"Condition": "Few"}, {"Condition": "Many"}]},
        "Either": {"Fn::Or": [{"Condition": "Few"}, {"Condition": "Many"}]},
    },
    "Resources": {
        "Always": {
            "Type": "T",
            "Properties": {
                "Copies": {"Fn::If": ["Many", {"Ref": "Copies"}, {"Ref": "AWS::NoValue"}]},
                "List": [{"Fn::If": ["Many", "many", {"Ref": "AWS::NoValue"}]}, "last"],
                "Text": {"Fn::Sub": "${Name} of ${Always}"},
            },
        },
        "Sometimes": {"Type": "T", "Condition": "Both"},
        "Mostly": {"Type": "T", "Condition": "Either"},
    },
}


@pytest.mark.parametrize(
    ("copies", "properties"),
    [
        ("0", {"List": ["last"], "Text": {"Fn::Sub": "x of ${Always}"}}),
        ("3", {"Copies": "3", "List": ["many", "last"], "Text": {"Fn::Sub": "x of ${Always}"}}),
    ],
)
def test_conditions_and_parameters_are_resolved_as_cloudformation_would(
    copies: str, properties: dict[str, Any]
) -> None:
    found = in_effect(TEMPLATE, {"Copies": copies})

    assert found.keys() == {"Always", "Mostly"}
    assert found["Always"]["Properties"] == properties


def test_a_condition_that_cloudformation_refuses_is_named() -> None:
    template = {"Conditions": {"Odd": {"Fn::Join": ["", []]}}, "Resources": {"Queue": {"Condition": "Odd"}}}

    with pytest.raises(ValueError, match="Fn::Join in a condition"):
        in_effect(template, {})

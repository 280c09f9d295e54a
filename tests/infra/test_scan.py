"""What the policy scanner finds is argued, or said; and the workflows hold no key and nothing that can move."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.packaging.dependencies import ROOT
from infra.packaging.yaml_text import yaml_parse
from infra.scanning.scan import FailedCheck, exceptions, unargued
from tests.support.linted import findings_of_cloudformation

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ARGUED = {"CKV_1": {"resources": "*Table", "reason": "There is a reason and it has more than eight words."}}
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")


def found(check: str, resource: str) -> FailedCheck:
    return FailedCheck(check=check, sentence="Ensure it", resource=resource)


def test_an_argued_finding_passes() -> None:
    assert list(unargued({found("CKV_1", "CreditsTable")}, ARGUED)) == []


@pytest.mark.parametrize(
    ("check", "resource"), [("CKV_1", "InboxQueue"), ("CKV_2", "CreditsTable")], ids=["another thing", "another check"]
)
def test_a_finding_that_nobody_argued_is_said(check: str, resource: str) -> None:
    said = list(unargued({found("CKV_1", "CreditsTable"), found(check, resource)}, ARGUED))

    assert said == [f"{check} {resource}: Ensure it"]


def test_an_exception_that_is_not_needed_is_said() -> None:
    assert list(unargued(set(), ARGUED)) == ["CKV_1 *Table: this exception is not needed any more"]


def test_an_exception_without_a_reason_is_said() -> None:
    argued = {"CKV_1": {"resources": ["CreditsTable"], "reason": "because"}}

    assert list(unargued({found("CKV_1", "CreditsTable")}, argued)) == ["CKV_1: the exception has no reason"]


def test_every_exception_of_ours_has_a_reason() -> None:
    findings = {
        found(check, str(pattern).replace("*", "X"))
        for check, one in exceptions().items()
        for pattern in (one["resources"] if isinstance(one["resources"], list) else [one["resources"]])
    }

    assert list(unargued(findings, exceptions())) == []


def test_the_roles_of_github_are_clean_for_the_linter() -> None:
    assert findings_of_cloudformation(ROOT / "infra/deploying/github.yaml") == []


def test_only_one_repository_and_environment_becomes_the_role_that_deploys() -> None:
    resources = yaml_parse((ROOT / "infra/deploying/github.yaml").read_text())["Resources"]
    (trust,) = resources["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {"Fn::Sub": "repo:${Repository}:environment:${Stage}"},
        }
    }


def workflow(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse(path.read_text())
    return parsed


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())

    assert used
    for action in used:
        assert action.startswith("./.github/") or PINNED.fullmatch(action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_but_those_that_a_job_names_and_no_secret(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    assert "secrets." not in path.read_text()
    for job in workflow(path)["jobs"].values():
        assert "permissions" in job


def test_a_stage_is_deployed_after_the_checks_as_a_role_and_by_the_same_command() -> None:
    job = workflow(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"]

    assert job["needs"] == "check"
    assert job["permissions"]["id-token"] == "write"
    assert "${{" not in job["steps"][-1]["run"]
    assert "make deploy" in job["steps"][-1]["run"]

"""IAM Access Analyzer in a release: what it is asked, what stops, and that a caller without the right goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.deploying import aws
from infra.deploying.access_analyzer import IDENTITY, RESOURCE, TRUST, Document, Names, documents, flaws
from infra.deploying.preflight import Plan
from infra.packaging.lint import translated
from infra.packaging.refusals.resolved import Resources, resources
from infra.packaging.stages import STAGES, values
from tests.support import fake_account

ACCOUNT, REGION = "123456789012", "eu-west-1"
DOCUMENT = Document(name="IngestEventsRole", kind=IDENTITY, content={"Version": "2012-10-17", "Statement": []})


def finding(kind: str, code: str = "INVALID_ACTION") -> dict[str, Any]:
    details = "The action sqs:Sent does not exist."
    return {"findingType": kind, "issueCode": code, "findingDetails": details, "learnMoreLink": "https://docs"}


@dataclass(slots=True)
class Analyzer:
    """Returns two pages of findings for each policy, as the service does."""

    first: list[dict[str, Any]] = field(default_factory=list)
    second: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def get_paginator(self, operation: str) -> "Analyzer":
        assert operation == "validate_policy"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        if self.error:
            raise self.error
        self.asked.append(request)
        yield {"findings": self.first}
        yield {"findings": self.second}


@pytest.fixture(scope="module")
def found(packaged: Path) -> Resources:
    given = {**values("prod"), "Stage": "prod", "KmsKeyArn": "arn:aws:kms:eu-west-1:1:key/k", "RedisUrlParameter": "/r"}
    given |= {"JwtKeyParameter": "/jwt", "CursorKeyParameter": "/cursor", "MetricsPerMerchant": "on"}
    return resources(json.loads(translated((packaged / "sam.yaml").read_text(), given)), given)


def every(found: Resources) -> list[Document]:
    return list(documents(Names(found=found, stack="credits-prod", account=ACCOUNT, region=REGION)))


def test_every_role_queue_and_topic_is_asked_about_without_references(found: Resources) -> None:
    asked = every(found)
    kinds = {one["Type"] for one in found.values()}
    text = json.dumps([one.content for one in asked])

    assert {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::IAM::ManagedPolicy"} <= kinds
    for name, one in found.items():
        if one["Type"] == "AWS::IAM::Role":
            assert (name, RESOURCE, TRUST) in {(each.name, each.kind, each.of) for each in asked}
        elif one["Type"].endswith("Policy"):
            assert name in {each.name for each in asked}
    assert not [word for word in ('"Ref"', "Fn::", "${") if word in text]
    for arn in (
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:credits-prod-InboxQueue",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/credits-prod-CreditsTable/stream/2026-01-01T00:00:00.000",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:credits-prod-AdjustCreditsAliaslive:live",
        f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/jwt",
    ):
        assert f'"{arn}"' in text


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("eu-west-1", "aws", "amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ],
)
def test_names_are_those_of_the_regions_partition(region: str, partition: str, suffix: str) -> None:
    names = Names(found={"Q": {"Type": "AWS::SQS::Queue"}}, stack="credits-prod", account=ACCOUNT, region=region)

    assert [names.text(one) for one in ("AWS::Partition", "AWS::URLSuffix")] == [partition, suffix]
    assert names.text("Q.Arn") == f"arn:{partition}:sqs:{region}:{ACCOUNT}:credits-prod-Q"


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_in_a_stages_own_template_is_unknown(packaged: Path, stage: str) -> None:
    given = {**values(stage), "Stage": stage}

    assert len(every(resources(json.loads(translated((packaged / "sam.yaml").read_text(), given)), given))) > 20


@pytest.mark.parametrize(
    ("kind", "stops"), [("ERROR", True), ("SECURITY_WARNING", True), ("WARNING", False), ("SUGGESTION", False)]
)
def test_errors_and_security_warnings_stop_and_others_are_shown(kind: str, stops: bool) -> None:
    analyzer = Analyzer(second=[finding(kind)])

    (said,) = flaws(analyzer, iter([DOCUMENT]))

    assert said.stops is stops
    assert said.text.startswith("IngestEventsRole: INVALID_ACTION: The action sqs:Sent does not exist.")
    assert analyzer.asked == [{"policyDocument": json.dumps(DOCUMENT.content), "policyType": IDENTITY}]


@pytest.mark.parametrize(("kind", "stops"), [("ERROR", True), ("SECURITY_WARNING", False)])
def test_in_an_emergency_only_an_error_stops(kind: str, stops: bool) -> None:
    (said,) = flaws(Analyzer(first=[finding(kind)]), iter([DOCUMENT]), emergency=True)

    assert said.stops is stops
    assert "INVALID_ACTION" in said.text


def test_a_trust_policy_is_asked_about_as_one() -> None:
    analyzer = Analyzer()

    assert list(flaws(analyzer, iter([Document(name="R", kind=RESOURCE, content={}, of=TRUST)]))) == []
    assert analyzer.asked[0]["validatePolicyResourceType"] == TRUST


def test_who_may_not_ask_is_told_once_and_goes_on() -> None:
    analyzer = Analyzer(error=fake_account.refused("AccessDeniedException"))

    (said,) = flaws(analyzer, iter([DOCUMENT, DOCUMENT]))

    assert not said.stops
    assert said.text.startswith("the policies were not validated: ClientError")


PRICES = {f"price_1NXkT2CZ6qsJgndJ{number:08}": 500 for number in range(60)}
"""As many as fill the environment of a function."""


@dataclass(slots=True)
class Session:
    analyzer: Analyzer

    def client(self, service: str) -> Analyzer:
        assert service == "accessanalyzer"
        return self.analyzer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "emergency", "refused"),
    [
        ("ERROR", False, True),
        ("ERROR", True, True),
        ("SECURITY_WARNING", False, True),
        ("SECURITY_WARNING", True, False),
        ("SUGGESTION", False, False),
    ],
)
def test_a_release_is_refused_before_anything_is_changed_and_every_finding_is_shown(
    packaged: Path, kind: str, emergency: bool, refused: bool
) -> None:
    screen = StringIO()
    plan = Plan(stack="credits-dev", account=ACCOUNT, region=REGION, values={"Stage": "dev"}, before=None)
    session: Any = Session(Analyzer(first=[finding(kind)]))

    if refused:
        with pytest.raises(aws.DeploymentRefusedError, match="nothing was changed"):
            aws.validated(session, packaged, plan, Console(file=screen), emergency=emergency)
    else:
        aws.validated(session, packaged, plan, Console(file=screen), emergency=emergency)

    assert "IngestEventsRole: INVALID_ACTION" in screen.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "emergency", "text", "refused"),
    [
        ({"WarmReadUnits": "500", "WarmWriteUnits": "4000"}, False, "500 ReadUnitsPerSecond are fewer", True),
        ({"WarmReadUnits": "500", "WarmWriteUnits": "4000"}, True, "500 ReadUnitsPerSecond are fewer", False),
        ({"Edge": "on", "EdgeRequestsPerAddress": "5"}, False, "a limit of 5", True),
        ({"AlarmsOnSums": "false"}, False, "OutboxQueue", False),
        ({"CreditsByPrice": json.dumps(PRICES)}, False, "4096 are allowed", False),
    ],
)
def test_what_aws_refuses_of_this_deployments_own_values_is_said_before_anything_is_changed(
    packaged: Path, given: dict[str, str], text: str, *, emergency: bool, refused: bool
) -> None:
    screen = StringIO()
    plan = Plan(stack="credits-dev", account=ACCOUNT, region=REGION, values={"Stage": "dev", **given}, before=None)
    session: Any = Session(Analyzer())

    if refused:
        with pytest.raises(aws.DeploymentRefusedError, match="nothing was changed"):
            aws.validated(session, packaged, plan, Console(file=screen), emergency=emergency)
    else:
        aws.validated(session, packaged, plan, Console(file=screen), emergency=emergency)

    assert text in screen.getvalue()

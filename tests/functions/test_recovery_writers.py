"""What writes is stopped, and is stopped only once AWS reports it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.recovery import writers

FUNCTIONS = {"IngestEventsName": "ingest", "AdjustCreditsName": "adjust", "SetThresholdName": "set"}
OUTPUTS = {**FUNCTIONS, "PostDueName": "post-due", "LinksTableName": "links", "DeskTableName": "desk"}


class InUseError(ClientError):
    """A mapping that changes takes no request."""

    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceInUseException", "Message": "changing"}}, "Update")


class NoPolicyError(ClientError):
    """The table has no policy, or none of this revision."""

    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "PolicyNotFoundException", "Message": "not found"}}, "ResourcePolicy")


@dataclass
class Mapping:
    """An event source mapping: its states one after the other, one a look, and the requests that it took."""

    states: list[str]
    function: str = "ingest:live"
    steps: Sequence[str] = ("Disabling", "Updating", "Disabled")
    refusals: int = 0
    asked: list[bool] = field(default_factory=list)


@dataclass
class Aws:
    """Stands in for Lambda and DynamoDB."""

    mappings: dict[str, Mapping]
    copies: dict[str, int] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    late: bool = False
    """Whether a policy is read as it was a moment ago."""

    class exceptions:  # noqa: N801 - as boto3 calls it
        ResourceInUseException = InUseError
        PolicyNotFoundException = NoPolicyError

    def get_paginator(self, name: str) -> "Aws":
        assert name == "list_event_source_mappings"
        return self

    def paginate(self) -> Iterator[Any]:
        for uuid, one in self.mappings.items():
            state = one.states.pop(0) if len(one.states) > 1 else one.states[0]
            arn = f"arn:aws:lambda:eu-west-1:1:function:{one.function}"
            yield {"EventSourceMappings": [{"UUID": uuid, "State": state, "FunctionArn": arn}]}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803 - boto3's names
        mapping = self.mappings[UUID]
        if mapping.states[0] not in ("Enabled", "Disabled") or mapping.refusals:
            mapping.refusals -= 1
            raise InUseError
        mapping.asked.append(Enabled)
        mapping.states += mapping.steps

    def put_function_concurrency(self, *, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803
        self.copies[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, *, FunctionName: str) -> None:  # noqa: N803
        del self.copies[FunctionName]

    def describe_table(self, *, TableName: str) -> Any:  # noqa: N803
        return {"Table": {"TableArn": f"arn:{TableName}"}}

    def get_resource_policy(self, *, ResourceArn: str) -> Any:  # noqa: N803
        if ResourceArn not in self.policies or self.late:
            raise NoPolicyError
        return {"Policy": json.dumps(self.policies[ResourceArn]), "RevisionId": str(self.revision)}

    def put_resource_policy(self, *, ResourceArn: str, Policy: str, ExpectedRevisionId: str) -> None:  # noqa: N803
        self._expect(ResourceArn, ExpectedRevisionId)
        self.policies[ResourceArn] = json.loads(Policy)

    def delete_resource_policy(self, *, ResourceArn: str, ExpectedRevisionId: str) -> None:  # noqa: N803
        self._expect(ResourceArn, ExpectedRevisionId)
        del self.policies[ResourceArn]

    def _expect(self, arn: str, revision: str) -> None:
        if revision != (str(self.revision) if arn in self.policies else "NO_POLICY"):
            raise NoPolicyError
        self.revision += 1


def stopped(aws: Any) -> list[float]:
    slept: list[float] = []
    writers.stop(aws, aws, OUTPUTS, sleep=slept.append)
    return slept


def test_what_writes_is_stopped_and_what_admins_write_by_the_api_is_refused() -> None:
    inbox, other = Mapping(["Enabled"]), Mapping(["Enabled"], function="roll-up:live")
    aws = Aws({"inbox": inbox, "stream": other})

    stopped(aws)

    assert (inbox.asked, other.asked) == ([False], [])
    assert aws.copies == {"adjust": 0, "set": 0, "post-due": 0}
    denied = {arn: policy["Statement"][0] for arn, policy in aws.policies.items()}
    assert set(denied) == {"arn:links", "arn:desk"}
    assert all((one["Effect"], one["Principal"]) == ("Deny", "*") for one in denied.values())
    assert "Condition" not in denied["arn:links"]
    assert denied["arn:desk"]["Condition"] == {"ForAnyValue:StringNotLike": {"dynamodb:LeadingKeys": ["merchants#*"]}}


def test_stopping_ends_when_every_mapping_is_disabled() -> None:
    busy = Mapping(["Updating", "Creating", "Enabled"])
    refusing = Mapping(["Enabled"], refusals=1)
    aws = Aws({"done": Mapping(["Disabled"]), "busy": busy, "refusing": refusing})

    slept = stopped(aws)

    assert {one.states[0] for one in aws.mappings.values()} == {"Disabled"}
    assert (aws.mappings["done"].asked, busy.asked, refusing.asked) == ([], [False], [False])
    assert len(slept) >= 4


def test_a_mapping_that_is_never_disabled_is_named_after_five_minutes() -> None:
    aws = Aws({"stuck": Mapping(["Enabled"], steps=("Disabling",))})

    with pytest.raises(writers.MappingError, match="stuck is Disabling, not Disabled, after 300 seconds"):
        stopped(aws)

    assert aws.copies == {"adjust": 0, "set": 0, "post-due": 0}


def test_what_was_stopped_is_let_go_once_every_mapping_is_enabled() -> None:
    inbox = Mapping(["Enabled"])
    aws: Any = Aws({"inbox": inbox})
    stopped(aws)
    inbox.steps = ("Enabling", "Enabled")

    writers.let_go(aws, aws, OUTPUTS, sleep=lambda _: None)

    assert (inbox.states, inbox.asked) == (["Enabled"], [False, True])
    assert (aws.copies, aws.policies) == ({}, {})


AUDIT = {"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "2"}, "Action": "dynamodb:GetItem", "Resource": "*"}


def test_a_policy_that_somebody_has_set_stays_beside_the_refusal_and_is_there_again_afterwards() -> None:
    others = {"Version": "2012-10-17", "Id": "theirs", "Statement": [AUDIT]}
    aws: Any = Aws({}, policies={"arn:links": others, "arn:desk": {**others, "Statement": AUDIT}})

    stopped(aws)
    stopped(aws)

    assert [one["Sid"] for one in aws.policies["arn:links"]["Statement"]] == ["Audit", "StoppedForRecovery"]
    assert [one["Sid"] for one in aws.policies["arn:desk"]["Statement"]] == ["Audit", "StoppedForRecovery"]
    writers.let_go(aws, aws, OUTPUTS, sleep=lambda _: None)
    assert aws.policies == {"arn:links": others, "arn:desk": others}


def test_a_policy_that_is_changed_meanwhile_is_not_overwritten() -> None:
    others = {"Version": "2012-10-17", "Statement": [AUDIT]}
    aws: Any = Aws({}, policies={"arn:links": others}, late=True)

    with pytest.raises(writers.PolicyError, match="links is being changed: run the command again"):
        stopped(aws)

    assert aws.policies == {"arn:links": others}


def test_writers_that_were_never_stopped_are_let_go_without_a_policy() -> None:
    aws: Any = Aws({}, copies={"adjust": 0, "set": 0, "post-due": 0})

    writers.let_go(aws, aws, OUTPUTS, sleep=lambda _: None)

    assert aws.policies == {}

"""What IAM Access Analyzer finds in the policies of a release, asked before a change set (`ValidatePolicy`).

It knows every action, condition key and principal of AWS, which no test here does. Errors and security warnings stop
the release, warnings and suggestions are shown; in an emergency security warnings are only shown, too. It is asked
where the caller may; its answers cost nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from boto3 import Session
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploying.preflight import Obstacle
from infra.packaging.refusals.resolved import Resources

IDENTITY, RESOURCE = "IDENTITY_POLICY", "RESOURCE_POLICY"
TRUST = "AWS::IAM::AssumeRolePolicyDocument"
ERROR, SECURITY_WARNING = "ERROR", "SECURITY_WARNING"
ATTACHED = ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
LOGGING = "AWS::Logs::ResourcePolicy"
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::Lambda::Alias": "lambda:{region}:{account}:function:{name}:live",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
}
"""The forms of ARNs, by type. What a stack has not made yet has no name; for a policy's form, any name does."""
BY_REFERENCE = frozenset({"AWS::Lambda::Alias", "AWS::SNS::Topic"})
"""Types whose reference is an ARN."""
_NAME = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A policy as IAM would get it. `of` is the type of resource where Access Analyzer has checks of its own."""

    name: str
    kind: str
    content: Mapping[str, Any]
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What references in a policy stand for."""

    found: Resources
    stack: str
    account: str
    region: str

    def text(self, reference: str) -> str:
        """Return what a reference such as `AWS::Region`, `InboxQueue` or `InboxQueue.Arn` stands for."""
        logical_id, _, attribute = reference.partition(".")
        partition = _partition(self.region)
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": partition,
            "AWS::Region": self.region,
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        }
        if reference in pseudo:
            return pseudo[reference]
        name = f"{self.stack}-{logical_id}"
        kind = self.found[logical_id]["Type"]
        if not attribute and kind not in BY_REFERENCE:
            return name
        arn = f"arn:{partition}:{ARNS[kind].format(region=self.region, account=self.account, name=name)}"
        return f"{arn}/stream/2026-01-01T00:00:00.000" if attribute == "StreamArn" else arn


@cache
def _partition(region: str) -> str:
    return Session().get_partition_for_region(region)


def documents(names: Names) -> Iterator[Document]:
    """Yield every policy of the resources, with names in place of references."""
    for name, one in names.found.items():
        properties = one.get("Properties", {})
        for policy in properties.get("Policies", []) if one["Type"] == "AWS::IAM::Role" else []:
            yield Document(name=name, kind=IDENTITY, content=_named(policy["PolicyDocument"], names))
        if one["Type"] == "AWS::IAM::Role":
            trust = _named(properties["AssumeRolePolicyDocument"], names)
            yield Document(name=name, kind=RESOURCE, content=trust, of=TRUST)
        elif one["Type"] == "AWS::IAM::ManagedPolicy":
            yield Document(name=name, kind=IDENTITY, content=_named(properties["PolicyDocument"], names))
        elif one["Type"] == LOGGING:
            # The one policy that CloudFormation takes as text.
            text = json.loads(_named(properties["PolicyDocument"], names))
            yield Document(name=name, kind=RESOURCE, content=text)
        elif one["Type"] in ATTACHED:
            yield Document(name=name, kind=RESOURCE, content=_named(properties["PolicyDocument"], names))


def flaws(analyzer: Any, asked: Iterator[Document], *, emergency: bool = False) -> Iterator[Obstacle]:
    """Yield what Access Analyzer finds; one obstacle, which stops nothing, where it cannot be asked.

    In an `emergency` only an error stops, since AWS would refuse that policy anyway.
    """
    stopping = {ERROR} if emergency else {ERROR, SECURITY_WARNING}
    for document in asked:
        form = {"validatePolicyResourceType": document.of} if document.of else {}
        try:
            pages = analyzer.get_paginator("validate_policy").paginate(
                policyDocument=json.dumps(document.content), policyType=document.kind, **form
            )
            said = [one for page in pages for one in page["findings"]]
        except (ClientError, BotoCoreError) as error:
            yield Obstacle(text=f"the policies were not validated: {type(error).__name__}: {error}", stops=False)
            return
        for one in said:
            text = f"{document.name}: {one['issueCode']}: {one['findingDetails']} ({one['learnMoreLink']})"
            yield Obstacle(text=text, stops=one["findingType"] in stopping)


def _named(node: Any, names: Names) -> Any:
    """Return a policy without references."""
    if isinstance(node, list):
        return [_named(one, names) for one in node]
    if not isinstance(node, Mapping):
        return node
    if node.keys() == {"Ref"}:
        return names.text(node["Ref"])
    if node.keys() == {"Fn::GetAtt"}:
        target = node["Fn::GetAtt"]
        return names.text(target if isinstance(target, str) else ".".join(target))
    if node.keys() == {"Fn::Sub"}:
        return _NAME.sub(lambda match: names.text(match[1]), node["Fn::Sub"])
    return {key: _named(value, names) for key, value in node.items()}

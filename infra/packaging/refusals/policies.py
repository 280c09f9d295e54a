"""Policies that a service refuses (a queue's, and those that are too long), and names that are unique in an account."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources, listed, of_type

QUEUE_ACTIONS, QUEUE_STATEMENTS, QUEUE_BYTES = 7, 20, 8192
INLINE_BYTES, MANAGED_BYTES, TRUST_BYTES = 10_240, 6_144, 2_048
FUNCTION_BYTES = 20_480
ONE_PERMISSION_BYTES = 420
"""About the bytes that one AWS::Lambda::Permission adds to its function's policy."""
REFERENCE_BYTES = 110
"""The longest ARN of this stack, counted for each reference in a template."""
GLOBAL: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Role": ("RoleName",),
}
"""Types whose name is one for the whole account, with the place of the name."""


def queue_policies(found: Resources) -> Iterator[str]:
    """Yield what a queue would refuse of the policies set on it."""
    for name, policy in of_type(found, "AWS::SQS::QueuePolicy"):
        statements = policy["PolicyDocument"]["Statement"]
        if len(policy["Queues"]) > 1:
            yield f"{name}: the same text goes to {len(policy['Queues'])} queues, and each refuses the others' ARNs"
        if len(statements) > QUEUE_STATEMENTS or length(policy["PolicyDocument"]) > QUEUE_BYTES:
            yield f"{name}: more than {QUEUE_STATEMENTS} statements or {QUEUE_BYTES} bytes"
        for statement in statements:
            if len(listed(statement.get("Resource", []))) > 1:
                yield f"{name}: statement {statement.get('Sid', '')} names several resources, a queue takes its own"
            if len(listed(statement["Action"])) > QUEUE_ACTIONS:
                yield f"{name}: statement {statement.get('Sid', '')} has more than {QUEUE_ACTIONS} actions"


def policy_sizes(found: Resources) -> Iterator[str]:
    """Yield the policies of roles and functions that are longer than allowed, not counting spaces."""
    for name, role in of_type(found, "AWS::IAM::Role"):
        inline = sum(length(one["PolicyDocument"]) for one in role.get("Policies", []))
        if inline > INLINE_BYTES:
            yield f"{name}: its inline policies have {inline} characters, {INLINE_BYTES} are allowed"
        if length(role["AssumeRolePolicyDocument"]) > TRUST_BYTES:
            yield f"{name}: its trust policy has more than {TRUST_BYTES} characters"
    for name, policy in of_type(found, "AWS::IAM::ManagedPolicy"):
        if length(policy["PolicyDocument"]) > MANAGED_BYTES:
            yield f"{name}: it has more than {MANAGED_BYTES} characters"
    permitted = [one["FunctionName"] for _, one in of_type(found, "AWS::Lambda::Permission")]
    for function, count in Counter(json.dumps(one, sort_keys=True) for one in permitted).items():
        if count * ONE_PERMISSION_BYTES > FUNCTION_BYTES:
            yield f"{function}: {count} permissions do not fit into {FUNCTION_BYTES} bytes"


def length(node: Any) -> int:
    """Return the maximum length of a document: a reference becomes an ARN, and spaces do not count."""
    if isinstance(node, Mapping):
        if len(node) == 1 and next(iter(node)).startswith(("Ref", "Fn::")):
            return REFERENCE_BYTES
        return 2 + sum(len(str(name)) + 4 + length(value) for name, value in node.items())
    if isinstance(node, list):
        return 2 + sum(length(one) + 1 for one in node)
    return len(json.dumps(node))


def global_names(found: Resources) -> Iterator[str]:
    """Yield resources whose name is the same in every region although the account has it once."""
    for name, one in found.items():
        given: Any = one.get("Properties", {})
        for step in GLOBAL.get(one["Type"], ()):
            given = given.get(step, {})
        if one["Type"] in GLOBAL and given and "AWS::Region" not in str(given):
            yield f"{name}: its name has no region in it, and a stack in a second region would take or be refused it"

"""Names that two stacks would fight over: those that an account has once, in all its regions."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources

GLOBAL: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Role": ("RoleName",),
}
"""Types whose name is one for the whole account, with the place of the name."""


def global_names(found: Resources) -> Iterator[str]:
    """Yield resources whose name is the same in every region although the account has it once."""
    for name, one in found.items():
        given: Any = one.get("Properties", {})
        for step in GLOBAL.get(one["Type"], ()):
            given = given.get(step, {})
        if one["Type"] in GLOBAL and given and "AWS::Region" not in str(given):
            yield f"{name}: its name has no region in it, and a stack in a second region would take or be refused it"

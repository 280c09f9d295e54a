"""Old versions of functions: each holds the whole package, and nothing but a rollback by hand asks for it."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ALIAS: Final = "live"
KEPT: Final = 3
"""Versions before the one in use that stay, for `aws lambda update-alias` in a hurry (the runbook)."""


def prune(client: "LambdaClient", functions: Collection[str], *, kept: int = KEPT) -> int:
    """Delete each function's versions that are older than the last `kept` before the one in use; return how many."""
    deleted = 0
    for function in functions:
        for version in _old(client, function, kept):
            client.delete_function(FunctionName=function, Qualifier=version)
            deleted += 1
    return deleted


def _old(client: "LambdaClient", function: str, kept: int) -> Iterator[str]:
    alias = client.get_alias(FunctionName=function, Name=ALIAS)
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    used = {int(one) for one in (alias["FunctionVersion"], *weights) if one.isdigit()}
    if not used:
        return
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    numbers = [int(one["Version"]) for page in pages for one in page["Versions"] if one["Version"].isdigit()]
    before = sorted(number for number in numbers if number < min(used))
    for number in before[: max(0, len(before) - kept)]:
        yield str(number)

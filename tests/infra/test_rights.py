"""Rights needed are rights granted: every function is called in every way it can be, and what it asks of AWS recorded.

infra/docs/rights.md is made here: `UPDATE_DOCS=1 .venv/bin/python -m pytest tests/infra/test_rights.py` writes it anew.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

import app
from infra.packaging.dependencies import ROOT
from tests.infra.test_policies import Grants, grants, listed, name, statements
from tests.support.rights import Need
from tests.support.rights_played import FUNCTIONS, played

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rights")]

Resources = dict[str, dict[str, Any]]

DOCUMENT = ROOT / "infra/docs/rights.md"
POLLED = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
READ = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
INTRODUCTION = """# Rights of the functions

What each function needs and has, and nothing else. A test made this table: it called every function in every way it
can be called, recorded what was asked of AWS (tests/support/rights_played.py), added what Lambda asks in its name (its
log, its queue or stream, the queue for what its stream gives up), and compared with the packaged policies, which are
equal. Where an item is named, the policy allows no other. `dynamodb:Scan` is granted to the API only where
`METRICS_PER_MERCHANT` is on, a key only where a setting names it.

"""


@pytest.fixture(scope="module")
def needed() -> Iterator[dict[str, set[Need]]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield played(monkeypatch)


def role(resources: Resources, function: str) -> str:
    found: str = resources[FUNCTIONS[function]]["Properties"]["Role"]["Fn::GetAtt"][0]
    return found


def of_lambda(resources: Resources, function: str) -> Grants:
    """Return what Lambda asks in the name of a function: it polls its sources, and writes its log."""
    logical_id = FUNCTIONS[function]
    found: Grants = {f"{logical_id}LogGroup.Arn": {"logs:CreateLogStream", "logs:PutLogEvents"}}
    for event in resources[logical_id]["Properties"].get("Events", {}).values():
        if event["Type"] == "SQS":
            found[name(event["Properties"]["Queue"])] = set(POLLED)
        elif event["Type"] == "DynamoDB":
            stream = name(event["Properties"]["Stream"])
            found[stream] = set(READ)
            found[f"${{{stream.removesuffix('.StreamArn')}.Arn}}/stream/*"] = {"dynamodb:ListStreams"}
            found[name(event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])] = {"sqs:SendMessage"}
    return found


def all_needs(resources: Resources, needed: dict[str, set[Need]], function: str) -> Grants:
    found = of_lambda(resources, function)
    for need in needed.get(function, set()):
        found.setdefault(need.resource, set()).add(need.action)
    return found


def keys_allowed(resources: Resources, function: str, need: Need) -> list[str]:
    """Return the patterns of the items that some statement allows for a need; `*` without a condition."""
    return [
        pattern
        for statement in statements(resources, role(resources, function), keys_are_set=True)
        if need.action in listed(statement["Action"]) and need.resource in map(name, listed(statement["Resource"]))
        for pattern in listed(
            statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
        )
    ]


def test_every_function_is_played() -> None:
    assert set(FUNCTIONS) == set(app.__all__)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_needs_and_nothing_else(
    resources: Resources, needed: dict[str, set[Need]], function: str
) -> None:
    assert grants(resources, role(resources, function), keys_are_set=True) == all_needs(resources, needed, function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_touch_the_items_it_needs(
    resources: Resources, needed: dict[str, set[Need]], function: str
) -> None:
    for need in needed.get(function, set()):
        if need.key is not None:
            assert any(fnmatchcase(need.key, pattern) for pattern in keys_allowed(resources, function, need)), need


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_condition_on_items_names_only_those_that_are_needed(
    resources: Resources, needed: dict[str, set[Need]], function: str
) -> None:
    for need in needed.get(function, set()):
        keys = {one.key for one in needed[function] if one.resource == need.resource and one.key is not None}
        for pattern in keys_allowed(resources, function, need):
            assert pattern == "*" or any(fnmatchcase(key, pattern) for key in keys), (need, pattern)


def document(resources: Resources, needed: dict[str, set[Need]]) -> str:
    lines = []
    for function in FUNCTIONS:
        lines += [f"## {'the API' if function == 'app' else function}", "", "| on | may | items |", "|---|---|---|"]
        for resource, actions in sorted(all_needs(resources, needed, function).items()):
            patterns = {
                pattern
                for need in needed.get(function, set())
                if need.resource == resource
                for pattern in keys_allowed(resources, function, need)
            } - {"*"}
            shown = ", ".join(f"`{one}`" for one in sorted(actions))
            lines.append(f"| `{resource}` | {shown} | {', '.join(f'`{one}`' for one in sorted(patterns))} |")
        lines.append("")
    return INTRODUCTION + "\n".join(lines)


def test_the_documents_table_is_what_was_found(resources: Resources, needed: dict[str, set[Need]]) -> None:
    found = document(resources, needed)
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(found)

    assert DOCUMENT.read_text() == found

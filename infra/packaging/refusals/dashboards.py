"""Dashboards whose searches find nothing, which CloudWatch shows as an empty widget."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources, of_type

DASHBOARD = "AWS::CloudWatch::Dashboard"
_SEARCH = re.compile(r"SEARCH\(\s*'(.*?)'\s*,")
_SCHEMA = re.compile(r"\{((?:\$\{[^}]*\}|[^}])*)\}")
_KEY = re.compile(r'([^\s"=(){}]+)\s*=')
_VALUE = re.compile(r'=\s*([^\s"()]+)')
_PLAIN = re.compile(r"[A-Za-z0-9]+")


def searches(found: Resources) -> Iterator[str]:
    """Yield searches with a name that is neither alphanumeric nor in double quotes."""
    for dashboard, properties in of_type(found, DASHBOARD):
        body = properties["DashboardBody"]
        text = body["Fn::Sub"] if isinstance(body, Mapping) else body
        for expression in _expressions(json.loads(text)):
            for search in _SEARCH.findall(expression):
                for name in _unquoted(search):
                    yield f'{dashboard}: {name} in a search is to be in double quotes: "{name}"'


def _expressions(node: Any) -> Iterator[str]:
    """Yield every metric expression, wherever in the body it is."""
    if isinstance(node, list):
        for one in node:
            yield from _expressions(one)
    elif isinstance(node, dict):
        if isinstance(expression := node.get("expression"), str):
            yield expression
        for one in node.values():
            yield from _expressions(one)


def _unquoted(search: str) -> Iterator[str]:
    """Yield the names that have to be quoted and are not: of the namespace, of dimensions, and values."""
    schema = _SCHEMA.search(search)
    if schema:
        for name in (one.strip() for one in schema[1].split(",")):
            if not _allowed(name):
                yield name
    for pattern in (_KEY, _VALUE):
        for name in pattern.findall(_SCHEMA.sub("", search)):
            if not _allowed(name):
                yield name


def _allowed(name: str) -> bool:
    return bool(_PLAIN.fullmatch(name)) or (len(name) > 1 and name[0] == name[-1] == '"')

"""Nothing that infra/ says can get lost on the way into the package: each line is taken out, and a test must notice."""

import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.packaging.schedules import TIMER
from infra.packaging.template import whole_template
from infra.packaging.yaml_text import yaml_parse
from tests.infra import (
    test_alarms,
    test_delivery,
    test_gateway,
    test_policies,
    test_public_api,
    test_tables,
    test_template,
    test_upkeep,
)

Path = tuple[str, ...]
Check = Callable[[dict[str, Any]], None]

MODULES = (
    *(test_template, test_tables, test_gateway, test_public_api),
    *(test_policies, test_delivery, test_alarms, test_upkeep),
)
SECTIONS = ("Resources", "Globals", "Conditions")
WITHOUT_EFFECT = {"Description", "AlarmDescription"}
"""Words for people."""


def checks() -> list[Check]:
    """Return the tests of these modules that need nothing but the template, one for each set of their arguments."""
    found: list[Check] = []
    for module in MODULES:
        for name, function in vars(module).items():
            if name.startswith("test_") and inspect.isfunction(function):
                found += _of(function)
    return found


def _of(function: Callable[..., None]) -> Iterator[Check]:
    needed = set(inspect.signature(function).parameters)
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    names = [_names(mark.args[0]) for mark in marks]
    beside = needed - {name for group in names for name in group}
    if not beside or beside - {"template", "resources"}:
        return
    for chosen in itertools.product(*(list(mark.args[1]) for mark in marks)):
        arguments: dict[str, Any] = {}
        for group, values in zip(names, chosen, strict=True):
            arguments |= zip(group, values if len(group) > 1 else (values,), strict=True)
        yield _check(function, arguments, needed)


def _names(argument: Any) -> tuple[str, ...]:
    return tuple(argument.replace(",", " ").split()) if isinstance(argument, str) else tuple(argument)


def _check(function: Callable[..., None], arguments: dict[str, Any], needed: set[str]) -> Check:
    def run(template: dict[str, Any]) -> None:
        given = {"template": template, "resources": template["Resources"]}
        function(**arguments, **{name: value for name, value in given.items() if name in needed})

    return run


def lines(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the way to everything that is said below `value`: intrinsic functions and lists count as one thing."""
    if isinstance(value, dict) and value and not any(key == "Ref" or key.startswith("Fn::") for key in value):
        for key, below in value.items():
            yield from lines(below, (*path, key))
    else:
        yield path


@contextmanager
def without(template: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """Take what lies at `path` out of the template, and put it back in the end."""
    *way, last = path
    inner = template
    for key in way:
        # What Chalice schedules has another key in the end.
        inner = inner[key if key in inner else f"{key}{TIMER}"]
    before = dict(inner)
    del inner[last]
    try:
        yield template
    finally:
        inner.clear()
        inner.update(before)


def noticed(template: dict[str, Any], found: list[Check]) -> bool:
    for check in found:
        try:
            check(template)
        except (AssertionError, LookupError, ValueError, TypeError, AttributeError, pytest.fail.Exception):
            return True
    return False


def quickest_first(template: dict[str, Any], found: list[Check]) -> list[Check]:
    """Return the checks, those last that put together a stage's whole template: most lines are noticed before them."""

    def seconds(check: Check) -> float:
        started = time.process_time()
        check(template)
        return time.process_time() - started

    return sorted(found, key=seconds)


def overrides() -> list[Path]:
    whole = yaml_parse(whole_template())
    return [
        path
        for section in SECTIONS
        for path in lines(whole[section], (section,))
        if path[-1] not in WITHOUT_EFFECT and path[-1] != "Type"
    ]


def test_every_check_holds_for_the_package_as_it_is(template: dict[str, Any]) -> None:
    found = checks()

    assert len(found) > 150
    for check in found:
        check(template)


@pytest.mark.slow
def test_no_line_of_the_template_can_be_lost_unnoticed(template: dict[str, Any]) -> None:
    found = quickest_first(template, checks())
    lost = overrides()

    unnoticed = []
    for path in lost:
        with without(template, path) as poorer:
            if not noticed(poorer, found):
                unnoticed.append(".".join(path))

    assert len(lost) > 400
    assert not unnoticed, "\n".join(unnoticed)

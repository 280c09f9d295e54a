"""The runbook's way to change a key, followed: nobody is refused on it, whichever containers know which step."""

import re
from itertools import pairwise, product
from pathlib import Path

import pytest

from chalicelib.adapters import parameters
from chalicelib.contracts.api import cursors
from chalicelib.contracts.api.problems import Problem

RUNBOOK = Path(__file__).parents[2] / "infra/monitoring/runbook/README.md"
KEYS = {"old": "o" * 32, "new": "n" * 32}
SCOPE = ("merchant",)


def steps() -> list[str]:
    """Return what the parameter holds before the change, and after each step of the runbook."""
    rows: list[str] = re.findall(r"^\| \d \| ([a-z, ]+?) \|", RUNBOOK.read_text(), re.MULTILINE)
    return ["old", *rows]


def held(step: str) -> str:
    return "\n".join(KEYS[name] for name in step.split(", "))


def refused(signing: str, verifying: str) -> bool:
    cursor = cursors.sign(5, scope=SCOPE, key=held(signing))
    try:
        return cursors.position(cursor, scope=SCOPE, key=held(verifying)) != 5
    except Problem:
        return True


def test_a_key_is_changed_by_the_runbook_without_refusing_a_cursor() -> None:
    assert steps() == ["old", "old, new", "new, old", "new"]
    # Until five minutes have passed, some containers are a step behind the others.
    for before, after in pairwise(steps()):
        for signing, verifying in product((before, after), repeat=2):
            assert not refused(signing, verifying), (signing, verifying)
    assert parameters.KEEP_SECONDS <= 300
    assert "five minutes" in RUNBOOK.read_text()


@pytest.mark.parametrize(("before", "after"), [("old", "new, old"), ("old", "new"), ("old, new", "new")])
def test_a_shorter_way_refuses_somebody(before: str, after: str) -> None:
    assert any(refused(*pair) for pair in product((before, after), repeat=2))

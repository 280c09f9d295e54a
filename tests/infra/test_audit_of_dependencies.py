"""The audit of what is pinned: an advisory fails it, and what nobody was asked about is never taken for safe."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from infra.scanning import audit

PINNED = "# made by hand\nchalice==1.34.0\naws_lambda-powertools[all]==3.37.0  # logs\npydantic==2.13.5\n"
SAFE: list[dict[str, Any]] = [
    {"name": "chalice", "version": "1.34.0", "vulns": []},
    {"name": "aws-lambda-powertools", "version": "3.37.0", "vulns": []},
    {"name": "pydantic", "version": "2.13.5", "vulns": []},
]
BAD = {"name": "chalice", "version": "1.34.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.35.0"]}]}
UNASKED = {"name": "pydantic", "skip_reason": "Dependency not found and could not be audited"}


def auditor(folder: Path, *dependencies: dict[str, Any] | str) -> str:
    """Return a program that answers so, once for each service."""
    program = folder / "auditor"
    answer = json.dumps({"dependencies": dependencies, "fixes": []}) if dependencies else "no connection"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.fixture(autouse=True)
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PINNED", tmp_path / "constraints.txt")
    monkeypatch.delenv("AUDIT_REQUIRED", raising=False)
    audit.PINNED.write_text(PINNED)


def test_dependencies_without_an_advisory_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(auditor(tmp_path, *SAFE)) == 0
    assert capsys.readouterr().out == "3 dependencies, no known vulnerability.\n"


def test_an_advisory_fails_and_says_which_release_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(auditor(tmp_path, BAD, *SAFE[1:])) == 1
    assert capsys.readouterr().out == "VULNERABLE: chalice 1.34.0: PYSEC-1 (fixed in 1.35.0)\n"


@pytest.mark.parametrize("answers", [[], [UNASKED], [*SAFE[:2], UNASKED]])
def test_what_nobody_was_asked_about_is_said_and_fails_where_an_audit_is_required(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[dict[str, Any]],
) -> None:
    assert audit.main(auditor(tmp_path, *answers)) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("AUDIT NOT DONE for ")
    monkeypatch.setenv("AUDIT_REQUIRED", "1")
    assert audit.main(auditor(tmp_path, *answers)) == 2

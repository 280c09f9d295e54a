"""Imports go one way, the domain imports only the standard library, and unit tests only what decides."""

import ast
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "chalicelib"
PURE = [
    *sorted((PACKAGE / "domain").glob("*.py")),
    *sorted((PACKAGE / "ports").glob("*.py")),
    *sorted((PACKAGE / "usecases").glob("*.py")),
]


UNIT = sorted((ROOT / "tests/unit").glob("*.py"))
SHORT = [path for part in ("laws", "formats", "bridge") for path in sorted((ROOT / "tests" / part).glob("*.py"))]
DECIDING = (
    "pytest",
    "chalicelib.domain.",
    "chalicelib.ports.",
    "chalicelib.usecases.",
    "tests.oracles.",
    "tests.support.",
)
"""What a unit test may import beside the standard library."""
IMPURE = {
    "boto3",
    "cryptography",
    "http.client",
    "http.server",
    "moto",
    "socket",
    "socketserver",
    "subprocess",
    "tests.support.engines",
    "urllib.request",
}
"""What starts a process, opens a socket or makes keys: tests that need it are in another part."""


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


def libraries(path: Path) -> set[str]:
    """Return the libraries beside the standard one and ourselves that a file imports."""
    return {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"chalicelib"}


def test_every_import_rule_of_the_project_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Its logging configuration turns off every logger that there was, also for the tests that come later.
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for logger in loggers:
        monkeypatch.setattr(logger, "disabled", logger.disabled)
    broken = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    assert not broken, capsys.readouterr().out


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name)
def test_what_decides_imports_only_the_standard_library(path: Path) -> None:
    assert not libraries(path)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("domain/*.py")), ids=lambda path: path.name)
def test_the_domain_imports_only_itself(path: Path) -> None:
    own = {name for name in imported(path) if name.startswith("chalicelib")}
    assert all(f"{name}.".startswith("chalicelib.domain.") for name in own)


@pytest.mark.parametrize("path", [*UNIT, *SHORT], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_short_test_starts_no_process_opens_no_socket_and_makes_no_key(path: Path) -> None:
    assert not outside(path)


@pytest.mark.parametrize("path", UNIT, ids=lambda path: path.name)
def test_a_unit_test_imports_only_what_decides_and_helpers(path: Path) -> None:
    others = {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in others if not f"{name}.".startswith(DECIDING)} == set()


def test_what_unit_tests_share_loads_no_library() -> None:
    program = f"import importlib, sys; list(map(importlib.import_module, {shared(UNIT)})); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True)

    assert {"pydantic", "botocore", "hypothesis"}.isdisjoint(loaded.stdout.split())


def shared(paths: Sequence[Path]) -> list[str]:
    """Return the helpers that tests import."""
    return sorted({name for path in paths for name in imported(path) if name.startswith("tests.")})


def outside(path: Path) -> set[str]:
    """Return what of `IMPURE` a file imports."""
    names = [f"{name}." for name in imported(path)]
    return {each for each in IMPURE if any(name.startswith(f"{each}.") for name in names)}


def test_a_library_would_be_seen() -> None:
    assert outside(ROOT / "tests/infra/test_local_ports.py") == {"socket", "tests.support.engines"}
    assert "botocore" in libraries(PACKAGE / "adapters" / "dynamodb" / "ledger.py")

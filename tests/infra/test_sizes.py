"""No module and no function that ships or builds is longer than a reader can hold."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [ROOT / "app.py", *sorted(path for room in ("chalicelib", "infra") for path in (ROOT / room).rglob("*.py"))]
MODULE_LINES_MAX = 320
FUNCTION_LINES_MAX = 50


def functions_too_long(text: str) -> list[str]:
    """Return the names and lengths of the functions of a module that are too long."""
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return [f"{name}: {length}" for name, length in lengths.items() if length > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_modules_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()

    assert len(text.splitlines()) <= MODULE_LINES_MAX
    assert functions_too_long(text) == []


def test_a_function_that_is_too_long_is_named() -> None:
    assert functions_too_long("def long():\n" + "    pass\n" * FUNCTION_LINES_MAX) == ["long: 51"]

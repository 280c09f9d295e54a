"""The console's page and its scripts, bundled from the modules that ship: two files instead of fifteen.

A function answers one request at a time, so a browser that requests fifteen files at once starts fifteen containers.
The page holds its style; the modules needed at the start become one script, each in its own scope, in the order of
their imports. uPlot, which only a chart needs, stays a module and is loaded by the first chart.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

VERSION_PLACE, STYLE_PLACE = "{version}", "{style}"
"""Placeholders in the page: the scripts' folder, and the style."""
SCRIPT, CHART = "console.js", "uplot.js"

_FOLDER = Path(__file__).resolve().parent.parent / "static" / "console"
_PAGE, _FIRST, _STYLES = "index.html", "app.js", ("uplot.css", "style.css")
_VERSION_LENGTH = 12
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^export ((?:async )?function|class|const|let) (\w+)", re.MULTILINE)
_LISTED = re.compile(r"export\{([^}]*)\};")


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The page, its policy's source for styles, and the scripts by name."""

    version: str
    page: str
    style_source: str
    scripts: Mapping[str, str]


@cache
def console_files() -> Console:
    """Return the console as it ships; `version` changes with any of its files."""
    modules = {path.name: path.read_text() for path in sorted(_FOLDER.glob("*.js"))}
    style = "".join((_FOLDER / name).read_text() for name in _STYLES)
    scripts = {SCRIPT: bundle(modules, _FIRST), CHART: modules[CHART]}
    page = (_FOLDER / _PAGE).read_text().replace(STYLE_PLACE, style)
    version = sha256("\0".join([page, *scripts.values()]).encode()).hexdigest()[:_VERSION_LENGTH]
    return Console(
        version=version,
        page=page.replace(VERSION_PLACE, version),
        style_source=f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'",
        scripts=scripts,
    )


def bundle(modules: Mapping[str, str], first: str) -> str:
    """Return `first` and the modules that it imports as one script with the same effect.

    They import and export by names only, and none imports one that imports it.
    """
    made = "".join(f'm["{name}"] = (() => {{\n{_scoped(modules[name])}\n}})();\n' for name in _ordered(modules, first))
    return f'"use strict";\nconst m = {{}};\n{made}'


def _ordered(modules: Mapping[str, str], name: str, seen: set[str] | None = None) -> Iterator[str]:
    """Yield the modules that `name` needs, each after its own imports."""
    seen = set() if seen is None else seen
    if name in seen:
        return
    seen.add(name)
    for imported in _IMPORT.finditer(modules[name]):
        yield from _ordered(modules, imported[2], seen)
    yield name


def _scoped(text: str) -> str:
    """Return a module's text as the body of a function that returns what it exports."""
    exported = {name: name for _, name in _DECLARED.findall(text)}
    for listed in _LISTED.findall(text):
        exported |= {pair.split(" as ")[-1]: pair.split(" as ")[0] for pair in listed.split(",")}
    text = _IMPORT.sub(lambda found: f'const {{{found[1].replace(" as ", ": ")}}} = m["{found[2]}"];\n', text)
    text = _LISTED.sub("", _DECLARED.sub(r"\1 \2", text))
    members = ", ".join(f"{name}: {inside}" for name, inside in exported.items())
    return f"{text}\nreturn {{ {members} }};"

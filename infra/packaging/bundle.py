"""The console's page and scripts, put together from their sources: two files for a browser instead of fifteen.

`python -m infra.packaging.bundle` writes them where they ship from; `--check` ends with 1 where they are out of date.

A function answers one request at a time, so a browser that asks for fifteen files at once wakes fifteen containers.
The page holds its style; the modules it starts with become one script, each in a scope of its own, in the order of
their imports. uPlot, which only a chart needs, stays a module and is loaded by the first chart.
"""

import argparse
import json
import re
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from chalicelib.api.console_files import CHART, FOLDER, PAGE, SCRIPT, VERSION

SOURCES = Path(__file__).resolve().parent / "console"
VERSION_PLACE, STYLE_PLACE = "{version}", "{style}"
"""Where the page names its scripts' folder, and where its style goes."""
CONCEPTS = SOURCES.parents[1] / "docs" / "concepts.md"
CONCEPTS_PLACE = '"{concepts}"'
"""The documentation's page of concepts, and where they go in the module that shows them."""

_FIRST, _STYLES = "app.js", ("uplot.css", "style.css")
_VERSION_LENGTH = 12
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^export ((?:async )?function|class|const|let) (\w+)", re.MULTILINE)
_LISTED = re.compile(r"export\{([^}]*)\};")
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
"""A comment on a line of its own: for readers of the sources."""
_INDENT = re.compile(r"^\s+", re.MULTILINE)
"""The same, with empty lines; a template's text begins after it, too."""
_BETWEEN = re.compile(r"(?<=[>}])\n(?=<|\$\{)")
"""Ends of lines between the parts of a template, which htm leaves out as well."""
_LOOSE = re.compile(r"/\*.*?\*/|\s*([{};,])\s*|(?<=:)\s+")
"""Comments of a style, and the space around its signs: for readers of the sources."""
_CONCEPT = re.compile(r"^## (.+)\n\n((?:(?!## ).*\n)+)", re.MULTILINE)
_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|\*([^*]+)\*")


def bundled(sources: Path = SOURCES) -> dict[str, str]:
    """Return the files that ship, by their names; the version in them changes with any of the sources."""
    words = json.dumps(concepts(), ensure_ascii=False)
    modules = {path.name: path.read_text().replace(CONCEPTS_PLACE, words) for path in sorted(sources.glob("*.js"))}
    style = _LOOSE.sub(r"\1", "".join((sources / name).read_text() for name in _STYLES))
    scripts = {SCRIPT: bundle(modules, _FIRST), CHART: modules[CHART]}
    page = (sources / PAGE).read_text().replace(STYLE_PLACE, style)
    version = sha256("\0".join([page, *scripts.values()]).encode()).hexdigest()[:_VERSION_LENGTH]
    style_source = f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    return {
        **scripts,
        PAGE: page.replace(VERSION_PLACE, version),
        VERSION: json.dumps({"version": version, "style_source": style_source}) + "\n",
    }


def concepts(page: Path = CONCEPTS) -> list[tuple[str, str, str]]:
    """Return each concept of the documentation: its anchor, its name, and its text without links and emphasis."""
    return [
        (name.lower().replace(" ", "-"), name, _MARKS.sub(lambda mark: mark[1] or mark[2], " ".join(text.split())))
        for name, text in _CONCEPT.findall(page.read_text())
    ]


def bundle(modules: Mapping[str, str], first: str) -> str:
    """Return the modules that `first` imports, and itself, as one script that does what they do.

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
    text = _INDENT.sub("", _COMMENT.sub("", _LISTED.sub("", _DECLARED.sub(r"\1 \2", text))))
    text = _BETWEEN.sub("", text)
    members = ", ".join(name if name == inside else f"{name}: {inside}" for name, inside in exported.items())
    return f"{text}\nreturn {{ {members} }};"


def outdated() -> list[str]:
    """Return the names of the files that ship and are not what the sources make."""
    made = bundled()
    shipped = {path.name: path.read_text() for path in FOLDER.iterdir()} if FOLDER.is_dir() else {}
    return sorted(name for name in made.keys() | shipped.keys() if made.get(name) != shipped.get(name))


def main() -> None:
    """Do what the command line says; ends with 1 where `--check` found a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m infra.packaging.bundle", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is out of date")
    if parser.parse_args().check:
        names = outdated()
        sys.exit(f"Out of date: {', '.join(names)}. Run python -m infra.packaging.bundle." if names else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, text in bundled().items():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)


if __name__ == "__main__":
    main()

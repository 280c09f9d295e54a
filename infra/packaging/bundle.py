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
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import minify_html

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
_NAME = re.compile(r"\w+")
_INDENT = re.compile(r"^\s*//.*\n|^\s+", re.MULTILINE)
"""Comment lines and indentation, for readers of the sources: the minifier keeps them in templates."""
_BETWEEN = re.compile(r"(?<=[>}])\n(?=<|\$\{)")
"""Ends of lines between the parts of a template, which htm leaves out as well."""
_CONCEPT = re.compile(r"^## (.+)\n\n((?:(?!## ).*\n)+)", re.MULTILINE)
_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|\*([^*]+)\*")


def bundled(sources: Path = SOURCES) -> dict[str, str]:
    """Return the files that ship, by their names; the version in them changes with any of the sources."""
    words = json.dumps(concepts(), ensure_ascii=False)
    modules = {path.name: path.read_text().replace(CONCEPTS_PLACE, words) for path in sorted(sources.glob("*.js"))}
    style = _minified("style", "".join((sources / name).read_text() for name in _STYLES))
    scripts = {SCRIPT: _minified("script", bundle(modules, _FIRST)), CHART: _minified("script", modules[CHART])}
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


def _minified(kind: str, text: str) -> str:
    """Return a minified `script` or `style`, by its `kind`: it does the same in fewer characters."""
    made = minify_html.minify(f"<{kind}>{text}</{kind}>", minify_js=True, minify_css=True)
    return made.removeprefix(f"<{kind}>").removesuffix(f"</{kind}>")


def bundle(modules: Mapping[str, str], first: str) -> str:
    """Return the modules that `first` imports, and itself, as one script that does what they do.

    Their exported names must all differ and be imported without renaming, and no imports may form a circle.
    """
    imported = {
        name for text in modules.values() for names, _ in _IMPORT.findall(text) for name in _NAME.findall(names)
    }
    return "".join(_scoped(modules[name], imported) for name in _ordered(modules, first))


def _ordered(modules: Mapping[str, str], name: str, seen: set[str] | None = None) -> Iterator[str]:
    """Yield the modules that `name` needs, each after its own imports."""
    seen = set() if seen is None else seen
    if name in seen:
        return
    seen.add(name)
    for imported in _IMPORT.finditer(modules[name]):
        yield from _ordered(modules, imported[2], seen)
    yield name


def _scoped(text: str, imported: Collection[str]) -> str:
    """Return a module in its own scope, from which only those of its exports come out that are `imported`."""
    exported = {name: name for _, name in _DECLARED.findall(text)}
    for listed in _LISTED.findall(text):
        exported |= {outside: inside for inside, outside in (pair.split(" as ") for pair in listed.split(","))}
    names = [name for name in exported if name in imported]
    text = _LISTED.sub("", _DECLARED.sub(r"\1 \2", _IMPORT.sub("", text)))
    text = _BETWEEN.sub("", _INDENT.sub("", text))
    given = ", ".join(exported[name] for name in names)
    return f"const [{', '.join(names)}] = (() => {{\n{text}\nreturn [{given}];\n}})();\n"


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

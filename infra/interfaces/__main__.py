"""Write the documents, or check with `--check` that the committed ones are up to date."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.interfaces.asyncapi import asyncapi
from infra.interfaces.openapi import openapi
from infra.packaging.dependencies import ROOT

DOCUMENTS: Mapping[Path, Callable[[], dict[str, Any]]] = {
    ROOT / "chalicelib/static/openapi.json": openapi,
    ROOT / "infra/interfaces/asyncapi.json": asyncapi,
}
"""Where each document is kept. The API answers the first, so that it ships."""


def text_of(document: Mapping[str, Any]) -> str:
    """Return a document as it is committed: one line a member, so that a change can be read."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def outdated() -> list[str]:
    """Return the names of the committed documents that are not what the models say now."""
    return [path.name for path, made in DOCUMENTS.items() if not path.is_file() or path.read_text() != text_of(made())]


def main() -> None:
    """Do what the command line says; ends with 1 where `--check` found a document out of date."""
    parser = argparse.ArgumentParser(prog="python -m infra.interfaces", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where one is out of date")
    if parser.parse_args().check:
        names = outdated()
        sys.exit(f"Out of date: {', '.join(names)}. Run python -m infra.interfaces." if names else 0)
    for path, made in DOCUMENTS.items():
        path.write_text(text_of(made()))
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

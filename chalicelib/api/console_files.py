"""The console's page and scripts as they ship, bundled by infra/packaging/bundle.py."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "static" / "console"
PAGE, SCRIPT, CHART, VERSION = "index.html", "console.js", "uplot.js", "version.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The page, the source of its style for its policy, and the scripts by name; `version` changes with any of them."""

    version: str
    page: str
    style_source: str
    scripts: Mapping[str, str]


@cache
def console_files() -> Console:
    """Return the console as it ships."""
    return Console(
        **json.loads((FOLDER / VERSION).read_text()),
        page=(FOLDER / PAGE).read_text(),
        scripts={name: (FOLDER / name).read_text() for name in (SCRIPT, CHART)},
    )

"""Names every package that ships with its hashes: `python -m infra.packaging.pins` writes requirements-hashes.txt.

The functions' package is installed from that file alone, with --require-hashes: a file that an index later serves under
the same name and version is refused. Made from requirements.txt and constraints.txt, for both architectures.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.packaging.dependencies import HASHES, PLATFORMS, ROOT, pip_install

HEAD: Final = """# Every package that ships, with the hashes of its files: `python -m infra.packaging.pins` makes it of
# requirements.txt and constraints.txt. The functions' package is installed from this file alone.
"""


def resolved(platform: str) -> Mapping[str, str]:
    """Return the hash of each package for a platform, by `name==version`; asks the index, and installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        dry = ["--dry-run", "--ignore-installed", "--report", str(path)]
        asked = ["-r", str(ROOT / "requirements.txt"), "-c", str(ROOT / "constraints.txt")]
        pip_install(Path(folder), platform, *dry, *asked)
        found: list[dict[str, Any]] = json.loads(path.read_text())["install"]
    named = ((one["metadata"], one["download_info"]["archive_info"]["hashes"]["sha256"]) for one in found)
    return {f"{about['name'].lower()}=={about['version']}": digest for about, digest in named}


def main() -> None:
    """Write the file."""
    by_platform = [resolved(platform) for platform in PLATFORMS.values()]
    lines = []
    for pin in sorted(set().union(*by_platform)):
        hashes = sorted({one[pin] for one in by_platform if pin in one})
        lines.append(" \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in hashes)]))
    (ROOT / HASHES).write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m infra.packaging.pins", description=__doc__).parse_args()
    main()

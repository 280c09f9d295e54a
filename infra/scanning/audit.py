"""`python -m infra.scanning.audit PIP_AUDIT`: every pinned dependency against the published advisories (`make audit`).

The auditor answers "no known vulnerabilities" and exit status 0 also where it could ask nobody, so what it says is read
dependency by dependency, and what was not asked about is reported, loudly. Exit status 1 where an advisory was found,
2 where nobody could be asked and `AUDIT_REQUIRED` is set, else 0.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.deploying.emulator import ROOT

FOUND = 1
UNABLE = 2
PINNED = ROOT / "constraints.txt"
SERVICES = ("pypi", "osv")
"""Who is asked, one after another, until one of them answers."""
SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What came of it: advisories by dependency, and the dependencies that nobody answered for."""

    asked: int
    advisories: Mapping[str, Sequence[str]]
    unanswered: Sequence[str]


def read(answer: str, pinned: Sequence[str]) -> Audit:
    """Return what the auditor's JSON says of the pinned dependencies; an empty answer answers for none of them."""
    dependencies: list[dict[str, Any]] = json.loads(answer)["dependencies"] if answer.strip() else []
    answered = {each["name"].lower().replace("_", "-") for each in dependencies if "skip_reason" not in each}
    return Audit(
        asked=len(pinned),
        advisories={
            f"{each['name']} {each['version']}": [
                f"{one['id']} (fixed in {', '.join(one['fix_versions']) or 'no release yet'})" for one in each["vulns"]
            ]
            for each in dependencies
            if each.get("vulns")
        },
        unanswered=[name for name in pinned if name not in answered],
    )


def pinned_names(constraints: str) -> list[str]:
    """Return the dependencies that the constraints pin."""
    lines = (line.split("#")[0].strip() for line in constraints.splitlines())
    return [line.split("==")[0].split("[")[0].strip().lower().replace("_", "-") for line in lines if "==" in line]


def report(audit: Audit, *, required: bool) -> int:
    """Say what was found and what could not be asked, and return the exit status."""
    for dependency, advisories in audit.advisories.items():
        for advisory in advisories:
            print(f"VULNERABLE: {dependency}: {advisory}")
    if audit.unanswered:
        whole = len(audit.unanswered) == audit.asked
        names = "all of them" if whole else ", ".join(audit.unanswered)
        print(
            f"AUDIT NOT DONE for {len(audit.unanswered)} of {audit.asked} dependencies ({names}): "
            "no advisory service answered for them. Run `make audit` where one can be reached.",
            file=sys.stderr,
        )
    if audit.advisories:
        return FOUND
    if audit.unanswered:
        return UNABLE if required else 0
    print(f"{audit.asked} dependencies, no known vulnerability.")
    return 0


def main(auditor: str) -> int:
    """Audit what is pinned, and return the exit status."""
    pinned = pinned_names(PINNED.read_text())
    best = read("", pinned)
    for service in SERVICES:
        found = read(_asked(auditor, service), pinned)
        if len(found.unanswered) < len(best.unanswered):
            best = found
        if not best.unanswered:
            break
    return report(best, required=bool(os.environ.get("AUDIT_REQUIRED")))


def _asked(auditor: str, service: str) -> str:
    """Return the auditor's answer, nothing where it has none."""
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    command = [str(Path(auditor)), "--vulnerability-service", service, "-r", str(PINNED), *options]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return ran.stdout if ran.stdout.lstrip().startswith("{") else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

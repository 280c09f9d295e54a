"""`make scan`: the policy scanner over what AWS would get, stage by stage, and the linter of workflows.

checkov sees the packaged template as CloudFormation sees it, with each stage's values. What it finds must stand in
infra/scanning/scan_exceptions.yaml with a reason, and nothing may stand there that it does not find.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from infra.packaging.build import package
from infra.packaging.dependencies import ROOT
from infra.packaging.lint import translated
from infra.packaging.refusals.resolved import listed
from infra.packaging.stages import STAGES, values
from infra.packaging.yaml_text import yaml_parse

EXCEPTIONS = ROOT / "infra/scanning/scan_exceptions.yaml"
WORKFLOWS = ROOT / ".github"
PLAIN = (ROOT / "infra/deploying/github.yaml",)
"""Templates of plain CloudFormation."""
REASON_WORDS_MIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCheck:
    """One check that one resource failed."""

    check: str
    sentence: str
    resource: str


def unargued(found: set[FailedCheck], exceptions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each finding without an exception, and for each exception without a finding."""
    used = set()
    for finding in sorted(found, key=lambda one: (one.check, one.resource)):
        exception = exceptions.get(finding.check)
        patterns = [] if exception is None else listed(exception["resources"])
        matching = [pattern for pattern in patterns if fnmatchcase(finding.resource, pattern)]
        used |= {(finding.check, pattern) for pattern in matching}
        if not matching:
            yield f"{finding.check} {finding.resource}: {finding.sentence}"
    for check, exception in exceptions.items():
        for pattern in listed(exception["resources"]):
            if (check, pattern) not in used:
                yield f"{check} {pattern}: this exception is not needed any more"
        if len(exception.get("reason", "").split()) < REASON_WORDS_MIN:
            yield f"{check}: the exception has no reason"


def exceptions() -> dict[str, dict[str, Any]]:
    """Return the exceptions by the name of their check."""
    found: dict[str, dict[str, Any]] = yaml_parse(EXCEPTIONS.read_text())
    return found


def _scanned(checkov: Path) -> set[FailedCheck]:
    """Return what checkov finds in all stages and plain templates."""
    found: set[FailedCheck] = set()
    with tempfile.TemporaryDirectory() as scratch:
        for stage in STAGES:
            template = Path(scratch) / f"{stage}.json"
            template.write_text(translated((package(stage) / "sam.yaml").read_text(), values(stage)))
            found |= _of(checkov, template)
        for template in PLAIN:
            found |= _of(checkov, template)
    return found


def _of(checkov: Path, template: Path) -> set[FailedCheck]:
    options = ["--framework", "cloudformation", "--quiet", "--compact", "--soft-fail", "--output", "json"]
    ran = subprocess.run([str(checkov), "-f", str(template), *options], capture_output=True, check=True, text=True)
    report = json.loads(ran.stdout)
    if report["summary"]["parsing_errors"] or not report["summary"]["resource_count"]:
        raise SystemExit(f"checkov could not read {template.name}")
    return {
        FailedCheck(check=one["check_id"], sentence=one["check_name"], resource=one["resource"].rsplit(".", 1)[-1])
        for one in report["results"]["failed_checks"]
    }


def main() -> None:
    """Scan with the tools of the folder that the command line names; exit status 1 when there is something to say."""
    tools = Path(sys.argv[1])
    said = list(unargued(_scanned(tools / "checkov"), exceptions()))
    print("\n".join(said) or "checkov: nothing but the argued exceptions (infra/scanning/scan_exceptions.yaml).")
    workflows = subprocess.run([str(tools / "zizmor"), "--offline", "--quiet", str(WORKFLOWS)], check=False)
    sys.exit(1 if said or workflows.returncode else 0)


if __name__ == "__main__":
    main()

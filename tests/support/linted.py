"""What cfn-lint finds in a template of plain CloudFormation, which `make package` does not lint."""

from pathlib import Path

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from infra.packaging.region import REGION


def findings_of_cloudformation(template: Path) -> list[str]:
    """Return a line for each finding; nothing when the template is clean."""
    matches = lint(template.read_text(), config=ManualArgs(regions=[REGION]))
    return [f"{match.rule.id} {match.message} (line {match.linenumber})" for match in matches]

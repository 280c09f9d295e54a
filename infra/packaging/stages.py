"""What differs between stages: values of the template's parameters, one file a stage, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

from infra.packaging.yaml_text import yaml_parse

FOLDER = Path(__file__).resolve().parents[1] / "stages"
STAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


class UnknownStageError(ValueError):
    """Raised for a stage that has no file."""


def values(stage: str) -> Mapping[str, str]:
    """Return the values of `stage`, by the name of their parameter.

    Raises:
        UnknownStageError: there is no such stage; its text names those that there are.
    """
    if stage not in STAGES:
        raise UnknownStageError(f"there is no stage {stage!r}: {', '.join(STAGES)} are")
    written = yaml_parse((FOLDER / f"{stage}.yaml").read_text())
    return {name: str(value) for name, value in written.items()}

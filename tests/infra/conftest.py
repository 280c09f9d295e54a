"""One build for all tests of the package; the other workers of a run wait for it and find it done."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.packaging.build import package
from infra.packaging.lint import findings
from infra.packaging.yaml_text import yaml_parse


@pytest.fixture(scope="session")
def packaged() -> Path:
    return package("dev", linted=False)


@pytest.fixture(scope="session")
def packaged_for_prod() -> Path:
    return package("prod", linted=False)


@pytest.fixture(scope="session")
def template(packaged: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((packaged / "sam.yaml").read_text())
    return parsed


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def code(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    shutil.unpack_archive(packaged / "deployment.zip", folder)
    return folder


@pytest.fixture(scope="session")
def found_in_broken(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what the linter finds in this template with two faults; it is slow, so all tests share one run."""
    broken = tmp_path_factory.mktemp("broken") / "sam.yaml"
    text = (packaged / "sam.yaml").read_text().replace("DeletionProtectionEnabled", "DeletionProtectionEnbled")
    broken.write_text(text.replace("EvaluateLowSampleCountPercentile: ignore", ""))
    return list(findings(broken, {}))

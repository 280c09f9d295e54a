"""What ships is named by hash, in the versions that are tested, and one Python version is named everywhere."""

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from infra.packaging.archive import RUNTIME
from infra.packaging.dependencies import HASHES, ROOT
from infra.packaging.pins import HEAD

PATCHES = ("3.11.0", "3.11.99")
"""Some packages need more on an early Python 3.11 than on a late one."""
VERSION = ".".join(str(number) for number in RUNTIME)
PIN = re.compile(r"(?P<pin>[a-z0-9._-]+==\S+)(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n")

TOOLS = {"pip", "setuptools", "wheel"}
"""What Chalice asks for to build packages; none of it ships (infra/packaging/slim.py)."""


def pins_tested() -> set[str]:
    return {
        spelled(re.sub(r"\[.*\]", "", line.partition(";")[0]).strip())
        for name in ("requirements.txt", "requirements-stack.txt", "requirements-dev.txt", "constraints.txt")
        for line in (ROOT / name).read_text().splitlines()
        if "==" in line
    }


def spelled(pin: str) -> str:
    return pin.lower().replace("_", "-").replace(".", "-")


def test_every_package_that_ships_is_named_by_hash_in_the_version_that_is_tested() -> None:
    text = (ROOT / HASHES).read_text()
    found = list(PIN.finditer(text))

    assert text.startswith(HEAD)
    assert "".join(one[0] for one in found) == text.removeprefix(HEAD)
    assert len(found) > 20
    assert [
        one["pin"]
        for one in found
        if spelled(one["pin"]) not in pins_tested() and one["pin"].split("==")[0] not in TOOLS
    ] == []


def test_what_the_requirements_ask_for_is_among_it() -> None:
    pins = {spelled(one["pin"]) for one in PIN.finditer((ROOT / HASHES).read_text())}
    asked = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]

    assert [line for line in asked if spelled(re.sub(r"\[.*\]", "", line)) not in pins] == []


@pytest.mark.parametrize("patch", PATCHES)
def test_what_any_package_needs_is_among_it_whichever_python_installs_it(patch: str) -> None:
    names = {spelled(one["pin"]).partition("==")[0] for one in PIN.finditer((ROOT / HASHES).read_text())}
    needs = [
        Requirement(text) for name in names - TOOLS for text in metadata.requires(name) or () if "extra ==" not in text
    ]

    applying = {
        need.name
        for need in needs
        if need.marker is None or need.marker.evaluate({"python_full_version": patch, "sys_platform": "linux"})
    }
    assert {name for name in applying if spelled(name) not in names} == set()


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("pyproject.toml", r'python_version = "([\d.]+)"'),
        ("infra/bridge/Dockerfile", r"ARG PYTHON=python:(\d+\.\d+)\."),
        (".github/workflows/check.yml", r'python-version: "([\d.]+)"'),
        (".github/workflows/deploy.yml", r'python-version: "([\d.]+)"'),
        ("Makefile", r"Python (\d+\.\d+) is needed"),
    ],
)
def test_every_file_names_the_python_of_the_functions(file: str, pattern: str) -> None:
    """The one place is RUNTIME in infra/packaging/archive.py; what cannot read it is held to it here."""
    named = set(re.findall(pattern, (ROOT / file).read_text()))

    assert named == {VERSION}

"""An earlier release of this service, built from the repository's own history."""

import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GIT = shutil.which("git") or "git"
TAGS = "release-*"
FIRST = "cea69367dea7d7cd008b1bd017ee13330ba8234b"
"""The commit of main on 2026-11-27, before the first release was tagged."""
BUILDS = ("infra/packaging", "infra")
"""The folder of `build.py`, which makes the package, and of `lint.py`: the present one, and that of `FIRST`."""
NO_FINDINGS = "def findings(*_):\n    return ()\n"
"""Replaces the linter of an earlier release, which passed it at the time; the linter is slow."""


def previous_release() -> str | None:
    """Return the commit of the newest tag before HEAD, else `FIRST`; None where the clone is too shallow for either."""
    head = _git("rev-parse", "HEAD")
    tags = _git("tag", "--list", TAGS, "--merged", "HEAD", "--sort=-creatordate").split()
    for name in (*tags, FIRST):
        commit = _git("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
        if commit and commit != head:
            return commit
    return None


def package_of(commit: str, directory: Path) -> Path:
    """Return the folder with the package of `commit`, made by that commit's own build in `directory`."""
    archive = subprocess.run([GIT, "archive", "--format=zip", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(directory)
    # Dependencies that have not changed since are not downloaded again.
    known = ROOT / "build/dependencies"
    if known.is_dir():
        shutil.copytree(known, directory / "build/dependencies", ignore=shutil.ignore_patterns("tmp*"))
    builds = next(folder for folder in BUILDS if (directory / folder / "build.py").is_file())
    (directory / builds / "lint.py").write_text(NO_FINDINGS)
    subprocess.run([sys.executable, "-m", f"{builds.replace('/', '.')}.build", "dev"], cwd=directory, check=True)
    return directory / "build/dev"


def _git(*arguments: str) -> str:
    """Return git's output, or nothing if it fails or git is missing."""
    try:
        said = subprocess.run([GIT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""

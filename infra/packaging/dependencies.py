"""Installs what ships beside the application: `python -m infra.packaging.dependencies`, once for each state of it.

Everything that is named in requirements-hashes.txt, for the functions' platform, slimmed and compiled, and kept below
build/. It needs nothing but pip, so a first `make run` does it while pip fills .venv.
"""

import argparse
import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from infra.packaging.archive import RUNTIME, compile_folder
from infra.packaging.slim import shipped, ships

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
"""pip's names of the architectures. Python 3.11 runs on Amazon Linux 2, whose C library is too old for newer ones."""

HASHES = "requirements-hashes.txt"
"""Every package that ships, with its hashes (infra/packaging/pins.py)."""


def dependencies(build: Path = BUILD) -> Path:
    """Return a folder with the dependencies as they ship: for the functions' platform, slim and compiled."""
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    platform = PLATFORMS[config["lambda_architecture"]]
    makers = [ROOT / name for name in (HASHES, "infra/packaging/slim.py", "infra/packaging/archive.py")]
    target = build / "dependencies" / f"{platform}-{digest(makers)}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            installed = Path(scratch) / "installed"
            # The list is whole, and pip would ask for what this machine's Python needs besides.
            pip_install(installed, platform, "--require-hashes", "--no-deps", "-r", str(ROOT / HASHES))
            slim = Path(scratch) / "slim"
            _copy_shipping(installed, slim)
            compile_folder(slim)
            slim.replace(target)
    return target


def digest(paths: Iterable[Path]) -> str:
    """Return a hash over names and contents of `paths`, whatever their order, and over this Python."""
    whole = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        whole.update(f"\n{path.relative_to(ROOT)}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:32]


@contextmanager
def locked(build: Path) -> Iterator[None]:
    """Lock the folder `build` for this process; the lock ends with the process."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pip_install(folder: Path, platform: str, *more: str) -> None:
    """Install wheels for the functions' Python on a platform into a folder; `more` says which, and how."""
    version = ".".join(str(number) for number in RUNTIME)
    target = ["--platform", platform, "--python-version", version, "--implementation", "cp", "--target", str(folder)]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, *target, *more], check=True)


def _copy_shipping(installed: Path, slim: Path) -> None:
    for path in installed.rglob("*"):
        name = path.relative_to(installed)
        if path.is_file() and ships(PurePosixPath(name)):
            (slim / name).parent.mkdir(parents=True, exist_ok=True)
            (slim / name).write_bytes(shipped(PurePosixPath(name), path.read_bytes()))


def main() -> None:
    """Install the dependencies that ship, unless they are there."""
    with locked(BUILD):
        dependencies()


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m infra.packaging.dependencies", description=__doc__).parse_args()
    main()

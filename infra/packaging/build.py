"""Packages a stage: `python -m infra.packaging.build dev` leaves build/dev/sam.yaml and build/dev/deployment.zip.

Chalice generates the template and picks the application's files; the parts that infra/packaging/template.py joins are
merged onto it. The dependencies are installed once for each state of requirements-hashes.txt, for the functions'
platform, slimmed and compiled, and kept below build/: a change of the application needs no network. The same input
gives the same zip, byte for byte.

The zip holds native code, so it is built for one architecture. `lambda_architecture` in
.chalice/config.json is x86_64, so that the very same zip runs in the emulator on most laptops;
setting "arm64" there is enough to ship for AWS's cheaper processors.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from infra.packaging.archive import RUNTIME, compile_folder, write_archive
from infra.packaging.region import REGION
from infra.packaging.slim import shipped, ships
from infra.packaging.template import PARTS, finish, whole_template

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PROGRAMS = Path(sys.executable).parent
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
"""pip's names of the architectures. Python 3.11 runs on Amazon Linux 2, whose C library is too old for newer ones."""

HASHES = "requirements-hashes.txt"
"""Every package that ships, with its hashes (infra/packaging/pins.py)."""
CHECKS = "infra/packaging/refusals"
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


class TemplateRefusedError(RuntimeError):
    """Raised when the linter refuses the packaged template; its text is the linter's output."""


def package(stage: str, build: Path = BUILD) -> Path:
    """Return the folder with an up-to-date sam.yaml and deployment.zip of `stage`.

    Returns at once when no input has changed since the last build. Safe to call from several processes:
    one builds, the others wait for it.

    Raises:
        TemplateRefusedError: The template has a finding; the folder keeps what it had before.
        subprocess.CalledProcessError: Chalice or pip failed; their output is on standard error.
    """
    target = build / stage
    mark = target / "inputs.sha256"
    with _lock(build):
        digest = _digest(_inputs())
        if mark.is_file() and mark.read_text() == digest:
            return target
        with tempfile.TemporaryDirectory(prefix=f"{stage}-", dir=build) as scratch:
            finished = _build(stage, Path(scratch), dependencies(build))
            target.mkdir(exist_ok=True)
            mark.unlink(missing_ok=True)
            for name in ("deployment.zip", "sam.yaml"):
                (finished / name).replace(target / name)
        mark.write_text(digest)
    return target


def dependencies(build: Path = BUILD) -> Path:
    """Return a folder with the dependencies as they ship: for the functions' platform, slim and compiled."""
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    platform = PLATFORMS[config["lambda_architecture"]]
    makers = [ROOT / name for name in (HASHES, "infra/packaging/slim.py", "infra/packaging/archive.py")]
    target = build / "dependencies" / f"{platform}-{_digest(makers)}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            installed = Path(scratch) / "installed"
            _install(installed, platform)
            slim = Path(scratch) / "slim"
            _copy_shipping(installed, slim)
            compile_folder(slim)
            slim.replace(target)
    return target


def _build(stage: str, scratch: Path, needed: Path) -> Path:
    """Return a folder with the linted template and the zip, made in `scratch`."""
    packaged = scratch / "packaged"
    merged = scratch / "merged.yaml"
    merged.write_text(whole_template())
    _run_chalice(stage, _project(scratch / "project"), merged, packaged)
    application = scratch / "application"
    shutil.unpack_archive(packaged / "deployment.zip", application)
    compile_folder(application)
    write_archive(packaged / "deployment.zip", [application, needed])
    finish(packaged / "sam.yaml", stage=stage, code=packaged / "deployment.zip")
    _refuse_findings(packaged / "sam.yaml", stage)
    return packaged


def _project(folder: Path) -> Path:
    """Return a copy of the files that Chalice reads; without requirements, so that it installs nothing."""
    folder.mkdir()
    shutil.copy(ROOT / "app.py", folder)
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=IGNORED)
    (folder / ".chalice").mkdir()
    for path in (ROOT / ".chalice").glob("*.json"):
        shutil.copy(path, folder / ".chalice")
    (folder / "requirements.txt").touch()
    return folder


def _run_chalice(stage: str, project: Path, template: Path, out: Path) -> None:
    options = ["--stage", stage, "--merge-template", str(template), str(out)]
    subprocess.run(
        [str(PROGRAMS / "chalice"), "--project-dir", str(project), "package", *options],
        env={**os.environ, "AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _install(folder: Path, platform: str) -> None:
    version = ".".join(str(number) for number in RUNTIME)
    target = ["--platform", platform, "--python-version", version, "--implementation", "cp"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    pip = [sys.executable, "-m", "pip", "install", *quiet, "--only-binary=:all:", *target]
    subprocess.run([*pip, "--target", str(folder), "--require-hashes", "-r", str(ROOT / HASHES)], check=True)


def _copy_shipping(installed: Path, slim: Path) -> None:
    for path in installed.rglob("*"):
        name = path.relative_to(installed)
        if path.is_file() and ships(PurePosixPath(name)):
            (slim / name).parent.mkdir(parents=True, exist_ok=True)
            (slim / name).write_bytes(shipped(PurePosixPath(name), path.read_bytes()))


def _refuse_findings(sam: Path, stage: str) -> None:
    from infra.deploying.stages import values  # noqa: PLC0415 - the same
    from infra.packaging.lint import findings  # noqa: PLC0415 - the linter takes a second to import

    said = list(findings(sam, values(stage)))
    if said:
        raise TemplateRefusedError("\n".join(said))


def _inputs() -> Iterator[Path]:
    """Yield every file that the result depends on."""
    yield ROOT / "app.py"
    yield ROOT / HASHES
    yield from (ROOT / "infra/packaging").glob("*.py")
    yield from (ROOT / name for name in PARTS)
    yield from (ROOT / "infra/stages").glob("*.yaml")
    yield from (ROOT / CHECKS).glob("*.py")
    yield from (ROOT / ".chalice").glob("*.json")
    for path in (ROOT / "chalicelib").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _digest(paths: Sequence[Path] | Iterator[Path]) -> str:
    """Return a hash over names and contents of `paths`, whatever their order, and over this Python."""
    whole = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        whole.update(f"\n{path.relative_to(ROOT)}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:32]


@contextmanager
def _lock(build: Path) -> Iterator[None]:
    """Lock the folder `build` for this process; the lock ends with the process."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Package the stage that the command line names and print the files."""
    stage = sys.argv[1]
    target = package(stage)
    code = (target / "deployment.zip").read_bytes()
    checksum = hashlib.sha256(code).hexdigest()
    shown = target.relative_to(ROOT)
    print(f"{shown}/sam.yaml and {shown}/deployment.zip ({len(code) / 1e6:.1f} MB, sha256 {checksum[:16]})")


if __name__ == "__main__":
    main()

"""Packages a stage: `python -m infra.packaging.build dev` leaves build/dev/sam.yaml and build/dev/deployment.zip.

Chalice generates the template and picks the application's files; the parts that infra/packaging/template.py joins are
merged onto it. The dependencies are kept below build/ (infra/packaging/dependencies.py): a change of the application
needs no network. The same input gives the same zip, byte for byte.

The zip holds native code, so it is built for one architecture. `lambda_architecture` in
.chalice/config.json is x86_64, so that the very same zip runs in the emulator on most laptops;
setting "arm64" there is enough to ship for AWS's cheaper processors.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.packaging.archive import compile_folder, write_archive
from infra.packaging.dependencies import BUILD, HASHES, ROOT, dependencies, digest, locked
from infra.packaging.region import REGION
from infra.packaging.template import PARTS, finish, whole_template

PROGRAMS = Path(sys.executable).parent
UNLINTED = "--unlinted"
CHECKS = "infra/packaging/refusals"
BUILT, LINTED = "inputs.sha256", "linted.sha256"
"""Files beside the package with the hash of its inputs: of those it was built from, and of those it was linted with."""
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


class TemplateRefusedError(RuntimeError):
    """Raised when the linter refuses the packaged template; its text is the linter's output."""


def package(stage: str, build: Path = BUILD, *, linted: bool = True) -> Path:
    """Return the folder with an up-to-date sam.yaml and deployment.zip of `stage`.

    Returns at once when no input has changed since the last build. Safe to call from several processes:
    one builds, the others wait for it. The template is linted once for each state, unless it need not be `linted`: that
    takes longer than all the rest, and nobody but AWS would refuse what it finds.

    Raises:
        TemplateRefusedError: The template has a finding; the folder keeps what it had before.
        subprocess.CalledProcessError: Chalice or pip failed; their output is on standard error.
    """
    target = build / stage
    with locked(build):
        inputs = digest(_inputs())
        if not _marked(target / BUILT, inputs):
            with tempfile.TemporaryDirectory(prefix=f"{stage}-", dir=build) as scratch:
                finished = _build(stage, Path(scratch), dependencies(build))
                if linted:
                    _refuse_findings(finished / "sam.yaml", stage)
                target.mkdir(exist_ok=True)
                (target / BUILT).unlink(missing_ok=True)
                for name in ("deployment.zip", "sam.yaml"):
                    (finished / name).replace(target / name)
            (target / BUILT).write_text(inputs)
        elif linted and not _marked(target / LINTED, inputs):
            _refuse_findings(target / "sam.yaml", stage)
        if linted and not _marked(target / LINTED, inputs):
            (target / LINTED).write_text(inputs)
    return target


def _marked(mark: Path, inputs: str) -> bool:
    return mark.is_file() and mark.read_text() == inputs


def _build(stage: str, scratch: Path, needed: Path) -> Path:
    """Return a folder with the template and the zip, made in `scratch`."""
    packaged = scratch / "packaged"
    merged = scratch / "merged.yaml"
    merged.write_text(whole_template())
    _run_chalice(stage, _project(scratch / "project"), merged, packaged)
    application = scratch / "application"
    shutil.unpack_archive(packaged / "deployment.zip", application)
    compile_folder(application)
    write_archive(packaged / "deployment.zip", [application, needed])
    finish(packaged / "sam.yaml", stage=stage, code=packaged / "deployment.zip")
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


def _refuse_findings(sam: Path, stage: str) -> None:
    from infra.packaging.lint import findings  # noqa: PLC0415 - the linter takes a second to import
    from infra.packaging.stages import values  # noqa: PLC0415 - the same

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


def main() -> None:
    """Package the stage that the command line names, linted unless `--unlinted` follows, and print the files."""
    parser = argparse.ArgumentParser(prog="python -m infra.packaging.build", description=__doc__)
    parser.add_argument("stage", help="a stage of .chalice/config.json, such as dev")
    parser.add_argument(UNLINTED, action="store_true", help="leave out the check of the template")
    asked = parser.parse_args()
    target = package(asked.stage, linted=not asked.unlinted)
    code = (target / "deployment.zip").read_bytes()
    checksum = hashlib.sha256(code).hexdigest()
    shown = target.relative_to(ROOT)
    print(f"{shown}/sam.yaml and {shown}/deployment.zip ({len(code) / 1e6:.1f} MB, sha256 {checksum[:16]})")


if __name__ == "__main__":
    main()

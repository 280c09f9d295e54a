"""The zip: made of what ships and nothing else, the same bytes from the same input, and made only when needed."""

import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from infra.packaging import build
from infra.packaging.archive import compile_folder, write_archive
from infra.packaging.build import package
from infra.packaging.dependencies import BUILD, ROOT
from infra.packaging.slim import CALLED_OPERATIONS, CALLED_SERVICES, shipped, ships

LARGEST_ZIP_BYTES = 14_500_000


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(packaged: Path) -> set[str]:
    with ZipFile(packaged / "deployment.zip") as archive:
        return set(archive.namelist())


def application_files() -> set[str]:
    found = [path for path in (ROOT / "chalicelib").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {"app.py", *(path.relative_to(ROOT).as_posix() for path in found)}


@pytest.mark.slow
def test_another_stage_built_elsewhere_gives_the_same_zip(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It was linted where it was built first, which takes longer than all the rest.
    monkeypatch.setattr(build, "_refuse_findings", lambda *_: None)
    (tmp_path / "dependencies").symlink_to(BUILD / "dependencies")

    production = package("prod", tmp_path)

    assert digest(production / "deployment.zip") == digest(packaged / "deployment.zip")


@pytest.mark.slow
def test_dependencies_installed_anew_give_the_same_bytes(packaged: Path, tmp_path: Path) -> None:
    # The same bytes passed the linter before.
    again = package("dev", tmp_path, linted=False)

    assert digest(again / "deployment.zip") == digest(packaged / "deployment.zip")
    assert digest(again / "sam.yaml") == digest(packaged / "sam.yaml")


def test_a_build_with_nothing_changed_touches_nothing(packaged: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in packaged.iterdir()}

    package("dev", linted=False)

    assert {path.name: path.stat().st_mtime_ns for path in packaged.iterdir()} == before


def test_what_was_packaged_without_the_linter_is_linted_once_for_whoever_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linted: list[Path] = []

    def built(_: str, scratch: Path, __: Path) -> Path:
        for name in ("deployment.zip", "sam.yaml"):
            (scratch / name).touch()
        return scratch

    monkeypatch.setattr(build, "_build", built)
    monkeypatch.setattr(build, "dependencies", lambda folder: folder)
    monkeypatch.setattr(build, "_refuse_findings", lambda sam, _: linted.append(sam))

    package("dev", tmp_path, linted=False)
    assert linted == []
    for _ in range(2):
        package("dev", tmp_path)
    assert linted == [tmp_path / "dev" / "sam.yaml"]
    package("dev", tmp_path, linted=False)
    assert len(linted) == 1


def test_the_zip_keeps_every_file_of_the_application(packaged: Path) -> None:
    own = {name for name in names(packaged) if name.split("/")[0] in {"app.py", "chalicelib"}}

    assert {name for name in own if not name.endswith(".pyc")} == application_files()


def test_nothing_of_the_repository_ships_but_the_application(packaged: Path) -> None:
    top = {name.split("/")[0] for name in names(packaged)}

    assert not top & {"infra", "tests", "build", ".chalice", ".venv", "requirements.txt", "pyproject.toml"}


def test_every_module_ships_with_its_compiled_twin_that_never_looks_at_the_time(packaged: Path) -> None:
    found = names(packaged)
    unchecked_hash = 0b01

    for name in (PurePosixPath(one) for one in found if one.endswith(".py")):
        assert str(name.parent / "__pycache__" / f"{name.stem}.cpython-311.pyc") in found
    with ZipFile(packaged / "deployment.zip") as archive:
        header = archive.read("__pycache__/app.cpython-311.pyc")[:8]
    assert int.from_bytes(header[4:8], "little") == unchecked_hash


def test_botocore_keeps_the_services_that_are_called_and_no_other(packaged: Path) -> None:
    found = {match[1] for one in names(packaged) if (match := re.match(r"botocore/data/([^/]+)/", one))}

    assert found == CALLED_SERVICES


def test_the_zip_stays_small(packaged: Path) -> None:
    assert (packaged / "deployment.zip").stat().st_size <= LARGEST_ZIP_BYTES


@pytest.mark.parametrize(
    "name",
    [
        "aws_lambda_powertools/metrics/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/docs/__init__.py",
        "aws_lambda_powertools/utilities/jmespath_utils/__init__.py",
        "_cffi_backend.cpython-311-x86_64-linux-gnu.so",
    ],
)
def test_what_a_function_imports_ships(name: str) -> None:
    assert ships(PurePosixPath(name))


@pytest.mark.parametrize(
    "name",
    [
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
        "boto3/session.py",
        "pip/__init__.py",
        "chalice/cli/__init__.py",
        "pydantic-2.13.5.dist-info/METADATA",
        "distutils-precedence.pth",
        "aws_lambda_powertools/utilities/idempotency/__init__.py",
        "six/__pycache__/six.cpython-311.pyc",
    ],
)
def test_what_no_function_imports_stays_behind(name: str) -> None:
    assert not ships(PurePosixPath(name))


def test_a_description_ships_without_its_words_but_with_a_member_of_that_name() -> None:
    described = {
        "documentation": "What it does",
        "shapes": {"Page": {"members": {"documentation": {"shape": "Text", "documentation": "A text"}}}},
        "operations": [{"name": "Get", "documentation": "Gets"}],
    }
    content = gzip.compress(json.dumps(described).encode())

    ships_as = shipped(PurePosixPath("botocore/data/events/2015-10-07/service-2.json.gz"), content)

    assert json.loads(gzip.decompress(ships_as)) == {
        "shapes": {"Page": {"members": {"documentation": {"shape": "Text"}}}},
        "operations": [{"name": "Get"}],
    }


def test_a_description_keeps_the_words_that_a_client_reads() -> None:
    described = {"documentation": "What it does", "clientContextParams": {"A": {"documentation": "B", "type": "C"}}}
    content = gzip.compress(json.dumps(described).encode())

    ships_as = shipped(PurePosixPath("botocore/data/s3/2006-03-01/service-2.json.gz"), content)

    assert json.loads(gzip.decompress(ships_as)) == {"clientContextParams": described["clientContextParams"]}


def test_a_description_keeps_the_operations_that_functions_may_call_and_what_these_reach() -> None:
    described = {
        "operations": {
            "GetItem": {"input": {"shape": "Asked"}, "errors": [{"shape": "Absent"}]},
            "CreateTable": {"input": {"shape": "Wanted"}},
        },
        "shapes": {
            "Asked": {"members": {"Key": {"shape": "Key"}}},
            "Key": {"type": "map", "value": {"shape": "Key"}},
            "Absent": {"type": "structure"},
            "Wanted": {"type": "structure"},
        },
    }
    content = gzip.compress(json.dumps(described).encode())

    ships_as = shipped(PurePosixPath("botocore/data/dynamodb/2012-08-10/service-2.json.gz"), content)

    kept = json.loads(gzip.decompress(ships_as))
    assert (kept["operations"].keys(), kept["shapes"].keys()) == ({"GetItem"}, {"Asked", "Key", "Absent"})


def test_every_operation_that_the_functions_have_rights_to_is_described() -> None:
    allowed = {
        action
        for policy in (ROOT / ".chalice").glob("policy-*.json")
        for action in re.findall(r'"(dynamodb:[A-Z]\w+|lambda:[A-Z]\w+)"', policy.read_text())
    }
    # Lambda itself reads the streams, and a condition names keys.
    allowed -= {f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
    allowed -= {"dynamodb:LeadingKeys"}
    named = {"lambda:InvokeFunction": "lambda:Invoke"}

    described = {f"{service}:{one}" for service, called in CALLED_OPERATIONS.items() for one in called}
    assert {named.get(action, action) for action in allowed} <= described


def test_the_addresses_of_called_services_ship_and_no_others() -> None:
    listed = {"partitions": [{"partition": "aws", "services": {"dynamodb": {"endpoints": {}}, "ec2": {}}}]}

    ships_as = shipped(PurePosixPath("botocore/data/endpoints.json"), json.dumps(listed).encode())

    assert json.loads(ships_as) == {"partitions": [{"partition": "aws", "services": {"dynamodb": {"endpoints": {}}}}]}


def test_a_module_ships_as_it_is() -> None:
    assert shipped(PurePosixPath("botocore/client.py"), b"documentation") == b"documentation"


def test_an_archive_does_not_depend_on_times_modes_or_the_order_of_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, ("a.py", "b.py")), (second, ("b.py", "a.py"))):
        folder.mkdir()
        for name in order:
            (folder / name).write_text(f"NAMES = {{'x', 'y', '{name}'}}\n")
        compile_folder(folder)
    (second / "a.py").chmod(0o600)

    write_archive(tmp_path / "first.zip", [first])
    write_archive(tmp_path / "second.zip", [second])

    assert digest(tmp_path / "first.zip") == digest(tmp_path / "second.zip")


def test_a_file_that_does_not_compile_stops_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")

    with pytest.raises(subprocess.CalledProcessError):
        compile_folder(tmp_path)

    assert "broken.py" in capfd.readouterr().out

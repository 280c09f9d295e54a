"""Files that `credits` reads and writes: what cannot be is a sentence, and nothing half is left."""

import json
from pathlib import Path

import boto3
import pytest

from chalicelib.domain.ids import instant
from infra.commands import match
from infra.commands.target import Target
from tests.functions.test_cli_export import shops, target
from tests.support.api import NOON, REGION, Ledger
from tests.support.builders import SHOP, merchant, order
from tests.support.command_line import said
from tests.support.fakes import FakeLedger, settle

__all__ = ["shops", "target"]

NOBODY = merchant("nobody")


@pytest.fixture
def bucket(target: Target) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="finance", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
@pytest.mark.usefixtures("target", "shops")
def test_an_export_into_a_missing_bucket_is_refused_before_a_file_is_made(tmp_path: Path, name: str) -> None:
    told = said("export", f"s3://nobucket/{name}", "--merchant", SHOP, "--json")

    assert (told.status, told.out) == (2, "")
    assert json.loads(told.err)["detail"].startswith("There is no bucket nobucket")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("shops", "bucket")
def test_an_upload_that_fails_keeps_the_files_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    with monkeypatch.context() as patched:
        patched.setattr("infra.commands.exporting._Destination.check", lambda *_: None)
        told = said("export", "s3://nobucket/x.csv", "--merchant", SHOP)
    assert told.status == 2
    assert "x.csv.for-s3 and x.csv.for-s3.heads.jsonl are kept" in told.err
    assert "NoSuchBucket" in told.err

    again = said("export", "s3://finance/x.csv", "--merchant", SHOP)

    assert (again.status, "uploaded as it is" in again.err) == (0, True)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="finance")["Contents"]] == ["x.csv", "x.csv.heads.jsonl"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("shops", "bucket")
def test_an_export_to_s3_leaves_a_local_file_of_that_name_alone(tmp_path: Path) -> None:
    said("export", "x.csv", "--merchant", SHOP)

    assert said("export", "s3://finance/x.csv", "--merchant", SHOP).status == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.csv.heads.jsonl"]


@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
@pytest.mark.usefixtures("target")
def test_a_complete_export_is_not_extended_and_says_so(
    shops: FakeLedger, ledger: Ledger, tmp_path: Path, name: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    assert said("export", name, "--merchant", SHOP).status == 0
    before = (tmp_path / name).read_bytes()
    settle(shops, [order("newer")], now=instant(NOON))
    ledger.copy(shops)

    told = said("export", name, "--merchant", SHOP)

    assert told.status == 1
    assert f"{name} is complete; nothing was added. For newer transactions name another file" in told.err
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.usefixtures("target", "shops")
def test_an_export_of_no_account_leaves_no_file(tmp_path: Path) -> None:
    told = said("export", "c.csv", "--merchant", SHOP, "--merchant", NOBODY)

    assert (told.status, "has no account" in told.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("export", "x.csv"), ("history", SHOP), ("republish", SHOP)])
@pytest.mark.parametrize("until", ["2026-01-01", "2026-02-01"])
def test_a_time_that_ends_before_it_begins_is_refused(command: tuple[str, ...], until: str) -> None:
    merchants = ("--merchant", SHOP) if command[0] == "export" else ()

    told = said(*command, *merchants, "--since", "2026-02-01", "--until", until)

    assert (told.status, "--since is after --until" in told.err) == (2, True)


@pytest.mark.usefixtures("target", "shops")
def test_a_file_that_cannot_be_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "find", lambda *_: pytest.fail("the file comes first"))
    (tmp_path / "orders.csv").write_text("x")
    for words in (("export",), ("match", "orders.csv", "--report")):
        told = said(*words, "/nonexist/x.csv", "--merchant", SHOP)
        assert (told.status, told.err.strip()) == (2, "There is no folder /nonexist.")
        told = said(*words, str(tmp_path), "--merchant", SHOP)
        assert (told.status, "is a folder" in told.err) == (2, True)


@pytest.mark.usefixtures("target", "shops")
def test_what_the_system_refuses_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x.csv")

    monkeypatch.setattr("infra.commands.exporting.Writer", refusing)

    told = said("export", "x.csv", "--merchant", SHOP)

    assert (told.status, "x.csv cannot be read or written: permission denied." in told.err) == (2, True)


@pytest.mark.usefixtures("target")
def test_a_form_that_is_not_written_is_refused() -> None:
    told = said("export", "a.xlsx", "--merchant", SHOP)

    assert (told.status, ".csv, .jsonl or .parquet" in told.err) == (2, True)

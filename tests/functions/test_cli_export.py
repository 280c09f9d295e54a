"""`credits export` and `verify --file`: whole, continued where it was torn, and proven without the tables."""

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.contracts.api import answers, tables
from chalicelib.domain.ids import instant
from infra.commands import checking, exporting, parquet
from infra.commands.export_rows import rows
from infra.commands.exported import Form, Writer, heads_of, read_heads
from infra.commands.proving import Prover
from infra.commands.target import Target
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, NOON, OTHER, REGION, TRANSACTIONS_TABLE, Ledger
from tests.support.builders import SHOP, adjustment, merchant, order, payment, trial
from tests.support.command_line import said, target_of
from tests.support.ends_of_months import lived
from tests.support.fakes import FakeLedger, settle

HOSTILE = ("=HYPERLINK(1)", "+1", "-1+1", "@SUM(A1)", "'quoted", 'a,"b"', "plain")


@pytest.fixture
def target(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Target:
    made = target_of(credits_table=CREDITS_TABLE, transactions_table=TRANSACTIONS_TABLE, links_table=LINKS_TABLE)

    def client(_target: Target, service: str) -> Any:
        return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]

    monkeypatch.setattr(Target, "client", client)
    monkeypatch.setattr(exporting, "find", lambda *_: made)
    monkeypatch.setattr(exporting, "LAG_SECONDS", 0)
    monkeypatch.setattr(checking, "find", lambda *_: pytest.fail("no table is read"))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def shops(ledger: Ledger) -> FakeLedger:
    """Two shops, one of them with reasons and references that a spreadsheet would run."""
    written, _ = lived(3, writes=25)
    settle(written, [trial(100, of=OTHER)], now=instant(NOON))
    for number, hostile in enumerate(HOSTILE):
        movement = adjustment(f"a{number}", 3, of=OTHER)
        text = {"reason": f"{hostile} \u202eabc", "admin_id": "admin-7"}
        settle(
            written,
            [replace(movement, reference_id=hostile, metadata=text, correlation_id=hostile)],
            now=instant(NOON + timedelta(days=number)),
        )
    ledger.copy(written)
    return written


def members(written: FakeLedger, *merchants: str) -> list[dict[str, Any]]:
    return [
        answers.Transaction.of(transaction).model_dump(mode="json")
        for shop in merchants
        for transaction in written.history(shop)  # type: ignore[arg-type]
    ]


def proven(path: Path, status: int = 0) -> list[dict[str, Any]]:
    told = said("verify", "--file", path, "--json")
    assert told.status == status, told.out + told.err
    assert (told.json["total"], told.json["next"]) == (len(told.json["items"]), None)
    return list(told.json["items"])


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
@pytest.mark.usefixtures("target")
def test_an_export_holds_every_transaction_as_the_api_answers_it_and_proves_itself(
    shops: FakeLedger, tmp_path: Path, name: str
) -> None:
    told = said("export", name, "--merchant", SHOP, "--merchant", OTHER, "--json")

    assert (told.status, told.json["records"], told.json["merchants"]) == (0, len(shops.transactions), 2)
    form = Form(name.rpartition(".")[2])
    assert [row.members for row in rows(tmp_path / name, form)] == members(shops, SHOP, OTHER)
    assert proven(tmp_path / name) == []
    assert "every hash and balance agrees" in said("verify", "--file", tmp_path / name).out


@pytest.mark.usefixtures("target", "shops")
def test_no_cell_of_a_csv_is_run_by_a_spreadsheet(tmp_path: Path) -> None:
    assert " of 1 merchant in all.csv." in said("export", "all.csv", "--merchant", OTHER).out

    for row in csv.DictReader((tmp_path / "all.csv").read_text().splitlines()):
        for name, cell in row.items():
            assert name in tables.WHOLE or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)


@pytest.mark.usefixtures("target")
def test_all_merchants_are_exported_one_after_another(shops: FakeLedger, tmp_path: Path) -> None:
    assert said("export", "all.jsonl", "--all").status == 0

    found = [row.members["id"] for row in rows(tmp_path / "all.jsonl", Form.JSON_LINES) if row.members]
    assert sorted(found) == sorted(shops.transactions)
    assert proven(tmp_path / "all.jsonl") == []


@pytest.mark.usefixtures("target")
def test_the_export_of_a_month_is_its_statement(shops: FakeLedger, tmp_path: Path) -> None:
    assert said("export", "m.jsonl", "--merchant", OTHER, "--since", "2025-06-03", "--until", "2025-06-05").status == 0

    found = [row.members for row in rows(tmp_path / "m.jsonl", Form.JSON_LINES) if row.members]
    wanted = [row for row in members(shops, OTHER) if "2025-06-03" <= row["created_at"] < "2025-06-05"]
    assert found == wanted
    assert len(found) == 2
    assert proven(tmp_path / "m.jsonl") == []


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99, 1.0])
@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
@pytest.mark.usefixtures("target", "shops")
def test_a_torn_export_goes_on_and_is_the_same_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: float
) -> None:
    monkeypatch.setattr(exporting, "ROWS_OF_A_PART", 7)
    command = ("export", "--merchant", SHOP, "--merchant", OTHER)
    said(*command, f"whole-{name}")
    whole, heads = (tmp_path / f"whole-{name}").read_bytes(), heads_of(tmp_path / f"whole-{name}").read_text()
    # Torn at any byte of both: rows are on the disk before the line that names them.
    lines = heads.splitlines(keepends=True)
    sure = lines[: 1 + round(kept * (len(lines) - 2))]
    end = json.loads(sure[-1]).get("end", 0)
    (tmp_path / name).write_bytes(whole[: end + 33])
    heads_of(tmp_path / name).write_text("".join(sure) + lines[len(sure)][:9])

    assert said("verify", "--file", tmp_path / name).status == 1
    assert said(*command, name).status == 0

    assert (tmp_path / name).read_bytes() == whole
    assert heads_of(tmp_path / name).read_text() == heads
    assert proven(tmp_path / name) == []
    assert said(*command, name).status == 1
    assert (tmp_path / name).read_bytes() == whole


@pytest.mark.usefixtures("target", "shops")
def test_another_export_is_not_written_over(tmp_path: Path) -> None:
    said("export", "all.csv", "--merchant", SHOP)
    before = (tmp_path / "all.csv").read_bytes()
    (tmp_path / "mine.csv").write_text("keep this")

    assert said("export", "all.csv", "--merchant", OTHER).status == 1
    assert said("export", "mine.csv", "--merchant", OTHER).status == 1
    assert said("export", "all.csv").status == said("export", "all.csv", "--all", "--merchant", SHOP).status == 2

    assert (tmp_path / "all.csv").read_bytes() == before
    assert (tmp_path / "mine.csv").read_text() == "keep this"


def edited(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    with path.open(newline="") as file:
        lines = file.readlines()
    with path.open("w", newline="") as file:
        file.writelines(change(lines))


@pytest.fixture
def export(target: Target, shops: FakeLedger, tmp_path: Path) -> Path:
    said("export", "all.csv", "--merchant", OTHER, "--merchant", SHOP)
    return tmp_path / "all.csv"


@pytest.mark.slow
def test_a_removed_line_is_found_wherever_it_was(export: Path) -> None:
    whole = export.read_bytes()
    count = len(whole.splitlines())
    for line in range(1, count):
        export.write_bytes(whole)
        edited(export, lambda lines, line=line: [*lines[:line], *lines[line + 1 :]])  # type: ignore[misc]
        assert [one["what"].partition(":")[0] for one in proven(export, status=1)] == ["missing"], line


def test_a_doubled_or_moved_line_is_found_and_named(export: Path) -> None:
    whole = export.read_bytes()
    edited(export, lambda lines: [*lines[:4], lines[3], *lines[4:]])
    [found] = proven(export, status=1)
    assert (found["line"], found["sequence"], found["what"].partition(":")[0]) == (5, 3, "doubled")

    export.write_bytes(whole)
    edited(export, lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]])
    assert {one["what"].partition(":")[0] for one in proven(export, status=1)} == {"missing", "doubled"}


@pytest.mark.slow
@pytest.mark.parametrize("name", tables.COLUMNS)
def test_a_changed_cell_is_found_in_every_column(export: Path, name: str) -> None:
    place = tables.COLUMNS.index(name)

    def change(lines: list[str]) -> list[str]:
        cells = next(csv.reader([lines[4]]))
        cells[place] = str(int(cells[place]) + 1) if name in tables.WHOLE else f"{cells[place]}x"
        if name == "extra_metadata":
            cells[place] = '{"reason":"other"}'
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        return [*lines[:4], line.getvalue(), *lines[5:]]

    edited(export, change)

    found = proven(export, status=1)
    assert found
    assert name == "updated_at" or found[0]["line"] == 5


def test_a_row_that_was_made_up_and_sealed_is_found(export: Path, shops: FakeLedger) -> None:
    forged = FakeLedger()
    settle(forged, [trial(9, of=merchant("forged"))], now=instant(NOON))
    [transaction] = forged.transactions.values()
    line = tables.csv_lines([answers.Transaction.of(transaction)])

    edited(export, lambda lines: [*lines, line])

    [found] = proven(export, status=1)
    assert "no such merchant" in found["what"]


@pytest.mark.parametrize(
    ("bend", "what"),
    [
        (lambda text: text + b"\xff", "line 70, byte 1: not UTF-8"),
        (lambda text: text.replace(b"sequence", b"number", 1), "line 1: the header"),
        (lambda text: text + b'x,"torn\r\n\r\n', "line 70, merchant_id: the quotation mark"),
        (lambda text: text + b'x,"torn" apart', "line 70, merchant_id: there is text"),
        (lambda text: text + b"x,y," + b"z" * 10_000_000, "line 70, credit_id: the cell has more than 1,048,576"),
    ],
    ids=["not UTF-8", "header", "never closed", "closed early", "long"],
)
def test_a_file_that_is_no_export_is_refused_with_its_line(export: Path, bend: Any, what: str) -> None:
    export.write_bytes(bend(export.read_bytes()))

    told = said("verify", "--file", export)

    assert told.status == 1
    assert what in told.err


HOSTILE_JSON = ("[" * 100_000, '{"reason":"\\ud800"}', f'{{"reason":{"9" * 5_000}}}', "{", "")


@pytest.mark.parametrize("text", HOSTILE_JSON, ids=["deep", "half a character", "endless number", "cut", "empty"])
def test_metadata_that_cannot_be_read_is_named_by_line_and_column(export: Path, text: str) -> None:
    def change(lines: list[str]) -> list[str]:
        cells = next(csv.reader([lines[4]]))
        cells[tables.COLUMNS.index("extra_metadata")] = text
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        return [*lines[:4], line.getvalue(), *lines[5:]]

    edited(export, change)

    assert next((one["line"], one["column"], one["what"]) for one in proven(export, status=1)) == (
        5,
        "extra_metadata",
        "cannot be read as JSON",
    )


@pytest.mark.usefixtures("target", "shops")
@pytest.mark.parametrize("text", HOSTILE_JSON[:4], ids=["deep", "half a character", "endless number", "cut"])
def test_a_line_of_json_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    said("export", "all.jsonl", "--all")
    path = tmp_path / "all.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first, f'{{"id": {text}}}\n', *others[1:]]))

    assert next((one["line"], one["what"]) for one in proven(path, status=1)) == (2, "cannot be read as JSON")


@pytest.mark.parametrize(("name", "cell"), [("merchant_id", "x"), ("schema_version", "9"), ("hash", "")])
def test_a_cell_that_no_transaction_has_is_reported(export: Path, name: str, cell: str) -> None:
    def change(lines: list[str]) -> list[str]:
        cells = next(csv.reader([lines[4]]))
        cells[tables.COLUMNS.index(name)] = cell
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        return [*lines[:4], line.getvalue(), *lines[5:]]

    edited(export, change)
    heads = heads_of(export)
    heads.write_text(heads.read_text().replace(f'"merchant_id":"{SHOP}"', '"merchant_id":"x"'))

    assert next(one for one in proven(export, status=1) if one["line"] == 5)


def test_a_number_of_thousands_of_digits_is_no_whole_number(export: Path) -> None:
    edited(export, lambda lines: [*lines[:2], lines[2].replace(",3,3,", f",{'3' * 5_000},3,"), *lines[3:]])

    [found, *_] = proven(export, status=1)

    assert (found["line"], found["column"]) == (3, "credits_used")
    assert found["what"].startswith("not a whole number")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"first_sequence":1', '"first_sequence":"1"'),
        ('"last_sequence":', '"end_sequence":'),
        ('"form":"csv",', ""),
        ('"form":"csv"', '"form":"xls"'),
        ('"form":"csv"', '"form":[]'),
        ('"sha256"', '"sha"'),
        ("{", "[" * 100_000 + "{"),
    ],
    ids=["text for a number", "a name", "no form", "another form", "a list", "no digest", "deep"],
)
def test_heads_of_another_form_are_refused_in_words(export: Path, old: str, new: str) -> None:
    heads = heads_of(export)
    heads.write_text(heads.read_text().replace(old, new, 1))

    told = said("verify", "--file", export)

    assert told.status == 1
    assert heads.name in told.err.replace("\n", "")


def test_what_a_spreadsheet_rewrote_is_named_with_line_and_column(export: Path) -> None:
    edited(export, lambda lines: [*lines[:2], lines[2].replace(",3,3,", ",3.0E+00,3,"), *lines[3:]])

    told = said("verify", "--file", export)

    assert told.status == 1
    assert "line 3" in told.out
    assert "a spreadsheet may have rewritten it" in told.out


def test_heads_that_were_tampered_with_prove_nothing(export: Path) -> None:
    heads = heads_of(export)
    text = heads.read_text()
    heads.write_text(text.replace('"last_sequence":8', '"last_sequence":7'))
    assert proven(export, status=1)
    heads.unlink()
    told = said("verify", "--file", export)
    assert (told.status, "all.csv.heads.jsonl is missing" in told.err) == (2, True)


@pytest.mark.usefixtures("target", "shops")
def test_without_pyarrow_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    told = said("export", "all.parquet", "--all")

    assert (told.status, "requirements-parquet.txt" in told.err) == (2, True)
    assert "Traceback" not in told.err


@pytest.mark.usefixtures("target")
def test_parquet_holds_the_same_rows(shops: FakeLedger, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")

    assert said("export", "all.parquet", "--merchant", SHOP, "--merchant", OTHER).status == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "all.parquet.heads.jsonl"]
    assert [row.members for row in rows(tmp_path / "all.parquet", Form.PARQUET)] == members(shops, SHOP, OTHER)
    assert proven(tmp_path / "all.parquet") == []
    parquet.write(members(shops, SHOP, OTHER)[1:], tmp_path / "all.parquet")
    assert proven(tmp_path / "all.parquet", status=1)[0]["what"].startswith("missing")


@pytest.mark.usefixtures("target", "shops")
def test_a_parquet_file_that_cannot_be_read_is_named_too(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    path = tmp_path / "all.parquet"
    said("export", "all.parquet", "--all")
    table = arrow.parquet.read_table(path)
    place = table.column_names.index("extra_metadata")
    arrow.parquet.write_table(table.set_column(place, "extra_metadata", [["[" * 100_000] * len(table)]), path)

    assert (proven(path, status=1)[0]["line"], proven(path, status=1)[0]["column"]) == (1, "extra_metadata")

    path.write_bytes(path.read_bytes()[:-100])
    told = said("verify", "--file", path)
    assert (told.status, "not a complete Parquet file" in told.err) == (1, True)


def test_a_file_goes_to_s3_with_its_heads(target: Target, shops: FakeLedger, tmp_path: Path) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="finance", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    assert said("export", "s3://finance/2026/all.csv", "--merchant", OTHER).status == 0

    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="finance")["Contents"]]
    assert keys == ["2026/all.csv", "2026/all.csv.heads.jsonl"]
    assert list(tmp_path.iterdir()) == []


def test_a_transaction_that_is_missing_ends_the_export(target: Target, shops: FakeLedger, ledger: Ledger) -> None:
    transaction = shops.history(SHOP)[4]
    ledger.client.delete_item(TableName=TRANSACTIONS_TABLE, Key={"transaction_id": {"S": transaction.transaction_id}})

    told = said("export", "all.csv", "--merchant", SHOP)

    assert (told.status, "credits verify" in told.err) == (2, True)


def test_rows_are_written_and_proven_as_they_stream(tmp_path: Path) -> None:
    # The chain is made by the domain itself; the tables are left out.
    written = FakeLedger()
    settle(written, [trial(1000)], now=instant(NOON))
    for number in range(300):
        settle(written, [order(f"{number}-{each}") for each in range(9)], now=instant(NOON))
    transactions = written.history(SHOP)
    path = tmp_path / "many.jsonl"
    with Writer(path, Form.JSON_LINES, {}) as writer:
        for start in range(0, len(transactions), 500):
            writer.part([answers.Transaction.of(transaction) for transaction in transactions[start : start + 500]])
        writer.end()

    prover = Prover(read_heads(heads_of(path))[1])
    assert list(prover.walk(rows(path, Form.JSON_LINES))) == []
    assert prover.rows == len(transactions)


def test_payments_read_back_the_same(tmp_path: Path) -> None:
    written = FakeLedger()
    settle(written, [trial(5), payment("p", 7)], now=instant(NOON))
    path = tmp_path / "x.csv"
    with Writer(path, Form.CSV, {}) as writer:
        writer.part([answers.Transaction.of(transaction) for transaction in written.history(SHOP)])

    assert [row.members for row in rows(path, Form.CSV)] == members(written, SHOP)

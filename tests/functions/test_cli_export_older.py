"""A file that was exported before credits could lapse has no column `drawn`, and is read for ever."""

from pathlib import Path

from chalicelib.contracts.api import tables
from chalicelib.contracts.api.answers import Transaction
from infra.commands.export_rows import rows
from infra.commands.exported import Form
from infra.commands.proving import transaction_of
from tests.support.builders import NOON, order, trial
from tests.support.fakes import FakeLedger, settle


def test_rows_without_the_newest_column_are_the_same_transactions(tmp_path: Path) -> None:
    store = FakeLedger()
    settle(store, [trial(5), order("1")], now=NOON)
    recorded = sorted(store.transactions.values(), key=lambda one: one.sequence)
    answered = [Transaction.of(one) for one in recorded]
    older = [name for name in tables.COLUMNS if name != tables.DRAWN]
    csv, lines = tmp_path / "older.csv", tmp_path / "older.jsonl"
    text = tables.heading() + tables.csv_lines(answered)
    assert all(line.endswith(",[]") for line in text.splitlines()[1:])
    csv.write_text(
        ",".join(older) + "\r\n" + "".join(f"{line.removesuffix(',[]')}\r\n" for line in text.splitlines()[1:])
    )
    lines.write_text("".join(f"{one.model_dump_json(exclude={tables.DRAWN})}\n" for one in answered))

    for path, form in ((csv, Form.CSV), (lines, Form.JSON_LINES)):
        read = [transaction_of(row.members) for row in rows(path, form) if row.members is not None]
        assert read == recorded

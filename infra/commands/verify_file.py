"""`credits verify --file`: a file of `credits export` proven without the tables."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from infra.commands.export_rows import rows
from infra.commands.exported import Form, NotAnExportError, heads_of, read_heads, sha256_of
from infra.commands.output import FOUND, counted, print_json, refused, say, unable
from infra.commands.proving import Prover, Wrong

SHOWN_MAX = 20
"""Most findings that are printed; JSON has up to `KEPT_MAX`."""
KEPT_MAX = 1_000


def verify_file(path: Path, *, merchants: Sequence[str], as_json: bool) -> None:
    """Print whether an export is whole and unchanged; exit status 1 if it is not, or is unfinished."""
    if merchants:
        raise unable("Give either merchants or --file.")
    if not heads_of(path).exists():
        raise unable(f"{path} has no heads beside it: {heads_of(path)} is missing, and the file cannot be proven.")
    try:
        said, heads, ending = read_heads(heads_of(path))
        prover = Prover(heads)
        found, count = _found(prover, path, Form(said["form"]))
    except NotAnExportError as error:
        raise refused(f"It cannot be proven: {error}.") from error
    if ending is None:
        found, count = (
            [*found, Wrong(what="the export is incomplete: run the same command again to continue it")],
            count + 1,
        )
    elif not found and sha256_of(path) != ending["sha256"]:
        found = [Wrong(what="the file was changed in a part that no transaction's hash covers")]
        count = 1
    if as_json:
        told: dict[str, Any] = {"merchants": prover.merchants, "records": prover.rows, "findings": count}
        print_json({"items": [asdict(wrong) for wrong in found], "total": count, "next": None, **told})
    else:
        _say(prover, found, count)
    if count:
        raise typer.Exit(FOUND)


def _found(prover: Prover, path: Path, form: Form) -> tuple[list[Wrong], int]:
    kept: list[Wrong] = []
    count = 0
    for wrong in prover.walk(rows(path, form)):
        count += 1
        if count <= KEPT_MAX:
            kept.append(wrong)
    return kept, count


def _say(prover: Prover, found: Sequence[Wrong], count: int) -> None:
    for wrong in found[:SHOWN_MAX]:
        where = [
            f"line {wrong.line:,}" if wrong.line is not None else "",
            wrong.column,
            f"{wrong.merchant_id} #{wrong.sequence}" if wrong.sequence is not None else wrong.merchant_id or "",
        ]
        say(f"{', '.join(filter(None, where)) or 'the file'}: {wrong.what}", style="red")
    if count > SHOWN_MAX:
        say("… and more: --json names up to a thousand.", style="red")
    size = f"{counted(prover.rows, 'transaction')} of {counted(prover.merchants, 'merchant')}"
    if count:
        say(f"{size}: {counted(count, 'finding')}.", style="red")
    else:
        say(f"{size}: every hash and balance agrees.", style="green")

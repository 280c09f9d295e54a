"""`credits export`: transactions as a file that finance can read, and that anybody can check (contract, section 17)."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import ClientError
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from chalicelib.contracts.api import answers
from chalicelib.domain.findings import UnreadableAccount, UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Snapshot
from infra.commands import parquet
from infra.commands.export_rows import rows
from infra.commands.exported import Form, NotAnExportError, Writer, heads_of, read_heads, sha256_of, write_heads
from infra.commands.failures import sentence
from infra.commands.ledger import TargetLedger, no_account, reader_of
from infra.commands.options import AsJson, MerchantOptions, OfMonth, Profile, Since, Stage, Until, period
from infra.commands.output import aside, check_writable, counted, print_json, progress_bar, refused, say, unable
from infra.commands.repeating import AWS_ERRORS, repeatable
from infra.commands.target import Target, find
from infra.recovery.everybody import account_pages

LAG_SECONDS = 1.0
LAGS_MAX = 10
"""How often the index is asked again for a transaction that the account has counted."""
ROWS_OF_A_PART = 10_000
"""Rows after which an interrupted export can continue."""

_SUFFIXES = {".csv": Form.CSV, ".jsonl": Form.JSON_LINES, ".ndjson": Form.JSON_LINES, ".parquet": Form.PARQUET}
_ON_ITS_WAY = ".for-s3"
_OTHER_FORMS = frozenset({".xlsx", ".xls", ".ods", ".numbers", ".pdf", ".json", ".tsv", ".zip", ".gz", ".html"})
"""Endings of forms that are not written: a CSV under such a name would be opened as what it is not."""


def export(
    context: typer.Context,
    destination: Annotated[str, typer.Argument(metavar="FILE", help="A file, or s3://BUCKET/KEY.")],
    *,
    merchants: MerchantOptions = None,
    everybody: Annotated[bool, typer.Option("--all", help="All merchants, one after another.")] = False,
    form: Annotated[
        Form | None, typer.Option("--format", help="By default, that of the file's ending, else csv.")
    ] = None,
    since: Since = None,
    until: Until = None,
    month: OfMonth = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Write transactions to a file, oldest first, with the heads of their chains beside it in FILE.heads.jsonl.

    If it was interrupted, the same command continues. `credits verify --file FILE` checks the file without the tables.
    --all reads one merchant after another; for a large ledger see infra/docs/finance-queries.md.
    """
    if bool(merchants) == everybody:
        raise unable(
            "Give either --merchant MERCHANT, once or more, or --all: credits export FILE --merchant MERCHANT."
        )
    place = _Destination.of(destination, form)
    if place.form is Form.PARQUET:
        parquet.pyarrow()
    first, last = period(since, until, month)
    target = find(stage, profile)
    wanted = _Wanted(merchants=tuple(dict.fromkeys(map(MerchantId, merchants or ()))), since=first, until=last)
    place.check(target)
    _require_accounts(target, wanted)
    with repeatable(context):
        try:
            told = _written(target, place, wanted, visible=not as_json)
        except NotAnExportError as error:
            raise refused(f"{error}") from error
        place.deliver(target)
    if as_json:
        print_json({**told, "file": destination, "form": place.form.value})
        return
    exported = f"{counted(told['records'], 'transaction')} of {counted(told['merchants'], 'merchant')}"
    say(f"{exported} in {destination}.", style="green")
    say(f"Its heads are in {destination}{heads_of(Path('x')).name[1:]}: keep the two together.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is exported: these merchants (all, if none is named), and the time."""

    merchants: tuple[MerchantId, ...]
    since: Instant | None
    until: Instant | None

    def members(self) -> dict[str, Any]:
        """Return it as the heads of a file hold it."""
        return {"merchants": list(self.merchants) or "all", "since": self.since, "until": self.until}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Destination:
    """Where an export goes: `spool` is the file that is written row by row, `file` the finished one."""

    spool: Path
    file: Path
    form: Form
    bucket: str | None = None
    key: str = ""

    @classmethod
    def of(cls, destination: str, form: Form | None) -> "_Destination":
        """Return the place that the command line names; for S3 the file is made in the current folder first."""
        address = urlsplit(destination)
        bucket = address.netloc if address.scheme == "s3" else None
        key = address.path.removeprefix("/") if bucket else ""
        name = Path(key).name if bucket else destination
        if not name or (address.scheme == "s3" and not bucket):
            raise unable("A destination in S3 is s3://BUCKET/KEY, where KEY names a file.")
        chosen = form or _form_of(Path(name))
        # Never the name of a local export of the same, which would be uploaded and removed.
        file = f"{name}{_ON_ITS_WAY}" if bucket else name
        spool = Path(f"{file}.rows.jsonl") if chosen is Form.PARQUET else Path(file)
        return cls(spool=spool, file=Path(file), form=chosen, bucket=bucket, key=key)

    def check(self, target: Target) -> None:
        """End the command, before a file is made, where the destination cannot be written or is complete already."""
        check_writable(self.file)
        if self.form is Form.PARQUET and self.file.exists() and not heads_of(self.spool).exists() and not self.bucket:
            raise refused(_complete(self.file))
        if self.bucket is None:
            return
        try:
            target.client("s3").head_bucket(Bucket=self.bucket)
        except ClientError as error:
            # Whoever may write into a bucket need not have the right to look at it.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                raise unable(f"There is no bucket {self.bucket}: name another one, or make it first.") from error

    @property
    def row_form(self) -> Form:
        """The form of the spool."""
        return Form.JSON_LINES if self.form is Form.PARQUET else self.form

    def deliver(self, target: Target) -> None:
        """Make the finished file of the spool, and put it where it belongs; after an interruption, all of it again."""
        if self.form is Form.PARQUET:
            parquet.write((row.members or {} for row in rows(self.spool, Form.JSON_LINES)), self.file)
            said, parts, _ = read_heads(heads_of(self.spool))
            write_heads(heads_of(self.file), {**said, "form": self.form.value}, parts, sha256=sha256_of(self.file))
        if self.bucket is not None:
            client = target.client("s3")
            try:
                for path in (self.file, heads_of(self.file)):
                    client.upload_file(str(path), self.bucket, f"{self.key}{path.name.removeprefix(self.file.name)}")
            except AWS_ERRORS as error:
                kept = f"{self.file} and {heads_of(self.file)} are kept in this folder, the same command continues"
                raise unable(f"Not uploaded; {kept}. {sentence(error)}") from error
            for path in (self.file, heads_of(self.file)):
                path.unlink()
        if self.spool != self.file:
            for path in (self.spool, heads_of(self.spool)):
                path.unlink()


def _form_of(file: Path) -> Form:
    """Return the form for the ending of a file's name; ends the command for the ending of another form."""
    ending = file.suffix.lower()
    if ending in _OTHER_FORMS:
        raise unable(f"{ending} is not written: name a file that ends with .csv, .jsonl or .parquet, or give --format.")
    return _SUFFIXES.get(ending, Form.CSV)


def _written(target: Target, place: _Destination, wanted: _Wanted, *, visible: bool) -> dict[str, int]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = progress_bar(*columns, visible=visible, transient=True)
    with Writer(place.spool, place.row_form, wanted.members()) as writer, bar as progress:
        if writer.complete and place.file == place.spool and place.bucket is None:
            raise refused(_complete(place.file))
        if writer.done and visible:
            whole = "it is uploaded as it is; for newer transactions remove it first" if writer.complete else ""
            aside(f"{place.spool} exists already: {whole or 'continuing it'}.")
        task = progress.add_task("exported")
        count = sum(head.last_sequence - head.first_sequence + 1 for head in writer.done)
        done = {head.merchant_id: head.last_sequence for head in writer.done}
        if not writer.complete:
            for account in _accounts(target, wanted, writer):
                for part in _parts(target, account, wanted, done.get(account.merchant_id)):
                    writer.part(part)
                    count += len(part)
                    progress.update(task, description=f"{counted(count, 'transaction')} exported")
            writer.end()
        return {"records": count, "merchants": len({head.merchant_id for head in writer.done})}


def _complete(file: Path) -> str:
    return f"{file} is complete; nothing was added. For newer transactions name another file, or remove both."


def _require_accounts(target: Target, wanted: _Wanted) -> None:
    """End the command where a merchant has no account, before a file is made that nothing could complete."""
    reader = TargetLedger(target)
    known = reader.accounts(wanted.merchants)
    for merchant in wanted.merchants:
        if merchant not in known:
            raise no_account(merchant)


def _accounts(target: Target, wanted: _Wanted, writer: Writer) -> Iterator[Account]:
    """Yield the accounts that are not whole in the file, from the one where an interrupted export ended."""
    done = [head.merchant_id for head in writer.done]
    if wanted.merchants:
        reader = TargetLedger(target)
        # A merchant whose transactions are all there has no further part.
        begins = wanted.merchants.index(done[-1]) if done else 0
        yield from (reader.account_or_refuse(merchant) for merchant in wanted.merchants[begins:])
        return
    everybody = reader_of(target)
    after = done[-1] if done else None
    if after is not None:
        yield _readable(everybody.account(after))
    for page in account_pages(everybody, after):
        yield from map(_readable, page)


def _readable(found: Snapshot | UnreadableAccount | None) -> Account:
    if found is None:
        raise unable("An account that was exported before is gone. `credits verify` shows more.")
    if isinstance(found, UnreadableAccount):
        raise unable(f"The account of {found.merchant_id} cannot be read: {found.why}. `credits verify` shows more.")
    return found.account


def _parts(
    target: Target, account: Account, wanted: _Wanted, done: int | None
) -> Iterator[Sequence[answers.Transaction]]:
    """Yield the account's transactions that are not in the file, oldest first, a part at a time."""
    lowest, highest = TargetLedger(target).span(account, wanted.since, wanted.until)
    rows_left = map(answers.Transaction.of, _transactions(target, account, max(lowest, (done or 0) + 1), highest))
    while some := list(islice(rows_left, ROWS_OF_A_PART)):
        yield some


def _transactions(
    target: Target, account: Account, lowest: int, highest: int, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Transaction]:
    """Yield the account's transactions of these sequences, all of them; ends the command if one cannot be read."""
    reader = reader_of(target)
    lags = 0
    while lowest <= highest:
        for page in reader.transactions(account.merchant_id, lowest, highest):
            for transaction in page:
                if isinstance(transaction, UnreadableTransaction) or transaction.sequence != lowest:
                    why = transaction.why if isinstance(transaction, UnreadableTransaction) else f"{lowest} is missing"
                    raise unable(
                        f"Transactions of {account.merchant_id} are missing: {why}. `credits verify` shows more."
                    )
                yield transaction
                lowest += 1
        if lowest <= highest:
            # The index shows the newest a moment late.
            lags += 1
            if lags > LAGS_MAX:
                raise unable(f"Transaction {lowest} of {account.merchant_id} is missing. `credits verify` shows more.")
            sleep(LAG_SECONDS)

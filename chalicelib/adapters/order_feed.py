"""The files of shops' orders in a bucket, the reports about them, and a comparison that was not finished.

A file is done when its report exists. A report's name contains the file's version, so a replaced file is a new one.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.faults import raise_if_transient, transient_faults
from chalicelib.contracts.order_files import Form, OrderFile
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.usecases.comparing import FeedFile, FileChangedError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from chalicelib.domain.source_orders import FilePosition

REPORTS = "order-reports/"
"""Where the bucket has the reports."""
UNFINISHED = f"{REPORTS}unfinished.sqlite"
CHUNK_BYTES = 256 * 1024
FILES_MAX = 100_000
"""Files that a call looks at, in the order of their names."""
_CHANGED = frozenset({"PreconditionFailed", "NoSuchKey"})


class OrderFeed:
    """A bucket's feed. Every method may raise `RetryLater` (`unavailable`)."""

    def __init__(self, client: "S3Client", *, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def files(self, since: Instant) -> list[FeedFile]:
        """Return the files modified since then that have no report, the oldest first."""
        found = [
            FeedFile(
                name=one["Key"],
                version=one["ETag"].strip('"'),
                modified=instant(one["LastModified"]),
                size=one["Size"],
            )
            for one in self._listed(self._prefix)
        ]
        new = (file for file in found if file.modified >= since and _has_orders(file))
        return sorted((file for file in new if not self._has(report_name(file))), key=lambda file: file.modified)

    def owner(self, file: FeedFile) -> str:
        """Return the folder below the prefix that the file is in: it names whose orders they are; empty without one."""
        folder, slash, _ = file.name.removeprefix(self._prefix).rpartition("/")
        return folder.rpartition("/")[2] if slash else ""

    def rows(self, file: FeedFile, merchant: MerchantId | None, place: "FilePosition") -> OrderFile:
        """Return the file, to be read from a place on; its orders are the merchant's, or each line states whose.

        Reading it raises `FileChangedError` if it is another version now.
        """
        form = Form.named(file.name)
        assert form is not None, "the feed lists no other files"
        return OrderFile(self._chunks(file, place.position), form, merchant, place)

    def _chunks(self, file: FeedFile, position: int) -> Iterator[bytes]:
        if position >= file.size:
            return
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=file.name, IfMatch=f'"{file.version}"', Range=f"bytes={position}-"
            )
            yield from answer["Body"].iter_chunks(CHUNK_BYTES)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                raise FileChangedError from error
            raise_if_transient(error, "the feed")
            raise
        except BotoCoreError as error:
            # The stream broke off.
            raise RetryLater(Code.UNAVAILABLE, f"the feed did not answer: {type(error).__name__}") from error

    def fetch_unfinished(self, to: Path) -> bool:
        """Write the comparison that was not finished into a file; return whether there was one."""
        if not self._has(UNFINISHED):
            return False
        with transient_faults("the feed"), to.open("wb") as file:
            for chunk in self._client.get_object(Bucket=self._bucket, Key=UNFINISHED)["Body"].iter_chunks(CHUNK_BYTES):
                file.write(chunk)
        return True

    def keep_unfinished(self, path: Path) -> None:
        """Keep a comparison for the next call."""
        self._put(UNFINISHED, path)

    def forget_unfinished(self) -> None:
        """Remove the comparison that is no longer unfinished."""
        with transient_faults("the feed"):
            self._client.delete_object(Bucket=self._bucket, Key=UNFINISHED)

    def report(self, file: FeedFile, summary: bytes, differences: Path | None) -> str:
        """Write the report about a file, and return its name; the differences first, so that a report is whole."""
        name = report_name(file)
        if differences is not None:
            self._put(differences_name(file), differences)
        with transient_faults("the feed"):
            self._client.put_object(Bucket=self._bucket, Key=name, Body=summary, ContentType="application/json")
        return name

    def _put(self, name: str, path: Path) -> None:
        with transient_faults("the feed"), path.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=file)

    def _has(self, name: str) -> bool:
        # Not HeadObject: what is missing needs the right to list the whole bucket there.
        return any(one["Key"] == name for one in self._listed(name, at_once=1))

    def _listed(self, prefix: str, *, at_once: int = 1_000) -> Iterator[Any]:
        start: dict[str, Any] = {}
        seen = 0
        while seen < FILES_MAX:
            with transient_faults("the feed"):
                page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=at_once, **start)
            for one in page.get("Contents", ()):
                seen += 1
                yield one
            if not page.get("IsTruncated") or at_once == 1:
                return
            start = {"ContinuationToken": page["NextContinuationToken"]}


def _has_orders(file: FeedFile) -> bool:
    return Form.named(file.name) is not None and not file.name.startswith(REPORTS)


def report_name(file: FeedFile) -> str:
    """Return the name of a file's report."""
    day = f"{datetime.fromisoformat(file.modified):%Y%m%d}"
    return f"{REPORTS}{file.name}.{day}-{file.version[:12]}.json"


def differences_name(file: FeedFile) -> str:
    """Return the name of the list of a file's differences, JSON Lines."""
    return f"{report_name(file)}l"

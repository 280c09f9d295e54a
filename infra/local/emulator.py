"""The AWS emulator, with what it lacks and what it does too often: `python -m infra.local.emulator`.

Partner event buses: Shopify and Stripe put their events with PutPartnerEvents; on AWS they appear on the bus with their
source's name. ministack 1.5.33 takes them and drops them. From anybody else it refuses a source that begins with
`aws.`, as AWS does.

A consistent state (with PERSIST_STATE=1, for KEEP=on): ministack saves one service after the other while its functions
run on, and forgets what the tables' streams still hold, but not how far the functions have read. Here SIGUSR1 first
lets running functions finish and starts no other; then everything is saved, the unread part of the streams too.

Payload format 1.0 of HTTP APIs: http_api.py.

One copy of a package: ministack unpacks it for every worker, which takes a second of CPU and 67 MB of disk. Here all
workers of a package share one copy, as they can on AWS, where none may write to it.

The end of a call's log: ministack waits after each call until nothing has been logged for 5 ms, 50 ms where nothing was
logged at all. Here a worker marks the end of its log before it answers.

Texts read once: ministack reads the text of a condition again for every item of a query, which was two fifths of its
CPU where a merchant has some thousand transactions, and each number of an item four times as it is written.

Items copied fast: an item is plain JSON, which marshal copies faster than `copy.deepcopy` does; that took a twelfth of
its CPU where orders are recorded.
"""

import copy
import hashlib
import marshal
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from queue import Empty
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any

from ministack import app
from ministack.core import lambda_runtime, persistence
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, eventbridge, lambda_svc

from infra.local import http_api
from infra.local.engines import SAVED

_STREAMS = "dynamodb_stream_records"
_POLL_SECONDS = 0.02
_polling = Lock()
_unpacking = Lock()
_END_OF_LOG = "(end of this call's log)"
_LOG_SECONDS = 0.25
"""How long the rest of a log is waited for that has no end: its worker died."""
_POLLERS = ("_poll_sqs", "_poll_kinesis", "_poll_dynamodb_streams")


def put_partner_events(request: dict[str, Any]) -> Any:
    """Return the answer to PutPartnerEvents, after each event went to the bus of its source's name."""
    entries = [{**entry, "EventBusName": entry["Source"]} for entry in request.get("Entries", [])]
    return eventbridge._put_events({"Entries": entries}, allow_aws_source=True)  # noqa: SLF001 - as its own emitters do


class _Package(zipfile.ZipFile):
    """The zip of a function's code; the folder that it is unpacked into becomes a link to the one copy of its files."""

    def extractall(self, path: Any = None, *_: Any) -> None:
        content = repr([(info.filename, info.CRC) for info in self.infolist()]).encode()
        copy = Path(tempfile.gettempdir(), f"package-{hashlib.sha256(content).hexdigest()[:16]}")
        with _unpacking:
            if not copy.exists():
                half = copy.with_suffix(".half")
                super().extractall(half)
                half.rename(copy)
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(copy)
        # Nothing reads the zip again.
        Path(str(self.filename)).unlink()


def _mark_ends_of_logs() -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001 - the emulator offers no other place
    before, answer, after = script.rpartition("        _real_stdout.flush()\n")
    assert after.strip() == "run()", "the worker's script is another one: where does it answer?"
    mark = f"        print({_END_OF_LOG!r}, file=sys.stderr, flush=True)\n"
    lambda_runtime._PYTHON_WORKER_SCRIPT = before + mark + answer + after  # noqa: SLF001
    lambda_runtime.Worker._drain_stderr_bounded = _log_of_a_call  # noqa: SLF001


def _log_of_a_call(worker: Any) -> str:
    """Return what a call has logged that has just answered."""
    lines: list[str] = []
    with suppress(Empty):
        while not lines or not lines[-1].endswith(_END_OF_LOG):
            lines.append(worker._stderr_queue.get(timeout=_LOG_SECONDS))  # noqa: SLF001
        lines[-1] = lines[-1].removesuffix(_END_OF_LOG)
    return "\n".join(line for line in lines if line)


def _once(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return `read`, a function of a text, which remembers its latest results; what is no text is read each time."""
    remembered = lru_cache(4096)(read)
    return lambda text, *others: (remembered if isinstance(text, str) else read)(text, *others)


def _read_texts_once() -> None:
    tokens = _once(dynamodb._tokenize)  # noqa: SLF001 - the emulator offers no other place
    dynamodb._tokenize = lambda text: list(tokens(text))  # noqa: SLF001
    for name in ("_condition_syntax_error", "_number_error", "_ddb_canonicalize_number", "_number_size_bytes"):
        setattr(dynamodb, name, _once(getattr(dynamodb, name)))


def _copied(content: Any) -> Any:
    """Return a deep copy: of plain JSON by marshal, which is faster, of anything else by `copy.deepcopy`."""
    try:
        return marshal.loads(marshal.dumps(content))  # noqa: S302 - bytes that marshal made just now
    except ValueError:
        return copy.deepcopy(content)


def unread() -> dict[str, Any]:
    """Return the records of the tables' streams that some function has not read, and how many were before them."""
    records, before = AccountRegionScopedDict(), AccountRegionScopedDict()
    for (account, region, table), live in dynamodb._stream_records.all_items():  # noqa: SLF001 - nothing public has them
        first = dynamodb.stream_start_position(table, account_id=account, region=region)
        readers = [
            lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"], first)  # noqa: SLF001
            for _, _, mapping in lambda_svc._iter_all_esms()  # noqa: SLF001
            if f":table/{table}/stream/" in mapping["EventSourceArn"]
        ]
        read = max(first, min(readers, default=first + len(live)))
        records.set_scoped(account, region, table, live[read - first :])
        before.set_scoped(account, region, table, read)
    return {"records": records, "before": before}


def save() -> None:
    """Let the running functions finish, start no other, and save everything; a file says when that is done."""
    _polling.acquire()
    while lambda_svc._esm_inflight:  # noqa: SLF001 - nothing public has them
        time.sleep(_POLL_SECONDS)
    services = {**app._build_persistence_save_dict(), _STREAMS: unread}  # noqa: SLF001 - as its own end does
    persistence.save_all(services)
    folder = Path(persistence.STATE_DIR)
    # ministack logs a service that it cannot save, and goes on: then nothing counts as saved.
    if all((folder / f"{service}.json").exists() for service in services):
        (folder / SAVED).touch()


def load(load_all: Callable[[], None]) -> None:
    """Restore everything that was saved before any function starts."""
    with _polling:
        load_all()
        streams = persistence.load_state(_STREAMS)
        if streams:
            dynamodb._stream_records.update(streams["records"])  # noqa: SLF001
            dynamodb._stream_trimmed.update(streams["before"])  # noqa: SLF001


def _unless_saving(poll: Callable[[], bool]) -> Callable[[], bool]:
    def polled() -> bool:
        with _polling:
            return poll()

    return polled


def _keep_state() -> None:
    load_all = app._load_persisted_state  # noqa: SLF001 - the emulator offers no other place
    app._load_persisted_state = lambda: load(load_all)  # noqa: SLF001
    # Its own save at the end would come while functions run.
    app.save_all = lambda _: None
    for name in _POLLERS:
        setattr(lambda_svc, name, _unless_saving(getattr(lambda_svc, name)))
    signal.signal(signal.SIGUSR1, lambda *_: Thread(target=save, daemon=True).start())


if __name__ == "__main__":
    eventbridge._put_partner_events = put_partner_events  # noqa: SLF001 - the emulator offers no other place
    # Only workers open zips there; whatever else unpacks in ministack does so as before.
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": _Package})
    _mark_ends_of_logs()
    _read_texts_once()
    dynamodb.copy = SimpleNamespace(deepcopy=_copied)
    http_api.install()
    if persistence.PERSIST_STATE:
        _keep_state()
    sys.exit(app.main())

"""How many files of the package run for one call of each flow: what a reader has to open to follow it.

The numbers, and what they cannot fall below, are in infra/docs/decisions, 0076.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import app
import chalicelib
from tests.functions.test_adjust import ASKED
from tests.functions.test_http_status import status_of
from tests.support.api import CREDITS_TABLE, Api, Ledger
from tests.support.builders import SHOP, trial
from tests.support.events import Context, batch, opened, paid
from tests.support.system import System

PACKAGE = str(Path(chalicelib.__file__).parent)


@contextmanager
def executed() -> Iterator[set[str]]:
    """Yield the files of the package in which a function runs; what an import runs does not count."""
    files: set[str] = set()

    def entered(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(PACKAGE):
            files.add(code.co_filename.removeprefix(PACKAGE + "/"))

    before = sys.getprofile()
    sys.setprofile(entered)
    try:
        yield files
    finally:
        sys.setprofile(before)


def files_of(call: Callable[[], Any]) -> list[str]:
    """Return the files that the call runs, once its container is warm."""
    with executed() as files:
        call()
    return sorted(files)


def test_an_order(system: System) -> None:
    system.ingest(opened(), paid(1))

    found = files_of(lambda: system.ingest(paid(2)))

    assert system.balance() == 98
    assert len(found) <= 29, found


def test_a_threshold_event(system: System) -> None:
    system.configure(TRIAL_CREDITS="1")
    system.ingest(opened(), paid(1))
    transactions = batch(system.stream(CREDITS_TABLE))
    app.publish_threshold_events(transactions, Context())

    found = files_of(lambda: app.publish_threshold_events(transactions, Context()))

    assert system.heard() != []
    assert len(found) <= 8, found


def test_a_status(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(1))
    status_of(api, SHOP)

    found = files_of(lambda: status_of(api, SHOP))

    assert len(found) <= 8, found


def test_an_adjustment(system: System) -> None:
    system.ingest(opened())
    app.adjust_credits(ASKED, Context())

    found = files_of(lambda: app.adjust_credits({**ASKED, "adjustment_id": "a2"}, Context()))

    assert system.balance() == 40
    assert len(found) <= 29, found

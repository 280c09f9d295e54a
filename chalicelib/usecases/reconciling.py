"""Checks the whole ledger, account by account, within the time of a call (contract, section 7).

It changes nothing. A sweep reads all accounts in pages. Each is checked against its own counters, which needs no read,
and walked transaction by transaction if there is a reason: it has changed since the last sweep began, the last sweep
found something, its counters disagree, its turn has come (every account once in `ROTATION_DAYS`), or the sweep has room
for unchanged ones. Then it reads up to `TRANSACTIONS_SCANNED_MAX` transactions, from where the last sweep ended, to
find merchants whose account is gone. A finding is checked again before it is reported: a write may be in progress.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from chalicelib.domain.audit import plausible
from chalicelib.domain.findings import UnreadableAccount
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.ports import CallTime, LedgerReader, Snapshot
from chalicelib.usecases.checking import Check, check

OVERLAP = timedelta(hours=1)
"""How long before the last sweep's start a change still counts: clocks differ, and writes were in progress."""
ROTATION_DAYS = 30
"""Within this many daily sweeps every account is walked, changed or not."""
UNCHANGED_TRANSACTIONS_MAX = 100_000
"""Transactions of unchanged accounts that a sweep walks besides: a small ledger is walked whole every day."""
TRANSACTIONS_SCANNED_MAX = 1_000_000
"""Transactions that a sweep reads to find merchants without an account: 125,000 read units, 1.5 cents a day, and up to
500,000 more for the accounts of merchants with few transactions each. A larger ledger takes several days."""
DRIFTED_MAX = 1_000
"""The most merchants with a finding that are remembered for the next sweep; 36 KB."""
PAGE_MARGIN_SECONDS = 10.0
"""The last seconds of a call are for reporting and keeping the bookmark: no page is begun in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSweep:
    """How far a sweep has come. `after` is the last account looked at; `finished_at` is None while it is in progress.

    `since` is when the sweep before it began (None: there was none, and everything counts as changed), `drifted` the
    merchants with a finding, `drift` the number of findings of the last finished sweep. `too_long` are merchants whose
    ledgers were not walked because one call is too short for them. `newer` counts merchants with an account or
    transactions in a newer release's form, which only that release can compare: that is no drift. If `accounts_done`,
    only transactions are left to read; `scanned` counts them, and `place` is where the reading continues, in the next
    sweep too.
    """

    started_at: Instant
    since: Instant | None = None
    after: MerchantId | None = None
    finished_at: Instant | None = None
    accounts: int = 0
    walked: int = 0
    transactions: int = 0
    unchanged_transactions: int = 0
    found: int = 0
    drift: int = 0
    newer: int = 0
    drifted: frozenset[MerchantId] = frozenset()
    suspects: frozenset[MerchantId] = frozenset()
    too_long: frozenset[MerchantId] = frozenset()
    accounts_done: bool = False
    scanned: int = 0
    place: str | None = None


def sweep_to_continue(last: LedgerSweep | None, *, now: Instant) -> LedgerSweep:
    """Return the sweep to continue: the unfinished one, else a new one after the last."""
    if last is None:
        return LedgerSweep(started_at=now)
    if last.finished_at is None:
        return last
    return LedgerSweep(started_at=now, since=last.started_at, drift=last.drift, suspects=last.drifted, place=last.place)


def sweep(
    reader: LedgerReader,
    progress: LedgerSweep,
    *,
    time: CallTime,
    report: Callable[[Check], None],
    keep: Callable[[LedgerSweep], None],
) -> LedgerSweep:
    """Continue a sweep until it is finished or this call's time runs out, and return its state.

    `report` gets each check with findings, `keep` the sweep after each page: a call that is cut off repeats one page.
    An account whose ledger takes longer than a whole call is left out and named in `too_long`.

    Raises:
        RetryLater: the ledger did not answer; the sweep continues from the last bookmark.
    """
    fresh = True
    while progress.finished_at is None:
        if time.remaining_seconds() < PAGE_MARGIN_SECONDS:
            return progress
        page = (
            _page_of_transactions(reader, progress) if progress.accounts_done else _page_of_accounts(reader, progress)
        )
        for candidate in page.candidates:
            try:
                progress, walked = _looked_at(reader, progress, candidate, time=time, report=report)
            except _OutOfTime:
                if not fresh:
                    keep(progress)
                    return progress
                # It had a whole call to itself.
                too_long = progress.too_long | {_merchant(candidate)}
                progress, walked = replace(_passed(progress, candidate, counts=0), too_long=too_long), True
            fresh = fresh and not walked
        progress = replace(progress, **page.turned)
        if page.ends:
            progress = replace(progress, finished_at=time.now(), drift=progress.found)
        keep(progress)
    return progress


_Candidate = Snapshot | UnreadableAccount | MerchantId
"""An account, or a merchant that has transactions and no account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The next candidates of a sweep, its bookmark after them (`turned`), and whether the sweep `ends` there."""

    candidates: Sequence[_Candidate]
    turned: Mapping[str, Any]
    ends: bool = False


def _page_of_accounts(reader: LedgerReader, progress: LedgerSweep) -> _Page:
    page = reader.accounts(progress.after)
    turned = {"accounts_done": True, "after": None} if page.last is None else {}
    return _Page(candidates=page.accounts, turned=turned)


def _page_of_transactions(reader: LedgerReader, progress: LedgerSweep) -> _Page:
    page = reader.merchants(progress.place)
    # Merchants with a finding in the last sweep are checked every time, wherever the scan has come to.
    suspects = progress.suspects if progress.scanned == 0 else frozenset()
    known = progress.drifted | progress.too_long
    wanted = [merchant_id for merchant_id in (*page.merchants, *sorted(suspects)) if merchant_id not in known]
    scanned = progress.scanned + page.transactions
    return _Page(
        candidates=reader.without_account(wanted),
        turned={"scanned": scanned, "place": page.last},
        ends=page.last is None or scanned >= TRANSACTIONS_SCANNED_MAX,
    )


class _OutOfTime(Exception):  # noqa: N818 - not an error: the walk is handed back
    pass


def _looked_at(
    reader: LedgerReader,
    progress: LedgerSweep,
    candidate: _Candidate,
    *,
    time: CallTime,
    report: Callable[[Check], None],
) -> tuple[LedgerSweep, bool]:
    """Return the sweep after this candidate, and whether its ledger was walked."""
    reason = _reason(progress, candidate)
    if reason is None:
        return _passed(progress, candidate), False

    def tick() -> None:
        if time.remaining_seconds() < PAGE_MARGIN_SECONDS:
            raise _OutOfTime

    merchant_id = _merchant(candidate)
    checked = check(reader, merchant_id, pause=time.sleep, now=time.now, tick=tick)
    transactions = checked.walk.walked if checked.walk else 0
    if checked.findings:
        report(checked)
    drifted = progress.drifted
    if checked.findings and len(drifted) < DRIFTED_MAX:
        drifted |= {merchant_id}
    return replace(
        _passed(progress, candidate),
        walked=progress.walked + 1,
        transactions=progress.transactions + transactions,
        unchanged_transactions=progress.unchanged_transactions + (transactions if reason == _ROOM else 0),
        found=progress.found + len(checked.findings),
        newer=progress.newer + checked.newer,
        drifted=drifted,
    ), True


def _passed(progress: LedgerSweep, candidate: _Candidate, *, counts: int = 1) -> LedgerSweep:
    """Return the sweep after this candidate; an account moves the bookmark."""
    if isinstance(candidate, str):
        return progress
    return replace(progress, after=_merchant(candidate), accounts=progress.accounts + counts)


_ROOM = "room"


def _reason(progress: LedgerSweep, candidate: _Candidate) -> str | None:
    """Return why the ledger is to be walked, None if it is not."""
    if isinstance(candidate, str):
        return "account missing"
    if isinstance(candidate, UnreadableAccount):
        return "unreadable"
    snapshot = candidate
    account = snapshot.account
    if progress.since is None or account.updated_at >= _earlier(progress.since):
        return "changed"
    misplaced = snapshot.misplaced is not None or snapshot.misdue is not None
    if account.merchant_id in progress.suspects or misplaced or not plausible(account):
        return "suspect"
    day = datetime.fromisoformat(progress.started_at).toordinal()
    if (crc32(account.merchant_id.encode()) + day) % ROTATION_DAYS == 0:
        return "turn"
    return _ROOM if progress.unchanged_transactions + account.sequence <= UNCHANGED_TRANSACTIONS_MAX else None


def _merchant(candidate: _Candidate) -> MerchantId:
    if isinstance(candidate, str):
        return candidate
    return candidate.merchant_id if isinstance(candidate, UnreadableAccount) else candidate.account.merchant_id


def _earlier(time: Instant) -> Instant:
    return instant(datetime.fromisoformat(time) - OVERLAP)

"""The ledger made to prove itself, account by account, within the time of a call (spec, section 7).

Beside `posting` and `counting` the third use case, and the only one that changes nothing. A sweep goes over all
accounts in pages; each is compared with itself, which costs nothing besides, and walked record by record where there
is reason to: it has changed since the last sweep began, something was found the last time, it does not agree with
itself, its turn has come (every account once in `ROTATION_DAYS`), or there is room left for those that have not
changed. What is found is looked at again before it is said: a write may have been under way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zlib import crc32

from chalicelib.domain.audit import compared, plausible
from chalicelib.domain.findings import Drift, Finding, UnreadableAccount
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.walk import Walk
from chalicelib.ports import LedgerReader, Snapshot
from chalicelib.posting import Time

OVERLAP = timedelta(hours=1)
"""How far before the last sweep's beginning a change still counts: clocks differ, and writes were under way."""
ROTATION_DAYS = 30
"""Within so many daily sweeps every account is walked, changed or not."""
UNCHANGED_RECORDS_MAX = 100_000
"""Records of unchanged accounts that a sweep walks besides: a small ledger is walked whole every day."""
DRIFTED_MAX = 1_000
"""Merchants with a finding that are remembered from sweep to sweep, to be walked again; 36 KB."""
LOOKS = 3
LOOK_AGAIN_SECONDS = 1.0
"""How often something must be found, and after what pauses, before it is said."""
MARGIN_SECONDS = 10.0
"""What is left of a call's time for saying what was found and keeping the bookmark: no page is begun inside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """How far a sweep has come. `after` is the last account looked at; `finished_at` is None while it is under way.

    `since` is when the sweep before it began (None: there was none, and everything counts as changed), `drifted` the
    merchants with a finding, `drift` the findings of the last sweep that came to its end. `too_long` are merchants
    whose ledgers were not walked because one call's time is too short for them.
    """

    started_at: Instant
    since: Instant | None = None
    after: MerchantId | None = None
    finished_at: Instant | None = None
    accounts: int = 0
    walked: int = 0
    records: int = 0
    unchanged_records: int = 0
    found: int = 0
    drift: int = 0
    drifted: frozenset[MerchantId] = frozenset()
    suspects: frozenset[MerchantId] = frozenset()
    too_long: frozenset[MerchantId] = frozenset()


def begun(last: Sweep | None, *, now: Instant) -> Sweep:
    """Return the sweep that is to go on: the one under way, else a new one after the last."""
    if last is None:
        return Sweep(started_at=now)
    if last.finished_at is None:
        return last
    return Sweep(started_at=now, since=last.started_at, drift=last.drift, suspects=last.drifted)


def sweep(
    reader: LedgerReader,
    going: Sweep,
    *,
    time: Time,
    say: Callable[["Check"], None],
    keep: Callable[[Sweep], None],
) -> Sweep:
    """Go on with a sweep until it is finished or the time of this call is short, and return how far it has come.

    `say` is told each check that found something, `keep` the bookmark after each page, so that a call that is cut
    off costs a page. An account whose ledger alone takes longer than a whole call is left out and named in `too_long`.

    Raises:
        RetryLater: the ledger did not answer; the sweep stands where `keep` was told last.
    """
    fresh = True
    while going.finished_at is None:
        if time.remaining_seconds() < MARGIN_SECONDS:
            return going
        page = reader.accounts(going.after)
        for snapshot in page.accounts:
            try:
                going, walked = _looked_at(reader, going, snapshot, time=time, say=say)
            except _OutOfTime:
                if not fresh:
                    keep(going)
                    return going
                # It had a whole call for itself.
                merchant_id = _merchant(snapshot)
                going, walked = replace(going, after=merchant_id, too_long=going.too_long | {merchant_id}), True
            fresh = fresh and not walked
        if page.last is None:
            going = replace(going, finished_at=time.now(), after=None, drift=going.found)
        keep(going)
    return going


@dataclass(slots=True)
class Check:
    """One merchant's ledger walked and compared; `walk` is None where the account cannot be read."""

    merchant_id: MerchantId
    account: Account | None
    walk: Walk | None
    findings: tuple[Finding, ...] = field(default=())


def check(
    reader: LedgerReader,
    merchant_id: MerchantId,
    *,
    pause: Callable[[float], None],
    tick: Callable[[], None] = lambda: None,
    to_the_end: bool = False,
) -> Check:
    """Walk one merchant's ledger and return what was found every time of `LOOKS`, so that no write under way counts.

    The walk ends where the account has come to, or `to_the_end` of the records: then it proves what the account must
    be, also where it lags. `tick` is called before each page of records, and may raise to end the walk.
    """
    looked = _look(reader, merchant_id, tick, to_the_end=to_the_end)
    for _ in range(LOOKS - 1):
        if not looked.findings:
            break
        pause(LOOK_AGAIN_SECONDS)
        again = _look(reader, merchant_id, tick, to_the_end=to_the_end)
        standing = {_place(finding) for finding in looked.findings}
        again.findings = tuple(finding for finding in again.findings if _place(finding) in standing)
        looked = again
    return looked


class _OutOfTime(Exception):  # noqa: N818 - not an error: the walk is handed back
    pass


def _looked_at(
    reader: LedgerReader,
    going: Sweep,
    snapshot: Snapshot | UnreadableAccount,
    *,
    time: Time,
    say: Callable[["Check"], None],
) -> tuple[Sweep, bool]:
    """Return the sweep behind this account, and whether it was walked."""
    merchant_id = _merchant(snapshot)
    reason = _reason(going, snapshot)
    if reason is None:
        return replace(going, after=merchant_id, accounts=going.accounts + 1), False

    def tick() -> None:
        if time.remaining_seconds() < MARGIN_SECONDS:
            raise _OutOfTime

    checked = check(reader, merchant_id, pause=time.sleep, tick=tick)
    records = checked.walk.walked if checked.walk else 0
    if checked.findings:
        say(checked)
    drifted = going.drifted
    if checked.findings and len(drifted) < DRIFTED_MAX:
        drifted |= {merchant_id}
    return replace(
        going,
        after=merchant_id,
        accounts=going.accounts + 1,
        walked=going.walked + 1,
        records=going.records + records,
        unchanged_records=going.unchanged_records + (records if reason == _ROOM else 0),
        found=going.found + len(checked.findings),
        drifted=drifted,
    ), True


_ROOM = "room"


def _reason(going: Sweep, snapshot: Snapshot | UnreadableAccount) -> str | None:
    """Return why the account is to be walked, None if it is not."""
    if isinstance(snapshot, UnreadableAccount):
        return "unreadable"
    account = snapshot.account
    if going.since is None or account.updated_at >= _earlier(going.since):
        return "changed"
    if account.merchant_id in going.suspects or not plausible(account):
        return "suspect"
    day = datetime.fromisoformat(going.started_at).toordinal()
    if (crc32(account.merchant_id.encode()) + day) % ROTATION_DAYS == 0:
        return "turn"
    return _ROOM if going.unchanged_records + account.sequence <= UNCHANGED_RECORDS_MAX else None


def _look(reader: LedgerReader, merchant_id: MerchantId, tick: Callable[[], None], *, to_the_end: bool) -> Check:
    snapshot = reader.account(merchant_id)
    if isinstance(snapshot, UnreadableAccount):
        finding = Finding(
            kind=Drift.ACCOUNT_UNREADABLE,
            merchant_id=merchant_id,
            sequence=0,
            detail=f"the account cannot be read: {snapshot.why}",
        )
        return Check(merchant_id=merchant_id, account=None, walk=None, findings=(finding,))
    account = snapshot.account if snapshot else None
    walk = Walk(merchant_id)
    tick()
    for page in reader.records(merchant_id, 1, None if account is None or to_the_end else account.sequence):
        for record in page:
            walk.step(record)
        tick()
    findings = compared(walk, account, crossings=snapshot.crossings if snapshot else ())
    if account is not None and not to_the_end:
        findings += _behind(reader, account)
    return Check(merchant_id=merchant_id, account=account, walk=walk, findings=findings)


def _behind(reader: LedgerReader, account: Account) -> tuple[Finding, ...]:
    """Return the records that stand behind the account's newest one, and that no later state of it accounts for."""
    behind = next(iter(reader.records(account.merchant_id, account.sequence + 1, None)), ())
    if not behind:
        return ()
    now = reader.account(account.merchant_id)
    come_to = now.account.sequence if isinstance(now, Snapshot) else account.sequence
    return tuple(
        Finding(
            kind=Drift.ACCOUNT_SEQUENCE,
            merchant_id=account.merchant_id,
            sequence=record.sequence,
            detail=f"the account has come to {come_to}, and there is a record {record.sequence}",
            transaction_id=record.transaction_id,
        )
        for record in behind
        if record.sequence > come_to
    )


def _merchant(snapshot: Snapshot | UnreadableAccount) -> MerchantId:
    return snapshot.merchant_id if isinstance(snapshot, UnreadableAccount) else snapshot.account.merchant_id


def _place(finding: Finding) -> tuple[object, ...]:
    """Return by what a finding is known again: on an account that goes on being written to, its sequence moves."""
    if finding.kind.value.startswith("account_"):
        return (finding.kind,)
    return finding.kind, finding.sequence, finding.transaction_id


def _earlier(time: Instant) -> Instant:
    return instant(datetime.fromisoformat(time) - OVERLAP)

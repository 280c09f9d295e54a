"""Compares one merchant's account with its transactions, and returns the differences (contract, section 7)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.domain.audit import compared
from chalicelib.domain.findings import Drift, Finding, UnreadableAccount
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.walk import Walk
from chalicelib.ports import LedgerReader, Snapshot

LOOKS = 3
LOOK_AGAIN_SECONDS = 1.0
"""How many looks must find something, and the pause between them, before it is reported."""


@dataclass(slots=True)
class Check:
    """One merchant's ledger walked and compared; `walk` is None where the account cannot be read.

    `newer`: some of it has the form of a newer release, and was not compared.
    """

    merchant_id: MerchantId
    account: Account | None
    walk: Walk | None
    newer: bool = False
    findings: tuple[Finding, ...] = field(default=())


def check(
    reader: LedgerReader,
    merchant_id: MerchantId,
    *,
    pause: Callable[[float], None],
    now: Callable[[], Instant],
    tick: Callable[[], None] = lambda: None,
    to_the_end: bool = False,
) -> Check:
    """Walk one merchant's ledger, up to `LOOKS` times, and return the findings that all walks have in common.

    So a write in progress is no finding. A walk ends at the account's sequence, or `to_the_end` of the transactions:
    then it proves what the account must be even if it lags. `tick` is called before each page of transactions, and may
    raise to end the walk.
    """
    looked = _look(reader, merchant_id, now(), tick, to_the_end=to_the_end)
    for _ in range(LOOKS - 1):
        if not looked.findings:
            break
        pause(LOOK_AGAIN_SECONDS)
        again = _look(reader, merchant_id, now(), tick, to_the_end=to_the_end)
        found_before = {_place(finding) for finding in looked.findings}
        again.findings = tuple(finding for finding in again.findings if _place(finding) in found_before)
        looked = again
    return looked


def _look(
    reader: LedgerReader, merchant_id: MerchantId, now: Instant, tick: Callable[[], None], *, to_the_end: bool
) -> Check:
    snapshot = reader.account(merchant_id)
    if isinstance(snapshot, UnreadableAccount):
        if snapshot.newer:
            return Check(merchant_id=merchant_id, account=None, walk=None, newer=True)
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
    for page in reader.transactions(merchant_id, 1, None if account is None or to_the_end else account.sequence):
        for transaction in page:
            walk.step(transaction)
        tick()
    findings = compared(walk, account, crossings=snapshot.crossings if snapshot else (), now=now)
    follows = {Drift.ACCOUNT_BALANCE, Drift.ACCOUNT_THRESHOLD} & {finding.kind for finding in findings}
    if snapshot is not None and snapshot.misplaced is not None and not follows:
        walk.report(Drift.ACCOUNT_LEVEL, snapshot.account.sequence, snapshot.misplaced)
        findings = tuple(walk.findings)
    if snapshot is not None and snapshot.misdue is not None:
        walk.report(Drift.ACCOUNT_DUE, snapshot.account.sequence, snapshot.misdue)
        findings = tuple(walk.findings)
    if account is not None and not to_the_end:
        findings += _uncounted(reader, account)
    return Check(merchant_id=merchant_id, account=account, walk=walk, newer=walk.newer > 0, findings=findings)


def _uncounted(reader: LedgerReader, account: Account) -> tuple[Finding, ...]:
    """Return a finding for each transaction after the account's newest one that the account still does not count."""
    later = next(iter(reader.transactions(account.merchant_id, account.sequence + 1, None)), ())
    if not later:
        return ()
    now = reader.account(account.merchant_id)
    come_to = now.account.sequence if isinstance(now, Snapshot) else account.sequence
    return tuple(
        Finding(
            kind=Drift.ACCOUNT_SEQUENCE,
            merchant_id=account.merchant_id,
            sequence=transaction.sequence,
            detail=f"the account's sequence is {come_to}, and there is a transaction {transaction.sequence}",
            transaction_id=transaction.transaction_id,
        )
        for transaction in later
        if transaction.sequence > come_to
    )


def _place(finding: Finding) -> tuple[object, ...]:
    """Return what identifies a finding in repeated walks: the sequence of an account still written to changes."""
    if finding.kind.value.startswith("account_"):
        return (finding.kind,)
    return finding.kind, finding.sequence, finding.transaction_id

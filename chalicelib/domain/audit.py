"""Whether a ledger is consistent: a merchant's transactions walked in order, and the account compared with them.

Pure, and it never repairs: drift is reported (contract, section 7). `rebuilt` returns what the account should be.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.derivation import OF_THE_THRESHOLD
from chalicelib.domain.findings import Drift, Finding, UnreadableTransaction
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.grace import Grace, after_time
from chalicelib.domain.ids import Instant, MerchantId, instant, later_than, unused_version
from chalicelib.domain.ledger import Account, Crossing, open_account
from chalicelib.domain.lots import Lots, in_lots, in_words, ordered
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import Total, Transaction
from chalicelib.domain.walk import Walk

CLOCKS_DIFFER = timedelta(hours=1)
"""How far ahead of the clock a time on an account may be; the next transaction would get it."""


def audit(
    merchant_id: MerchantId,
    account: Account | None,
    transactions: Iterable[Transaction | UnreadableTransaction],
    *,
    crossings: Iterable[Crossing] = (),
    now: Instant | None = None,
) -> tuple[Finding, ...]:
    """Return every difference between a merchant's account and its transactions, in their order.

    `crossings` are those that the account carries from its last write; without `now` no times are compared.
    """
    walk = Walk(merchant_id)
    for transaction in transactions:
        walk.step(transaction)
    return compared(walk, account, crossings=crossings, now=now)


def compared(
    walk: Walk,
    account: Account | None,
    *,
    crossings: Iterable[Crossing] = (),
    now: Instant | None = None,
) -> tuple[Finding, ...]:
    """Close the walk; return what it found, and what it proves of the account after the last transaction.

    After a transaction that is missing, changed or unreadable, the account's counters are not compared.
    """
    walk.close(account)
    last = walk.expected - 1
    if account is None:
        if walk.walked:
            walk.report(Drift.ACCOUNT_MISSING, last, f"there are {walk.walked} transactions and no account")
    elif last > account.sequence:
        detail = f"the account's sequence is {account.sequence}, that of its last transaction {last}"
        walk.report(Drift.ACCOUNT_SEQUENCE, last, detail)
    elif walk.intact and walk.last is not None:
        if account.hash != walk.last.hash:
            walk.report(Drift.ACCOUNT_HASH, last, "the account does not hold the newest transaction's hash")
        for kind, name, actual, proven in _differences(walk, account, walk.last):
            walk.report(kind, last, f"the account's {name} is {actual}, its ledger says {proven}")
        if account.updated_at < walk.last.created_at:
            walk.report(
                Drift.ACCOUNT_TIME,
                last,
                f"the account was updated at {account.updated_at}, before its newest transaction",
            )
        _compare_crossings(walk, account, walk.last, tuple(crossings))
    if account is not None:
        for kind, detail in _wrong_in_itself(account, now):
            walk.report(kind, account.sequence, detail)
    return tuple(walk.findings)


def rebuilt(walk: Walk, known: Account | None, *, now: Instant) -> Account:
    """Return the account as its transactions prove it; what they do not hold, an admin's threshold, is as in `known`.

    Only for a closed walk that is `intact` and has transactions. `version` is one that no write to the account has had.
    """
    first, last, status = walk.first, walk.last, walk.status
    assert walk.intact, "what is not proven is no ground to rebuild on"
    assert first is not None
    assert last is not None
    assert status is not None
    account = known or open_account(walk.merchant_id, threshold=last.threshold, now=first.created_at)
    threshold = account.threshold
    if account.sequence < last.sequence and account.low_balance_threshold is None:
        threshold = last.threshold
    # As with a changed threshold: what this write carries is not what the newest transaction crossed.
    time = later_than(last.created_at, now=now)
    # Due at once, so that `post_due`, which knows the settings, computes what falls due next; not after an end.
    due_at = min([time, *_ends(walk.lots, walk.freeze)])
    return replace(
        account,
        balance=last.balance_after,
        sequence=last.sequence,
        version=unused_version(account.version, now=now),
        totals=dict(walk.totals),
        total_shortfall=walk.total_shortfall,
        debt=walk.debt,
        use=walk.use,
        grace=_grace(walk, known),
        freeze=walk.freeze,
        lots=walk.lots,
        due_at=due_at if walk.lots or walk.grace or walk.freeze or account.alerts else None,
        hash=last.hash,
        last_transaction_id=last.transaction_id,
        last_transaction_at=last.created_at,
        threshold=threshold if account.low_balance_threshold is None else account.low_balance_threshold,
        status_changed_at=status.created_at,
        status_transaction_id=status.transaction_id,
        created_at=first.created_at,
        updated_at=time,
    )


def _grace(walk: Walk, known: Account | None) -> Grace | None:
    """Return the grace that the transactions prove; its end by time, which they do not hold, as in `known`.

    If the account does not record the end, the grace still runs, and `post_due` will publish the end.
    """
    if known is not None and known.grace == after_time(walk.grace, known.updated_at):
        return known.grace
    return walk.grace


def plausible(account: Account) -> bool:
    """Return whether sequence and balance follow from the account's own counters, which needs no read."""
    count = sum(total.count for total in account.totals.values())
    moved = sum(
        total.credits if kind.direction is Direction.INCREASE else -total.credits
        for kind, total in account.totals.items()
    )
    in_time = account.updated_at >= (account.last_transaction_at or account.updated_at)
    agrees = in_time and (count, moved) == (account.sequence, account.balance)
    return agrees and not any(_wrong_in_itself(account, None))


def _wrong_in_itself(account: Account, now: Instant | None) -> Iterator[tuple[Drift, str]]:
    """Yield each state of an account that no write can leave, whatever its transactions: the kind and a sentence."""
    own = account.low_balance_threshold
    if own not in (None, account.threshold):
        yield Drift.ACCOUNT_THRESHOLD, f"the account's threshold is {account.threshold}, its own one is {own}"
    if account.debt and account.balance:
        yield Drift.ACCOUNT_COUNTER, f"the account owes {account.debt} and has a balance of {account.balance}"
    if account.lots and (in_lots(account.lots) > account.balance or not ordered(account.lots)):
        yield Drift.ACCOUNT_LOTS, f"of a balance of {account.balance}, the account's lots are {in_words(account.lots)}"
    ends = min(_ends(account.lots, account.freeze), default=None)
    if ends is not None and (account.due_at is None or account.due_at > ends):
        what = "credits lapse" if account.lots and account.lots[0].expires_at == ends else "a freeze ends"
        yield Drift.ACCOUNT_DUE, f"{what} at {ends}, and the account is due at {account.due_at or 'no time'}"
    if now is not None and account.updated_at > instant(datetime.fromisoformat(now) + CLOCKS_DIFFER):
        yield Drift.ACCOUNT_TIME, f"the account was updated at {account.updated_at}, which is in the future"


def _ends(lots: Lots, freeze: Freeze | None) -> list[Instant]:
    """Return when lots lapse and a freeze ends."""
    ends = [lot.expires_at for lot in lots]
    return ends if freeze is None or freeze.until is None else [*ends, freeze.until]


def _differences(walk: Walk, account: Account, last: Transaction) -> Iterator[tuple[Drift, str, object, object]]:
    """Yield each difference between the account and its transactions: its kind, the field, and both values."""
    pairs: list[tuple[Drift, str, object, object]] = [
        (Drift.ACCOUNT_BALANCE, "balance", account.balance, last.balance_after)
    ]
    for kind in Kind:
        actual, proven = account.totals.get(kind, Total()), walk.totals.get(kind, Total())
        name = f"{kind.transaction_type} {kind.direction}"
        pairs.append((Drift.ACCOUNT_COUNTER, f"count of {name}", actual.count, proven.count))
        pairs.append((Drift.ACCOUNT_COUNTER, f"credits of {name}", actual.credits, proven.credits))
    pairs += [
        (Drift.ACCOUNT_COUNTER, "total shortfall", account.total_shortfall, walk.total_shortfall),
        (Drift.ACCOUNT_COUNTER, "debt", account.debt, walk.debt),
        (Drift.ACCOUNT_COUNTER, "last transaction", account.last_transaction_id, last.transaction_id),
        (Drift.ACCOUNT_COUNTER, "time of the last transaction", account.last_transaction_at, last.created_at),
    ]
    grace, proven_grace = (after_time(one, account.updated_at) for one in (account.grace, walk.grace))
    pairs += [
        (Drift.ACCOUNT_STATUS, "grace", grace, proven_grace),
        (Drift.ACCOUNT_STATUS, "freeze", account.freeze, walk.freeze),
    ]
    if account.lots != walk.lots:
        pairs.append((Drift.ACCOUNT_LOTS, "lots", in_words(account.lots), in_words(walk.lots)))
    if walk.first is not None:
        pairs.append((Drift.ACCOUNT_TIME, "time of opening", account.created_at, walk.first.created_at))
    status = walk.status
    if status is not None:
        # The newest status event derived: since when the plugin is what it is, and by which transaction.
        pairs += [
            (Drift.ACCOUNT_STATUS, "status transaction", account.status_transaction_id, status.transaction_id),
            (Drift.ACCOUNT_STATUS, "time of the status", account.status_changed_at, status.created_at),
        ]
    return (pair for pair in pairs if pair[2] != pair[3])


def _compare_crossings(walk: Walk, account: Account, last: Transaction, carried: tuple[Crossing, ...]) -> None:
    """Derive the threshold events of the newest transaction, which the account carries until its next write."""
    if (account.updated_at, account.threshold) != (last.created_at, last.threshold):
        return  # A threshold was changed since: that write carries its own, which the transactions do not tell.
    newest = walk.newest
    assert newest is not None, "there is a last transaction"
    of_newest = tuple(
        crossing
        for crossing in carried
        if crossing.transaction_id == last.transaction_id
        and not (newest.doubtful and crossing.type in OF_THE_THRESHOLD)
    )
    if of_newest == newest.crossings:
        return
    actual, derived = (
        ", ".join(crossing.type for crossing in crossings) or "nothing" for crossings in (of_newest, newest.crossings)
    )
    detail = f"the account carries {actual}, its newest transaction crossed {derived}"
    walk.report(Drift.CROSSING_WRONG, last.sequence, detail, last.transaction_id)

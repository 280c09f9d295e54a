"""What time alone changes on an account, and when: the one place that lists and posts it (contract, section 16).

An account's `due_at` is the next such instant; everything before it is done. `DUE_KINDS` holds the kinds of things that
fall due. To add one, write the two functions of a `DueKind` and list it: `fold`, the sweep and all readers follow.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.domain.alerts import after_time
from chalicelib.domain.freeze import FreezeMovement, FreezeNote, end_key
from chalicelib.domain.grace import End
from chalicelib.domain.grace import after_time as grace_after_time
from chalicelib.domain.ids import Instant, days_after, milliseconds
from chalicelib.domain.ledger import Account, Crossing, CrossingType, account_crossing, levels_crossed, supply_of
from chalicelib.domain.lots import Lot, Lots
from chalicelib.domain.movements import FixedMovement, Kind
from chalicelib.domain.moving import apply
from chalicelib.domain.terms import AS_IT_IS, TimeTerms
from chalicelib.domain.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An account after something due was posted, the transaction of this, if any, and the crossings it caused."""

    account: Account
    transaction: Transaction | None = None
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that falls due at `at`; `fact` distinguishes it from all others of the account.

    `post` takes the account, the default threshold and the time of the write, and returns the account after it.
    """

    at: Instant
    fact: str
    post: Callable[[Account, int, Instant], Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueKind:
    """A kind of things that fall due.

    `ahead` yields the instants that are still to come for an account that is up to date at the given time. `due` yields
    what falls due between the two given times, both included.
    """

    ahead: Callable[[Account, TimeTerms, Instant], Iterable[Instant]]
    due: Callable[[Account, TimeTerms, Instant, Instant], Iterable[Due]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedDue:
    """An account after all that was due, with the transactions and crossings that this made, in their order."""

    account: Account
    transactions: tuple[Transaction, ...] = ()
    crossings: tuple[Crossing, ...] = ()


def post_due(account: Account, *, terms: TimeTerms, default_threshold: int, now: Instant) -> PostedDue:
    """Return the account after what is due by `now`, in the order of its instants; the account itself if nothing is.

    `due_at` and `version` do not change: the write sets them, once for all that it holds.
    """
    return _brought(account, terms, default_threshold, until=now, time_of=lambda _: now)


def as_of(account: Account, now: Instant) -> Account:
    """Return the account as readers must see it at `now`, whether what is due was posted or not.

    It is the account after everything due, each thing posted at its exact instant: so every reader sees the same.
    `due_at` is the next instant at which that changes.
    """
    if not account.is_due(now):
        return account
    brought = _brought(account, AS_IT_IS, account.threshold, until=now, time_of=lambda due: due.at).account
    return replace(brought, due_at=next_at(brought, AS_IT_IS, after=now))


def next_at(account: Account, terms: TimeTerms, *, after: Instant) -> Instant | None:
    """Return the next instant at which time changes something of an account that is up to date `after` this time."""
    if not account.lots and account.alerts is None and account.grace is None and account.freeze is None:
        return None  # As most accounts, at every order: their kinds need not be asked.
    return min((at for kind in DUE_KINDS for at in kind.ahead(account, terms, after)), default=None)


def _brought(
    account: Account, terms: TimeTerms, default_threshold: int, *, until: Instant, time_of: Callable[[Due], Instant]
) -> PostedDue:
    since = account.due_at
    if since is None or since > until:
        return PostedDue(account=account)
    transactions: list[Transaction] = []
    crossings: list[Crossing] = []
    done: set[str] = set()
    # One after another, because each may change what else is due.
    while due := min(_left(account, terms, since, until, done), key=lambda one: one.at, default=None):
        done.add(due.fact)
        step = due.post(account, default_threshold, time_of(due))
        account = step.account
        transactions += [step.transaction] if step.transaction else []
        crossings += step.crossings
    return PostedDue(account=account, transactions=tuple(transactions), crossings=tuple(crossings))


def _left(account: Account, terms: TimeTerms, since: Instant, until: Instant, done: set[str]) -> Iterator[Due]:
    return (due for kind in DUE_KINDS for due in kind.due(account, terms, since, until) if due.fact not in done)


def lapse_key(expires_at: Instant) -> str:
    """Return the idempotency key under which the lot of this instant lapses."""
    return f"EXPIRY_{milliseconds(expires_at)}"


def _ends(account: Account, _terms: TimeTerms, _after: Instant) -> Iterator[Instant]:
    # A lot that is there has not lapsed, however long ago its end was.
    return (lot.expires_at for lot in account.lots)


def _lapses(account: Account, terms: TimeTerms, _since: Instant, until: Instant) -> Iterator[Due]:
    for lot in account.lots:
        if lot.expires_at <= until:
            key = lapse_key(lot.expires_at)
            movement = FixedMovement(
                merchant_id=account.merchant_id,
                key=key,
                reference_id=lot.expires_at,
                occurred_at=lot.expires_at,
                kind=Kind.EXPIRY,
                credits=lot.credits,
            )
            yield Due(at=lot.expires_at, fact=key, post=_recorded(movement, terms, parts=(lot,)))


def _recorded(
    movement: FixedMovement | FreezeMovement, terms: TimeTerms, *, parts: Lots = ()
) -> Callable[[Account, int, Instant], Step]:
    def post(account: Account, default_threshold: int, now: Instant) -> Step:
        after, transaction, crossed = apply(
            account,
            movement,
            kind=movement.kind,
            requested=movement.credits,
            metadata={},
            default_threshold=default_threshold,
            now=now,
            parts=parts,
            terms=terms,
        )
        return Step(account=after, transaction=transaction, crossings=crossed)

    return post


def _announcements(account: Account, terms: TimeTerms, after: Instant) -> Iterator[Instant]:
    for lot in account.lots:
        for days in terms.notice_days:
            if (at := days_after(lot.expires_at, -days)) > after:
                yield at


def _notices(account: Account, terms: TimeTerms, since: Instant, until: Instant) -> Iterator[Due]:
    """Yield one notice for each lot that has some due: the last of them, and none for a lot that has lapsed."""
    for lot in account.lots:
        passed = [days for days in terms.notice_days if since <= days_after(lot.expires_at, -days) <= until]
        if passed and lot.expires_at > until:
            days = min(passed)
            fact = f"EXPIRING_{lot.expires_at}_{days}"
            yield Due(at=days_after(lot.expires_at, -days), fact=fact, post=_notice(lot, days))


def _notice(lot: Lot, days: int) -> Callable[[Account, int, Instant], Step]:
    def post(account: Account, _default_threshold: int, now: Instant) -> Step:
        details: dict[str, str | int] = {"credits": lot.credits, "expires_at": lot.expires_at, "days": days}
        return Step(
            account=account, crossings=(account_crossing(account, CrossingType.EXPIRING, time=now, details=details),)
        )

    return post


def _looks(account: Account, _terms: TimeTerms, _after: Instant) -> Iterator[Instant]:
    if account.alerts is not None and account.alerts.look_at is not None:
        yield account.alerts.look_at


def _levels(account: Account, _terms: TimeTerms, _since: Instant, until: Instant) -> Iterator[Due]:
    """Yield the look at levels in days that time alone may have changed."""
    for at in _looks(account, _terms, until):
        if at <= until:
            yield Due(at=at, fact=f"LEVELS_{at}", post=_look)


def _look(account: Account, _default_threshold: int, now: Instant) -> Step:
    assert account.alerts is not None, "without levels nothing is looked at"
    alerts, crossed = after_time(account.alerts, supply_of(account, now=now))
    return Step(account=replace(account, alerts=alerts), crossings=levels_crossed(account, crossed, time=now))


def _grace_ends(account: Account, _terms: TimeTerms, _after: Instant) -> Iterator[Instant]:
    if account.grace is not None and account.grace.running and account.grace.until is not None:
        yield account.grace.until


def _graces(account: Account, _terms: TimeTerms, _since: Instant, until: Instant) -> Iterator[Due]:
    for at in _grace_ends(account, _terms, until):
        if at <= until:
            yield Due(at=at, fact=f"GRACE_{at}", post=_end_grace)


def _end_grace(account: Account, _default_threshold: int, now: Instant) -> Step:
    assert account.grace is not None, "without a grace none ends"
    ended = replace(account, grace=grace_after_time(account.grace, now))
    over = account_crossing(account, CrossingType.GRACE_ENDED, time=now, details={"reason": End.TIME})
    off = account_crossing(account, CrossingType.PLUGIN_STATUS_CHANGED, time=now)
    return Step(account=ended, crossings=(over, off) if account.enabled else (over,))


def _freeze_ends(account: Account, _terms: TimeTerms, _after: Instant) -> Iterator[Instant]:
    # Recorded by a transaction, so one that is there has not ended, however long ago its end was.
    if account.freeze is not None and account.freeze.until is not None:
        yield account.freeze.until


def _freezes(account: Account, terms: TimeTerms, _since: Instant, until: Instant) -> Iterator[Due]:
    for at in _freeze_ends(account, terms, until):
        if at <= until:
            key = end_key(at)
            movement = FreezeMovement(
                merchant_id=account.merchant_id, key=key, reference_id=at, occurred_at=at, note=FreezeNote.ENDED
            )
            yield Due(at=at, fact=key, post=_recorded(movement, terms))


DUE_KINDS: Final = (
    DueKind(ahead=_ends, due=_lapses),
    DueKind(ahead=_announcements, due=_notices),
    DueKind(ahead=_grace_ends, due=_graces),
    DueKind(ahead=_freeze_ends, due=_freezes),
    DueKind(ahead=_looks, due=_levels),
)
"""The kinds of things that fall due; of two at the same instant, that of the earlier kind comes first."""

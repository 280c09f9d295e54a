"""Posts what time has changed on accounts that nobody else wrote to (contract, section 16).

It posts through the same `Posting` as every movement, so a sweep and a writer that meet have the same result, and
nothing is posted twice. Bounded in time: the next call continues where this one ended.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.ports import CallTime, DueAccount, DueList
from chalicelib.usecases.posting import Posting

OVERLAP = timedelta(hours=1)
"""How long before the last sweep accounts are looked for again: clocks differ, and the index follows the table."""
LOOK_BACK = timedelta(days=40)
"""How long ago an account may have been due and still be found: a restore may bring back one of 35 days ago."""
HELD_BACK = timedelta(hours=24)
"""How far at most an account that cannot be written holds back the mark: every call looks at each hour since then."""
KEPT_EVERY = timedelta(hours=12)
"""A call that catches up stores its mark each time it has read this many hours of the index."""
AT_ONCE = 200
"""Accounts that are read and posted together."""
PENDING_MAX = 1000
"""The number of due accounts at which a reader stops."""
PENDING_SINCE = timedelta(minutes=15)
"""Readers ignore what was due longer ago, in an earlier hour: then the alarm on the sweep has fired."""
SWEEP_MARGIN_SECONDS = 8.0
"""The last seconds of a call are for ending: no accounts are begun in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSweep:
    """What a sweep did. All that was due by `until` is posted; accounts in `failed`, with their errors, hold it back.

    `looked_at` counts the accounts that the index listed, `written` those that were written. If not `finished`, the
    call's time ran out, and the next call continues.
    """

    until: Instant
    looked_at: int
    written: int
    failed: tuple[tuple[DueAccount, RetryLater], ...]
    finished: bool


def post_due(
    due: DueList, posting: Posting, last: Instant | None, *, keep: Callable[[Instant], None], time: CallTime
) -> DueSweep:
    """Post what is due by now, hour by hour from where the last sweep had come to (None: there was none).

    `keep` stores the instant by which everything is posted: at the end, and on the way if there is much to catch up on,
    so that the next call need not repeat the work of an interrupted one.

    Raises:
        RetryLater: the index cannot be read, or the mark cannot be kept.
    """
    now = time.now()
    looked_at = written = 0
    failed: list[tuple[DueAccount, RetryLater]] = []
    until, finished = now, True
    next_kept = instant(datetime.fromisoformat(last or now) + KEPT_EVERY)
    for hour, some in _batches(due, last, now):
        if time.remaining_seconds() < SWEEP_MARGIN_SECONDS:
            until, finished = hour, False
            break
        if hour >= next_kept:
            keep(_posted_until(hour, failed))
            next_kept = instant(datetime.fromisoformat(hour) + KEPT_EVERY)
        outcomes = posting.post_due([one.merchant_id for one in some], time=time) if some else {}
        looked_at += len(outcomes)
        for one in some:
            outcome = outcomes[one.merchant_id]
            if isinstance(outcome, RetryLater):
                failed.append((one, outcome))
            else:
                written += outcome
    until = _posted_until(until, failed)
    keep(until)
    return DueSweep(
        until=until,
        looked_at=looked_at,
        written=written,
        failed=tuple(failed),
        finished=finished,
    )


def pending(due: DueList, now: Instant) -> list[MerchantId]:
    """Return the merchants for whom something is due and not posted, in no order: at most `PENDING_MAX`.

    Of this hour, and until a quarter past of the one before. The index follows the table, so an account that was
    posted a moment ago may still be listed.

    Raises:
        RetryLater: the index cannot be read.
    """
    at = datetime.fromisoformat(now)
    hours = dict.fromkeys(instant(_hour(instant(moment))) for moment in (at - PENDING_SINCE, at))
    return list(islice((one.merchant_id for hour in hours for one in due.listed(hour, until=now)), PENDING_MAX))


def _posted_until(until: Instant, failed: Sequence[tuple[DueAccount, RetryLater]]) -> Instant:
    """Return the mark of a sweep up to `until`: before everything that failed, but at most a day earlier."""
    earliest = instant(datetime.fromisoformat(until) - HELD_BACK)
    return min([until, *(max(earliest, one.due_at) for one, _ in failed)])


def _batches(due: DueList, last: Instant | None, now: Instant) -> Iterator[tuple[Instant, list[DueAccount]]]:
    """Yield the accounts that are due, some at a time, with their hour; an empty list for an hour without any."""
    for hour in _hours(last, now):
        listed = due.listed(hour, until=now)
        some = list(islice(listed, AT_ONCE))
        yield hour, some
        while len(some) == AT_ONCE:
            some = list(islice(listed, AT_ONCE))
            yield hour, some


def _hours(last: Instant | None, now: Instant) -> Iterator[Instant]:
    """Yield the beginnings of the hours to look at, oldest first.

    One of them is a long time ago, a different one each minute: so accounts from a restore are found within a day.
    """
    end = _hour(now)
    # However long ago that was: nobody else looks for what fell due in an outage.
    begins = (end if last is None else _hour(last)) - OVERLAP
    minutes = int(datetime.fromisoformat(now).timestamp()) // 60
    past = end - timedelta(hours=minutes % (LOOK_BACK // timedelta(hours=1)))
    if past < begins:
        yield instant(past)
    while begins <= end:
        yield instant(begins)
        begins += timedelta(hours=1)


def _hour(time: Instant) -> datetime:
    return datetime.fromisoformat(time).replace(minute=0, second=0, microsecond=0)

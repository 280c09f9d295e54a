"""Posts what time has changed of accounts that nobody else wrote to (contract, section 16).

It posts through the same `Posting` as every movement, so a sweep and a writer that meet come to the same end, and
nothing happens twice. Bounded in time: what is left is for the next call, which goes on where this one ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import Instant, instant
from chalicelib.ports import CallTime, DueAccount, DueList
from chalicelib.usecases.posting import Posting

BEHIND = timedelta(hours=1)
"""How long before the last sweep accounts are looked for again: clocks differ, and the index follows the table."""
LOOK_BACK = timedelta(days=40)
"""How far behind the mark what is due is looked for: a restored table may bring back an account of 35 days ago."""
AT_ONCE = 200
"""Accounts that are read and posted together."""
SWEEP_MARGIN_SECONDS = 8.0
"""The last seconds of a call are for ending: no accounts are begun in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep did. All that was due by `until` is posted, but for accounts in `failed`, with the errors.

    `looked_at` counts the accounts that the index listed, `brought` those that were written. Without `finished` the
    call's time ran out, and the next one goes on.
    """

    until: Instant
    looked_at: int
    brought: int
    failed: tuple[tuple[DueAccount, RetryLater], ...]
    finished: bool


def post_due(due: DueList, posting: Posting, last: Instant | None, *, time: CallTime) -> Sweep:
    """Post what is due by now, hour by hour from where the last sweep had come to (None: there was none).

    Raises:
        RetryLater: the index cannot be read.
    """
    now = time.now()
    looked_at = brought = 0
    failed: list[tuple[DueAccount, RetryLater]] = []
    until, finished = now, True
    for hour, some in _batches(due, last, now):
        if time.remaining_seconds() < SWEEP_MARGIN_SECONDS:
            until, finished = min(hour, now), False
            break
        outcomes = posting.bring([one.merchant_id for one in some], time=time) if some else {}
        looked_at += len(outcomes)
        for one in some:
            outcome = outcomes[one.merchant_id]
            if isinstance(outcome, RetryLater):
                failed.append((one, outcome))
            else:
                brought += outcome
    return Sweep(
        until=min([until, *(one.due_at for one, _ in failed)]),
        looked_at=looked_at,
        brought=brought,
        failed=tuple(failed),
        finished=finished,
    )


def _batches(due: DueList, last: Instant | None, now: Instant) -> Iterator[tuple[Instant, list[DueAccount]]]:
    """Yield the accounts that are due, some at a time, with their hour; of an hour without any, none once."""
    for hour in _hours(last, now):
        listed = due.listed(hour, until=now)
        some = list(islice(listed, AT_ONCE))
        yield hour, some
        while len(some) == AT_ONCE:
            some = list(islice(listed, AT_ONCE))
            yield hour, some


def _hours(last: Instant | None, now: Instant) -> Iterator[Instant]:
    """Yield the beginnings of the hours to look at, oldest first.

    One of them lies in the past, another one with each minute: so what a restore brought back is found within a day.
    """
    end = datetime.fromisoformat(now).replace(minute=0, second=0, microsecond=0)
    # However long ago that was: nobody else looks for what fell due in an outage.
    begins = (end if last is None else _hour(last)) - BEHIND
    minutes = int(datetime.fromisoformat(now).timestamp()) // 60
    past = end - timedelta(hours=minutes % (LOOK_BACK // timedelta(hours=1)))
    if past < begins:
        yield instant(past)
    while begins <= end:
        yield instant(begins)
        begins += timedelta(hours=1)


def _hour(time: Instant) -> datetime:
    return datetime.fromisoformat(time).replace(minute=0, second=0, microsecond=0)

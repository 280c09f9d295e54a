"""Keeps the fleet's figures up to date: counts each account's newest image once.

Bounded in time: accounts that a call could not count are returned, and the stream delivers them again.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from chalicelib.domain.errors import RetryLater
from chalicelib.domain.figures import Figures, FiguresChange, bucket, change, newest, total
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.ports import CallTime, FiguresStore

MERCHANTS_PER_WRITE = 99
"""Merchants counted in one write: DynamoDB takes a hundred items, and one is the bucket's sums."""
ROUNDS_MAX = 10
"""Rounds of reading and writing before what is left goes back to the stream."""
ROUND_PAUSE_BASE_SECONDS = 0.01
ROUND_PAUSE_MAX_SECONDS = 0.5
ROUND_MARGIN_SECONDS = 2.0
"""What is left of a call's time for answering: no round is started inside it."""


def count(
    store: FiguresStore,
    accounts: Iterable[Account],
    *,
    time: CallTime,
    report: Callable[[Figures], None] = lambda _: None,
) -> set[MerchantId]:
    """Count the newest image of each account if it was not counted, and return the merchants that could not be counted.

    `report` is called with what each write added to the fleet's figures, but not for a write whose answer was lost. A
    round reads what was counted of all merchants at once and writes a bucket at a time. After a lost race or a lost
    answer, the next round's read shows what was counted.
    """
    left = newest(accounts)
    for attempt in range(ROUNDS_MAX):
        if not left or time.remaining_seconds() < ROUND_MARGIN_SECONDS:
            break
        if attempt:
            time.sleep(random.uniform(0, min(ROUND_PAUSE_MAX_SECONDS, ROUND_PAUSE_BASE_SECONDS * 2**attempt)))  # noqa: S311 - jitter
        left = _round(store, left, time, report)
    return set(left)


def _round(
    store: FiguresStore, accounts: Mapping[MerchantId, Account], time: CallTime, report: Callable[[Figures], None]
) -> dict[MerchantId, Account]:
    """Return the accounts that are still to be counted after one read and one write for each of their buckets."""
    try:
        counted = store.counted(accounts)
    except RetryLater:
        return dict(accounts)
    news = {
        merchant_id: wanted
        for merchant_id, account in accounts.items()
        if (wanted := change(account, counted.get(merchant_id))) is not None
    }
    left = dict.fromkeys(news)
    for number, changes in _writes(news.values()):
        if time.remaining_seconds() < ROUND_MARGIN_SECONDS:
            break
        if _written(store, number, changes):
            report(total(written.difference for written in changes))
            for written in changes:
                del left[written.merchant_id]
    return {merchant_id: accounts[merchant_id] for merchant_id in left}


def _writes(changes: Iterable[FiguresChange]) -> Iterator[tuple[int, Sequence[FiguresChange]]]:
    by_bucket: dict[int, list[FiguresChange]] = {}
    for wanted in changes:
        by_bucket.setdefault(bucket(wanted.merchant_id), []).append(wanted)
    # Another shard's batch writes to the same buckets: a random order avoids most collisions.
    for number in random.sample(sorted(by_bucket), len(by_bucket)):
        of_bucket = by_bucket[number]
        for start in range(0, len(of_bucket), MERCHANTS_PER_WRITE):
            yield number, of_bucket[start : start + MERCHANTS_PER_WRITE]


def _written(store: FiguresStore, number: int, changes: Sequence[FiguresChange]) -> bool:
    try:
        return store.count(number, changes)
    except RetryLater:
        return False

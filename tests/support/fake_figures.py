"""The `FiguresStore` in memory, with the conditions of the real thing and faults on demand."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from chalicelib.domain.figures import Counted, Figures, FiguresChange, total
from chalicelib.domain.ids import MerchantId

ITEMS_MAX = 100

Deed = Exception | Callable[[], None]
"""A fault of one request: an error to raise, or an action that happens meanwhile."""


@dataclass
class FakeFigures:
    """One lock makes a write atomic, as DynamoDB's transaction is.

    Each request takes the next of its faults: `reads_fail` and `before_effect` before anything happens,
    `after_effect` when it has. `writes` counts the items of each write tried, `reads` the keys of each read.
    """

    merchants: dict[MerchantId, Counted] = field(default_factory=dict)
    buckets: dict[int, Figures] = field(default_factory=dict)
    reads_fail: deque[Deed | None] = field(default_factory=deque)
    before_effect: deque[Deed | None] = field(default_factory=deque)
    after_effect: deque[Deed | None] = field(default_factory=deque)
    reads: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def counted(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, Counted]:
        """Return each merchant's counted figures."""
        asked = list(merchants)
        self.reads.append(len(asked))
        _happens(self.reads_fail)
        with self._lock:
            return {merchant: self.merchants[merchant] for merchant in asked if merchant in self.merchants}

    def count(self, bucket: int, changes: Sequence[FiguresChange]) -> bool:
        """Write all changes and add to the bucket's sums, or nothing of it."""
        if len(changes) + 1 > ITEMS_MAX:
            raise ValueError(f"a write holds {ITEMS_MAX} items, this one {len(changes) + 1}")
        if len({change.merchant_id for change in changes}) != len(changes):
            raise ValueError("an item may stand once in a write")
        self.writes.append(len(changes) + 1)
        _happens(self.before_effect)
        with self._lock:
            if any(self.merchants.get(change.merchant_id) != change.before for change in changes):
                return False
            self.merchants |= {change.merchant_id: change.after for change in changes}
            sums = (change.difference for change in changes)
            self.buckets[bucket] = total([self.buckets.get(bucket, Figures()), *sums])
        _happens(self.after_effect)
        return True

    def fleet(self) -> Figures:
        """Return the sum of all buckets."""
        with self._lock:
            return total(self.buckets.values())


def _happens(faults: deque[Deed | None]) -> None:
    deed = faults.popleft() if faults else None
    if isinstance(deed, Exception):
        raise deed
    if deed is not None:
        deed()

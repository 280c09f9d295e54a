"""Plugin statuses: from the cache that all containers share, else from memory, else from the table.

The shared cache is asked first, where there is one, and memory only when it fails: it learns of a change within
a second. When the table cannot be read, the last known status is the answer (contract, section 6), or else disabled:
never enabled without proof. The account's version decides which of two is newer.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.plugin_status import KnownStatus, PluginStatus, Reason

if TYPE_CHECKING:
    from chalicelib.ports import Readings, SharedStatuses, StatusTable

UNKNOWN_MERCHANT_SECONDS = 1
"""How long a cache may keep `account_not_found`: an account may open at any moment."""
KNOWN_MERCHANTS_MAX = 10_000
"""Merchants whose last status a container remembers; the least recently asked is dropped first."""


class PluginStatuses:
    """Answers plugin statuses that are less than `cache_seconds` old from a cache, else from the table.

    When the table cannot be read, the last known status is returned for up to `stale_seconds`.
    """

    def __init__(
        self, table: "StatusTable", *, cache_seconds: int, stale_seconds: int, shared: "SharedStatuses | None" = None
    ) -> None:
        self._table = table
        self._cache_seconds = cache_seconds
        self._stale_seconds = stale_seconds
        self._shared = shared
        self._remembered: dict[MerchantId, KnownStatus] = {}

    def of(self, merchant_id: MerchantId, *, now: datetime) -> PluginStatus:
        """Return the merchant's status; `stale` or `unavailable` if the table could not be read."""
        return self._answers((merchant_id,), lambda _: self._table.read_one(merchant_id, now), now)[merchant_id]

    def of_many(self, merchants: Iterable[MerchantId], *, now: datetime) -> dict[MerchantId, PluginStatus]:
        """Return the merchants' statuses as `of` does, in their order, with one read for all that are not cached."""
        distinct = tuple(dict.fromkeys(merchants))
        answers = self._answers(distinct, lambda unknown: self._table.read_many(unknown, now), now)
        return {merchant: answers[merchant] for merchant in distinct}

    def _answers(
        self,
        merchants: tuple[MerchantId, ...],
        read: "Callable[[tuple[MerchantId, ...]], Readings]",
        now: datetime,
    ) -> dict[MerchantId, PluginStatus]:
        shared = self._shared.read(merchants) if self._shared is not None else None
        answers: dict[MerchantId, PluginStatus] = {}
        last_known: dict[MerchantId, KnownStatus | None] = {}
        for merchant in merchants:
            cached = known = self._usable(self._remembered.get(merchant), now)
            if shared is not None:
                # What the shared cache has lost is uncertain in memory too: it may have lost a change.
                cached = self._usable(shared.get(merchant), now)
                if cached is not None:
                    cached = known = _newer(known, cached)
                    self._remember(merchant, known)
            if cached is not None and _age(cached, now) < self._cache_seconds:
                answers[merchant] = self._fresh(cached, now)
            else:
                last_known[merchant] = known
        if last_known:
            answers |= self._settled(last_known, read(tuple(last_known)), now, share=shared is not None)
        return answers

    def _settled(
        self, last_known: Mapping[MerchantId, KnownStatus | None], readings: "Readings", now: datetime, *, share: bool
    ) -> dict[MerchantId, PluginStatus]:
        """Return the table's answers, or the last known statuses if it gives none."""
        answers: dict[MerchantId, PluginStatus] = {}
        found: dict[MerchantId, KnownStatus] = {}
        for merchant, known in last_known.items():
            if merchant not in readings:
                answers[merchant] = _without_the_table(known, now)
            elif (reading := readings[merchant]) is None:
                self._remembered.pop(merchant, None)
                answers[merchant] = PluginStatus(
                    reason=Reason.ACCOUNT_NOT_FOUND, as_of=instant(now), fresh_seconds=UNKNOWN_MERCHANT_SECONDS
                )
            else:
                # An eventually consistent read may return an older version than the known one.
                found[merchant] = _newer(known, reading)
        stored = self._shared.write(found, now=now) if self._shared is not None and share and found else None
        for merchant, status in found.items():
            latest = _newer((stored or {}).get(merchant), status)
            self._remember(merchant, latest)
            answers[merchant] = self._fresh(latest, now)
        return answers

    def _fresh(self, known: KnownStatus, now: datetime) -> PluginStatus:
        left = self._cache_seconds - _age(known, now)
        if known.until is not None:
            left = min(left, _until(known.until, now))
        return PluginStatus(
            reason=known.reason,
            as_of=instant(known.as_of),
            fresh_seconds=max(0, int(left)),
            ends=known.until is not None,
        )

    def _usable(self, known: KnownStatus | None, now: datetime) -> KnownStatus | None:
        fresh = known is not None and known.holds(now) and _age(known, now) < self._stale_seconds
        return known if fresh else None

    def _remember(self, merchant: MerchantId, known: KnownStatus) -> None:
        self._remembered.pop(merchant, None)
        self._remembered[merchant] = known
        if len(self._remembered) > KNOWN_MERCHANTS_MAX:
            del self._remembered[next(iter(self._remembered))]


def _without_the_table(known: KnownStatus | None, now: datetime) -> PluginStatus:
    if known is None:
        return PluginStatus(reason=Reason.UNAVAILABLE, as_of=instant(now), fresh_seconds=0)
    # A second at most, so that the table is asked again as soon as it answers.
    ends = known.until is not None and _until(known.until, now) < 1
    return PluginStatus(
        reason=known.reason, as_of=instant(known.as_of), fresh_seconds=0 if ends else 1, stale=True, ends=ends
    )


def _newer(one: KnownStatus | None, other: KnownStatus) -> KnownStatus:
    if one is None or (one.version, one.as_of) < (other.version, other.as_of):
        return other
    return one


def _until(end: Instant, now: datetime) -> float:
    return (datetime.fromisoformat(end) - now).total_seconds()


def _age(known: KnownStatus, now: datetime) -> float:
    # A time from a clock ahead of ours counts as now.
    return max(0.0, (now - known.as_of).total_seconds())

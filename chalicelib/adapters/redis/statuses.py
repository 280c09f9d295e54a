"""The last known plugin statuses of all containers, in Redis (contract, section 6): one text a merchant.

`12 enabled 2025-06-01T12:00:00.000Z`: the account's version, its status, and when that was last known to be true. Only
a newer version replaces it, or the same one seen again later, so that the order of writes does not matter. A reader
computes its age from that time; Redis drops it when it is too old to be of use. A second time, if there is one, is when
time alone may change the status: Redis drops it then at the latest.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.adapters.redis.connection import RedisConnection
from chalicelib.domain.due import as_of
from chalicelib.domain.figures import newest
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.plugin_status import KnownStatus

READ_SECONDS = 0.03
WRITE_SECONDS = 0.02
"""The longest that a request waits for Redis: 50 ms in all."""
LEARN_SECONDS = 0.5
"""The longest that a batch of the stream waits for Redis; no request does."""

_CLOSED: Final = "closed"
_FROZEN: Final = "frozen"
_GRACE: Final = "grace"
_MEANINGS: Final = {"enabled": True, "disabled": False, _CLOSED: False, _FROZEN: False, _GRACE: True}

_KEEP_THE_NEWEST = """
local standing = {}
for i, key in ipairs(KEYS) do
  local version, as_of = tonumber(ARGV[5 * i - 4]), ARGV[5 * i - 2]
  local held = redis.call('GET', key) or ''
  local time = '(%d+%-%d+%-%d+T[%d:.]+Z)'
  local held_version, word, held_as_of = string.match(held, '^(%d+) (%l+) ' .. time .. '$')
  if not held_version then
    held_version, word, held_as_of = string.match(held, '^(%d+) (%l+) ' .. time .. ' ' .. time .. '$')
  end
  local known = {enabled = 1, disabled = 1, closed = 1, frozen = 1, grace = 1}
  if not (word and known[word]) then held_version = nil end
  held_version = tonumber(held_version)
  if held_version and (held_version > version or held_version == version and held_as_of >= as_of) then
    standing[i] = held
  else
    standing[i] = ARGV[5 * i - 4] .. ' ' .. ARGV[5 * i - 3] .. ' ' .. as_of .. ARGV[5 * i - 1]
    redis.call('SET', key, standing[i], 'PX', ARGV[5 * i])
  end
end
return standing
"""
"""Sent whole each time, so that a restarted server knows it too and it takes one round trip."""


class RedisStatuses:
    """Reads and writes the shared statuses, many in one round trip; None where Redis did not answer in time.

    `prefix` separates stages that share a server. A status is kept until `stale_seconds` after it was known.
    """

    def __init__(
        self,
        line: RedisConnection,
        *,
        prefix: str,
        stale_seconds: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._line = line
        # In braces: all keys of a stage are in one slot, as a cluster requires for a command with many keys.
        # Not `plugin-status:`: earlier releases write there, without the time at which a status ends.
        self._prefix = f"{{{prefix}}}:status:"
        self._stale_seconds = stale_seconds
        self._clock = clock

    def read(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, KnownStatus] | None:
        """Return the known statuses; merchants without one are left out."""
        asked = tuple(merchants)
        keys = [self._prefix + merchant for merchant in asked]
        held = self._line.ask(lambda client: client.mget(keys), within_seconds=READ_SECONDS)
        return None if held is None else _known(asked, held)

    def write(
        self, statuses: Mapping[MerchantId, KnownStatus], *, now: datetime
    ) -> dict[MerchantId, KnownStatus] | None:
        """Write the statuses that are newer than the stored ones, and return what is stored now."""
        return self._write(statuses, now, WRITE_SECONDS)

    def learn(self, accounts: Iterable[Account]) -> None:
        """Write the statuses of these accounts, in any order; nothing where Redis fails.

        For the stream. A record that is replayed late counts as known at the time when it was written.
        """
        now = self._clock()
        at = instant(now)
        statuses = {
            account.merchant_id: KnownStatus(
                version=account.version,
                enabled=account.enabled,
                closed=account.closed,
                frozen=account.freeze is not None,
                grace=not account.balance and account.in_grace,
                until=account.due_at,
                # Another container's clock may be ahead of this one.
                as_of=min(datetime.fromisoformat(account.updated_at), now),
            )
            for account in (as_of(account, at) for account in newest(accounts).values())
        }
        self._write(statuses, now, LEARN_SECONDS)

    def alive(self) -> bool:
        """Return whether Redis answers within the time that a request waits."""
        return bool(self._line.ask(lambda client: client.ping(), within_seconds=READ_SECONDS))

    def _write(
        self, statuses: Mapping[MerchantId, KnownStatus], now: datetime, within_seconds: float
    ) -> dict[MerchantId, KnownStatus] | None:
        keys: list[str] = []
        arguments: list[str | int] = []
        written: list[MerchantId] = []
        for merchant, status in statuses.items():
            left = self._stale_seconds - (now - status.as_of).total_seconds()
            if status.until is not None:
                left = min(left, (datetime.fromisoformat(status.until) - now).total_seconds())
            if left > 0:
                written.append(merchant)
                keys.append(self._prefix + merchant)
                until = f" {status.until}" if status.until is not None else ""
                arguments += [status.version, _word(status), instant(status.as_of), until, int(left * 1000) + 1]
        if not written:
            return {}
        standing = self._line.ask(
            lambda client: client.eval(_KEEP_THE_NEWEST, len(keys), *keys, *arguments), within_seconds=within_seconds
        )
        return None if standing is None else _known(written, standing)


def _known(merchants: Iterable[MerchantId], held: Iterable[Any]) -> dict[MerchantId, KnownStatus]:
    found = ((merchant, _status(text)) for merchant, text in zip(merchants, held, strict=True))
    return {merchant: status for merchant, status in found if status is not None}


def _word(status: KnownStatus) -> str:
    if status.closed:
        return _CLOSED
    if status.frozen:
        return _FROZEN
    if not status.enabled:
        return "disabled"
    return _GRACE if status.grace else "enabled"


def _status(held: bytes | None) -> KnownStatus | None:
    """Return the status in a text from Redis, None if there is no text or it has another form."""
    if held is None:
        return None
    try:
        version, word, as_of, *until = held.decode("ascii").split(" ")
        return KnownStatus(
            version=int(version),
            enabled=_MEANINGS[word],
            as_of=datetime.fromisoformat(as_of).astimezone(UTC),
            closed=word == _CLOSED,
            frozen=word == _FROZEN,
            grace=word == _GRACE,
            until=Instant(until[0]) if until else None,
        )
    except (ValueError, KeyError):
        return None

"""The present, and times as a person reads them: UTC to the second, or the zone of this machine."""

from datetime import UTC, datetime, tzinfo
from typing import Final

from chalicelib.domain.ids import Instant, instant

_SHOWN: Final = "%Y-%m-%d %H:%M:%S"


def now() -> Instant:
    """Return the present instant."""
    return instant(datetime.now(UTC))


def shown(time: str | Instant, *, local: bool = False) -> str:
    """Return a time to the second: in UTC, or in the zone of this machine where `local`."""
    return datetime.fromisoformat(time).astimezone(_zone(local=local)).strftime(_SHOWN)


def zone(*, local: bool) -> str:
    """Return the name of the zone that `shown` uses now: `UTC`, or this machine's, such as `CET`."""
    return datetime.now(UTC).astimezone(_zone(local=local)).tzname() or "local"


def _zone(*, local: bool) -> tzinfo | None:
    return None if local else UTC

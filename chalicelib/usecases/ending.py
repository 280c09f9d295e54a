"""How a message ends, decided from its movements' outcomes: applied, parked, put off, sent on or ignored.

(contract, section 4, "Retry and dead letter")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from chalicelib.domain.errors import Rejected, RetryLater
from chalicelib.domain.outcomes import Outcome, contradicts_record

OUTAGE_DELAY_SECONDS_MAX = 900
"""The longest a message waits before another try when the ledger could not answer."""
INBOX_SECONDS_MAX = 60
"""How long a message waits for its ground in the inbox: SQS stops delivering at 120,000 messages in flight."""
GROWTH_MAX = 20
"""The most doublings of a delay; more would overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundRetry:
    """How long a message waits for missing ground: from one try to the next, and in total before it is parked."""

    shortest_seconds: int
    longest_seconds: int
    total_seconds: int


class Settled(Enum):
    """The message is acknowledged: all its movements are recorded, or it has none."""

    APPLIED = auto()
    IGNORED = auto()


APPLIED, IGNORED = Settled.APPLIED, Settled.IGNORED


@dataclass(frozen=True, slots=True)
class Parked:
    """The message goes to the dead-letter queue, with the error's code, message and field as the reason."""

    error: Rejected


@dataclass(frozen=True, slots=True)
class PutOff:
    """The message stays in the queue because of `error`, and is redelivered after `seconds`."""

    error: RetryLater
    seconds: int


@dataclass(frozen=True, slots=True)
class SentOn:
    """The message goes to the waiting queue because of `error`, and is delivered after `seconds`."""

    error: RetryLater
    seconds: int


Ending = Settled | Parked | PutOff | SentOn


def ending(
    outcomes: Sequence[Outcome],
    *,
    secondary: Sequence[Outcome] = (),
    deliveries: int,
    waited_seconds: float,
    retry: GroundRetry,
) -> Ending:
    """Return how a message ends whose movements had these outcomes.

    `deliveries` includes this one; `waited_seconds` have passed since the first. Transient errors take
    precedence: only missing ground ends in parking, and a rejection beside either is found again by a later delivery.

    A `secondary` movement also comes in another message. If it contradicts its record, nothing is parked, since this
    message only repeats it. Any other rejection parks the message, since it may be the only report. It may also wait,
    but not for a ground that is missing because of the message's own rejection.
    """
    rejected = next((outcome for outcome in outcomes if isinstance(outcome, Rejected)), None)
    waiting = [outcome for outcome in outcomes if isinstance(outcome, RetryLater)]
    if secondary:
        waiting += [
            outcome
            for outcome in secondary
            if isinstance(outcome, RetryLater) and not (rejected is not None and outcome.ground_missing)
        ]
    later = min(waiting, key=lambda error: error.ground_missing, default=None)
    if later is not None:
        if later.ground_missing and waited_seconds >= retry.total_seconds:
            reason = f"{later.message}, and did not come within {retry.total_seconds} seconds"
            return Parked(Rejected(later.code, reason, field=later.field))
        seconds = _delay(later, deliveries, retry)
        leaves = later.ground_missing and waited_seconds + seconds > INBOX_SECONDS_MAX
        return (SentOn if leaves else PutOff)(later, seconds)
    if rejected is None:
        refused = (one for one in secondary if isinstance(one, Rejected) and not contradicts_record(one))
        rejected = next(refused, None) if secondary else None
    if rejected is not None:
        return Parked(rejected)
    return APPLIED if outcomes else IGNORED


def _delay(error: RetryLater, deliveries: int, retry: GroundRetry) -> int:
    growth = 1 << min(deliveries - 1, GROWTH_MAX)
    if error.ground_missing:
        return min(retry.shortest_seconds * growth, retry.longest_seconds)
    return min(growth, OUTAGE_DELAY_SECONDS_MAX)

"""What admins did, and when (contract, section 6, "Who did what")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

from chalicelib.domain.ids import Instant, MerchantId, milliseconds

_HASH_BITS = 22


class ActionType(StrEnum):
    """What was done, as far as this release knows: a newer release may record further values."""

    ADJUSTED = "adjusted"
    THRESHOLD_SET = "threshold_set"
    LEVELS_SET = "levels_set"
    GRACE_SET = "grace_set"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    LETTER_RETRIED = "letter_retried"
    LETTER_DISCARDED = "letter_discarded"
    LINKED = "linked"
    UNLINKED = "unlinked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that an admin did. `merchant_id` is None if it concerns no known merchant.

    `did` is an `ActionType`, or a word of a newer release. `fact` identifies the action: recorded again, it is the same
    one. `details` describe it, as a flat object.
    """

    time: Instant
    did: str
    admin_id: str
    fact: str
    merchant_id: MerchantId | None = None
    details: Mapping[str, str | int | None] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """Its position in the order of time: the milliseconds since 1970, then a hash of the fact."""
        return (milliseconds(self.time) << _HASH_BITS) | (crc32(self.fact.encode()) >> (32 - _HASH_BITS))


def action_on(
    did: ActionType,
    subject: str,
    *,
    admin_id: str,
    time: Instant,
    merchant_id: MerchantId | None = None,
    details: Mapping[str, str | int | None],
) -> Action:
    """Return what an admin did to a subject at a time: one action, however often it is recorded."""
    return Action(
        time=time,
        did=did,
        admin_id=admin_id,
        fact=f"{did}#{subject}#{time}",
        merchant_id=merchant_id,
        details=details,
    )

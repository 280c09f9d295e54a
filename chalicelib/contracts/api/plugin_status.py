"""The plugin-status answer: what it says, how long it may be kept, and its entity tag (hard-cases.md, "Status").

Standard library only: this is the hot route, and pydantic would triple its cold start. `answers.PluginStatus`
describes the same answer for the API's document, and a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.contracts.api.problems import bad_request
from chalicelib.domain.ids import Instant, MerchantId, merchant_id

REVALIDATE_SECONDS = 15
"""How long a cache may go on with an answer that has run out while it asks for a new one."""
IF_ERROR_SECONDS = 300
"""How long a cache may go on with it while we cannot answer."""
UNKNOWN_MERCHANT_SECONDS = 1
"""How long a cache may keep `account_not_found`: an account may open at any moment."""
BATCH_MAX = 100
"""Merchants that one batch asks for."""


class Reason(StrEnum):
    """Why the plugin is on or off."""

    SUFFICIENT_CREDITS = "sufficient_credits"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    ACCOUNT_NOT_FOUND = "account_not_found"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """Whether a shop's plugin is on, as read at `as_of`; `stale` where the table could not be read since.

    `fresh_seconds` is how much longer a cache may answer it.
    """

    reason: Reason
    as_of: Instant
    fresh_seconds: int
    stale: bool = False

    @property
    def status(self) -> str:
        """`enabled` or `disabled`: enabled is said of a known account with credits only."""
        return "enabled" if self.reason is Reason.SUFFICIENT_CREDITS else "disabled"

    def data(self) -> dict[str, Any]:
        """Return the answer's `data`; the balance is never in it."""
        return {"status": self.status, "reason": self.reason, "as_of": self.as_of, "stale": self.stale}

    @property
    def entity_tag(self) -> str | None:
        """A weak tag: two answers with the same tag say the same, though at other times; None if nothing is known."""
        if self.reason is Reason.UNAVAILABLE:
            return None
        return f'W/"{self.status}-{self.reason}{"-stale" if self.stale else ""}"'

    @property
    def cache_control(self) -> str:
        """How long browsers and shared caches may keep the answer."""
        if self.reason is Reason.UNAVAILABLE:
            return "no-store"
        if self.reason is Reason.ACCOUNT_NOT_FOUND or self.stale:
            return f"public, max-age={self.fresh_seconds}"
        return (
            f"public, max-age={self.fresh_seconds}, "
            f"stale-while-revalidate={REVALIDATE_SECONDS}, stale-if-error={IF_ERROR_SECONDS}"
        )


def merchants_asked(fields: Mapping[str, Any]) -> list[MerchantId]:
    """Return the merchants of a batch request, each once, in the order in which they are named first.

    Raises:
        Problem: `merchant_ids` is no list of 1 to 100 merchant ids; the field names the first that is none.
    """
    asked = fields.get("merchant_ids")
    if not isinstance(asked, list) or not 1 <= len(asked) <= BATCH_MAX:
        raise bad_request("merchant_ids", f"merchant_ids is a list of 1 to {BATCH_MAX} merchant ids.")
    merchants: dict[MerchantId, None] = {}
    for place, text in enumerate(asked):
        try:
            merchants[merchant_id(text if isinstance(text, str) else "")] = None
        except ValueError:
            raise bad_request(f"merchant_ids.{place}", "A merchant id is a UUID.") from None
    return list(merchants)

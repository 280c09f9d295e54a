"""The plugin-status answer: its content, how long caches may keep it, and its entity tag (contract, "Status").

Standard library only: this is the hot route, and pydantic would triple its cold start. `answers.PluginStatus`
describes the same answer for the API's document, and a test compares the two.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chalicelib.contracts.api.problems import bad_request
from chalicelib.domain.ids import MerchantId, merchant_id
from chalicelib.domain.plugin_status import PluginStatus, Reason

REVALIDATE_SECONDS = 15
"""How long a cache may serve an expired answer while it fetches a new one."""
IF_ERROR_SECONDS = 300
"""How long a cache may serve an expired answer while the API fails."""
BATCH_MAX = 100
"""The most merchants in one batch."""


def data(status: PluginStatus) -> dict[str, Any]:
    """Return the answer's `data`; the balance is never in it."""
    return {"status": status.status, "reason": status.reason, "as_of": status.as_of, "stale": status.stale}


def entity_tag(status: PluginStatus, more: Mapping[str, int | None] = MappingProxyType({})) -> str | None:
    """Return a weak tag, the same for answers that differ only in time; None if the status is unknown.

    `more` is what the answer has besides the status.
    """
    if status.reason is Reason.UNAVAILABLE:
        return None
    added = "".join(f"-{value}" for value in more.values())
    return f'W/"{status.status}-{status.reason}{"-stale" if status.stale else ""}{added}"'


def cache_control(status: PluginStatus) -> str:
    """Return how long browsers and shared caches may keep the answer."""
    if status.reason is Reason.UNAVAILABLE:
        return "no-store"
    if status.reason is Reason.ACCOUNT_NOT_FOUND or status.stale or status.ends:
        return f"public, max-age={status.fresh_seconds}"
    return (
        f"public, max-age={status.fresh_seconds}, "
        f"stale-while-revalidate={REVALIDATE_SECONDS}, stale-if-error={IF_ERROR_SECONDS}"
    )


def merchants_asked(fields: Mapping[str, Any]) -> list[MerchantId]:
    """Return the merchants of a batch request, each once, in the order of their first occurrence.

    Raises:
        Problem: `merchant_ids` is not a list of 1 to 100 merchant ids; the field names the first invalid one.
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

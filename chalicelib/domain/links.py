"""Links: which merchant a shop of Shopify, a customer of Stripe or a payment belongs to (contract, section 15)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.domain.ids import Instant, MerchantId, uuid_v5

LABEL_LENGTH_MAX = 100

_NAMESPACE_URL: Final = "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
SHOP_DOMAIN = re.compile(r"(?=.{4,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_CUSTOMER = re.compile(r"[A-Za-z0-9_]{1,64}")
# JSON can hold half a surrogate pair, a table cannot.
_LABEL = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{LABEL_LENGTH_MAX}}}")


class LinkKind(StrEnum):
    """Who sends webhooks and gives the names that are linked: the first part of such a name."""

    SHOPIFY = "shopify"
    STRIPE = "stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A name, `shopify:{shop domain}` or `stripe:{customer id}`, and the one merchant to which it belongs.

    `label` is what people call the shop, None if nobody gave one.
    """

    name: str
    merchant_id: MerchantId
    label: str | None = None
    since: Instant

    @property
    def kind(self) -> LinkKind:
        """Who gives the name."""
        return LinkKind(self.name.partition(":")[0])


def link_name(kind: LinkKind, name: str) -> str:
    """Return the name under which a link says whose a shop, a customer or a payment is."""
    return f"{kind}:{name}"


def link_name_of(text: str) -> str:
    """Return a link's name as it is kept: the kind, a colon, a shop's domain in lower case or a customer's id.

    Raises:
        ValueError: it is not the name of a shop or customer.
    """
    # People type spaces around a name; a line break or another control character is a mistake, and refused.
    kind, _, name = text.strip(" ").partition(":")
    match kind.lower():
        case LinkKind.SHOPIFY if SHOP_DOMAIN.fullmatch(name.lower()):
            return link_name(LinkKind.SHOPIFY, name.lower())
        case LinkKind.STRIPE if _CUSTOMER.fullmatch(name):
            return link_name(LinkKind.STRIPE, name)
    raise ValueError("a link is named shopify: and a shop's domain, or stripe: and a customer's id")


def label_of(value: object) -> str:
    """Return a label as it is kept, without spaces around it.

    Raises:
        ValueError: it is not a text of 1 to `LABEL_LENGTH_MAX` printable characters.
    """
    text = value.strip() if isinstance(value, str) else ""
    if _LABEL.fullmatch(text) is None:
        raise ValueError(f"a label is a text of 1 to {LABEL_LENGTH_MAX} printable characters")
    return text


def merchant_of_name(name: str) -> MerchantId:
    """Return the id for a merchant that has none yet: the UUIDv5 of its link's name in the namespace of URLs."""
    return MerchantId(uuid_v5(_NAMESPACE_URL, name))

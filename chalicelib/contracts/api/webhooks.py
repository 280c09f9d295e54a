"""Answers about webhooks and links (contract, section 15)."""

from chalicelib.contracts.api.model import Model
from chalicelib.domain.links import LinkKind


class Queued(Model):
    """The inbox has confirmed the webhook: `status` is `queued`."""

    status: str


class Link(Model):
    """Which merchant a shop of Shopify or a customer of Stripe belongs to."""

    name: str
    kind: LinkKind
    merchant_id: str
    label: str | None
    since: str


class Named(Model):
    """A name of a merchant, and what people call it."""

    name: str
    label: str | None


class MerchantNames(Model):
    """A merchant's names; `shown` is the one to show: a label, else a shop's domain, else a customer's id."""

    shown: str
    names: list[Named]


class NamesBatch(Model):
    """The names of merchants, by merchant id; merchants without a name are omitted."""

    names: dict[str, MerchantNames]

"""What a webhook of either sender translates to: events or nothing, and its merchant (contract, section 15)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from chalicelib.contracts.inbound.payloads import IgnoredReason
from chalicelib.contracts.sources.fields import as_json
from chalicelib.contracts.values import given
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.links import LinkKind, link_name


class UnusedReason(StrEnum):
    """Why a webhook, or a part of it, moves nothing; labels of `credits_events_ignored_total`."""

    TOPIC_UNUSED = "topic_unused"
    TEST_ORDER = IgnoredReason.TEST_ORDER.value
    ORDER_NOT_PAID = IgnoredReason.ORDER_NOT_PAID.value
    REFUND_PENDING = "refund_pending"
    REFUND_FAILED = "refund_failed"
    SCOPES_UNUSED = "scopes_unused"
    SUBSCRIPTION_WITHOUT_PERIOD = "subscription_without_period"
    CUSTOMERS_REDACT = "customers_redact"
    CUSTOMERS_DATA_REQUEST = "customers_data_request"
    SHOP_REDACT = "shop_redact"
    NOTHING_PAID = "nothing_paid"
    NO_CREDITS = "no_credits"
    PRORATION = "proration"
    NAMED_BY_INVOICE = "named_by_invoice"
    NAMED_BY_CHARGE = "named_by_charge"
    CHECKOUT_UNPAID = "checkout_unpaid"


PRIVACY: Final = frozenset(
    {UnusedReason.CUSTOMERS_REDACT, UnusedReason.CUSTOMERS_DATA_REQUEST, UnusedReason.SHOP_REDACT}
)
"""Requests about personal data, of which none is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTerms:
    """The settings that decide what a webhook translates to.

    `credits_by_price`: credits that one unit of a price or plan id gives, 0 for none. `count_test_orders`: whether
    test orders, and Stripe's test mode, count.
    """

    credits_by_price: Mapping[str, int] = field(default_factory=dict)
    count_test_orders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """A webhook, or a part of it, that moves nothing by rule: why, and the `field` that decided.

    The reason is a `Code` for an unreadable part that Shopify also sends as its own webhook.
    """

    reason: UnusedReason | Code
    field: str | None
    reference_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """An event of ours that a webhook translates to; `payload` is JSON and names no merchant yet.

    A `secondary` one also comes as its own webhook, before or after this one.
    """

    event_type: str
    payload: Mapping[str, Any]
    secondary: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The shop has removed the app: its account closes, with its balance kept."""


Part = SourceEvent | Unused | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What is known about a payment that is captured after its checkout session; their webhooks come in any order.

    `session` and `credits` are None until the session's webhook arrives; `credits` also if that does not state them.
    """

    payment_id: str
    session: str | None = None
    credits: int | None = None
    captured: bool = False

    @property
    def payment_name(self) -> str:
        """The name of the payment in the table of links."""
        return link_name(LinkKind.STRIPE, self.payment_id)

    def texts(self) -> dict[str, str]:
        """Return what is known, as texts for the table of links; `with_texts` reads them."""
        stated = None if self.credits is None else str(self.credits)
        return given(session=self.session, credits=stated, captured="yes" if self.captured else None)

    def with_texts(self, texts: Mapping[str, str]) -> "Sale":
        """Return the sale of this payment, of which `texts` are all that the table of links holds."""
        stated = texts.get("credits")
        return Sale(
            payment_id=self.payment_id,
            session=texts.get("session"),
            credits=None if stated is None else int(stated),
            captured="captured" in texts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a webhook translates to, part by part; at least one.

    Its merchant is `merchant_id` if the webhook has it, else the link of `name` (the shop or customer), else that of
    one of `payment_names`. These are names of the webhook's payment: a dispute names no customer, so they are linked
    when a webhook with a customer has them. Only `name` may open an account.

    `paid` is the invoice that a payment paid, by the payment's name: since 2025-03-31 no other event of Stripe has it.
    `goes_back` is the name of the payment that is refunded or disputed. `sale` is what it says about a payment that
    is captured later.
    """

    source: LinkKind
    topic: str
    name: str | None
    merchant_id: MerchantId | None = None
    payment_names: tuple[str, ...] = ()
    paid: Mapping[str, str] = field(default_factory=dict)
    goes_back: str | None = None
    sale: Sale | None = None
    occurred_at: str | int | None
    correlation_id: str | None
    parts: tuple[Part, ...]

    @property
    def events(self) -> tuple[SourceEvent, ...]:
        """The events that it translates to."""
        return tuple(part for part in self.parts if isinstance(part, SourceEvent))

    @property
    def unused(self) -> tuple[Unused, ...]:
        """Its parts that move nothing."""
        return tuple(part for part in self.parts if isinstance(part, Unused))

    @property
    def closed(self) -> bool:
        """Whether the account closes."""
        return Closed() in self.parts

    def bodies(self, merchant: MerchantId, *, invoice: str | None = None) -> tuple[str, ...]:
        """Return the events as bodies in the platform's envelope, of this merchant: what `read_event` takes.

        `invoice` is the one that the payment that goes back had paid, if it did.
        """
        around = given(correlation_id=self.correlation_id, occurred_at=self.occurred_at)
        paid = given(payment_id=invoice) if self.goes_back else {}
        return tuple(
            as_json(
                {
                    "event_type": event.event_type,
                    "payload": {**event.payload, **paid, "merchant_id": merchant},
                    **around,
                },
            )
            for event in self.events
        )

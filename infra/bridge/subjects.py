"""Event types of the contract as NATS subjects, and how subjects with wildcards relate to each other."""

from collections.abc import Iterable

ADJUSTMENT_TYPE = "evt.credits.manual_adjustment"
"""The one inbound type in the namespace of the outbound ones."""

RAW_TYPES = ("evt.shopify.webhook.raw", "evt.stripe.webhook.raw")
"""Webhooks as Shopify and Stripe sent them (contract, section 15)."""

INBOUND_TYPES = (
    "evt.merchant.created",
    "evt.account.created",
    "evt.shopify.webhook.order_paid",
    "evt.order.updated",
    "evt.shopify.webhook.order_refunded",
    "evt.billing.payment_succeeded",
    "evt.billing.payment_refunded",
    "evt.billing.payment_disputed",
    "evt.billing.payment_dispute_won",
    "evt.subscription.renewed",
    *RAW_TYPES,
    ADJUSTMENT_TYPE,
)
"""Events that request a movement, and webhooks (contract, sections 3 and 15): the only subjects that the bridge
consumes."""

OUTBOUND_TYPES = (
    "evt.credits.account.created",
    "evt.credits.recharged",
    "evt.credits.refunded",
    "evt.credits.adjusted",
    "evt.credits.reversed",
    "evt.credits.expiring",
    "evt.credits.expired",
    "evt.credits.low_balance_reached",
    "evt.credits.balance_restored",
    "evt.credits.balance_exhausted",
    "evt.credits.plugin_status_changed",
    "evt.credits.level_crossed",
    "evt.credits.grace_started",
    "evt.credits.grace_ended",
    "evt.credits.drift_detected",
)
"""What the service publishes (contract, sections 5 and 7). Streams bind them one by one: `evt.credits.>` would take the
inbound `ADJUSTMENT_TYPE` too, whose stream must not drop unread messages (contract, section 19)."""

PARKING_SUBJECT = "parked.credit-service"
"""Where inbound messages go that the queue can never take."""

_OUTBOUND_PREFIX = "evt.credits."
_SUBJECT_LENGTH = 255


def is_outbound(event_type: str) -> bool:
    """Return whether the bridge may publish `event_type`: a literal `evt.credits.` subject, not an inbound one."""
    tokens = event_type.split(".")
    literal = all(token and token.isascii() and token.isprintable() for token in tokens)
    return (
        event_type.startswith(_OUTBOUND_PREFIX)
        and event_type not in INBOUND_TYPES
        and literal
        and len(event_type) <= _SUBJECT_LENGTH
        and not any(character in event_type for character in " *>")
    )


def covers(wide: str, narrow: str) -> bool:
    """Return whether every subject that `narrow` matches is matched by `wide` too."""
    wide_tokens, narrow_tokens = wide.split("."), narrow.split(".")
    for position, wanted in enumerate(wide_tokens):
        if wanted == ">":
            return len(narrow_tokens) > position
        if position >= len(narrow_tokens) or narrow_tokens[position] == ">":
            return False
        if wanted not in ("*", narrow_tokens[position]):
            return False
    return len(wide_tokens) == len(narrow_tokens)


def bound(subject: str, patterns: Iterable[str]) -> bool:
    """Return whether one of `patterns` already matches every message on `subject`."""
    return any(covers(pattern, subject) for pattern in patterns)

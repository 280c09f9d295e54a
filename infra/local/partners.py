"""Shopify's and Stripe's part of the local stack: secrets made at each start, and a partner event bus for each."""

import secrets
from collections.abc import Mapping
from typing import Final

from chalicelib.domain.links import LinkKind

BUSES: Final[Mapping[LinkKind, str]] = {
    LinkKind.SHOPIFY: "aws.partner/shopify.com/local/credits",
    LinkKind.STRIPE: "aws.partner/stripe.com/local",
}
"""The names of the partner event buses: the source of their events, as on AWS."""
_SECRET_BYTES: Final = 32


def new_secrets() -> dict[str, str]:
    """Return the secrets with which each signs its webhooks, in the forms that the two give them."""
    return {
        LinkKind.SHOPIFY: secrets.token_hex(_SECRET_BYTES),
        LinkKind.STRIPE: f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}",
    }


def secret_parameter(source: str, stage: str) -> str:
    """Return the SSM parameter that holds a secret."""
    return f"/credits/{stage}/{source}-webhook-secret"

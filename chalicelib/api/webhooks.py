"""The routes for webhooks of Shopify and Stripe, which sign what they send (contract, section 15, point 1).

A webhook is verified, cut to the fields that decide, and put into the inbox. `ingest_events` reads it and parks a
webhook with invalid content. Shopify removes a subscription whose webhooks are refused again and again.
"""

from collections.abc import Callable

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes, json_text
from chalicelib.contracts.api.problems import Problem, Refusal
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.links import LinkKind
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.wiring import for_api

BODY_BYTES_MAX = 4_500_000
"""Bytes of a webhook: an order of some hundred lines has more than a million, and Shopify would repeat it in vain.

Lambda takes requests of 6 MB (API Gateway: 10 MB), and a body in Base64 has four bytes for three.
"""
MESSAGE_BYTES_MAX = 1_000_000
"""Bytes of a webhook that was cut, below what the inbox takes (MaximumMessageSize in infra/template.yaml)."""

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.post(
    "/api/v1/webhooks/shopify",
    access=Access.SIGNER,
    summary="A webhook of Shopify",
    body_bytes_max=BODY_BYTES_MAX,
)
def shopify_webhook(call: Call) -> Reply:
    """Put a webhook into the inbox, if one of Shopify's secrets signed it; return 200 once the queue has confirmed."""
    from chalicelib.contracts.sources.signatures import check_shopify

    body, secrets = call.body_bytes(), for_api.webhook_secrets(settings().webhooks.shopify_secret_parameter)
    _admit(lambda: check_shopify(body, call.sent_headers, secrets))
    return _queued(LinkKind.SHOPIFY, body, call)


@routes.post(
    "/api/v1/webhooks/stripe",
    access=Access.SIGNER,
    summary="An event of Stripe",
    body_bytes_max=BODY_BYTES_MAX,
)
def stripe_webhook(call: Call) -> Reply:
    """Put an event into the inbox, if one of Stripe's secrets signed it just now; return 200 once it is confirmed."""
    from chalicelib.contracts.sources.signatures import check_stripe

    body, secrets = call.body_bytes(), for_api.webhook_secrets(settings().webhooks.stripe_secret_parameter)
    _admit(lambda: check_stripe(body, call.sent_headers, secrets, now=call.now))
    return _queued(LinkKind.STRIPE, body, call)


def _admit(check: Callable[[], None]) -> None:
    try:
        check()
    except Rejected as error:
        logger.warning("webhook refused", code=error.code, reason=error.message)
        challenge = {"WWW-Authenticate": f'Signature header="{error.field}"'}
        raise Problem(error.code, error.message, details={"field": error.field}, headers=challenge) from None


def _queued(source: LinkKind, body: bytes, call: Call) -> Reply:
    from chalicelib.contracts.sources.raw import from_request

    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem(Code.NOT_JSON, "the body is not UTF-8", details={"field": "body"}) from None
    webhook = from_request(source, text, call.sent_headers)
    message = webhook.message()
    if len(message) > MESSAGE_BYTES_MAX:
        raise Problem(
            Refusal.PAYLOAD_TOO_LARGE,
            f"The fields of a webhook that the service reads may have at most {MESSAGE_BYTES_MAX} bytes.",
        )
    send_to_inbox(message, webhook.group())
    return Reply(body=json_text({"status": "queued"}, call.meta()))


def send_to_inbox(message: str, group: str | None = None) -> None:
    """Put a message into the inbox, in a group if one is given; the inbox has confirmed it when this returns.

    Raises:
        RetryLater: it was not confirmed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        for_api.webhook_queue().send(settings().queues.inbox, message, group)
    except (ClientError, BotoCoreError) as error:
        raise RetryLater(Code.UNAVAILABLE, "the inbox did not confirm a message") from error

"""Webhooks as the inbox holds them, whichever way they came (contract, section 15, point 1).

    HTTPS route, NATS   {"event_type": "evt.shopify.webhook.raw", "headers" or "metadata": {…}, "payload": {the body}}
    Shopify's bus       {"source": "aws.partner/shopify.com/…", "detail": {"metadata": {the headers}, "payload": …}}
    Stripe's bus        {"source": "aws.partner/stripe.com/…", "detail-type": its type, "detail": {the event}}

On NATS the subject may stand for the type. Nobody but AWS can put an event with a source `aws.…` on a bus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.sources.fields import Shape, as_json, cut, decoded
from chalicelib.contracts.sources.webhooks import SourceTerms, Webhook
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.links import LinkKind

RAW_TYPES: Final[Mapping[str, LinkKind]] = {
    "evt.shopify.webhook.raw": LinkKind.SHOPIFY,
    "evt.stripe.webhook.raw": LinkKind.STRIPE,
}
"""Types of messages, and subjects on NATS, that hold webhooks as they were sent."""
BUSES: Final[Mapping[str, LinkKind]] = {
    "aws.partner/shopify.com/": LinkKind.SHOPIFY,
    "aws.partner/stripe.com/": LinkKind.STRIPE,
}
"""How the sources of the partners' buses begin."""

_TYPES = {source: event_type for event_type, source in RAW_TYPES.items()}


# Most batches hold no webhook: the first one imports what reads it.
@cache
def _shape(source: LinkKind) -> Shape:
    from chalicelib.contracts.sources import shopify, stripe

    return shopify.SHAPE if source is LinkKind.SHOPIFY else stripe.SHAPE


def _headers(source: LinkKind) -> Sequence[str]:
    from chalicelib.contracts.sources import shopify

    return tuple(shopify.HEADERS) if source is LinkKind.SHOPIFY else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawWebhook:
    """A webhook as it was sent: its decoded body and headers; the type that the bus gives it, where it has one."""

    source: LinkKind
    headers: Mapping[str, Any]
    body: Mapping[str, Any]
    detail_type: str | None = None

    def read(self, terms: SourceTerms) -> Webhook:
        """Return what it translates to.

        Raises:
            Rejected: it is poison.
        """
        from chalicelib.contracts.sources import shopify, stripe

        if self.source is LinkKind.SHOPIFY:
            return shopify.read(self.body, self.headers, terms)
        found = stripe.read(self.body, terms)
        if self.detail_type not in (None, found.topic):
            raise Rejected(Code.TOPIC_CONTRADICTS_BODY, "detail-type is not the event's type", field="detail-type")
        return found

    def message(self) -> str:
        """Return it as a message of the inbox, cut to what decides: to be queued or parked without personal data."""
        # A header that is there twice, spelled in two ways, stays so: it is poison here and there.
        known = {name.lower() for name in _headers(self.source)}
        names = [name for name in self.headers if name.lower() in known]
        return as_json(
            {
                "event_type": _TYPES[self.source],
                "headers": cut(self.headers, dict.fromkeys(names)),
                "payload": cut(self.body, _shape(self.source)),
            }
        )


def held_webhook(message: Message) -> RawWebhook | None:
    """Return the webhook in a message, None where it holds none.

    Raises:
        Rejected: it should hold one, and does not, or came on another subject.
    """
    body = message.body
    # At first sight: an order is not decoded twice to find that it is none.
    if message.subject not in RAW_TYPES and ".webhook.raw" not in body and "aws.partner/" not in body:
        return None
    return from_message(read_object(body), subject=message.bound_to())


def body_to_park(message: Message) -> str:
    """Return the body of a message that should hold a webhook and does not, cut to what decides, at any depth.

    What is no JSON object, and what is no webhook's, stays as it is.
    """
    try:
        fields = decoded(message.body)
    except Rejected:
        return message.body
    source = RAW_TYPES.get(message.subject or str(fields.get("event_type")))
    if source is None:
        return message.body
    headers: Shape = dict.fromkeys(_headers(LinkKind.SHOPIFY))
    body = _shape(source)
    around: Shape = {"headers": headers, "metadata": headers, "payload": body}
    inner: Shape = {**body, **around}
    return as_json(cut(fields, {**inner, "event_type": None, "payload": inner, "detail": inner}))


def from_request(source: LinkKind, body: str, headers: Mapping[str, Any]) -> RawWebhook:
    """Return the webhook of a request, whose signature was checked.

    Raises:
        Rejected: the body is no JSON object, nests too deep, or names a field twice.
    """
    return RawWebhook(source=source, headers=headers, body=decoded(body))


def from_message(fields: Mapping[str, Any], *, subject: str | None = None) -> RawWebhook | None:
    """Return the webhook in a decoded message of the inbox, None where it holds none.

    Raises:
        Rejected: it should hold one, and does not, or its type is not the subject that it came on.
    """
    if "detail-type" in fields or "detail" in fields:
        found = _from_bus(fields)
        if found is not None and subject is not None:
            # A right to publish on a subject must not become the word of Shopify or Stripe.
            raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, "an event of a bus came on a subject", field="detail-type")
        return found
    event_type = fields.get("event_type", subject)
    if subject is not None and subject != event_type and RAW_TYPES.keys() & {subject, str(event_type)}:
        raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, "event_type is not the subject", field="event_type")
    source = RAW_TYPES.get(event_type) if isinstance(event_type, str) else None
    return _unwrapped(source, fields, prefix="") if source is not None else None


def _from_bus(fields: Mapping[str, Any]) -> RawWebhook | None:
    sender, detail = str(fields.get("source")), fields.get("detail")
    source = next((source for start, source in BUSES.items() if sender.startswith(start)), None)
    if source is None:
        return None
    if source is LinkKind.SHOPIFY:
        return _unwrapped(source, _object(detail, "detail"), prefix="detail.")
    detail_type = fields.get("detail-type")
    return RawWebhook(source=source, headers={}, body=_object(detail, "detail"), detail_type=str(detail_type))


def _unwrapped(source: LinkKind, fields: Mapping[str, Any], *, prefix: str) -> RawWebhook:
    body = _object(fields.get("payload"), f"{prefix}payload")
    around = fields
    if "payload" in body and body.keys() & {"headers", "metadata"}:
        # The platform's own envelope, with the raw message as its payload.
        around, body = body, _object(body["payload"], f"{prefix}payload.payload")
    headers = around.get("headers") or around.get("metadata") or {}
    return RawWebhook(source=source, headers=_object(headers, f"{prefix}headers"), body=body)


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(Code.FIELD_MISSING, f"{field} is missing or not an object", field=field)
    return value

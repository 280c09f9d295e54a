"""Webhooks in the inbox, whichever way they came (contract, section 15, point 1).

    HTTPS route, NATS   {"event_type": "evt.shopify.webhook.raw", "headers" or "metadata": {…}, "payload": {the body}}
    Shopify's bus       {"source": "aws.partner/shopify.com/…", "detail": {"metadata": {the headers}, "payload": …}}
    Stripe's bus        {"source": "aws.partner/stripe.com/…", "detail-type": its type, "detail": {the event}}

On NATS the subject may replace the type. Only AWS can put an event with a source `aws.…` on a bus.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.sources.fields import Shape, as_json, cut, decoded, decoded_leniently
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
_TYPE_NAMES = ("event_type", "type", "detail-type")
_HEADERS = ("headers", "metadata")
_BODIES: Final = frozenset({"payload", "data", "body", "detail"})
"""Names under which senders wrap a webhook; `body` is not read as one."""
# What SQS takes as a group: 1 to 128 letters, digits and punctuation of ASCII.
_GROUP = re.compile(r"[!-~]{1,128}")
_ENVELOPES_MAX = 3
"""A CloudEvent around the platform's envelope around the raw message."""


# Most batches hold no webhook: the modules that read one are imported with the first.
@cache
def _shape(source: LinkKind) -> Shape:
    from chalicelib.contracts.sources import shopify, stripe

    return shopify.SHAPE if source is LinkKind.SHOPIFY else stripe.SHAPE


@dataclass(frozen=True, slots=True, kw_only=True)
class RawWebhook:
    """A webhook as it was sent: its decoded body and headers, and its type on the bus, if any."""

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

    def group(self) -> str | None:
        """Return the shop or customer as a message group: one with a backlog waits after the others. None if unnamed.

        Read leniently, as the bridge reads it: only fairness depends on it.
        """
        if self.source is LinkKind.SHOPIFY:
            spelled = {name.lower(): value for name, value in self.headers.items()}
            named = spelled.get("x-shopify-shop-domain")
        else:
            held = self.body.get("data")
            thing = held.get("object") if isinstance(held, dict) else None
            named = thing.get("customer") if isinstance(thing, dict) else None
        if not isinstance(named, str) or not named:
            return None
        group = f"{self.source}:{named.lower() if self.source is LinkKind.SHOPIFY else named}"
        return group if _GROUP.fullmatch(group) else None

    def message(self) -> str:
        """Return it as a message of the inbox, cut to the relevant fields, so without personal data."""
        return as_json(
            {
                "event_type": _TYPES[self.source],
                "headers": _known(self.headers) if self.source is LinkKind.SHOPIFY else {},
                "payload": cut(self.body, _shape(self.source)),
            }
        )


def held_webhook(message: Message) -> RawWebhook | None:
    """Return the webhook in a message, None if it has none.

    Raises:
        Rejected: it should have one and does not, or came on another subject.
    """
    if not message.may_hold_webhook:
        return None
    return from_message(read_object(message.body), subject=message.bound_to())


def body_to_park(message: Message) -> str:
    """Return the body of a message with an invalid webhook, cut to the relevant fields, at any depth.

    A body that is not JSON, or not of a webhook, is not changed.
    """
    try:
        found = decoded_leniently(message.body)
        source = RAW_TYPES.get(message.subject or "") or _meant(found)
        return message.body if source is None else as_json(_cut_loosely(source, found, _ENVELOPES_MAX))
    except (ValueError, RecursionError):
        return message.body


def _meant(found: Any) -> LinkKind | None:
    """Return the source of the webhook that a body should contain, None if it should contain none."""
    envelopes = [found] if isinstance(found, dict) else found if isinstance(found, list) else []
    for _ in range(_ENVELOPES_MAX):
        # A name that is there twice has all its values in a list.
        envelopes = [each for one in envelopes for each in (one if isinstance(one, list) else [one])]
        envelopes = [one for one in envelopes if isinstance(one, dict)]
        for envelope in envelopes:
            types = (one for name in _TYPE_NAMES for one in _each(envelope.get(name)))
            named = (RAW_TYPES[one] for one in types if isinstance(one, str) and one in RAW_TYPES)
            if (source := next(named, None) or _of_bus(envelope)) is not None:
                return source
        envelopes = [envelope[name] for envelope in envelopes for name in _BODIES if name in envelope]
    return None


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _cut_loosely(source: LinkKind, value: Any, deeper: int) -> Any:
    """Return a value that may contain a webhook in an unknown form, cut to the relevant fields."""
    if isinstance(value, str):
        try:
            value = decoded_leniently(value)
        except ValueError:
            return []
    if isinstance(value, list):
        return [_cut_loosely(source, one, deeper) if isinstance(one, dict) else [] for one in value]
    if not isinstance(value, dict):
        return None if value is None else []
    of_cloud_event = ("specversion", "type") if "specversion" in value else ()
    around = ("event_type", "detail-type", *of_cloud_event, *(("source",) if _of_bus(value) else ()))
    kept = cut(value, {**dict.fromkeys(around), **_shape(source)})
    kept |= {name: _known(_single(value[name])) for name in _HEADERS if isinstance(value.get(name), dict)}
    for name in _BODIES if deeper else ():
        if name in value:
            inner, own = _cut_loosely(source, value[name], deeper - 1), kept.get(name)
            # What Stripe's events call `data` is also a name of what holds them.
            kept[name] = {**inner, **own} if isinstance(inner, dict) and isinstance(own, dict) else inner
    return kept


def from_request(source: LinkKind, body: str, headers: Mapping[str, Any]) -> RawWebhook:
    """Return the webhook of a request, whose signature was checked.

    Raises:
        Rejected: the body is not a JSON object, nests too deep, or names a field twice.
    """
    return RawWebhook(source=source, headers=headers, body=decoded(body))


def from_message(fields: Mapping[str, Any], *, subject: str | None = None) -> RawWebhook | None:
    """Return the webhook in a decoded message of the inbox, None if it has none.

    Raises:
        Rejected: it should have one and does not, or its type is not its subject.
    """
    if "detail-type" in fields or "detail" in fields:
        found = _from_bus(fields)
        if found is not None and subject is not None:
            # A right to publish on a subject must not become the word of Shopify or Stripe.
            raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, "an event of a bus came on a subject", field="detail-type")
        return found
    name = "type" if _is_cloud_event(fields) else "event_type"
    event_type = fields.get(name, subject)
    if subject is not None and subject != event_type and RAW_TYPES.keys() & {subject, str(event_type)}:
        raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, f"{name} is not the subject", field=name)
    source = RAW_TYPES.get(event_type) if isinstance(event_type, str) else None
    if source is None:
        return None
    if fields.get("event_type", event_type) != event_type:
        raise Rejected(Code.ENVELOPE_AMBIGUOUS, "type and event_type contradict each other", field=name)
    if source is LinkKind.STRIPE and "type" in fields and not fields.keys() & {"event_type", "specversion", "payload"}:
        # An event of Stripe needs no headers, so it may come bare.
        return RawWebhook(source=source, headers={}, body=fields)
    return _unwrapped(source, fields, prefix="")


def _is_cloud_event(fields: Mapping[str, Any]) -> bool:
    return "specversion" in fields and "type" in fields and "payload" not in fields


def _from_bus(fields: Mapping[str, Any]) -> RawWebhook | None:
    source, detail = _of_bus(fields), fields.get("detail")
    if source is None:
        return None
    if source is LinkKind.SHOPIFY:
        return _unwrapped(source, _object(detail, "detail"), prefix="detail.")
    detail_type = fields.get("detail-type")
    return RawWebhook(source=source, headers={}, body=_object(detail, "detail"), detail_type=str(detail_type))


def _of_bus(fields: Mapping[str, Any]) -> LinkKind | None:
    sender = str(fields.get("source"))
    return next((source for start, source in BUSES.items() if sender.startswith(start)), None)


def _unwrapped(source: LinkKind, fields: Mapping[str, Any], *, prefix: str) -> RawWebhook:
    field, body = _held(fields, prefix)
    headers = _headers_of(fields, {})
    for _ in range(_ENVELOPES_MAX):
        if not (body.keys() & {"payload", "data"} and body.keys() & {"headers", "metadata", "event_type"}):
            break
        # The platform's own envelope, with the raw message as its payload.
        if body.get("event_type", _TYPES[source]) != _TYPES[source]:
            reason = f"{field}.event_type contradicts the type of the outer envelope"
            raise Rejected(Code.ENVELOPE_AMBIGUOUS, reason, field=f"{field}.event_type")
        headers = _headers_of(body, headers)
        field, body = _held(body, f"{field}.")
    known = {"type"} if source is LinkKind.STRIPE else _shape(source).keys()
    if body.keys() & _BODIES and not body.keys() & known:
        # Read as a webhook, it would be cut to nothing.
        raise Rejected(Code.FIELD_MISSING, f"{field} holds something else than a webhook", field=field)
    return RawWebhook(source=source, headers=_single(_object(headers, f"{prefix}headers")), body=body)


def _held(fields: Mapping[str, Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """Return the path of an envelope's body, and the body."""
    names = [name for name in ("payload", "data") if fields.get(name) is not None]
    if len(names) > 1:
        reason = "payload and data name the same thing: both are given"
        raise Rejected(Code.ENVELOPE_AMBIGUOUS, reason, field=f"{prefix}data")
    field = f"{prefix}{next(iter(names), 'payload')}"
    value = fields.get(names[0]) if names else None
    if isinstance(value, str):
        try:
            value = decoded(value)
        except Rejected as error:
            if error.code is Code.DUPLICATE_FIELD:
                raise Rejected(error.code, error.message, field=field) from None
            value = None
    return field, _object(value, field)


def _headers_of(fields: Mapping[str, Any], around: Any) -> Any:
    """Return the headers of an envelope, whose `metadata` may be its own; `around` are those of what it came in."""
    from chalicelib.contracts.sources.shopify import TOPIC

    there = [one for one in (*(fields.get(name) for name in _HEADERS), around) if one]
    named = (one for one in there if isinstance(one, dict) and TOPIC.lower() in {name.lower() for name in one})
    return next(named, there[0] if there else {})


def _single(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers with lists of one text (as Go's `http.Header` has them) replaced by that text."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value
        for name, value in headers.items()
    }


def _known(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the relevant headers, ignoring case; if one is there twice, in two spellings, both stay."""
    from chalicelib.contracts.sources import shopify

    known = {name.lower() for name in shopify.HEADERS}
    return cut(headers, dict.fromkeys(name for name in headers if name.lower() in known))


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(Code.FIELD_MISSING, f"{field} is missing or not an object", field=field)
    return value

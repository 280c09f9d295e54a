"""What the inbox queue accepts: which bodies it can never take, and which merchant a body names.

The body is forwarded unchanged. The ledger decides whether it makes sense, and parks it with a reason if not; here only
what SQS itself cannot carry is held back.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

ATTRIBUTE_TYPE_BYTES: Final = len("String")

# What SQS takes: the characters of XML 1.0 (SendMessage in the SQS API reference). Surrogates need
# no mention, since UTF-8 cannot hold them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# A group id: 1 to 128 letters, digits and punctuation of ASCII (SendMessage in the SQS API reference).
_GROUP = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsendable:
    """Why the queue can never take a body: a short code and a sentence."""

    code: str
    reason: str


def screen(body: bytes, attributes: Mapping[str, str], *, limit: int) -> str | Unsendable:
    """Return the text of `body`, or why no queue whose messages hold `limit` bytes can ever take it.

    SQS counts the attributes' names, types and values as a part of the message.
    """
    if not body:
        return Unsendable(code="empty", reason="The message has no body.")
    size = len(body) + _attribute_bytes(attributes)
    if size > limit:
        reason = f"The message has {size} bytes with its attributes, and the queue takes {limit}."
        return Unsendable(code="too_large", reason=reason)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return Unsendable(code="not_utf8", reason=f"The body is not UTF-8 from byte {error.start} on.")
    found = _FORBIDDEN.search(text)
    if found:
        reason = f"The body has the character U+{ord(found.group()):04X}, which the queue does not take."
        return Unsendable(code="forbidden_character", reason=reason)
    return text


def size_in_queue(text: str, attributes: Mapping[str, str]) -> int:
    """Return a message's size as SQS counts it, in bytes."""
    return len(text.encode()) + _attribute_bytes(attributes)


def merchant_group(text: str) -> str | None:
    """Return the merchant that `text` names, as a message group for fair queues, or None where there is none.

    A webhook of Shopify or Stripe names its shop or customer instead. Read leniently: only fairness depends on it, and
    a body of any shape gets a result.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    merchant = _merchant(body) or _sender(body)
    if merchant is None or not _GROUP.fullmatch(merchant):
        return None
    try:
        return str(UUID(merchant))
    except ValueError:
        return merchant


def _merchant(body: object) -> str | None:
    if not isinstance(body, dict):
        return None
    payload = body.get("payload", body.get("data"))
    for place in (payload, body):
        if not isinstance(place, dict):
            continue
        identifiers = place.get("identifiers")
        inner = identifiers.get("merchant_id") if isinstance(identifiers, dict) else None
        merchant = place.get("merchant_id", inner)
        if isinstance(merchant, str):
            return merchant
    return None


def _sender(body: object) -> str | None:
    """Return the shop or customer of a webhook as it was sent, spelled as a link's name is."""
    payload = body.get("payload") if isinstance(body, dict) else None
    for place in (body, payload):
        headers = (place.get("headers") or place.get("metadata")) if isinstance(place, dict) else None
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if name.lower() == "x-shopify-shop-domain" and isinstance(value, str):
                return f"shopify:{value.lower()}"
    found = payload.get("data") if isinstance(payload, dict) else None
    thing = found.get("object") if isinstance(found, dict) else None
    customer = thing.get("customer") if isinstance(thing, dict) else None
    return f"stripe:{customer}" if isinstance(customer, str) else None


def _attribute_bytes(attributes: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + ATTRIBUTE_TYPE_BYTES + len(value.encode()) for name, value in attributes.items())

"""An outbox message as a NATS message: the subject, the headers and the body of the event in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.bridge.subjects import is_outbound

SOURCE: Final = "credits"
"""How the service names itself on the bus and in `ce-source`: what carries it is ours and is never sent back."""

SOURCE_HEADER: Final = "ce-source"
TYPE_HEADER: Final = "ce-type"

_SPECIFICATION_VERSION = "1.0"
_HEADER_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An event as it goes onto NATS."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]


class UnpublishableError(ValueError):
    """An outbox message can never be published; its text is the reason, without anything from the payload."""


def publication(body: str) -> Publication:
    """Return the NATS message for an EventBridge envelope that the rule on the bus put into the outbox.

    The subject is the event's type and the payload the platform envelope in `detail`; the headers
    are those of CloudEvents and `Nats-Msg-Id`, by which JetStream drops repeats (contract, section 4).
    Raises `UnpublishableError` where the message lacks what these need.
    """
    envelope = _envelope(body)
    if envelope.get("source") != SOURCE:
        raise UnpublishableError(f"its source is not {SOURCE!r}, and events of others are not ours to publish")
    subject = envelope.get("detail-type")
    if not isinstance(subject, str) or not is_outbound(subject):
        raise UnpublishableError("its detail-type is not an event that this service publishes")
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise UnpublishableError("it has no detail")
    if detail.get("event_type", subject) != subject:
        raise UnpublishableError("its detail-type and its event_type differ")
    return Publication(
        subject=subject, payload=json.dumps(detail, separators=(",", ":")).encode(), headers=_headers(subject, detail)
    )


def _envelope(body: str) -> dict[str, object]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise UnpublishableError("its body is not JSON") from None
    if not isinstance(envelope, dict):
        raise UnpublishableError("its body is not an EventBridge envelope")
    return envelope


def _headers(subject: str, detail: Mapping[str, object]) -> dict[str, str]:
    event_id = detail.get("event_id")
    if not isinstance(event_id, str) or header_text(event_id) is None:
        raise UnpublishableError("its detail has no event_id that fits into a header")
    payload = detail.get("payload")
    merchant = payload.get("merchant_id") if isinstance(payload, dict) else None
    optional = {"ce-time": detail.get("timestamp"), "ce-subject": merchant}
    return {
        "Nats-Msg-Id": event_id,
        "ce-specversion": _SPECIFICATION_VERSION,
        "ce-id": event_id,
        TYPE_HEADER: subject,
        SOURCE_HEADER: SOURCE,
        **{name: value for name, value in optional.items() if isinstance(value, str) and header_text(value)},
    }


def header_text(value: str) -> str | None:
    """Return `value` if a header and a queue's attribute can hold it as it is, else None."""
    fits = 0 < len(value) <= _HEADER_LENGTH and value.isascii() and value.isprintable() and value == value.strip()
    return value if fits else None

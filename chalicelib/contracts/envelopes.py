"""The envelope around an event in, as the queue brings it (spec, section 4; hard-cases.md, "Envelope").

A body is an EventBridge envelope, whose `detail` is the platform's envelope or the bare payload, or the
platform's envelope itself.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.values import Id, Key, Time
from chalicelib.domain.errors import Code, Rejected

_OWN_CODES = frozenset(Code)


class Envelope(BaseModel):
    """The platform's envelope, as far as it matters: the rest of it is dropped unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: Id | None = None
    event_type: str = Field(max_length=255)
    correlation_id: Id | None = None
    idempotency_key: Key | None = None
    occurred_at: Time | None = Field(default=None, validation_alias=AliasChoices("timestamp", "occurred_at"))
    payload: dict[str, Any]


def read_envelope(body: str) -> Envelope:
    """Return the envelope of a message body.

    Raises:
        Rejected: the body is not JSON, names a field twice, holds two envelopes or types at once, or lacks
            what an envelope needs; `field` names the first field at fault.
    """
    fields = read_object(body)
    if "detail" in fields or "detail-type" in fields:
        return _from_event_bridge(fields)
    return _from_platform(fields, prefix="")


def rejected(error: ValidationError, *, prefix: str = "") -> Rejected:
    """Return the first fault that a model found as the reason to reject, without the value at fault."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return Rejected(Code.FIELD_MISSING, f"{field} is missing", field=field)
    code = Code(first["type"]) if first["type"] in _OWN_CODES else Code.FIELD_INVALID
    return Rejected(code, f"{field}: {first['msg']}", field=field)


def _from_event_bridge(fields: Mapping[str, Any]) -> Envelope:
    if "payload" in fields or "data" in fields:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "the body has a detail and a payload: two envelopes at once", field="detail"
        )
    event_type, detail = fields.get("detail-type"), fields.get("detail")
    if not isinstance(event_type, str):
        raise Rejected(Code.FIELD_MISSING, "detail-type is missing", field="detail-type")
    if not isinstance(detail, dict):
        raise Rejected(Code.FIELD_MISSING, "detail is missing, or no object", field="detail")
    if fields.get("event_type", event_type) != event_type or detail.get("event_type", event_type) != event_type:
        raise Rejected(Code.ENVELOPE_AMBIGUOUS, "detail-type and event_type contradict each other", field="detail-type")
    bodies = detail.keys() & {"payload", "data"}
    if bodies and "event_type" not in detail and detail.keys() & {"merchant_id", "identifiers"}:
        raise Rejected(Code.ENVELOPE_AMBIGUOUS, "detail is a payload and holds another", field=f"detail.{min(bodies)}")
    if bodies or "event_type" in detail:
        inner = {"event_type": event_type, **detail}
        if not inner.keys() & {"timestamp", "occurred_at"}:
            inner["timestamp"] = fields.get("time")
        return _from_platform(inner, prefix="detail.")
    return _validated({"event_type": event_type, "timestamp": fields.get("time"), "payload": detail}, prefix="")


def _from_platform(fields: Mapping[str, Any], *, prefix: str) -> Envelope:
    if "payload" in fields and "data" in fields:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "payload and data are two names of the same: both are there", field=f"{prefix}data"
        )
    if "data" in fields:
        fields = {**fields, "payload": fields["data"]}
    return _validated(fields, prefix=prefix)


def _validated(fields: Mapping[str, Any], *, prefix: str) -> Envelope:
    try:
        if fields.get("timestamp", "") is None:
            # It says as little as an absent one, and must not hide the field's other name.
            fields = {**fields, "timestamp": fields.get("occurred_at")}
        return Envelope.model_validate(fields)
    except ValidationError as error:
        raise rejected(error, prefix=prefix) from None

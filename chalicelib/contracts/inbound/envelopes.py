"""The envelope around an event in, as the queue brings it (contract, section 4, "Envelope").

A body is an EventBridge envelope, whose `detail` is the platform's envelope or the bare payload, or the
platform's envelope itself. One from NATS may be the bare payload too: its subject is its type, and no body may
claim another (contract, section 11).
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


def read_envelope(body: str, *, subject: str | None = None) -> Envelope:
    """Return the envelope of a message body, which has the type `subject` where it came over NATS.

    Raises:
        Rejected: the body is not JSON, names a field twice, holds two envelopes or types at once, lacks
            what an envelope needs or has a type that is not its subject; `field` names the first field at fault.
    """
    fields = read_object(body)
    if "detail" in fields or "detail-type" in fields:
        field, envelope = "detail-type", _from_event_bridge(fields)
    elif subject is not None and "event_type" not in fields:
        field, envelope = "event_type", _under(subject, fields, time=None, place="")
    else:
        field, envelope = "event_type", _from_platform(fields, prefix="")
    if subject not in (None, envelope.event_type):
        raise Rejected(
            Code.TYPE_CONTRADICTS_SUBJECT, f"{field} is not the subject that the message came on", field=field
        )
    return envelope


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
    return _under(event_type, detail, time=fields.get("time"), place="detail.")


def _under(event_type: str, fields: Mapping[str, Any], *, time: object, place: str) -> Envelope:
    """Return the envelope of what came under a type: the platform's envelope, or the bare payload."""
    bodies = fields.keys() & {"payload", "data"}
    if bodies and "event_type" not in fields and fields.keys() & {"merchant_id", "identifiers"}:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "the body is a payload and holds another", field=f"{place}{min(bodies)}"
        )
    if bodies or "event_type" in fields:
        inner = {"event_type": event_type, **fields}
        if not inner.keys() & {"timestamp", "occurred_at"}:
            inner["timestamp"] = time
        return _from_platform(inner, prefix=place)
    return _validated({"event_type": event_type, "timestamp": time, "payload": fields}, prefix="")


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

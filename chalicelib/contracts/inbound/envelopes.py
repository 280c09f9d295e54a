"""The envelope around an event in, as the queue brings it (contract, section 4, "Envelope").

A body is an EventBridge envelope, the platform's envelope, or a CloudEvent in structured mode. An EventBridge envelope
and a CloudEvent contain the platform's envelope or the bare payload. A body from NATS may be the bare payload too: its
subject is its type, and no body may have another one (contract, section 11).

Fields that move nothing never stop a movement: see `values`. The payload is strict.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.values import OptionalCorrelationId, OptionalKey, OptionalTime, Reading
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, merchant_id

WORDS: Final[Mapping[str, str]] = {
    "value_error": "{error}",
    "enum": "it must be {expected}",
    "int_type": "a whole number is needed",
    "greater_than_equal": "the minimum is {ge}",
    "less_than_equal": "the maximum is {le}",
    "string_type": "a text is needed",
    "string_unicode": "a text of whole characters is needed, and half a surrogate pair is none",
    "string_too_long": "a text of at most {max_length} characters is needed",
    "list_type": "a list is needed",
    "tuple_type": "a list is needed",
    "too_long": "at most {max_length} entries are allowed",
    "dict_type": "an object is needed",
    "model_type": "an object is needed",
}
"""Messages for the faults that pydantic finds itself, by its names for them: its own messages are about Python."""

ModelT = TypeVar("ModelT", bound=BaseModel)
_OWN_CODES = frozenset(Code)


class Envelope(BaseModel):
    """The fields of the platform's envelope that matter; the others are dropped unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: OptionalKey = None
    event_type: str = Field(max_length=255)
    correlation_id: OptionalCorrelationId = None
    idempotency_key: OptionalKey = None
    timestamp: OptionalTime = None
    occurred_at: OptionalTime = None
    payload: dict[str, Any]

    @property
    def time(self) -> Instant | None:
        """When the fact happened, according to its sender."""
        return self.timestamp or self.occurred_at

    @property
    def renewal_key(self) -> str | None:
        """The key as the name of a renewal; None if it equals the event id, as many publishers set it by default."""
        return None if self.idempotency_key == self.event_id else self.idempotency_key


_BINDING: Final = frozenset({"event_type", "detail-type", "type"})
"""The names whose null is no absence: a type decides what a body asks for."""


def read_envelope(
    body: str, *, reading: Reading, subject: str | None = None, headers: Mapping[str, str] | None = None
) -> Envelope:
    """Return the envelope of a message body, whose type is `subject` if it came over NATS.

    `headers` are those of a CloudEvent in binary mode, by their names without `ce-`: they count if the body lacks the
    field. `reading` collects the dropped fields.

    Raises:
        Rejected: the body is not JSON, names a field twice, holds two envelopes or types at once, lacks a required
        field or has another type than its subject; `field` names the first field at fault.
    """
    fields = _present(read_object(body))
    if "detail" in fields or "detail-type" in fields:
        field, envelope = "detail-type", _from_event_bridge(fields, reading)
    elif _is_cloud_event(fields):
        field, envelope = "type", _from_cloud_event(fields, reading, prefix="")
    elif subject is not None and fields.get("event_type", subject) == subject:
        attributes = headers or {}
        payload = _of_merchant(fields, attributes.get("subject"))
        field, envelope = "event_type", _under(subject, payload, reading, prefix="", named=_named(attributes))
    else:
        field, envelope = "event_type", _from_platform(fields, reading, prefix="")
    if subject not in (None, envelope.event_type):
        raise Rejected(
            Code.TYPE_CONTRADICTS_SUBJECT, f"{field} is not the subject that the message came on", field=field
        )
    return envelope


def validated(model: type[ModelT], value: Any, *, prefix: str = "", reading: Reading | None = None) -> ModelT:
    """Return a value checked by the model; `prefix` is its path with a dot at the end, for the field at fault.

    Raises:
        Rejected: a field is missing or invalid; `field` names the first.
    """
    try:
        return model.model_validate(value, context=reading)
    except ValidationError as error:
        raise rejected(error, prefix=prefix) from None


def rejected(error: ValidationError, *, prefix: str = "") -> Rejected:
    """Return the first fault that a model found as a rejection, without the invalid value."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return Rejected(Code.FIELD_MISSING, f"{field} is missing", field=field)
    code = Code(first["type"]) if first["type"] in _OWN_CODES else Code.FIELD_INVALID
    words = WORDS[first["type"]].format_map(first.get("ctx", {})) if first["type"] in WORDS else first["msg"]
    return Rejected(code, f"{field}: {words}", field=field)


def _from_event_bridge(fields: Mapping[str, Any], reading: Reading) -> Envelope:
    if "payload" in fields or "data" in fields:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "the body has a detail and a payload: these are two envelopes", field="detail"
        )
    event_type, detail = fields.get("detail-type"), fields.get("detail")
    if not isinstance(event_type, str):
        raise Rejected(Code.FIELD_MISSING, "detail-type is missing", field="detail-type")
    if not isinstance(detail, dict):
        raise Rejected(Code.FIELD_MISSING, "detail is missing or not an object", field="detail")
    if fields.get("event_type", event_type) != event_type or detail.get("event_type", event_type) != event_type:
        raise Rejected(Code.ENVELOPE_AMBIGUOUS, "detail-type and event_type contradict each other", field="detail-type")
    if _is_cloud_event(detail):
        return _from_cloud_event(detail, reading, prefix="detail.", under=event_type, time=fields.get("time"))
    return _under(event_type, detail, reading, time=fields.get("time"), prefix="detail.")


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an envelope without those that are null, which are absent."""
    return {name: value for name, value in fields.items() if value is not None or name in _BINDING}


def _is_cloud_event(fields: Mapping[str, Any]) -> bool:
    return "specversion" in fields and "type" in fields and "payload" not in fields


def _from_cloud_event(
    fields: Mapping[str, Any], reading: Reading, *, prefix: str, under: str | None = None, time: object = None
) -> Envelope:
    """Return the envelope of a CloudEvent 1.0 in structured mode; `under` is the type of its outer envelope."""
    event_type, data = fields["type"], fields.get("data")
    if not isinstance(event_type, str):
        raise Rejected(Code.FIELD_INVALID, f"{prefix}type: a type is a text", field=f"{prefix}type")
    if not isinstance(data, dict):
        raise Rejected(Code.FIELD_MISSING, f"{prefix}data is missing or not a JSON object", field=f"{prefix}data")
    data = _present(data)
    if {fields.get("event_type", event_type), under or event_type} != {event_type}:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS,
            "the CloudEvent's type and another type contradict each other",
            field=f"{prefix}type",
        )
    data = _of_merchant(data, fields.get("subject"))
    return _under(event_type, data, reading, time=time, prefix=f"{prefix}data.", named=_named(fields))


def _named(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a CloudEvent under the names of an envelope. Extensions have no `_` in their names."""
    return {
        "event_id": attributes.get("id"),
        "correlation_id": attributes.get("correlationid") or attributes.get("correlation_id"),
        "timestamp": attributes.get("time"),
    }


def _of_merchant(fields: Mapping[str, Any], subject: object) -> Mapping[str, Any]:
    """Return a bare payload; without a merchant, it gets the CloudEvent's subject, if that is a merchant id."""
    if fields.keys() & {"payload", "data", "event_type", "merchant_id", "identifiers"} or not _is_merchant(subject):
        return fields
    return {**fields, "merchant_id": subject}


def _is_merchant(subject: object) -> bool:
    try:
        return isinstance(subject, str) and bool(merchant_id(subject))
    except ValueError:
        return False


def _under(
    event_type: str,
    fields: Mapping[str, Any],
    reading: Reading,
    *,
    prefix: str,
    time: object = None,
    named: Mapping[str, Any] | None = None,
) -> Envelope:
    """Return the envelope of a body with a known type: the platform's envelope, or the bare payload.

    `named` are the outer envelope's fields, `time` is when that was sent; both are used only for missing fields.
    """
    fields = _present(fields)
    if fields.get("event_type", event_type) != event_type:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS,
            f"{prefix}event_type contradicts the type of the outer envelope",
            field=f"{prefix}event_type",
        )
    bodies = fields.keys() & {"payload", "data"}
    if bodies and "event_type" not in fields and fields.keys() & {"merchant_id", "identifiers"}:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "the body is a payload and contains another one", field=f"{prefix}{min(bodies)}"
        )
    outer = {"event_type": event_type, **(named or {})}
    outer["occurred_at"] = outer.pop("timestamp", None) or time
    if bodies or "event_type" in fields:
        present = {name: value for name, value in fields.items() if value != ""}
        return _from_platform({**outer, **present}, reading, prefix=prefix)
    return validated(Envelope, {**outer, "payload": fields}, reading=reading)


def _from_platform(fields: Mapping[str, Any], reading: Reading, *, prefix: str) -> Envelope:
    if "payload" in fields and "data" in fields:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "payload and data name the same thing: both are given", field=f"{prefix}data"
        )
    if "data" in fields:
        fields = {**fields, "payload": fields["data"]}
    return validated(Envelope, fields, prefix=prefix, reading=reading)

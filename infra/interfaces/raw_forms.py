"""The forms in which a webhook may come over NATS, as JSON Schema (contract, section 15, point 1)."""

from typing import Any

from chalicelib.domain.links import LinkKind

_TEXT, _NULL = {"type": "string"}, {"type": "null"}
_AS_TEXT = {**_TEXT, "contentMediaType": "application/json", "description": "The same as JSON text."}
_BODY = {"type": "object", "description": "The webhook's body, unchanged, or the same in an envelope of its own."}
_HEADER = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1}]}


def forms_of(source: LinkKind, event_type: str) -> dict[str, Any]:
    """Return the schema of a message that holds a webhook of this source; `event_type` is its subject."""
    by_headers = source is LinkKind.SHOPIFY
    held = [_envelope(event_type, [_BODY, _AS_TEXT], by_headers=by_headers)]
    if by_headers:
        held += [_envelope(event_type, [*held, _AS_TEXT], by_headers=False)]
        held[1] |= {"title": "An envelope around it", "description": "The headers are with the body, in the inner one."}
    cloud_event = {
        "title": "A CloudEvent",
        "type": "object",
        "properties": {
            "specversion": _TEXT,
            "type": {"const": event_type},
            "event_type": {"const": event_type},
            "data": {"anyOf": [*held, *([] if by_headers else [_BODY]), _AS_TEXT]},
            "payload": False,
        },
        "required": ["specversion", "type", "data"],
    }
    return {"anyOf": [*held, cloud_event, *([] if by_headers else [_BARE])]}


_BARE = {
    "title": "An event of Stripe, bare",
    "description": "It needs no headers, so it may come without an envelope.",
    "type": "object",
    "properties": {"type": _TEXT, "data": {"type": "object"}}
    | dict.fromkeys(("event_type", "specversion", "payload"), False),
    "required": ["type", "data"],
}


def _envelope(event_type: str, held: list[dict[str, Any]], *, by_headers: bool) -> dict[str, Any]:
    """Return the schema of an envelope around one of these forms, with headers if its source needs them."""
    headers: dict[str, Any] = {
        "type": "object",
        "description": "The webhook's headers, in letters of either case; each is a text or a list of one text.",
        "additionalProperties": _HEADER if by_headers else True,
    }
    if by_headers:
        headers["description"] += " They name topic and shop."
        headers["properties"] = dict.fromkeys(("X-Shopify-Topic", "X-Shopify-Shop-Domain"), _HEADER)
    content = {"anyOf": [*held, _NULL]}
    named: list[dict[str, Any]] = [{"required": ["headers"]}, {"required": ["metadata"]}]
    return {
        "title": "The webhook in an envelope",
        "type": "object",
        "properties": {
            "event_type": {"const": event_type, "description": "The subject; it may be left out."},
            "headers": headers,
            "metadata": {**headers, "description": "Another name for `headers`."},
            "payload": content,
            "data": {**content, "description": "Another name for `payload`; only one of them is given."},
            "specversion": False,
        },
        "allOf": [
            {"anyOf": [{"required": ["payload"]}, {"required": ["data"]}]},
            *([{"anyOf": named}] if by_headers else []),
        ],
    }

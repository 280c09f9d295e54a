"""Events to send: one from the command line or a file of them, validated as the service does."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from re import fullmatch
from typing import IO, Any
from uuid import uuid4

from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.inbound.events import INBOUND, read_event
from chalicelib.contracts.inbound.payloads import Ignored, Terms
from chalicelib.domain.errors import Rejected
from chalicelib.domain.movements import Movement
from chalicelib.domain.orders import Policy
from infra.commands.output import refused, unable, unread
from infra.commands.times import now

TERMS = Terms(trial_credits=0, policy=Policy())
"""What an event asks for depends on the stage's settings; form and keys, which are checked here, do not.

Ignored parts do not either, except test orders: a stage may charge them.
"""

VALUE_LENGTH_MAX = 60
"""Most characters of a value that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event ready to be sent: `body` is what goes over NATS, `detail` over the bus.

    `movements` is what it asks for, `ignored` what of it the service ignores by rule. One that is sent although the
    service can only park it asks for nothing and is `poison`. `left_out` says which fields move nothing and cannot be
    read.
    """

    event_type: str
    body: str
    detail: str
    movements: tuple[Movement, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    left_out: tuple[str, ...] = ()
    poison: bool = False


class NotAnEventError(Exception):
    """Raised for an event that the service would park; the text is the reason."""


def event_type_named(text: str, *, known: bool = True) -> str:
    """Return the event type that `text` names, whole or by its end (`order_paid`).

    Ends the command if it names none, or several; if it need not be `known`, an unknown name is returned as it is.
    """
    if text in INBOUND:
        return text
    found = [name for name in INBOUND if name.endswith((f".{text}", f"_{text}"))]
    if len(found) == 1:
        return found[0]
    if not found and not known:
        return text
    if found:
        raise unable(f"{text!r} may be {' or '.join(found)}: give more of it.")
    short = {name.rpartition(".")[2]: name for name in INBOUND}
    close = get_close_matches(text, [*INBOUND, *short], n=1)
    hint = f"Did you mean {short.get(close[0], close[0])}?" if close else f"There are: {', '.join(INBOUND)}."
    raise unable(f"{text!r} is not an event type that moves credits. {hint}")


def payload_of(fields: Sequence[str], payload: str | None) -> dict[str, Any]:
    """Return the payload of the command line: JSON, with `name=value` fields added to it.

    A value that is a whole number, true, false, null, a list or an object is taken as such, anything else as text. Ends
    the command where a field has no name.
    """
    try:
        found = read_object(payload) if payload else {}
    except Rejected as error:
        raise unable(f"--payload: {error.message}.") from None
    for field in fields:
        name, equals, value = field.partition("=")
        if not (equals and name):
            raise unable(f"{field!r} is not a field: write name=value, such as order_id=1001.")
        found[name] = _value(value)
    return found


def made(event_type: str, payload: Mapping[str, Any], *, checked: bool) -> Outgoing:
    """Return an event of this payload in a new envelope with the present time; an unchecked one may be poison.

    Ends the command where the service would park it.
    """
    envelope = {
        "event_id": str(uuid4()),
        "event_type": event_type,
        "correlation_id": f"cli-{uuid4().hex[:12]}",
        "timestamp": now(),
        "payload": payload,
    }
    try:
        return _outgoing(json.dumps(envelope, default=str), checked=checked)
    except NotAnEventError as error:
        raise refused(f"Not sent, the service would park it: {error}. (--unchecked sends it all the same.)") from None


def read_file(path: Path, *, checked: bool) -> Iterator[tuple[int, Outgoing | NotAnEventError]]:
    """Yield the events of a file, one envelope a line, gzipped or not, each with its line's number.

    Ends the command if the file cannot be read. Empty lines are skipped.
    """
    try:
        with closing(_opened(path)) as lines:
            for number, line in enumerate(lines, start=1):
                if text := line.strip():
                    try:
                        yield number, _outgoing(text, checked=checked)
                    except NotAnEventError as error:
                        yield number, error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise unread(path, error) from error


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _outgoing(body: str, *, checked: bool) -> Outgoing:
    try:
        event = read_event(body, TERMS, now=datetime.now(UTC))
    except Rejected as error:
        if checked:
            raise NotAnEventError(error.message) from None
        return Outgoing(event_type=_type_of(body), body=body, detail=_detail(body), poison=True)
    return Outgoing(
        event_type=event.event_type,
        body=body,
        detail=_detail(body),
        movements=event.movements,
        ignored=event.ignored,
        left_out=tuple(unread_fields(json.loads(body), event.dropped)),
    )


def unread_fields(members: Any, dropped: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each field that moves nothing and cannot be read, with what the event has there."""
    for name in dict.fromkeys(dropped):
        value = next(_values(members, name), None)
        written = repr(value) if isinstance(value, str) else json.dumps(value)
        shown = written if len(written) <= VALUE_LENGTH_MAX else f"{written[:VALUE_LENGTH_MAX]}…"
        yield f"{name} {shown} cannot be read and is left out"


def _values(members: Any, name: str) -> Iterator[Any]:
    """Yield what an event has under a name, wherever it is; its depth was limited when it was read."""
    if isinstance(members, dict):
        if name in members:
            yield members[name]
        members = list(members.values())
    if isinstance(members, list):
        for inner in members:
            yield from _values(inner, name)


def _type_of(body: str) -> str:
    """Return the type that an event claims, which is its subject on NATS.

    Raises:
        NotAnEventError: it claims none that a subject may have.
    """
    try:
        fields = json.loads(body)
        cloud_event = fields.get("type") if "specversion" in fields else None
        claimed = fields.get("detail-type") or cloud_event or fields["event_type"]
    except (ValueError, KeyError, AttributeError, TypeError):
        raise NotAnEventError("without an event_type it can be sent nowhere") from None
    if not isinstance(claimed, str) or fullmatch(r"[\w.-]+", claimed) is None:
        raise NotAnEventError(f"its event_type is not a valid subject: {claimed!r}")
    return claimed


def _detail(body: str) -> str:
    """Return what the bus is to carry: an EventBridge envelope is made by the bus itself."""
    fields = json.loads(body)
    return json.dumps(fields["detail"]) if isinstance(fields, dict) and "detail" in fields else body


def _value(text: str) -> Any:
    # Decimals stay text: money may be one, and a float would lose digits of it.
    if fullmatch(r"-?(0|[1-9][0-9]*)", text) or text in {"true", "false", "null"} or text[:1] in {"[", "{", '"'}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text

"""A parked message, as its dead-letter queue delivers it: why it is parked, and its content.

The reason in a letter comes from the sender that parked it (contract, "Retry and dead letter"): the functions write
their own attributes, EventBridge its error, Lambda a body that points to records of a stream, and a queue that gave up
after too many receives nothing at all. What kind a letter is follows from its queue and from the attributes that our
own functions write, never from the body, which a sender wrote and which may have any form. Standard library only: the
command line and the API both read it.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from chalicelib.contracts.inbound.messages import attribute_number
from chalicelib.domain.ids import Instant, MerchantId, instant, merchant_id

CODE_UNDELIVERED = "undelivered"
"""The bus could not hand the event to its queue."""
CODE_RECORDS_UNPROCESSED = "records_unprocessed"
"""A function failed on records of a stream until they were given up: the letter points to them, and holds none."""
CODE_RECEIVES_EXHAUSTED = "receives_exhausted"
"""The queue moved the message itself, after very many deliveries without an end."""

ORIGIN_BRIDGE = "bridge"
"""The bridge parked a message from NATS that no queue can hold: NATS keeps its body, and the letter says where."""

_PARKED_AS = frozenset({"code", "reason", "field", "first_seen", "seen_since", "deliveries", "function", "redriven"})
_OF_THE_BUS = frozenset({"RULE_ARN", "TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE", "EXHAUSTED_RETRY_CONDITION"})
_TEXT_LENGTH_MAX = 200
_ARN_LENGTH_MAX = 512
_ATTRIBUTES_MAX = 10
"""What a message of SQS may carry."""
_WITHIN_A_SECOND = timedelta(milliseconds=999)


class Parking(StrEnum):
    """Which dead-letter queue a letter is in: for events in, for events on their way out, for records of a stream."""

    INBOX = "inbox"
    OUTBOX = "outbox"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Records of a stream that a function gave up on: of which table, and of the writes of which times.

    Lambda writes both times in whole seconds (AWS: "Capture discarded batches"), so `latest` is the end of its second.
    """

    stream_arn: str
    earliest: Instant
    latest: Instant
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A parked message. `code`, `reason` and the first `field` at fault say why; `body` is what came, unchanged.

    `letter_id` identifies it while it is parked. `origin` is where it came from (`nats`, `bus`, `queue`, or a stream's
    ARN), `function` the one that parked a stream's record, `redriven` how often it was put back before. `event_type`
    and `merchant_id` are read from the body, None if they are missing or unreadable.
    """

    letter_id: str
    parking: Parking
    code: str
    reason: str
    field: str | None
    origin: str | None
    function: str | None
    redriven: int
    first_seen: Instant | None
    parked_at: Instant
    event_type: str | None
    merchant_id: MerchantId | None
    pointer: Pointer | None
    body: str
    receipt_handle: str = dataclasses.field(repr=False)
    put_back_with: Mapping[str, str] = dataclasses.field(repr=False)
    """Attributes that go back with the message: who sent it may have set some."""

    @property
    def position(self) -> tuple[str, str]:
        """Its place among all letters, the oldest first."""
        return self.parked_at, self.letter_id

    @property
    def redrivable(self) -> bool:
        """Whether it can be put back: it has a message, or a record and the function that could not read it."""
        if self.pointer is not None or self.origin == ORIGIN_BRIDGE:
            return False
        return self.parking is not Parking.STREAM or self.function is not None

    @classmethod
    def from_message(cls, message: Mapping[str, Any], parking: Parking) -> Self:
        """Return the letter of a message that SQS delivered with all attributes."""
        attributes = {
            name: attribute["StringValue"]
            for name, attribute in message.get("MessageAttributes", {}).items()
            if "StringValue" in attribute
        }
        content = _content(message["Body"])
        # Lambda writes a pointer without attributes, and into this queue only.
        pointer = _pointer(content) if parking is Parking.STREAM and "code" not in attributes else None
        code, reason = _why(attributes, content, pointer)
        redriven = attribute_number(attributes.get("redriven"))
        origin = attributes.get("origin") or ("bus" if "RULE_ARN" in attributes else None)
        first_seen = _time(attributes.get("first_seen"))
        kept = [(name, text) for name, text in attributes.items() if name not in _PARKED_AS | _OF_THE_BUS]
        return cls(
            letter_id=message["MessageId"],
            parking=parking,
            code=code,
            reason=reason,
            field=attributes.get("field"),
            origin=origin or (pointer.stream_arn if pointer else None),
            function=attributes.get("function") or (_function(content) if pointer else None),
            redriven=redriven,
            first_seen=first_seen,
            parked_at=instant(datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)),
            event_type=_event_type(content) or _text(attributes.get("subject")),
            merchant_id=_merchant(content),
            pointer=pointer,
            body=message["Body"],
            receipt_handle=message["ReceiptHandle"],
            put_back_with={
                **dict(kept[: _ATTRIBUTES_MAX - 2]),
                "redriven": str(redriven + 1),
                # The waiting time starts again, so it is not `first_seen`, from which that time is counted.
                **({"seen_since": first_seen} if first_seen else {}),
            },
        )


def _content(body: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _why(attributes: Mapping[str, str], content: Mapping[str, Any], pointer: Pointer | None) -> tuple[str, str]:
    if "code" in attributes:
        return attributes["code"], attributes.get("reason", "")
    if "ERROR_CODE" in attributes or "RULE_ARN" in attributes:
        cause = " ".join(filter(None, (attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE"))))
        return CODE_UNDELIVERED, f"the bus could not deliver it: {cause or 'no reason given'}"
    if pointer is not None:
        condition = _text(_object(content, "requestContext").get("condition")) or "no reason given"
        return CODE_RECORDS_UNPROCESSED, f"{pointer.records} records of the stream were given up: {condition}"
    return CODE_RECEIVES_EXHAUSTED, "the queue gave up on it after too many deliveries"


def _pointer(content: Mapping[str, Any]) -> Pointer | None:
    """Return what Lambda's failure destination points to, None if it cannot be read."""
    info = _object(content, "DDBStreamBatchInfo")
    stream_arn = _text(info.get("streamArn"), most=_ARN_LENGTH_MAX)
    earliest = _time(info.get("approximateArrivalOfFirstRecord"))
    latest = _time(info.get("approximateArrivalOfLastRecord"), later=_WITHIN_A_SECOND)
    records = info.get("batchSize")
    if stream_arn is None or earliest is None or latest is None or not isinstance(records, int):
        return None
    return Pointer(stream_arn=stream_arn, earliest=earliest, latest=latest, records=records)


def _time(value: object, *, later: timedelta = timedelta(0)) -> Instant | None:
    """Return a time, moved by `later` if it has whole seconds; None if it is not a time."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return instant(moment if moment.microsecond else moment + later)
    except (ValueError, OverflowError):
        return None


def _function(content: Mapping[str, Any]) -> str | None:
    """Return the deployed name in `arn:…:function:NAME:$LATEST`."""
    arn = _text(_object(content, "requestContext").get("functionArn"), most=_ARN_LENGTH_MAX) or ""
    _, _, name = arn.partition(":function:")
    return name.split(":")[0] or None


def _event_type(content: Mapping[str, Any]) -> str | None:
    cloud_event = content.get("type") if "specversion" in content else None
    names = (content.get("detail-type"), content.get("event_type"), cloud_event, content.get("eventName"))
    return next((found for name in names if (found := _text(name))), None)


def _merchant(content: Mapping[str, Any]) -> MerchantId | None:
    """Return the merchant in the body, from any field that an event or a stream's record has for it."""
    detail = _object(content, "detail")
    changed = _object(content, "dynamodb")
    for place in (content, detail, _object(detail, "data")):
        for payload in (_object(place, "payload"), _object(place, "data"), place):
            for named in (payload.get("merchant_id"), _object(payload, "identifiers").get("merchant_id")):
                if (found := _merchant_id(named)) is not None:
                    return found
    for image in (_object(changed, "Keys"), _object(changed, "NewImage")):
        if (found := _merchant_id(_object(image, "merchant_id").get("S"))) is not None:
            return found
    return None


def _merchant_id(value: object) -> MerchantId | None:
    try:
        return merchant_id(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: object, *, most: int = _TEXT_LENGTH_MAX) -> str | None:
    """Return a text that may be printed within a line, None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= most and value.isprintable() else None

"""The attributes of a record's tally in DynamoDB. Refunds, edits and reversals change them; nothing else does."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.adapters.dynamodb.payment_tallies import of_payment, payment_attributes
from chalicelib.domain.ids import Instant
from chalicelib.domain.orders import Edits, Tally

_NONE = "-"


def tally_attributes(tally: Tally, time: Instant) -> dict[str, Any]:
    """Return the attributes of a record that what goes back of it and its edits change, the last of them at `time`.

    An order that was only edited has none of a refund but the time.
    """
    attributes: dict[str, Any] = {"refunded_at": {"S": time}}
    if tally.count or tally.edits is None:
        attributes |= {
            "refunded_count": {"N": str(tally.count)},
            "refunded_credits": {"N": str(tally.credits)},
            "refunded_money": {"S": f"{tally.money:f}"},
            "refunded_full": {"BOOL": tally.full},
            **payment_attributes(tally),
        }
        if tally.total is not None:
            attributes["refunded_total"] = {"S": f"{tally.total:f}"}
    if tally.edits is not None:
        # One text, so that an order that was refunded and edited stays under 1 KB, and one condition holds all of it.
        seen = tally.edits
        total = _NONE if seen.total is None else f"{seen.total:f}"
        attributes["edited"] = {"S": f"{seen.charged} {seen.taken} {seen.updated_at or _NONE} {total}"}
    return attributes


def tally_from(item: Mapping[str, Any]) -> Tally | None:
    """Return the tally that `tally_attributes` wrote, None where the record has none."""
    edits = _edits_from(item)
    if "refunded_count" not in item:
        return Tally(edits=edits) if edits else None
    tally = Tally(
        count=int(item["refunded_count"]["N"]),
        credits=int(item["refunded_credits"]["N"]),
        money=Decimal(item["refunded_money"]["S"]),
        total=_money(item, "refunded_total"),
        full=bool(item["refunded_full"]["BOOL"]),
        edits=edits,
    )
    return of_payment(item, tally)


def _edits_from(item: Mapping[str, Any]) -> Edits | None:
    text = text_in(item, "edited")
    if text is None:
        return None
    charged, taken, updated_at, total = text.split(" ")
    return Edits(
        updated_at=None if updated_at == _NONE else Instant(updated_at),
        charged=int(charged),
        taken=int(taken),
        total=None if total == _NONE else Decimal(total),
    )


def _money(item: Mapping[str, Any], name: str) -> Decimal | None:
    text = text_in(item, name)
    return None if text is None else Decimal(text)


def text_in(item: Mapping[str, Any], name: str) -> str | None:
    """Return the text under a name, None where there is none."""
    attribute = item.get(name)
    return attribute["S"] if attribute else None


def whole_in(item: Mapping[str, Any], name: str) -> int | None:
    """Return the whole number under a name, None where there is none."""
    attribute = item.get(name)
    return int(attribute["N"]) if attribute else None

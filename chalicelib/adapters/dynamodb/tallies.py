"""The attributes of a transaction's tally in DynamoDB. Refunds, edits and reversals change them; nothing else does."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.domain.ids import Instant
from chalicelib.domain.orders import Edits, Tally
from chalicelib.domain.reversals import PaymentTally

_NONE = "-"
_SEEN = "refunded_seen"
_COUNTED = ("whole", "disputes", "disputed", "held")


def tally_attributes(tally: Tally, time: Instant) -> dict[str, Any]:
    """Return the attributes of a transaction that refunds, reversals and edits change, the last of them at `time`.

    An order that was only edited has none of a refund but the time.
    """
    attributes: dict[str, Any] = {"refunded_at": {"S": time}}
    if tally.count or tally.edits is None:
        attributes |= {
            "refunded_count": {"N": str(tally.count)},
            "refunded_credits": {"N": str(tally.credits)},
            "refunded_money": {"S": f"{tally.money:f}"},
            "refunded_full": {"BOOL": tally.full},
            **_payment_attributes(tally),
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
    """Return the tally that `tally_attributes` wrote, None where the transaction has none."""
    edits = _edits_from(item)
    if "refunded_count" not in item:
        return Tally(edits=edits) if edits else None
    counted: dict[str, Any] = {
        "count": int(item["refunded_count"]["N"]),
        "credits": int(item["refunded_credits"]["N"]),
        "money": Decimal(item["refunded_money"]["S"]),
        "total": Decimal(item["refunded_total"]["S"]) if "refunded_total" in item else None,
    }
    if _SEEN not in item:
        return Tally(**counted, full=bool(item["refunded_full"]["BOOL"]), edits=edits)
    counted |= {name: int(item[f"refunded_{name}"]["N"]) for name in _COUNTED}
    return PaymentTally(**counted, seen=Decimal(item[_SEEN]["S"]))


def _edits_from(item: Mapping[str, Any]) -> Edits | None:
    if "edited" not in item:
        return None
    charged, taken, updated_at, total = item["edited"]["S"].split(" ")
    return Edits(
        updated_at=None if updated_at == _NONE else Instant(updated_at),
        charged=int(charged),
        taken=int(taken),
        total=None if total == _NONE else Decimal(total),
    )


def _payment_attributes(tally: Tally) -> dict[str, Any]:
    """Return the attributes that only the tally of a payment has, none for that of an order."""
    if not isinstance(tally, PaymentTally):
        return {}
    counted = {f"refunded_{name}": {"N": str(getattr(tally, name))} for name in _COUNTED}
    return {**counted, _SEEN: {"S": f"{tally.seen:f}"}}

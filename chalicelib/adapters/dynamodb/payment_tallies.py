"""What a payment's record has of what went back of it, besides the attributes of every tally (contract, section 14)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.domain.orders import Tally
from chalicelib.domain.reversals import PaymentTally

_SEEN = "refunded_seen"
_COUNTED = ("whole", "disputes", "disputed", "held")


def payment_attributes(tally: Tally) -> dict[str, Any]:
    """Return the attributes that only the tally of a payment has, none for that of an order."""
    if not isinstance(tally, PaymentTally):
        return {}
    counted = {f"refunded_{name}": {"N": str(getattr(tally, name))} for name in _COUNTED}
    return {**counted, _SEEN: {"S": f"{tally.seen:f}"}}


def of_payment(item: Mapping[str, Any], tally: Tally) -> Tally:
    """Return the tally of an item whole: a payment's with what `payment_attributes` wrote, an order's as it is."""
    if _SEEN not in item:
        return tally
    whole, disputes, disputed, held = (int(item[f"refunded_{name}"]["N"]) for name in _COUNTED)
    return PaymentTally(
        count=tally.count,
        credits=tally.credits,
        money=tally.money,
        total=tally.total,
        whole=whole,
        seen=Decimal(item[_SEEN]["S"]),
        disputes=disputes,
        disputed=disputed,
        held=held,
    )

"""Differences between a shop's orders and the ledger, for programs, with the events that correct them."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid5

from chalicelib.contracts.event_types import ORDER_PAID, ORDER_REFUNDED
from chalicelib.contracts.values import money_text
from chalicelib.domain.ids import shop_id
from chalicelib.domain.source_orders import Difference, DifferenceKind, SourceOrder, SourceRefund

_NAMES_OF_ORDERS = ("order_id", "id", "admin_graphql_api_id")


def members(difference: Difference) -> dict[str, Any]:
    """Return a difference as JSON members; `event` is the body of the event that corrects it, None if there is none."""
    return {
        "kind": difference.kind.value,
        "what": difference.what,
        "line": difference.line,
        "column": difference.column,
        "merchant_id": difference.merchant_id,
        "order_id": difference.order_id,
        "event": event(difference),
    }


def line_of(difference: Difference) -> str:
    """Return a difference as a line of JSON Lines."""
    return f"{json.dumps(members(difference), separators=(',', ':'))}\n"


def event(difference: Difference) -> str | None:
    """Return the body of the event that corrects the difference, always the same, None if there is none."""
    order, refund = difference.row, difference.refund
    if order is None:
        return None
    if difference.kind is DifferenceKind.MISSING:
        return _body(ORDER_PAID, order, _payload(order), what="order", timestamp=order.paid_at)
    if difference.kind is DifferenceKind.REFUND_MISSING and refund is not None:
        # The file does not state when the refund was made.
        return _body(ORDER_REFUNDED, order, _refund_payload(order, refund), what=f"refund {refund.refund_id}")
    return None


def _body(event_type: str, order: SourceOrder, payload: dict[str, Any], *, what: str, **times: str) -> str:
    event_id = str(uuid5(UUID(order.merchant_id), f"match {order.order_id} {what}"))
    names = {"event_id": event_id, "event_type": event_type, "correlation_id": f"match-{event_id}"}
    return json.dumps({**names, **times, "payload": payload})


def _payload(order: SourceOrder) -> dict[str, Any]:
    payload: dict[str, Any] = {"merchant_id": order.merchant_id, "order_id": order.order_id}
    if order.total is not None:
        payload["total"] = money_text(order.total)
    if order.currency is not None:
        payload["currency"] = order.currency
    if order.lines > 1:
        payload["order_items"] = [{}] * order.lines
    return payload


def _refund_payload(order: SourceOrder, refund: SourceRefund) -> dict[str, Any]:
    payload = {"merchant_id": order.merchant_id, "order_id": order.order_id, "refund_id": refund.refund_id}
    if refund.amount is not None:
        payload["refund_amount"] = money_text(refund.amount)
        if order.total is not None:
            payload["order_total"] = money_text(order.total)
    return payload


def orders_named(body: str) -> set[str]:
    """Return the order ids in a message, at any depth."""
    found: set[str] = set()

    def names(members: dict[str, Any]) -> dict[str, Any]:
        found.update(shop_id(str(members[name])) for name in _NAMES_OF_ORDERS if name in members)
        return members

    with suppress(ValueError, RecursionError):
        json.loads(body, object_hook=names)
    return found

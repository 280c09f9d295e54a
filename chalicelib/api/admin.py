"""The routes for admins (contract, sections 6 and 17): adjustments, thresholds, levels, grace, freezes, lists.

Changes of the ledger are made by other functions, which this one invokes: the API itself may only read.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call, merchant_of
from chalicelib.api.routing import Reply, Routes, json_text
from chalicelib.contracts.api.problems import bad_request
from chalicelib.wiring import for_api

if TYPE_CHECKING:
    from chalicelib.contracts.inbound.admin_requests import Override

blueprint = Blueprint(__name__)
routes = Routes(blueprint)

_OLD_PARAMETERS = ("merchant_id", "operation_type", "reason")
_OLD_AMOUNTS = ("credits", "credits_to_use", "credits_used")
_DIGITS_MAX = 64


@routes.post("/api/v1/credits/admin/adjustments", access=Access.ADMIN, summary="Add or remove credits")
def adjust(call: Call) -> Reply:
    """Post an adjustment once under its key: 201 with the transaction, 200 with the same if it was posted before."""
    admin = call.caller.name()
    return _adjusted(call, call.idempotency_key(), call.json_object(), admin)


@routes.post(
    "/api/v1/credits/transactions/admin/manual-adjustment",
    access=Access.ADMIN,
    summary="Add or remove credits, by query parameters",
)
def adjust_by_the_old_route(call: Call) -> Reply:
    """Post an adjustment as `adjust` does; its fields may be in the old route's query parameters."""
    admin = call.caller.name()
    key = call.idempotency_key()
    asked = _old_parameters(call)
    fields = call.json_object() if call.body or not asked else {}
    for name in asked.keys() & fields.keys():
        raise bad_request(name, f"{name} is given both as a parameter and in the body.")
    return _adjusted(call, key, {**fields, **asked}, admin)


@routes.put(
    "/api/v1/credits/admin/accounts/{merchant_id}/low-balance-threshold",
    access=Access.ADMIN,
    summary="A merchant's own low-balance threshold",
)
def set_threshold(call: Call, merchant_id: str) -> Reply:
    """Set the account's own low-balance threshold, or with null restore the default; return the account."""
    from chalicelib.contracts.inbound.admin_requests import ThresholdRequest
    from chalicelib.contracts.inbound.envelopes import validated

    whose = _whose(call, merchant_id)
    return _set(call, validated(ThresholdRequest, {**call.json_object(), **whose}))


@routes.put(
    "/api/v1/credits/admin/accounts/{merchant_id}/levels", access=Access.ADMIN, summary="A merchant's own levels"
)
def set_levels(call: Call, merchant_id: str) -> Reply:
    """Set the account's own levels, or with null restore the fleet's; return the account."""
    return _overridden(call, merchant_id, "levels")


@routes.put("/api/v1/credits/admin/accounts/{merchant_id}/grace", access=Access.ADMIN, summary="A merchant's own grace")
def set_grace(call: Call, merchant_id: str) -> Reply:
    """Set the limits of the account's next grace, or with null restore the fleet's; return the account."""
    return _overridden(call, merchant_id, "grace")


@routes.put(
    "/api/v1/credits/admin/accounts/{merchant_id}/freeze", access=Access.ADMIN, summary="Freeze a merchant's account"
)
def freeze(call: Call, merchant_id: str) -> Reply:
    """Freeze the account once under the request's key, until an instant or without an end; return the account."""
    fields = call.json_object()
    return _frozen(call, merchant_id, {"freeze": True, **{name: fields.get(name) for name in ("reason", "until")}})


@routes.delete(
    "/api/v1/credits/admin/accounts/{merchant_id}/freeze", access=Access.ADMIN, summary="Unfreeze a merchant's account"
)
def unfreeze(call: Call, merchant_id: str) -> Reply:
    """Unfreeze the account once under the request's key, for the parameter `reason`; return the account."""
    return _frozen(call, merchant_id, {"freeze": False, "reason": call.text("reason")})


@routes.get("/api/v1/credits/admin/zero-balance", access=Access.ADMIN, summary="Accounts without credits")
def zero_balance(call: Call) -> Reply:
    """Return a page of the accounts without credits, by cursor."""
    from chalicelib.api.balance_listing import zero_page

    return zero_page(call, lists=for_api.balance_lists(), key=for_api.cursor_key())


@routes.get("/api/v1/credits/admin/low-balance", access=Access.ADMIN, summary="Accounts that run low")
def low_balance(call: Call) -> Reply:
    """Return a page of the accounts with credits, but no more than their threshold, by cursor.

    `threshold` excludes accounts with more credits than that; an account above its own threshold is never listed.
    """
    from chalicelib.api.balance_listing import low_page

    return low_page(call, lists=for_api.balance_lists(), key=for_api.cursor_key())


def _overridden(call: Call, merchant_id: str, name: str) -> Reply:
    from chalicelib.contracts.inbound.admin_requests import override

    whose, fields = _whose(call, merchant_id), call.json_object()
    if name not in fields:
        raise bad_request(name, f"{name} is missing")
    return _set(call, override({name: fields[name], **whose}))


def _whose(call: Call, merchant_id: str) -> dict[str, str]:
    """Return what a body must not state about a change: the account's merchant and the caller."""
    admin = call.caller.name()
    return {"merchant_id": merchant_of(merchant_id), "admin_id": admin, "correlation_id": call.correlation_id}


def _set(call: Call, asked: "Override") -> Reply:
    account = for_api.ledger_functions().set_threshold(asked.model_dump())
    return Reply(body=json_text(account, call.meta()), merchant_id=asked.merchant_id)


def _frozen(call: Call, merchant_id: str, fields: dict[str, Any]) -> Reply:
    from chalicelib.contracts.inbound.admin_requests import freezing

    whose = _whose(call, merchant_id)
    asked = {**fields, **whose, "adjustment_id": call.idempotency_key()}
    # Checked before anything is invoked.
    freezing(asked)
    answer = for_api.ledger_functions().freeze(asked)
    return Reply(body=json_text(answer["account"], call.meta()), merchant_id=whose["merchant_id"])


def _adjusted(call: Call, key: str, fields: dict[str, Any], admin: str) -> Reply:
    from chalicelib.contracts.inbound.admin_requests import DUPLICATE, adjustment

    whose = {"adjustment_id": key, "admin_id": admin, "correlation_id": call.correlation_id}
    # Checked before anything is invoked, and passed on without any other members of the request.
    movement, asked = adjustment({**fields, **whose, "confirmed_by": None})
    answer = for_api.ledger_functions().adjust(
        {
            "merchant_id": movement.merchant_id,
            "operation_type": movement.kind.direction,
            "credits": movement.credits,
            "reason": movement.metadata["reason"],
            "expires_at": movement.expires_at,
            "expires_in_days": movement.expires_in_days,
            "batch_credits": asked.batch_credits,
            **whose,
        }
    )
    return Reply(
        body=json_text(answer["transaction"], call.meta()),
        status=HTTPStatus.OK if answer["outcome"] == DUPLICATE else HTTPStatus.CREATED,
        merchant_id=movement.merchant_id,
    )


def _old_parameters(call: Call) -> dict[str, Any]:
    asked: dict[str, Any] = {name: text for name in _OLD_PARAMETERS if (text := call.text(name)) is not None}
    for name in _OLD_AMOUNTS:
        text = call.text(name)
        if text is not None:
            digits = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
            asked[name] = int(text) if digits else text
    return asked

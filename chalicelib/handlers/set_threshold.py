"""Sets what admins choose for one account: its threshold, levels and grace. It has no right to the transactions.

The API's routes invoke this function too: the API itself has no right to write to the ledger.
"""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.contracts.inbound.admin_requests import Override
    from chalicelib.domain.actions import ActionType
    from chalicelib.domain.ledger import Account

blueprint = Blueprint(__name__)


@blueprint.lambda_function(name="set_threshold")
def set_threshold(event: Any, context: Any) -> dict[str, Any]:
    """Return the changed account, or `{"error": {"code", "message", "details"}}`.

    Takes `{merchant_id, admin_id, correlation_id}` and one of `low_balance_threshold`, `levels` and `grace`; null
    restores the fleet's. It is separate from `adjust_credits` because it needs no right to the transactions.
    """
    from chalicelib.contracts.api.answers import Account
    from chalicelib.contracts.inbound.admin_requests import override, refusal
    from chalicelib.domain.errors import CreditsError
    from chalicelib.telemetry import logger
    from chalicelib.wiring import for_posting

    try:
        asked = override(event)
        account = _set(asked, context)
    except CreditsError as error:
        logger.warning("threshold refused", code=error.code, field=error.field)
        return refusal(error)
    did, details = _action(asked)
    try:
        _note(account, asked.admin_id, did, details)
    except CreditsError as error:
        # What is set already is not set again, so a repeated call notes it.
        logger.warning("threshold not noted", code=error.code)
        return refusal(error)
    logger.info(
        did.replace("_", " "),
        merchant_id=account.merchant_id,
        admin_id=asked.admin_id,
        version=account.version,
        **details,
    )
    return Account.of(account, now=for_posting.now()).model_dump(mode="json")


def _set(asked: "Override", context: Any) -> "Account":
    """Make the requested change, and return the account."""
    from chalicelib.contracts.inbound.admin_requests import GraceRequest, LevelsRequest
    from chalicelib.settings import settings
    from chalicelib.usecases import overriding
    from chalicelib.wiring import for_posting

    store, time = for_posting.ledger(), for_posting.call_time(context)
    if isinstance(asked, LevelsRequest):
        return overriding.set_levels(
            store,
            asked.merchant_id,
            asked.own(),
            fleet=settings().lapsing.terms.levels or (),
            correlation_id=asked.correlation_id,
            time=time,
        )
    if isinstance(asked, GraceRequest):
        return overriding.set_grace_terms(store, asked.merchant_id, asked.own(), time=time)
    return overriding.set_threshold(
        store,
        asked.merchant_id,
        asked.low_balance_threshold,
        default_threshold=settings().default_threshold,
        correlation_id=asked.correlation_id,
        time=time,
    )


def _action(asked: "Override") -> "tuple[ActionType, Mapping[str, str | int | None]]":
    """Return what was done, and what it was about."""
    from chalicelib.contracts.inbound.admin_requests import GraceRequest, LevelsRequest
    from chalicelib.domain.actions import ActionType

    if isinstance(asked, LevelsRequest):
        own = asked.own()
        return ActionType.LEVELS_SET, {"levels": None if own is None else " ".join(map(str, own))}
    if isinstance(asked, GraceRequest):
        terms = asked.own()
        return ActionType.GRACE_SET, {
            "hours": terms.hours if terms else None,
            "credits": terms.credits if terms else None,
        }
    return ActionType.THRESHOLD_SET, {"low_balance_threshold": asked.low_balance_threshold}


def _note(account: "Account", admin_id: str, did: "ActionType", details: "Mapping[str, str | int | None]") -> None:
    """Record who set it, at the time of its write; raises `RetryLater` if that fails.

    If the account has changed since that write, the setting is older: then the request is recorded as of now.
    """
    from chalicelib.domain.actions import Action
    from chalicelib.wiring import for_desk, for_posting

    moved_since = account.updated_at == account.last_transaction_at
    for_desk.note(
        Action(
            time=for_posting.now() if moved_since else account.updated_at,
            did=did,
            admin_id=admin_id,
            fact=f"{did.partition('_')[0]}#{account.merchant_id}#{account.version}",
            merchant_id=account.merchant_id,
            details=details,
        )
    )

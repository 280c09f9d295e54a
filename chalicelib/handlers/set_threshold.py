"""Low-balance thresholds set by admins, invoked as a function, which has no right to the transactions.

The API's route ends here too: the API itself has no right to write to the ledger.
"""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

if TYPE_CHECKING:
    from chalicelib.domain.ledger import Account

blueprint = Blueprint(__name__)


@blueprint.lambda_function(name="set_threshold")
def set_threshold(event: Any, context: Any) -> dict[str, Any]:
    """Return the account with the low-balance threshold asked for, or `{"error": {"code", "message", "details"}}`.

    Takes `{merchant_id, low_balance_threshold, admin_id, correlation_id}`; a threshold of null is the default.
    A function of its own, because it needs no right to the transactions.
    """
    from chalicelib.contracts.api.answers import Account
    from chalicelib.contracts.inbound.adjustments import refusal, threshold
    from chalicelib.domain.errors import CreditsError
    from chalicelib.settings import settings
    from chalicelib.telemetry import logger
    from chalicelib.usecases import overriding
    from chalicelib.wiring import for_posting

    try:
        asked = threshold(event)
        account = overriding.set_threshold(
            for_posting.ledger(),
            asked.merchant_id,
            asked.low_balance_threshold,
            default_threshold=settings().default_threshold,
            correlation_id=asked.correlation_id,
            time=for_posting.call_time(context),
        )
    except CreditsError as error:
        logger.warning("threshold refused", code=error.code, field=error.field)
        return refusal(error)
    try:
        _note(account, asked.admin_id)
    except CreditsError as error:
        # A threshold that is set already is not set again, so a repeated call notes it.
        logger.warning("threshold not noted", code=error.code)
        return refusal(error)
    logger.info(
        "threshold set",
        merchant_id=account.merchant_id,
        low_balance_threshold=account.low_balance_threshold,
        admin_id=asked.admin_id,
        version=account.version,
    )
    return Account.of(account, now=for_posting.now()).model_dump(mode="json")


def _note(account: "Account", admin_id: str) -> None:
    """Note who set the threshold, as of its write; raises `RetryLater` where that did not work.

    If the account has moved since that write, it was set before: who asks for it again did so now.
    """
    from chalicelib.domain.actions import Action, Did
    from chalicelib.wiring import for_figures, for_posting

    moved_since = account.updated_at == account.last_transaction_at
    desk = for_figures.desk()
    if desk is not None:
        desk.note(
            Action(
                time=for_posting.now() if moved_since else account.updated_at,
                did=Did.THRESHOLD_SET,
                admin_id=admin_id,
                fact=f"threshold#{account.merchant_id}#{account.version}",
                merchant_id=account.merchant_id,
                details={"low_balance_threshold": account.low_balance_threshold},
            )
        )

"""Adjustments by admins, invoked as a function (spec, section 7)."""

from typing import Any

from chalice.app import Blueprint

blueprint = Blueprint(__name__)


@blueprint.lambda_function(name="adjust_credits")
def adjust_credits(event: Any, context: Any) -> dict[str, Any]:
    """Return the transaction of an adjustment, or `{"error": {"code", "message", "details"}}`.

    The same adjustment again returns the same transaction; under the same id with other content `key_reused`.
    """
    from chalicelib import wiring
    from chalicelib.contracts.adjustments import adjustment, refusal
    from chalicelib.contracts.answers import Transaction
    from chalicelib.domain.errors import CreditsError
    from chalicelib.telemetry import logger

    try:
        movement = adjustment(event)
        outcome = wiring.posting().post_one(movement, time=wiring.call_time(context))
    except CreditsError as error:
        logger.warning("adjustment refused", code=error.code, field=error.field)
        return refusal(error)
    transaction = outcome.transaction
    if transaction is None:
        raise AssertionError("only a trial is a duplicate without its record")
    logger.info(
        "adjusted",
        outcome=type(outcome).__name__,
        merchant_id=transaction.merchant_id,
        key=transaction.idempotency_key,
        sequence=transaction.sequence,
    )
    return Transaction.of(transaction).model_dump(mode="json")

"""Adjustments by admins, invoked as a function (contract, section 7).

The API's route ends here too: the API itself has no right to write to the ledger.
"""

import time
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

from chalicelib.wiring import for_figures

if TYPE_CHECKING:
    from chalicelib.domain.errors import CreditsError
    from chalicelib.domain.ledger import Transaction
    from chalicelib.domain.outcomes import Duplicate, Posted

blueprint = Blueprint(__name__)


@blueprint.lambda_function(name="adjust_credits")
def adjust_credits(event: Any, context: Any) -> dict[str, Any]:
    """Return the transaction of an adjustment, or `{"error": {"code", "message", "details"}}`.

    The same adjustment again returns the same transaction; under the same id with other content `key_reused`. Above
    `ADJUSTMENT_CONFIRM_ABOVE` it is `confirmation_needed` until another admin asks for the same, or `confirmed_by`
    names another person.

    Who asks with `"with_outcome": true` gets `{"outcome": "posted" or "duplicate", "transaction": …}` instead.
    """
    from chalicelib.contracts.api.answers import Transaction
    from chalicelib.contracts.inbound.adjustments import DUPLICATE, POSTED, adjustment, refusal
    from chalicelib.domain.errors import CreditsError
    from chalicelib.domain.outcomes import Posted
    from chalicelib.telemetry import logger
    from chalicelib.wiring import for_adjusting, for_posting

    started = time.perf_counter()
    try:
        movement, asked = adjustment(event)
        outcome = for_adjusting.adjusting().adjust(
            movement,
            batch_credits=asked.batch_credits,
            confirmed_by=asked.confirmed_by,
            time=for_posting.call_time(context),
        )
    except CreditsError as error:
        _count(error, time.perf_counter() - started)
        logger.warning("adjustment refused", code=error.code, field=error.field)
        return refusal(error)
    transaction = outcome.transaction
    if transaction is None:
        raise AssertionError("only a trial is a duplicate without its transaction")
    _count(outcome, time.perf_counter() - started)
    try:
        _note(transaction)
    except CreditsError as error:
        # It is recorded once under its key, so a repeated call notes it.
        logger.warning("adjustment not noted", code=error.code)
        return refusal(error)
    logger.info(
        "adjusted",
        outcome=type(outcome).__name__,
        merchant_id=transaction.merchant_id,
        key=transaction.idempotency_key,
        sequence=transaction.sequence,
    )
    answer = Transaction.of(transaction).model_dump(mode="json")
    if event.get("with_outcome") is True:
        return {"outcome": POSTED if isinstance(outcome, Posted) else DUPLICATE, "transaction": answer}
    return answer


def _note(transaction: "Transaction") -> None:
    """Note who adjusted the credits; raises `RetryLater` where that did not work."""
    from chalicelib.domain.actions import Action, Did

    desk = for_figures.desk()
    if desk is not None:
        desk.note(
            Action(
                time=transaction.created_at,
                did=Did.ADJUSTED,
                admin_id=str(transaction.metadata.get("admin_id", "")),
                fact=transaction.transaction_id,
                merchant_id=transaction.merchant_id,
                details={
                    "transaction_id": transaction.transaction_id,
                    "amount": transaction.amount,
                    "reason": str(transaction.metadata.get("reason", "")),
                },
            )
        )


def _count(outcome: "Posted | Duplicate | CreditsError", seconds: float) -> None:
    from chalicelib.domain.errors import Code, CreditsError
    from chalicelib.domain.outcomes import Duplicate, Posted
    from chalicelib.telemetry import count, processed

    if isinstance(outcome, Posted):
        kind = outcome.transaction.kind
        count("credits_transactions_total", 1, {"type": kind.direction, "reference_type": kind.transaction_type})
        count("credits_balance_updated_total", 1)
        processed(seconds, 1)
    count("credits_duplicates_total", int(isinstance(outcome, Duplicate)))
    count("credits_conflicts_total", int(isinstance(outcome, CreditsError) and outcome.code is Code.KEY_REUSED))
    for_figures.counter_writer().write()

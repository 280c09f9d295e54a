"""Adjustments by admins, freezes and their ends, invoked as a function (contract, sections 7 and 17).

The API's route invokes this function too: the API itself has no right to write to the ledger.
"""

import time
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

from chalicelib.wiring import for_desk, for_figures

if TYPE_CHECKING:
    from chalicelib.domain.actions import ActionType
    from chalicelib.domain.errors import CreditsError
    from chalicelib.domain.ids import MerchantId
    from chalicelib.domain.outcomes import Duplicate, Posted
    from chalicelib.domain.transactions import Transaction

blueprint = Blueprint(__name__)


@blueprint.lambda_function(name="adjust_credits")
def adjust_credits(event: Any, context: Any) -> dict[str, Any]:
    """Return the transaction of an adjustment, or `{"error": {"code", "message", "details"}}`.

    The same adjustment again returns the same transaction; under the same id with other content `key_reused`. Above
    `ADJUSTMENT_CONFIRM_ABOVE` it is `confirmation_needed` until another admin asks for the same, or `confirmed_by`
    names another person.

    With `"with_outcome": true` it returns `{"outcome": "posted" or "duplicate", "transaction": …}` instead. With a
    member `freeze` it freezes the account (true) or unfreezes it (false), and returns that form with the `account` too.
    """
    from chalicelib.contracts.api.answers import Transaction
    from chalicelib.contracts.inbound.admin_requests import DUPLICATE, POSTED, refusal
    from chalicelib.domain.errors import CreditsError
    from chalicelib.domain.outcomes import Posted
    from chalicelib.telemetry import logger

    started = time.perf_counter()
    freezes = isinstance(event, dict) and "freeze" in event
    try:
        outcome = _posted(event, context, freezes=freezes)
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
        _action(transaction)[0],
        outcome=type(outcome).__name__,
        merchant_id=transaction.merchant_id,
        key=transaction.idempotency_key,
        sequence=transaction.sequence,
    )
    answer = Transaction.of(transaction).model_dump(mode="json")
    with_outcome = {"outcome": POSTED if isinstance(outcome, Posted) else DUPLICATE, "transaction": answer}
    if freezes:
        return {**with_outcome, "account": _account(transaction.merchant_id)}
    return with_outcome if event.get("with_outcome") is True else answer


def _posted(event: Any, context: Any, *, freezes: bool) -> "Posted | Duplicate":
    """Post the request; raises `CreditsError` if that fails."""
    from chalicelib.contracts.inbound.admin_requests import adjustment, freezing
    from chalicelib.wiring import for_posting

    call = for_posting.call_time(context)
    if freezes:
        return for_posting.posting().post_one(freezing(event), time=call)
    movement, asked = adjustment(event)
    return for_desk.adjusting().adjust(
        movement, batch_credits=asked.batch_credits, confirmed_by=asked.confirmed_by, time=call
    )


def _account(merchant_id: "MerchantId") -> dict[str, Any]:
    """Return the account as it is now."""
    from chalicelib.contracts.api.answers import Account
    from chalicelib.wiring import for_posting

    account = for_posting.ledger().read([merchant_id], []).account(merchant_id)
    assert account is not None, "it has a transaction"
    return Account.of(account, now=for_posting.now()).model_dump(mode="json")


def _note(transaction: "Transaction") -> None:
    """Record who did it; raises `RetryLater` if that fails."""
    from chalicelib.domain.actions import Action

    did, details = _action(transaction)
    for_desk.note(
        Action(
            time=transaction.created_at,
            did=did,
            admin_id=str(transaction.metadata.get("admin_id", "")),
            fact=transaction.transaction_id,
            merchant_id=transaction.merchant_id,
            details={"transaction_id": transaction.transaction_id, **details},
        )
    )


def _action(transaction: "Transaction") -> "tuple[ActionType, dict[str, str | int | None]]":
    """Return what was done, and its details."""
    from chalicelib.domain.actions import ActionType
    from chalicelib.domain.freeze import FREEZE, UNTIL, FreezeNote

    metadata = transaction.metadata
    why: dict[str, str | int | None] = {"reason": str(metadata.get("reason", ""))}
    if (note := metadata.get(FREEZE)) is None:
        return ActionType.ADJUSTED, {"amount": transaction.amount, **why}
    return (
        (ActionType.FROZEN, {"until": metadata.get(UNTIL), **why})
        if note == FreezeNote.FROZEN
        else (ActionType.UNFROZEN, why)
    )


def _count(outcome: "Posted | Duplicate | CreditsError", seconds: float) -> None:
    from chalicelib.domain.errors import Code, CreditsError
    from chalicelib.domain.outcomes import Duplicate, Posted
    from chalicelib.telemetry import count, processed

    processed(seconds, int(isinstance(outcome, Posted)))
    count("credits_duplicates_total", int(isinstance(outcome, Duplicate)))
    count("credits_conflicts_total", int(isinstance(outcome, CreditsError) and outcome.code is Code.KEY_REUSED))
    for_figures.counter_writer().write()

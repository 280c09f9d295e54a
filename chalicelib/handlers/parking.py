"""Parks the refused messages of a batch, one for each fact (contract, section 4, "Retry and dead letter")."""

from collections import Counter
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.contracts.inbound.messages import Message
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.ports import CallTime
from chalicelib.telemetry import count, count_parked, logger
from chalicelib.usecases.posting import MARGIN_SECONDS
from chalicelib.wiring import for_posting

RefusedMessage = tuple[Message, Rejected, Sequence[str]]
"""A message, why it is refused, and the refused facts that other messages report too."""


def park(refused: Sequence[RefusedMessage], *, queue_url: str, call: CallTime) -> tuple[Counter[str], list[str]]:
    """Park messages; return how many were ignored instead, by reason, and the ids of those that come back.

    A message is ignored if other messages are parked for all its facts. It comes back if the dead-letter queue or the
    table of links does not answer in time.
    """
    ignored: Counter[str] = Counter()
    coming_back: list[str] = []
    for message, error, facts in refused:
        if call.remaining_seconds() < MARGIN_SECONDS:
            coming_back.append(message.message_id)
            continue
        try:
            if _is_repeated(message, error, facts):
                ignored[error.code] += 1
                continue
            attributes = message.parked(code=error.code, reason=error.message, field=error.field)
            for_posting.queues().park(queue_url, message.body, attributes)
        except (ClientError, BotoCoreError, RetryLater):
            logger.exception("not parked yet", message_id=message.message_id)
            coming_back.append(message.message_id)
            continue
        logger.warning(
            "parked", code=error.code, reason=error.message, field=error.field, message_id=message.message_id
        )
        count_parked(error.code)
        count("credits_conflicts_total", int(error.code is Code.KEY_REUSED))
    return ignored, coming_back


def _is_repeated(message: Message, error: Rejected, facts: Sequence[str]) -> bool:
    """Return whether other messages are parked for all facts of this one, and log it if so.

    Raises:
        RetryLater: the table of links cannot answer.
    """
    names = [f"{error.code}:{error.fact}"] if error.fact else facts
    repeated = bool(names) and for_posting.linking().are_parked(names, message.message_id)
    # Whoever put a message back waits for its outcome: it is parked again, and is the letter of a new reason.
    if not repeated or message.redriven is not None:
        return False
    reference_id = names[0].rpartition(":")[2]
    logger.info("ignored", reason=error.code, merchant_id=None, reference_id=reference_id)
    return True

"""The account with which a release is tried, and the events that made it (contract, section 7, "The smoke test").

`make deploy` sends the events into the inbox after each success: the first time they open the account, later they are
duplicates. The smoke test sends them to the new version of `ingest_events`, where they must be duplicates.
"""

import json
from datetime import UTC, datetime

from chalicelib.contracts.event_types import ACCOUNT_CREATED, PAYMENT_SUCCEEDED
from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.orders import Policy

CANARY = MerchantId("121a6390-f631-5516-8a6a-bf872ba51334")
"""No shop has this id: it is a UUIDv5 of a name that no shop has."""
_SENDER = "release"
_CREDITS = 1_000
_SENT = (
    (ACCOUNT_CREATED, {"trial_id": _SENDER, "credits_to_use": _CREDITS}),
    # A duplicate of a payment is found by the condition of its write, so the right to write is tried as well.
    (PAYMENT_SUCCEEDED, {"payment_id": _SENDER, "credits": 1}),
)


def bodies() -> list[str]:
    """Return the messages that open the account and pay into it, always the same."""
    return [json.dumps({"event_type": name, "payload": {"merchant_id": CANARY, **fields}}) for name, fields in _SENT]


def transaction_ids() -> list[TransactionId]:
    """Return the ids of the transactions that the messages make."""
    terms = Terms(trial_credits=0, policy=Policy())
    events = [read_event(body, terms, now=datetime.now(UTC)) for body in bodies()]
    return [movement.transaction_id for event in events for movement in event.movements]

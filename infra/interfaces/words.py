"""What each member of a request, an answer or an event means: one word, one meaning, in both documents.

The models say which members there are and of what type; a word adds the sentence and, where a model says
only "text" or "whole number", the form it always has. `Model.member` takes precedence over `member`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import CREDITS_MAX, Direction

UUID_FORM = {"format": "uuid"}
TIME_FORM = {"format": "date-time"}
COUNT_FORM = {"minimum": 0}
HASH_FORM = {"pattern": "^[0-9a-f]{64}$"}
STATUS_FORM = {"enum": ["enabled", "disabled"]}
TYPES = sorted({kind.transaction_type for kind in Kind})


@dataclass(frozen=True, slots=True)
class Word:
    """A sentence about a member, and what its schema says besides its type."""

    meaning: str
    form: Mapping[str, Any] = field(default_factory=dict)


WORDS: Mapping[str, Word] = {
    # Around every answer
    "data": Word("The answer itself."),
    "meta": Word("Which request this answers."),
    "request_id": Word("The request's own id; it finds the request in the logs."),
    "correlation_id": Word("The caller's `X-Correlation-ID`, by which one business step is followed through services."),
    "Meta.correlation_id": Word("The caller's `X-Correlation-ID`, or the request's own id if there was none."),
    "Meta.timestamp": Word("When it was answered.", TIME_FORM),
    "pagination": Word("The page's position in the list."),
    "links": Word("Links within the list; the header `Link` has the same."),
    "page": Word("The page's number, from 1; null if it was reached by a cursor.", {"minimum": 1}),
    "limit": Word("The most rows that the page may hold.", {"minimum": 1, "maximum": 100}),
    "total": Word("How many rows there are on all pages; null if counting would mean reading them.", COUNT_FORM),
    "pages": Word("How many pages there are; null if `total` is null.", COUNT_FORM),
    "has_next": Word("Whether another page follows."),
    "has_previous": Word("Whether there is a page before this one."),
    "next_cursor": Word("Give it as `cursor`, with the same filters, for the next page; null on the last one."),
    "self": Word("This page."),
    "next": Word("The next page."),
    "previous": Word("The previous page; null on a page reached by a cursor."),
    "first": Word("The first page."),
    "last": Word("The last page; null if `total` is null."),
    # Problems
    "type": Word("`about:blank`: the status is the kind of problem."),
    "title": Word("The status in words."),
    "detail": Word("What is wrong, in a sentence."),
    "instance": Word("The path of the request, or the request's id if the gateway refused it."),
    "error": Word("The same in the platform's form."),
    "code": Word("What is wrong, for programs."),
    "message": Word("The same as `detail`."),
    "details": Word("The field, value or scope at fault, if there is one."),
    "Problem.status": Word("The HTTP status.", {"minimum": 400, "maximum": 599}),
    "ProblemMeta.timestamp": Word(
        "When it was answered, in ISO 8601; in a refusal by the gateway itself, Unix milliseconds as digits."
    ),
    "ProblemMeta.correlation_id": Word(
        "The caller's `X-Correlation-ID`, or the request's own id. A refusal by the gateway itself has the request's "
        "id here, and the caller's in the header."
    ),
    # Accounts
    "id": Word("The id, which is derived and never changes.", UUID_FORM),
    "merchant_id": Word("The merchant: a UUID.", UUID_FORM),
    "credit_id": Word("The account's id, derived from the merchant's.", UUID_FORM),
    "balance": Word("The credits left; never below 0.", COUNT_FORM),
    "plugin_status": Word("Whether the shop's plugin is on, and since when."),
    "status": Word("`enabled` with credits or in a grace, unless frozen or closed.", STATUS_FORM),
    "Health.status": Word("`ok`: the process answers.", {"const": "ok"}),
    "reason": Word("Why."),
    "since": Word("When the status last changed.", TIME_FORM),
    "low_balance_threshold": Word(
        "The merchant's own low-balance threshold, set by an admin; null: the default applies.",
        {"minimum": 0, "maximum": CREDITS_MAX},
    ),
    "threshold": Word("The low-balance threshold in force, in credits.", COUNT_FORM),
    "last_transaction_id": Word("The newest transaction.", UUID_FORM),
    "last_transaction_at": Word("When the newest transaction was recorded.", TIME_FORM),
    "totals": Word("By transaction type: how many in each direction, and the credits they moved."),
    "increases": Word("Transactions that added credits.", COUNT_FORM),
    "decreases": Word("Transactions that removed credits.", COUNT_FORM),
    "credits_in": Word("Credits added.", COUNT_FORM),
    "credits_out": Word("Credits removed, unsigned.", COUNT_FORM),
    "total_shortfall": Word("Credits that orders and reversals asked for and the account did not have.", COUNT_FORM),
    "created_at": Word("When it was recorded; it never runs backwards within an account.", TIME_FORM),
    "updated_at": Word("When it last changed.", TIME_FORM),
    "as_of": Word("When this was read.", TIME_FORM),
    "stale": Word("Whether the table could not be read since `as_of`."),
    # Transactions
    "operation_type": Word("The direction in which credits moved.", {"enum": list(Direction)}),
    "transaction_type": Word("What moved them.", {"enum": TYPES}),
    "credits_used": Word("What was really moved, unsigned.", COUNT_FORM),
    "amount": Word("What was really moved, signed."),
    "requested": Word("The credits asked for, unsigned, before the balance limits them.", COUNT_FORM),
    "shortfall": Word("Requested credits that the account did not have.", COUNT_FORM),
    "balance_before": Word("The balance before; the previous transaction's `balance_after`.", COUNT_FORM),
    "balance_after": Word("The balance after: `balance_before` + `amount`.", COUNT_FORM),
    "sequence": Word("1, 2, 3 … without gaps within an account, in the order of recording.", {"minimum": 1}),
    "idempotency_key": Word("Derived from the business fact; a fact moves credits once."),
    "reference_id": Word("The business id: of the order, refund, payment, subscription or adjustment."),
    "extra_metadata": Word(
        "Further data: policy, total, currency, reason, admin and others; `threshold_before`, the low-balance "
        "threshold before this transaction, if it changed since the one before; `edited_total`, the newest total of an "
        "edited order, of which a refund is a share."
    ),
    "schema_version": Word("The version of the hash's canonical form.", {"minimum": 1}),
    "hash": Word("SHA-256 over the previous hash and this transaction: it shows any change.", HASH_FORM),
    "previous_hash": Word("The previous transaction's hash; 64 zeros for the first.", HASH_FORM),
    "occurred_at": Word("When the business fact happened, according to its event.", TIME_FORM),
    # Many merchants
    "statuses": Word("The plugin statuses, by merchant id."),
    "merchant_ids": Word("Merchant ids: UUIDs."),
    "total_increases": Word(
        "How many transactions added credits; one that moved 0 counts by its direction.", COUNT_FORM
    ),
    "total_decreases": Word("How many transactions removed credits, in the same way.", COUNT_FORM),
    "transaction_count": Word("How many transactions there are.", COUNT_FORM),
    "by_type": Word("The same by transaction type."),
    "total_merchants": Word("Merchants with an account.", COUNT_FORM),
    "enabled_count": Word("Merchants whose plugin is on.", COUNT_FORM),
    "disabled_count": Word("Merchants whose plugin is off.", COUNT_FORM),
    "enabled_percentage": Word("Share of those whose plugin is on, in percent.", {"minimum": 0, "maximum": 100}),
    "average_balance": Word("Average credits per merchant.", COUNT_FORM),
    "zero_balance_count": Word("Merchants without credits.", COUNT_FORM),
    "low_balance_count": Word("Merchants above zero and at or below their threshold.", COUNT_FORM),
    "Threshold.low_balance_threshold": Word("Credits; null: the default.", {"minimum": 0, "maximum": CREDITS_MAX}),
    "Adjustment.operation_type": Word("Whether credits are added or removed."),
    "Adjustment.reason": Word("Why; kept with the transaction."),
    # A time and a month
    "Balance.as_of": Word("When this was read, or the time that `at` names.", TIME_FORM),
    "month": Word("The month, in UTC.", {"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}),
    "open": Word("Whether the month is running: then `closing` is as of now."),
    "opening": Word("The account before the month; the `closing` of the month before."),
    "closing": Word("The account at the month's end."),
    "Closing.sequence": Word("The newest transaction until then; 0 before the first one.", COUNT_FORM),
    "Closing.hash": Word("That transaction's hash; 64 zeros before the first one.", HASH_FORM),
    "first_sequence": Word("The month's first transaction; null if it has none.", {"minimum": 1}),
    "last_sequence": Word("The month's last transaction; null if it has none.", {"minimum": 1}),
    # Why a plugin is off or on
    "because": Word("The transaction that decided the status, in a sentence."),
    "since_then": Word("The shortfall of orders since the plugin went off, in a sentence; null if there is none."),
    "remedy": Word("What switches the plugin on again, or keeps it on without credits; null if credits keep it on."),
    "chapters": Word("The important moments, oldest first."),
    "Story.source": Word("What the events were derived from."),
    "complete": Word("Whether all transactions were read; of a long history, only those around the deciding one are."),
    "time": Word("When it was recorded.", TIME_FORM),
    "sentence": Word("What happened, in words."),
    "events": Word("What was published of it, in order; an order that uses credits publishes nothing of its own."),
    "StoryEvent.event_id": Word("Derived from the fact; null if an admin changed the threshold.", UUID_FORM),
    "Story.transaction_id": Word("The transaction that decided the status.", UUID_FORM),
    "Chapter.transaction_id": Word("The movement; null if an admin changed the threshold.", UUID_FORM),
    # The live view, and what is parked
    "fleet": Word("The present figures of the fleet."),
    "transactions": Word("Transactions recorded so far.", COUNT_FORM),
    "orders": Word("Orders among them.", COUNT_FORM),
    "duplicates": Word("Deliveries so far of facts that had been recorded before.", COUNT_FORM),
    "conflicts": Word("Conflicts so far: facts that came again with other content.", COUNT_FORM),
    "ignored": Word("Events, or parts of them, ignored by rule so far, such as unpaid orders.", COUNT_FORM),
    "parked": Word("Messages parked so far.", COUNT_FORM),
    "Activity.shortfall": Word("Requested credits so far that accounts did not have.", COUNT_FORM),
    "inbox": Word("Events that wait to be recorded (approximately, as SQS counts)."),
    "batches": Word("Batches of events processed so far.", COUNT_FORM),
    "oldest_message_seconds": Word(
        "The sum, over all batches so far, of the age of the oldest message: its growth divided by the growth of "
        "`batches` is the average age.",
        COUNT_FORM,
    ),
    "waiting": Word("Messages that can be received.", COUNT_FORM),
    "under_way": Word("Messages that are being processed, or were delayed.", COUNT_FORM),
    "dead_letters": Word("Messages that are parked now (approximately).", COUNT_FORM),
    "bridge_seen_at": Word("The last heartbeat of the bridge to NATS; null: none yet.", TIME_FORM),
    "drift": Word("The findings of the last comparison of the ledger; null: none yet.", COUNT_FORM),
    "threshold_events": Word("The latest threshold events of the fleet, newest first."),
    "ThresholdEvent.event_id": Word("Derived from the fact: the same on every repeat.", UUID_FORM),
    "ThresholdEvent.status": Word("The plugin's, if the event reports a switch; else null."),
    "ThresholdEvent.transaction_id": Word(
        "The movement that crossed; null if an admin changed the threshold.", UUID_FORM
    ),
    "DeadLetter.id": Word("Identifies it while it is parked."),
    "parking": Word("The dead-letter queue that has it.", {"enum": ["inbox", "outbox", "stream"]}),
    "DeadLetter.code": Word("Why, for programs."),
    "DeadLetter.reason": Word("Why, in a sentence."),
    "DeadLetter.merchant_id": Word("The merchant in it; null if there is no readable one.", UUID_FORM),
    "DeadLetter.event_type": Word("The event type in it; null if there is no readable one."),
    "field": Word("The first field at fault, if there is one."),
    "origin": Word("Where it came from: `nats`, `bus`, `queue` or `stream`; null if it is unknown."),
    "function": Word("The function that parked a record of a stream."),
    "redriven": Word("How often it was put back before.", COUNT_FORM),
    "first_seen": Word("When it was first seen.", TIME_FORM),
    "parked_at": Word("When it was parked.", TIME_FORM),
    "redrivable": Word(
        "Whether it can be put back; one that points to records of a stream, or to a body that NATS keeps, cannot."
    ),
    "body": Word("The unchanged message; with `body_cut`, only its beginning."),
    "body_length": Word("The number of characters (Unicode code points) in the whole body.", COUNT_FORM),
    "body_cut": Word("Whether `body` is only the beginning; the answer about one dead letter has all of it."),
    "discarded": Word("Who discarded it, when and why; null while it is parked."),
    "Discarded.time": Word("When.", TIME_FORM),
    "Discarded.reason": Word("Why, in that admin's words."),
    "LetterGroup.code": Word("Why they are parked, for programs."),
    "letters": Word("How many there are.", COUNT_FORM),
    **dict.fromkeys(("oldest", "newest"), Word("When the first or last of them was parked.", TIME_FORM)),
    # Health
    "DetailedHealth.status": Word("`degraded` if a component fails."),
    "Component.status": Word("`unknown` if the component never reported."),
    "Component.detail": Word("What is wrong, or why the state is unknown; null if all is well."),
    "components": Word("Each component by its name."),
    "latency_ms": Word("The duration of the check, in milliseconds.", COUNT_FORM),
    "service": Word("The service's name."),
    "stage": Word("The stage it runs in."),
    # Events in and out
    "event_id": Word("The delivery's id; it is no key."),
    "PublishedEnvelope.event_id": Word(
        "Derived from the fact: the same on every repeat. Drop repeats by it.", UUID_FORM
    ),
    "PublishedEnvelope.idempotency_key": Word("The same as `event_id`.", UUID_FORM),
    "PublishedEnvelope.timestamp": Word("When the fact was recorded.", TIME_FORM),
    "StatusChanged.timestamp": Word("When the status changed.", TIME_FORM),
    "event_type": Word("The event's type, which is also its subject on NATS and its `detail-type` on the bus."),
    "Envelope.idempotency_key": Word(
        "Names the period of a renewal whose payload names none; otherwise unused. One equal to `event_id` is absent."
    ),
    "timestamp": Word(
        "When the fact happened. An invalid time, one before 2000 or one after tomorrow counts as absent."
    ),
    "Envelope.occurred_at": Word("Another name for `timestamp`."),
    "metadata": Word("`schema_version` of the payload."),
    "payload": Word("The fact; `data` is another name for it in events in."),
    "transaction_id": Word("The transaction of the fact.", UUID_FORM),
    "ThresholdPassed.transaction_id": Word(
        "The movement that crossed; null if an admin changed the threshold.", UUID_FORM
    ),
    "AccountStatus.transaction_id": Word("The transaction that decided it.", UUID_FORM),
    "initial_balance": Word("The trial.", COUNT_FORM),
    "DriftDetected.transaction_id": Word("The transaction at fault; null if the account is at fault.", UUID_FORM),
    "DriftDetected.kind": Word("The kind of drift."),
    "new_balance": Word("The balance after the movement; the same as `balance`.", COUNT_FORM),
    "source": Word("The type of the event that asked for it."),
    "reference_type": Word("The transaction type.", {"enum": TYPES}),
    "previous_status": Word("The status until now.", STATUS_FORM),
    "current_status": Word("The status from now on.", STATUS_FORM),
    "identifiers": Word("Where some services put the merchant's id."),
    "trial_id": Word("The trial's id, kept for reference."),
    "credits_to_use": Word("The trial's credits; for an adjustment another name for `credits`."),
    "credits": Word("Whole credits, from 1."),
    "SubscriptionRenewed.credits_used": Word("The renewal's credits; `credits` is another name for it."),
    "ManualAdjustment.credits_used": Word("Another name for `credits`."),
    "payment_id": Word("The payment's id: one payment counts once."),
    "reversal_id": Word("The refund's id; not needed beside `amount_refunded`."),
    "dispute_id": Word("The dispute's id: one dispute counts once."),
    "PaymentRefunded.amount": Word("The money of this refund."),
    "amount_refunded": Word("The sum of all refunds of the payment so far."),
    "payment_total": Word("The payment's money, of which the refund is a share."),
    "debt": Word("Credits owed because the account did not have them; the next inflow pays them first.", COUNT_FORM),
    "PaymentReversed.debt": Word("Credits that are owed because of it, 0 for none.", COUNT_FORM),
    "PaymentReversed.reason": Word(
        "Why credits were taken back or returned.", {"enum": ["refunded", "disputed", "dispute_won"]}
    ),
    "order_id": Word("The order's id: one order counts once. `gid://shopify/Order/5` is the order 5."),
    "OrderPaid.total": Word("The order's money; needed where the policy charges by it."),
    "OrderUpdated.total": Word("The order's money; needed where the policy charges by it."),
    "OrderEntry.total": Word("The order's money, if the entry is an order of its own."),
    "RefundEntry.total": Word("Another name for `order_total`; two that differ are poison."),
    "OrderRefunded.total": Word("Another name for `order_total`; two that differ are poison."),
    "OrderPaid.order_total": Word("Another name for `total`; two that differ are poison."),
    "OrderUpdated.order_total": Word("Another name for `total`; two that differ are poison."),
    "OrderEntry.order_total": Word("Another name for `total`; two that differ are poison."),
    "total_price": Word("Another name for `total`; two that differ are poison."),
    "financial_status": Word(
        "With any value other than paid, partially_paid, partially_refunded or refunded, the order is ignored."
    ),
    "test": Word("True: the order is ignored, unless the setting `TEST_ORDERS` is `count`."),
    "currency": Word("Three letters, else absent. A refund in another currency than its order is parked."),
    "OrderPaid.updated_at": Word("The time of this version of the order: a newer one posts the difference."),
    "OrderUpdated.updated_at": Word("The time of this version of the order: a newer one posts the difference."),
    "OrderEntry.updated_at": Word("The time of this version, if the entry is an order of its own."),
    "OrderPaid.order_items": Word("The order's lines, or one entry for each of several orders: up to 100 orders."),
    "OrderUpdated.order_items": Word("The order's lines, or one entry for each of several orders: up to 100 orders."),
    "OrderRefunded.order_items": Word("Several refunds, or several lines of one; `refunds` is another name for it."),
    "refunds": Word("Several refunds, or several lines of one."),
    "refund_id": Word("The refund's id; without one, an order is refunded once."),
    "refund_amount": Word("Refunded money; without it the refund is full."),
    "order_currency": Word("The order's currency, which counts if the order itself came without one."),
    "order_total": Word("The order's money, the denominator of the refunded share."),
    "subscription_id": Word("The subscription's id."),
    "renewal_id": Word("The renewal's id: one renewal counts once."),
    "period_start": Word(
        "Names the period if there is no `renewal_id`: an instant in any spelling; any other text is an opaque id."
    ),
    "MerchantCreated.links": Word(
        "Shops and customers that belong to the merchant: a name, or an object with `name` and `label`. A name that "
        "belongs to another merchant stays with it, and the event is parked as `link_taken`."
    ),
    "NamedLink.name": Word("`shopify:` and the shop's domain, or `stripe:` and the customer's id."),
    "NamedLink.label": Word("What people call the shop."),
    "Link.name": Word("The name: its kind, a colon, the shop's domain or the customer's id."),
    "Link.kind": Word("The system of the name."),
    "Link.label": Word("What people call the shop; null where nobody said."),
    "Link.since": Word("Since when it belongs to the merchant."),
    "LinkRequest.label": Word("What people call the shop; without one, the link keeps its own."),
    "MerchantNames.shown": Word("The name to show: a label, else a shop's domain, else a customer's id."),
    "MerchantNames.names": Word("All names of the merchant."),
    "NamesBatch.names": Word("By merchant id; merchants without a name are omitted."),
    "Named.name": Word("A name, with its kind."),
    "Named.label": Word("What people call it; null where nobody said."),
    "Queued.status": Word("`queued`.", {"enum": ["queued"]}),
    "aliases": Word("Other ids of the same fact, of the same kind: a later event with one of them is the same fact."),
    "adjustment_id": Word("The adjustment's id: one adjustment counts once."),
    "admin_id": Word("Who did it; kept with it."),
    "ManualAdjustment.operation_type": Word("Which way.", {"enum": list(Direction)}),
    "ManualAdjustment.reason": Word("Why; kept with the transaction."),
}
"""Most of the glossary; the whole is `words_more.GLOSSARY`."""

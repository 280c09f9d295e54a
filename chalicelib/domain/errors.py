"""The errors of a movement, grouped by what the caller does about them.

    CreditsError
    ├── Rejected    can never be applied as it is: 4xx for a caller, dead letter for an event
    └── RetryLater  the same movement may work later: leave it in the queue, answer 503
        └── NewerForm   it may work with a worker of the newer release, which knows the item's form

A batch returns them as values beside the other outcomes; a single call raises them.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why a movement was not posted; the `code` of problem bodies and dead letters."""

    # The form of an event or request is wrong.
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    DUPLICATE_FIELD = "duplicate_field"
    FIELD_MISSING = "field_missing"
    FIELD_INVALID = "field_invalid"
    ENVELOPE_AMBIGUOUS = "envelope_ambiguous"
    TYPE_CONTRADICTS_SUBJECT = "type_contradicts_subject"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    CREDITS_INVALID = "credits_invalid"
    EXPIRY_PAST = "expiry_past"
    PERIOD_MISSING = "period_missing"
    PERIOD_REPEATED = "period_repeated"
    ORDER_AMBIGUOUS = "order_ambiguous"
    REFUND_AMBIGUOUS = "refund_ambiguous"
    TOTAL_MISSING = "total_missing"
    # A webhook of Shopify or Stripe is not authentic, or incomplete.
    SIGNATURE_INVALID = "signature_invalid"
    TOPIC_CONTRADICTS_BODY = "topic_contradicts_body"
    CREDITS_UNKNOWN = "credits_unknown"
    LINES_MISSING = "lines_missing"
    REFUND_FAILED = "refund_failed"
    # The form is right, but the ledger refuses.
    KEY_REUSED = "key_reused"
    NAMES_TWO_FACTS = "names_two_facts"
    LINK_TAKEN = "link_taken"
    ORDER_IMPORTED = "order_imported"
    CURRENCY_MISMATCH = "currency_mismatch"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    CONFIRMATION_NEEDED = "confirmation_needed"
    NOT_FROZEN = "not_frozen"
    UNTIL_PAST = "until_past"
    # It may work later.
    MERCHANT_UNLINKED = "merchant_unlinked"
    ACCOUNT_MISSING = "account_missing"
    ORDER_MISSING = "order_missing"
    PAYMENT_MISSING = "payment_missing"
    DISPUTE_MISSING = "dispute_missing"
    ACCOUNT_BEHIND = "account_behind"
    CONTENDED = "contended"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


_GROUNDS = frozenset(
    {
        Code.MERCHANT_UNLINKED,
        Code.ACCOUNT_MISSING,
        Code.ORDER_MISSING,
        Code.PAYMENT_MISSING,
        Code.DISPUTE_MISSING,
    }
)


class CreditsError(Exception):
    """A movement was not posted. `code` says why, `field` names the first field at fault, if one is."""

    def __init__(self, code: Code, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class Rejected(CreditsError):  # noqa: N818 - named by what happened to the movement
    """The movement can never be posted as it is; none of it was.

    `fact` names what other messages report too: only one message is parked for it.
    """

    def __init__(self, code: Code, message: str, *, field: str | None = None, fact: str | None = None) -> None:
        super().__init__(code, message, field=field)
        self.fact = fact


class RetryLater(CreditsError):  # noqa: N818 - named by what the caller does
    """The movement was not posted yet, and may be when it is tried again."""

    @property
    def ground_missing(self) -> bool:
        """Whether what the movement builds on is not there yet (contract, section 2, rule 5)."""
        return self.code in _GROUNDS


class NewerForm(RetryLater):
    """An item has a form that only a newer release knows; that release runs beside this one, or ran before a rollback.

    Work that depends on it is left to the newer release's workers: it is neither parked nor acknowledged, and not
    drift.
    """

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, "an item has the form of a newer release, whose workers can go on with it")

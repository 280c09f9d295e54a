"""HTTP answers as pydantic models: the routes' bodies, and the source of the API's document.

The hot status route and the problems are plain dicts of the same shape (`plugin_status`, `problems`);
tests compare both with the models here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

from chalicelib.contracts.api.alerts import Freeze, Grace, GraceTerms, Levels, Lot, Runway
from chalicelib.contracts.api.model import Model
from chalicelib.domain import ledger, transactions
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import Instant, credit_id
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.plugin_status import Reason
from chalicelib.domain.status import status_reason, status_since, status_transaction

Data = TypeVar("Data")
Row = TypeVar("Row")


class Meta(Model):
    """Which request this answers: `correlation_id` is the caller's own where there was one."""

    request_id: str
    correlation_id: str
    timestamp: str


class Answer(Model, Generic[Data]):
    """An answer about one thing."""

    data: Data
    meta: Meta


class Pagination(Model):
    """A page's position in its list; `total` and `pages` are null where counting would mean reading the list."""

    page: int | None
    limit: int
    total: int | None
    pages: int | None
    has_next: bool
    has_previous: bool
    next_cursor: str | None


class Links(Model):
    """The same list elsewhere, as paths with their parameters."""

    self: str
    next: str | None
    previous: str | None
    first: str | None
    last: str | None


class Listing(Model, Generic[Row]):
    """An answer with one page of a list."""

    data: list[Row]
    meta: Meta
    pagination: Pagination
    links: Links


class PluginStatus(Model):
    """Whether a shop's plugin is on (contract, section 6); the balance is never in it."""

    status: str
    reason: Reason
    as_of: str
    stale: bool


class StatusWithDays(PluginStatus):
    """The same, with how long the credits last, for a page that may show it (contract, section 16)."""

    days_left: int | None


class StatusBatch(Model):
    """The plugin statuses of many shops, by merchant id in lower case with hyphens."""

    statuses: dict[str, PluginStatus]


class AccountStatus(Model):
    """Whether the plugin is on, since when, and which transaction decided it."""

    status: str
    reason: Reason
    since: str
    transaction_id: str | None


class Total(Model):
    """Transactions of one type: how many in each direction, and the credits they moved, unsigned."""

    increases: int = 0
    decreases: int = 0
    credits_in: int = 0
    credits_out: int = 0


class Account(Model):
    """A merchant's credits."""

    id: str
    merchant_id: str
    balance: int
    plugin_status: AccountStatus
    low_balance_threshold: int | None
    threshold: int
    last_transaction_id: str | None
    totals: dict[str, Total]
    total_shortfall: int
    debt: int
    runway: Runway | None
    levels: Levels | None
    grace: Grace | None
    grace_terms: GraceTerms | None
    freeze: Freeze | None
    lots: list[Lot]
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, account: ledger.Account, *, now: Instant) -> Self:
        """Return the answer about `account` as of `now`, whether what is due by then was posted or not.

        `low_balance_threshold` is its own, `threshold` the one in force.
        """
        last_transaction_id, account = account.last_transaction_id, as_of(account, now)
        return cls(
            id=credit_id(account.merchant_id),
            merchant_id=account.merchant_id,
            balance=account.balance,
            plugin_status=AccountStatus(
                status="enabled" if account.enabled else "disabled",
                reason=status_reason(account),
                since=status_since(account),
                transaction_id=status_transaction(account),
            ),
            low_balance_threshold=account.low_balance_threshold,
            threshold=account.threshold,
            last_transaction_id=last_transaction_id,
            totals=totals_by_type(account.totals),
            total_shortfall=account.total_shortfall,
            debt=account.debt,
            runway=Runway.of(account, now=now),
            levels=Levels.of(account),
            grace=Grace.of(account),
            grace_terms=account.grace_terms,
            freeze=account.freeze,
            lots=account.lots,
            created_at=account.created_at,
            updated_at=account.updated_at,
        )


class Balance(Model):
    """The credits left, as read at `as_of`, and how long they last; for a time in the past, `runway` is null."""

    merchant_id: str
    balance: int
    runway: Runway | None = None
    as_of: str


class Stats(Model):
    """What a merchant's transactions add up to, all of them or those of a range of dates.

    `total_increases` and `total_decreases` count transactions, one that moved nothing by its direction;
    `credits_in` and `credits_out` are the credits moved, unsigned.
    """

    merchant_id: str
    total_increases: int
    total_decreases: int
    transaction_count: int
    last_transaction_at: str | None
    credits_in: int
    credits_out: int
    total_shortfall: int
    by_type: dict[str, Total]

    @classmethod
    def of(
        cls,
        merchant_id: str,
        *,
        totals: Mapping[Kind, transactions.Total],
        total_shortfall: int,
        last_transaction_at: str | None,
    ) -> Self:
        """Return the answer with these sums."""
        by_type = totals_by_type(totals)
        increases, decreases = (
            sum(getattr(of_type, name) for of_type in by_type.values()) for name in ("increases", "decreases")
        )
        return cls(
            merchant_id=merchant_id,
            total_increases=increases,
            total_decreases=decreases,
            transaction_count=increases + decreases,
            last_transaction_at=last_transaction_at,
            credits_in=sum(of_type.credits_in for of_type in by_type.values()),
            credits_out=sum(of_type.credits_out for of_type in by_type.values()),
            total_shortfall=total_shortfall,
            by_type=by_type,
        )


class Transaction(Model):
    """A movement as recorded: `credits_used` is what was moved, unsigned; `amount` the same, signed."""

    id: str
    merchant_id: str
    credit_id: str
    operation_type: str
    transaction_type: str
    credits_used: int
    amount: int
    requested: int
    shortfall: int
    threshold: int
    balance_before: int
    balance_after: int
    sequence: int
    idempotency_key: str
    reference_id: str
    extra_metadata: dict[str, str | int]
    correlation_id: str | None
    schema_version: int
    hash: str
    previous_hash: str
    occurred_at: str | None
    created_at: str
    updated_at: str
    drawn: list[tuple[str, int]]

    @classmethod
    def of(cls, transaction: transactions.Transaction) -> Self:
        """Return the answer about `transaction`, with every field of its hash."""
        return cls(
            id=transaction.transaction_id,
            merchant_id=transaction.merchant_id,
            credit_id=credit_id(transaction.merchant_id),
            operation_type=transaction.kind.direction,
            transaction_type=transaction.kind.transaction_type,
            credits_used=abs(transaction.amount),
            amount=transaction.amount,
            requested=transaction.requested,
            shortfall=transaction.shortfall,
            threshold=transaction.threshold,
            balance_before=transaction.balance_before,
            balance_after=transaction.balance_after,
            sequence=transaction.sequence,
            idempotency_key=transaction.idempotency_key,
            reference_id=transaction.reference_id,
            extra_metadata=dict(transaction.metadata),
            correlation_id=transaction.correlation_id,
            schema_version=transaction.schema_version,
            hash=transaction.hash,
            previous_hash=transaction.previous_hash,
            occurred_at=transaction.occurred_at,
            created_at=transaction.created_at,
            # Only an edit, or what goes back of it, touches a transaction after it was written.
            updated_at=transaction.refunded_at or transaction.created_at,
            drawn=[(part.expires_at, part.credits) for part in transaction.drawn],
        )


def answer_text(data: Model, meta: Mapping[str, str]) -> str:
    """Return the JSON text of an answer about one thing, which is one of the models above."""
    return Answer[Any](data=data, meta=Meta.model_validate(meta)).model_dump_json()


def listing_text(
    rows: Sequence[Model],
    meta: Mapping[str, str],
    pagination: Mapping[str, int | bool | str | None],
    links: Mapping[str, str | None],
) -> str:
    """Return the JSON text of an answer with one page of a list, whose rows are of one of the models above."""
    return Listing[Any](
        data=list(rows),
        meta=Meta.model_validate(meta),
        pagination=Pagination.model_validate(pagination),
        links=Links.model_validate(links),
    ).model_dump_json()


def totals_by_type(totals: Mapping[Kind, transactions.Total]) -> dict[str, Total]:
    """Return totals in the form of answers: by transaction type, each with both directions."""
    members: dict[str, dict[str, int]] = {}
    for kind, total in totals.items():
        counted, moved = (
            ("increases", "credits_in") if kind.direction is Direction.INCREASE else ("decreases", "credits_out")
        )
        members.setdefault(kind.transaction_type, {}).update({counted: total.count, moved: total.credits})
    return {name: Total(**of_type) for name, of_type in members.items()}

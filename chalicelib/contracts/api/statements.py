"""The statement of a month, as an answer."""

from typing import Self

from chalicelib.contracts.api.answers import Total, totals_by_type
from chalicelib.contracts.api.model import Model
from chalicelib.domain import statements


class Closing(Model):
    """The account at one time: the balance, and the newest transaction's place in the chain."""

    balance: int
    sequence: int
    hash: str


class Statement(Model):
    """A month of an account, in UTC: where it began, what moved, and where it ended.

    `closing` is the next month's `opening`. While the month is running it is `open`, and `closing` is as of now.
    """

    merchant_id: str
    month: str
    open: bool
    opening: Closing
    closing: Closing
    first_sequence: int | None
    last_sequence: int | None
    transaction_count: int
    credits_in: int
    credits_out: int
    total_shortfall: int
    by_type: dict[str, Total]

    @classmethod
    def of(cls, statement: statements.Statement) -> Self:
        """Return the answer about `statement`."""
        by_type = totals_by_type(statement.totals)
        first, last = statement.sequences or (None, None)
        return cls(
            merchant_id=statement.merchant_id,
            month=statement.month,
            open=statement.open,
            opening=Closing.model_validate(statement.opening),
            closing=Closing.model_validate(statement.closing),
            first_sequence=first,
            last_sequence=last,
            transaction_count=statement.closing.sequence - statement.opening.sequence,
            credits_in=sum(total.credits_in for total in by_type.values()),
            credits_out=sum(total.credits_out for total in by_type.values()),
            total_shortfall=statement.total_shortfall,
            by_type=by_type,
        )

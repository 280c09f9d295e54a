"""How long an account's credits last (contract, section 16, "Runway")."""

from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.runway import Runway, runway


def runway_of(account: Account, *, now: Instant) -> Runway | None:
    """Return how long the account's credits last as of `now`, None while the daily use is unknown."""
    return runway(account.use, account.balance, last=account.last_transaction_at, now=now)


def lasts_at_most(account: Account, days: int, *, now: Instant) -> bool:
    """Return whether the account's runway is known and at most so many whole days."""
    found = runway_of(account, now=now)
    return found is not None and found.days_left is not None and found.days_left <= days

"""Builds the admins' desk: its lists, and adjusting with a second person's confirmation."""

from functools import cache
from typing import TYPE_CHECKING

from chalicelib.settings import settings

if TYPE_CHECKING:
    from chalicelib.adapters.dynamodb.desk import Desk
    from chalicelib.domain.actions import Action
    from chalicelib.usecases.adjusting import Adjusting


def desk() -> "Desk | None":
    """Return the desk's lists, None where no table is set."""
    return desk_reader() if settings().tables.desk_if_set else None


def note(action: "Action") -> None:
    """Record what an admin did, if there is a table for it; raises `RetryLater` if that fails."""
    found = desk()
    if found is not None:
        found.note(action)


@cache
def desk_reader() -> "Desk":
    """Return the desk's lists, for routes that are about them."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.dynamodb.desk import Desk

    client = sdk.client("dynamodb", sdk.client_config(connect_seconds=1.0, read_seconds=2.0, tries=2))
    return Desk(client, table=settings().tables.desk)


def adjusting() -> "Adjusting":
    """Return what adjusts credits for admins, with a second person's confirmation."""
    from chalicelib.contracts.values import REASON_LENGTH_MAX
    from chalicelib.usecases.adjusting import Adjusting
    from chalicelib.wiring.for_posting import ledger, posting

    return Adjusting(posting(), ledger(), desk_reader, limit=settings().confirm_above, reason_length=REASON_LENGTH_MAX)

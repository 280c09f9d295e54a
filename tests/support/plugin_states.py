"""Accounts in every state that switches a plugin on or off, and in which of the lists each belongs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.domain.freeze import Freeze
from chalicelib.domain.grace import Grace
from chalicelib.domain.ids import TransactionId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.plugin_status import Closure
from tests.support.builders import NOON, SHOP, account_of, merchant

PAST = instant(datetime.now(UTC) - timedelta(minutes=1))
FROZEN = Freeze(since=NOON, transaction_id=TransactionId(SHOP), reason="chargebacks", admin_id="ada", until=None)
THAWED = {"freeze": replace(FROZEN, until=PAST), "due_at": PAST}
"""A freeze that is over, and whose end is not recorded yet."""
CLOSED = {"closure": Closure(closed=True, at=NOON)}


def _shop(name: str, balance: int, **state: object) -> Account:
    return replace(account_of(balance, of=merchant(name)), **state)  # type: ignore[arg-type]


STATES: Mapping[str, Account] = {
    name: _shop(name, balance, **state)
    for name, balance, state in (
        ("rich", 50, {}),
        ("low", 5, {}),
        ("spent", 0, {}),
        ("in a grace", 0, {"grace": Grace(started_at=NOON, until=None, credits=9)}),
        ("frozen and rich", 50, {"freeze": FROZEN}),
        ("frozen and low", 5, {"freeze": FROZEN}),
        ("frozen and spent", 0, {"freeze": FROZEN}),
        ("frozen in a grace", 0, {"freeze": FROZEN, "grace": Grace(started_at=NOON, until=None, credits=9)}),
        ("closed and rich", 50, CLOSED),
        ("closed and low", 5, CLOSED),
        ("thawed and rich", 50, THAWED),
        ("thawed and low", 5, THAWED),
    )
}
LISTS: Mapping[str, set[str]] = {
    "off": {
        *("spent", "frozen and rich", "frozen and low", "frozen and spent", "frozen in a grace"),
        *("closed and rich", "closed and low"),
    },
    "low": {"low", "frozen and low", "closed and low", "thawed and low"},
    "zero": {"spent", "in a grace", "frozen and spent", "frozen in a grace"},
}
"""Which of them each list has, by its name."""


def names_of(merchant_ids: Iterable[str]) -> list[str]:
    """Return what the listed merchants are called here."""
    names: dict[str, str] = {account.merchant_id: name for name, account in STATES.items()}
    return [names[one] for one in merchant_ids]

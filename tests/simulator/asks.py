"""The movements that events request, and their required effect: the contract written again, with no code of the
service.

Written from sections 2 and 3 of the contract. An `Ask` is one business fact as one event reports it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from tests.oracles.grace import NOTES

INCREASE, DECREASE = "INCREASE", "DECREASE"
UPDATED = "evt.order.updated"
CREDITS_MAX = 1_000_000_000
MERGED, LEVELS = "merged", "levels"
NOTED = (*NOTES, LEVELS, MERGED, "debt", "threshold_before")
"""What the metadata of a transaction hold that no event says: what it did to the account."""

Row = Mapping[str, Any]
"""A transaction or an account as plain values, under the names of its attributes."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A requested movement. `credits` is unsigned; an order's follows from the policy, a refund's from both.

    What goes back of a `payment` says in `kept` how much, `so_far` where it is a cumulative figure; `dispute` is won.
    A trial `of_settings` is of as many credits as the settings say. `at` is a renewal's own time, or that of an order's
    version. `others` are the keys under its other names. What it gives lapses at `expires_at`, or `expires_in_days`
    after it is recorded, or as the settings say, with a renewal's period at `period_end` perhaps.
    """

    merchant: str
    key: str
    type: str
    reference: str
    direction: str = INCREASE
    credits: int = 0
    of_settings: bool = False
    lines: int = 1
    total: str | None = None
    updated: bool = False
    order: str | None = None
    amount: str | None = None
    order_total: str | None = None
    payment: str | None = None
    dispute: str | None = None
    so_far: str | None = None
    currency: str | None = None
    at: str | None = None
    kept: tuple[tuple[str, Any], ...] = ()
    others: tuple[str, ...] = ()
    expires_at: str | None = None
    expires_in_days: int | None = None
    period_end: str | None = None

    @property
    def transaction_id(self) -> str:
        """The id of its transaction (contract, section 8)."""
        return record_id(self.merchant, self.key)

    @property
    def names(self) -> tuple[str, ...]:
        """The ids that its transaction would have under each of its names, its own first (contract, section 13)."""
        return tuple(record_id(self.merchant, key) for key in (self.key, *self.others))

    @property
    def order_id(self) -> str | None:
        """The id of the transaction that a refund builds on."""
        return None if self.order is None else record_id(self.merchant, order_key(self.order))


# Judges ask for the same ids again and again.
@lru_cache(maxsize=50_000)
def record_id(merchant: str, key: str) -> str:
    """Return the id under which a merchant's movement is recorded."""
    return str(uuid5(UUID(merchant), key))


def order_key(order: object) -> str:
    """Return the key of an order."""
    return f"SHOPIFY_ORDER_{order}"


def refund_key(refund: object | None, order: object) -> str:
    """Return the key of a refund."""
    return f"SHOPIFY_REFUND_ORDER_{order}" if refund is None else f"SHOPIFY_REFUND_{refund}"


def renewal_key(subscription: str, period: str) -> str:
    """Return the key of a renewal; its parts cannot be confused."""
    one, other = (quote(part, safe="").replace("_", "%5F") for part in (subscription, period))
    return f"SUBSCRIPTION_RENEWAL_{one}_{other}"


def charge(policy: str, ask: Ask) -> int | None:
    """Return the credits of an order under a recorded policy, None where they are unknown without a total."""
    words = policy.split(" ")
    basis, fixed = words[1], int(words[2])
    if basis == "order":
        return fixed
    if basis == "item":
        return fixed * ask.lines
    if ask.total is None:
        return None
    share = Decimal(ask.total) * Decimal(words[3].rstrip("%")) / 100
    return max(fixed, int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP)), int(words[4]))


def policy_of(environment: Mapping[str, str]) -> str:
    """Return the policy of an environment as it is recorded."""
    direction = environment.get("ORDER_CREDIT_DIRECTION", DECREASE)
    basis = environment.get("ORDER_CREDIT_BASIS", "order")
    policy = f"{direction} {basis} {environment.get('ORDER_CREDIT_FIXED_AMOUNT', '1')}"
    if basis == "total":
        percent, minimum = (environment.get(f"ORDER_CREDIT_{name}", "0") for name in ("PERCENTAGE", "MINIMUM"))
        policy += f" {percent}% {minimum}"
    return policy


def threshold_of(environment: Mapping[str, str]) -> int:
    """Return the default low-balance threshold of an environment."""
    trial, percent = environment.get("TRIAL_CREDITS", "100"), environment.get("LOW_BALANCE_THRESHOLD_PERCENT", "20")
    return int(trial) * int(percent) // 100


SAME, CHANGED, CONFLICT, LATE = "same", "changed", "conflict", "late"
REPEAT_DAYS = 20
"""The default of `RENEWAL_REPEAT_DAYS`."""


def verdict(ask: Ask, row: Row) -> str:
    """Return whether an ask repeats the recorded movement, or reuses its key with other content.

    Contract, section 2, rule 4.
    """
    kept = row["extra_metadata"]
    if ask.type == "TRIAL":
        return SAME
    if ask.type == "ORDER_PAID":
        if charge(kept["policy"], ask) == row["requested"]:
            return SAME
        return CHANGED if ask.updated or kept.get("source") == UPDATED else CONFLICT
    if ask.type == "REFUND":
        said = (ask.order, _money(ask.amount), _money(ask.order_total))
        stands = (kept["order_id"], _money(kept.get("refund_amount")), _money(kept.get("order_total")))
        return SAME if said == stands else CONFLICT
    if ask.payment is not None:
        content = {name: value for name, value in kept.items() if name not in NOTED}
        return SAME if content == dict(ask.kept) else CONFLICT
    same = (ask.type, ask.direction, ask.credits) == (row["transaction_type"], row["operation_type"], row["requested"])
    if not same:
        return CONFLICT
    return (
        LATE
        if ask.at is not None and _days(row.get("occurred_at") or row["created_at"], ask.at) > REPEAT_DAYS
        else SAME
    )


def _days(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() / 86_400


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@dataclass
class Refunds:
    """The tally of one order's refunds (contract, "Refund arithmetic")."""

    count: int = 0
    credits: int = 0
    money: Decimal = Decimal(0)
    total: Decimal | None = None
    full: bool = False
    totals_known: list[tuple[Decimal, float]] = field(default_factory=list)

    def due(self, order: Row, refund: Row, *, taken: int, newest: Decimal | None, at: float) -> int | None:
        """Count one more refund of `order`, and return what it asks back; None where it could not be recorded.

        `taken` is what the order has taken with its edits, `newest` the total of its newest version, if it was edited.
        """
        kept = refund["extra_metadata"]
        amount, said = _money(kept.get("refund_amount")), _money(kept.get("order_total"))
        if newest is not None:
            self.money, self.full = self.money + (amount or 0), self.full or amount is None
            return self._asked(taken, newest)
        if said is not None and self.total is not None and said != self.total:
            return None
        total = self.total if self.total is not None else said
        if amount is None:
            self.full = True
        else:
            total = total if total is not None else _money(order["extra_metadata"].get("total"))
            if total is None:
                return None
            self.money += amount
        if total is not None and self.total is None:
            self.totals_known.append((total, at))
        self.total = total
        return self._asked(taken, total)

    def _asked(self, taken: int, total: Decimal | None) -> int:
        share = Fraction(1)
        if not self.full:
            share = min(Fraction(1), Fraction(self.money) / Fraction(total)) if total else Fraction(0)
        due = max(0, int(taken * share) - self.credits)
        self.count += 1
        self.credits += due
        return due


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a low-level item as plain values: whole numbers, texts, truths and maps of them."""
    found = {name: _plain(value) for name, value in item.items()}
    # A large account has its counters as one text, which says the same as the map.
    return found | {"totals": _counters(found.pop("counters"))} if "counters" in found else found


def _counters(text: str) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for code, count, moved in re.findall(r"([A-Z]{2})(\w+):(\w+)", text):
        name, *members = _COUNTERS.get(code, (code, "n", "c"))
        totals.setdefault(name, {}).update(zip(members, (int(count, 36), int(moved, 36)), strict=True))
    return totals


_IN, _OUT = ("increases", "credits_in"), ("decreases", "credits_out")
_COUNTERS: Mapping[str, tuple[str, str, str]] = {
    "TR": ("TRIAL", *_IN),
    "OP": ("OPENING", *_IN),
    "OU": ("ORDER_PAID", *_OUT),
    "OE": ("ORDER_PAID", *_IN),
    "FR": ("REFUND", *_IN),
    "FT": ("REFUND", *_OUT),
    "PA": ("PAYMENT", *_IN),
    "SU": ("SUBSCRIPTION", *_IN),
    "MA": ("MANUAL", *_IN),
    "MR": ("MANUAL", *_OUT),
}


def _plain(value: Mapping[str, Any]) -> Any:
    [(kind, content)] = value.items()
    if kind == "M":
        return plain(content)
    if kind == "L":
        return [_plain(each) for each in content]
    return int(content) if kind == "N" else content

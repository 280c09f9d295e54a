"""Payments that go back: what events ask for, and what reversals must have added up to (contract, section 14).

Shares no line with the service: what is due is worked out anew, each time, from all that was recorded of a payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from tests.simulator.asks import DECREASE, INCREASE, Ask
from tests.simulator.letters import Letter, payment, short

_EVENT = "evt.billing.payment_"
REVERSAL, RETURNED, REPAID = "REVERSAL", "REVERSAL_RETURNED", "DEBT_REPAID"
SHORT_NAMES = {
    (REVERSAL, DECREASE): "RV",
    (RETURNED, INCREASE): "RR",
    (REPAID, DECREASE): "DR",
    ("ORDER_EDITED", INCREASE): "EA",
    ("ORDER_EDITED", DECREASE): "ER",
    ("EXPIRY", DECREASE): "EX",
}
"""Under which names an account's item keeps the totals of these types."""


def payment_key(payment_id: object) -> str:
    """Return the key of a payment."""
    return f"BILLING_PAYMENT_{payment_id}"


def went_back(merchant: str, payment_id: str, **said: Any) -> Letter:
    """Return the event of a payment's refund, in the form that `said` has."""
    payload = {"payment_id": payment_id, **said}
    money: dict[str, Any] = {
        name: short(said[name]) for name in ("amount", "amount_refunded", "payment_total") if name in said
    }
    whole: dict[str, Any] = {"credits": said["credits"]} if "credits" in said else {}
    kept: dict[str, Any] = {"payment_id": payment_id, **money, **whole}
    so_far = money.get("amount_refunded")
    name = f"{payment_id}_TO_{so_far}" if so_far is not None else said["reversal_id"]
    ask = Ask(
        merchant=merchant,
        key=f"BILLING_REVERSAL_{name}",
        type=REVERSAL,
        direction=DECREASE,
        reference=payment_id if so_far is not None else said["reversal_id"],
        payment=payment_id,
        so_far=so_far,
        kept=tuple(kept.items()),
    )
    return Letter(f"{_EVENT}refunded", {"merchant_id": merchant, **payload}, (ask,))


def disputed(merchant: str, payment_id: str, dispute_id: str, *, won: bool = False) -> Letter:
    """Return the event of a dispute, or that it was won."""
    kept = {"payment_id": payment_id, "dispute_id": dispute_id}
    ask = Ask(
        merchant=merchant,
        key=f"BILLING_DISPUTE_{'WON_' if won else ''}{dispute_id}",
        type=RETURNED if won else REVERSAL,
        direction="INCREASE" if won else DECREASE,
        reference=dispute_id,
        payment=payment_id,
        dispute=dispute_id if won else None,
        kept=tuple(kept.items()),
    )
    what = "dispute_won" if won else "disputed"
    return Letter(f"{_EVENT}{what}", {"merchant_id": merchant, **kept}, (ask,))


def ways_back(random: Random, shop: str) -> list[Letter]:
    """Return payments of a shop and what became of them, some of it contradicting or without its ground."""
    letters: list[Letter] = []
    for payment_id in ("b1", "b_2"):
        letters.append(payment(shop, payment_id, random.choice([1, 7, 30])))
        total = random.choice(["9.99", "30.00"])
        letters += [
            _way_back(random, shop, payment_id if random.random() < 0.97 else "b-none", total)
            for _ in range(random.choice([1, 3, 6]))
        ]
    return letters


def _way_back(random: Random, shop: str, payment_id: str, total: str) -> Letter:
    form = random.choices(["credits", "amount", "so far", "dispute", "won"], [2, 2, 4, 3, 3])[0]
    name = f"r{random.randrange(4)}-{payment_id}"
    said_total = total if random.random() < 0.95 else "12"
    if form == "credits":
        return went_back(shop, payment_id, reversal_id=name, credits=random.choice([1, 3]))
    if form == "amount":
        amount = random.choice(["0", "3.33", "5"])
        return went_back(shop, payment_id, reversal_id=name, amount=amount, payment_total=said_total)
    if form == "so far":
        return went_back(
            shop, payment_id, amount_refunded=random.choice(["3.33", "6.66", "9.99"]), payment_total=said_total
        )
    return disputed(shop, payment_id, f"d{random.randrange(2)}-{payment_id}", won=form == "won")


@dataclass
class WaysBack:
    """What was recorded of one payment's way back: refunds, open disputes, and what these got."""

    given: int
    parts: list[Mapping[str, Any]] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    count: int = 0
    asked: int = 0
    asked_by_disputes: int = 0
    got_by_disputes: int = 0
    total: Decimal | None = None
    totals_known: list[tuple[Decimal, float]] = field(default_factory=list)

    def due(self, row: Mapping[str, Any], *, at: float) -> int | None:
        """Count one more transaction, and return what it asks for; None where it could not be recorded."""
        kept, self.count = row["extra_metadata"], self.count + 1
        if row["transaction_type"] == RETURNED:
            return self._won(kept["dispute_id"])
        if "payment_total" in kept:
            said = Decimal(kept["payment_total"])
            if self.total not in (None, said):
                return None
            if self.total is None:
                self.totals_known.append((said, at))
            self.total = said
        if "dispute_id" in kept:
            self.open.add(kept["dispute_id"])
        elif "amount_refunded" in kept and Decimal(kept["amount_refunded"]) < self.seen:
            return None
        else:
            self.parts.append(kept)
        due = max(0, (self.given if self.open else self.refunded()) - self.asked)
        self.asked += due
        if "dispute_id" in kept:
            self.asked_by_disputes += due
            self.got_by_disputes += abs(row["amount"]) + kept.get("debt", 0)
        return due

    def _won(self, dispute: str) -> int | None:
        if dispute not in self.open:
            return None
        self.open.remove(dispute)
        if self.open:
            return 0
        missed = self.refunded() - (self.asked - self.asked_by_disputes)
        back = max(0, self.got_by_disputes - missed)
        self.asked, self.asked_by_disputes, self.got_by_disputes = self.refunded(), 0, 0
        return back

    @property
    def seen(self) -> Decimal:
        """The greatest cumulative figure."""
        return max((Decimal(part.get("amount_refunded", 0)) for part in self.parts), default=Decimal(0))

    def refunded(self) -> int:
        """Return what the refunds so far are due."""
        single = sum(
            (
                Fraction(part.get("credits", 0))
                + (Fraction(part["amount"]) / Fraction(self.total or 1) * self.given if "amount" in part else 0)
                for part in self.parts
            ),
            Fraction(0),
        )
        so_far = Fraction(self.seen) / Fraction(self.total or 1) * self.given
        return min(self.given, int(max(single, so_far)))

    def tally(self) -> dict[str, Any]:
        """Return what the payment's transaction must say."""
        return {
            "refunded_count": self.count,
            "refunded_credits": self.asked,
            "refunded_whole": sum(part.get("credits", 0) for part in self.parts),
            "refunded_money": sum((Decimal(part.get("amount", 0)) for part in self.parts), Decimal(0)),
            "refunded_seen": self.seen,
            "refunded_total": self.total,
            "refunded_disputes": len(self.open),
            "refunded_disputed": self.asked_by_disputes,
            "refunded_held": self.got_by_disputes,
        }


def tally_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a payment's transaction says of its way back; money as such, whatever its spelling."""
    found = {name: item.get(name) for name in WaysBack(0).tally()}
    return {name: Decimal(value) if isinstance(value, str) else value for name, value in found.items()}

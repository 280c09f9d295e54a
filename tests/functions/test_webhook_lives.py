"""Lives of orders in a shop that sells abroad, as Shopify's webhooks report them: repeated, and in any order.

The customers of some orders pay in yen. Money goes back at once, or is pending first, or never arrives; orders that
nobody paid are cancelled. Whatever the order of arrival, the account ends with the credits that follow from the money.
"""

from random import Random
from typing import Any

import pytest

from tests.functions.test_webhook_refunds import BY_TOTAL, codes, webhook
from tests.support.events import asking
from tests.support.system import System
from tests.support.webhooks import DOMAIN, both, order, refund, transaction

YEN = 160
"""What a euro is worth."""
SEEDS, MANY_SEEDS = range(6), range(6, 40)


def money(amount: int) -> dict[str, Any]:
    return both(f"{amount}.00", abroad=str(amount * YEN))


def adjustment(amount: int) -> dict[str, Any]:
    return {"id": 2, "amount_set": money(amount), "tax_amount_set": money(0)}


def named(kind: str, number: int) -> dict[str, Any]:
    return {"id": number, "admin_graphql_api_id": f"gid://shopify/{kind}/{number}"}


class Life:
    """An order's webhooks in `sent`, and the credits that they cost in the end."""

    def __init__(self, random: Random, number: int) -> None:
        self._random, self._number = random, number
        self._total, self._abroad = random.choice([100, 200, 330, 55]), random.random() < 0.6
        self._refunds: list[dict[str, Any]] = []
        self._minute = 0
        self.sent: list[dict[str, Any]] = []
        self.cost = 0
        self._report("orders/updated", "pending")
        if random.random() < 0.2:
            self.sent.append(webhook("refunds/create", self._refund(9000 + number, [], lines=0, adjusted=[])))
            self._report("orders/updated", "voided")
            return
        self._report("orders/paid", "paid")
        back = sum(self._pay_back(10 * number + which) for which in range(random.choice([0, 1, 2])))
        taken = (self._total + 5) // 10
        self.cost = taken - taken * min(back, self._total) // self._total

    def _report(self, topic: str, status: str) -> None:
        self._minute += 1
        at = f"2026-11-20T10:{self._minute:02}:00-05:00"
        fields = {"financial_status": status, "total_price": f"{self._total}.00", "updated_at": at}
        self.sent.append(webhook(topic, order(**named("Order", self._number), refunds=[*self._refunds], **fields)))

    def _pay_back(self, number: int) -> int:
        """Report a refund, and return what it gives back in the end."""
        amount, kind = (
            self._random.choice([10, 20, 25]),
            self._random.choice(["lines", "goodwill", "shipping", "fails"]),
        )
        of_lines, of_others = {"goodwill": (0, amount), "shipping": (amount - 5, 5)}.get(kind, (amount, 0))
        adjusted = [adjustment(-of_others)] if of_others else []
        pending = kind == "fails" or self._random.random() < 0.6
        # While the money is pending, an adjustment states it as not paid back; with lines, it may remain later.
        due = [adjustment(amount)] if pending else []
        ends = "failure" if kind == "fails" else "success"
        for status in ("pending", ends) if pending else (ends,):
            stays = due if status == "pending" or (kind == "lines" and self._random.random() < 0.5) else []
            paid = self._transaction(number, amount, status)
            one = self._refund(number, [paid], lines=of_lines, adjusted=[*adjusted, *stays])
            if status == "pending" or not pending:
                self.sent.append(webhook("refunds/create", one))
            self._refunds = [*(each for each in self._refunds if each["id"] != number), one]
            self._report("orders/updated", "partially_refunded")
        return 0 if kind == "fails" else amount

    def _transaction(self, number: int, amount: int, status: str) -> dict[str, Any]:
        if self._abroad:
            return transaction(str(amount * YEN), currency="JPY", status=status, id=number)
        return transaction(f"{amount}.00", status=status, id=number)

    def _refund(
        self, number: int, transactions: list[dict[str, Any]], *, lines: int, adjusted: list[dict[str, Any]]
    ) -> dict[str, Any]:
        items = [{"id": 1, "subtotal_set": money(lines - 2), "total_tax_set": money(2)}] if lines else []
        fields = {**named("Refund", number), "order_id": self._number, "refund_line_items": items}
        return refund(*transactions, **fields, order_adjustments=adjusted)


def deliver(system: System, random: Random, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deliver messages in batches of any size, and return those that wait."""
    waiting = []
    while messages:
        size = random.choice([1, 2, 5])
        batch, messages = messages[:size], messages[size:]
        back = system.ingest(*batch)
        waiting += [message for message in batch if message["messageId"] in back]
    return waiting


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY_SEEDS)])
def test_an_account_ends_with_the_credits_that_follow_from_the_money(system: System, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same in every run
    system.configure(**BY_TOTAL)
    system.ingest(asking("evt.merchant.created", {"links": [f"shopify:{DOMAIN}"]}))
    lives = [Life(random, number) for number in (1001, 1002, 1003)]
    sent = [message for life in lives for message in life.sent]
    sent += random.choices(sent, k=3)
    random.shuffle(sent)

    waiting = deliver(system, random, deliver(system, random, sent))
    system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    assert deliver(system, random, waiting) == []

    assert codes(system) == []
    assert system.balance() == 100 - sum(life.cost for life in lives)

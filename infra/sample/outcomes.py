"""The lines of the sample traffic: transactions recorded, events published, messages parked.

Every line is a fact that was read back from the stream of the ledger's table, from NATS or from the dead-letter queue;
none is a mere intention.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from infra.local.connected import CONNECTED
from infra.local.shops import PAST_SHOP, SHOPS

MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
AMOUNT_WIDTH = 5
NAME_WIDTH = 20
FACT_WIDTH = 26
SHORT_ID = 8
REASON_SHOWN = 80
LONGEST_WAIT = timedelta(seconds=3)
OUTBOUND_PREFIX = "evt.credits."

_NAMES: Mapping[str, str] = {shop.merchant_id: shop.name for shop in (*SHOPS, PAST_SHOP, *CONNECTED)}
_WORDS: Mapping[str, str] = {
    "TRIAL": "opens with a trial",
    "OPENING": "opens with its old balance",
    "ORDER_PAID": "order",
    "ORDER_EDITED": "edit of order",
    "REFUND": "refund",
    "PAYMENT": "payment",
    "REVERSAL": "reversal of a payment",
    "REVERSAL_RETURNED": "dispute won",
    "DEBT_REPAID": "debt repaid",
    "EXPIRY": "lapsed",
    "SUBSCRIPTION": "renewal",
    "MANUAL": "adjustment",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction as the ledger's stream shows it; `amount` is signed, all credits are whole numbers."""

    merchant_id: str
    sequence: int
    transaction_type: str
    reference_id: str
    amount: int
    balance_before: int
    balance_after: int
    threshold: int
    shortfall: int
    created_at: datetime

    @classmethod
    def from_item(cls, item: Mapping[str, Mapping[str, str]]) -> "Transaction":
        """Return the transaction in a low-level item of the transactions table."""
        numbers = {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
        return cls(
            merchant_id=item["merchant_id"]["S"],
            transaction_type=item["transaction_type"]["S"],
            reference_id=item["reference_id"]["S"],
            created_at=datetime.fromisoformat(item["created_at"]["S"]),
            **{"shortfall": 0, **numbers},
        )


def transactions_in(items: Iterable[Mapping[str, Mapping[str, str]]]) -> list[Transaction]:
    """Return the transactions among new items of their table, which also keeps the other names of payments."""
    return [Transaction.from_item(item) for item in items if "transaction_type" in item]


_NUMBERS = ("sequence", "amount", "balance_before", "balance_after", "threshold", "shortfall")


def shop_name(merchant_id: str) -> str:
    """Return the name of a sample shop, or the beginning of the id of any other merchant."""
    return _NAMES.get(merchant_id, f"merchant {merchant_id[:SHORT_ID]}")


def transaction_line(transaction: Transaction) -> Text:
    """Return the line of one transaction: merchant, kind, credits, balance left, and thresholds crossed."""
    word = _WORDS.get(transaction.transaction_type, transaction.transaction_type.lower())
    fact = word if transaction.transaction_type in ("TRIAL", "OPENING") else f"{word} {transaction.reference_id}"
    sign = PLUS_MINUS if transaction.amount == 0 else MINUS if transaction.amount < 0 else "+"
    line = _beginning(transaction.created_at, shop_name(transaction.merchant_id), fact)
    line.append(
        f"{sign}{abs(transaction.amount)}".rjust(AMOUNT_WIDTH), style="red" if transaction.amount < 0 else "green"
    )
    line.append(f" → {transaction.balance_after:>3} left")
    for words, style in _marks(transaction):
        line.append("   ")
        line.append(words, style=style)
    return line


def events_line(time: datetime, merchant_id: str, types: Iterable[str]) -> Text:
    """Return the line of the events that the service published on NATS about one transaction."""
    line = _beginning(time, shop_name(merchant_id), "")
    line.append(f"↳ published on NATS: {', '.join(name.removeprefix(OUTBOUND_PREFIX) for name in types)}")
    line.stylize("dim")
    return line


def again_line(time: datetime, transaction: Transaction, times_recorded: int) -> Text:
    """Return the line of an order that was delivered again: how often the ledger has it."""
    line = _beginning(time, shop_name(transaction.merchant_id), f"order {transaction.reference_id} again")
    if times_recorded == 1:
        line.append(
            f"{PLUS_MINUS}0".rjust(AMOUNT_WIDTH) + f"   delivered twice, recorded once (#{transaction.sequence})",
            style="cyan",
        )
    else:
        line.append(f"   recorded {times_recorded} times", style="bold red")
    return line


def refused_line(time: datetime, name: str, what: str, why: str) -> Text:
    """Return the line of a webhook or name that the API did not take."""
    line = _beginning(time, name, what)
    line.append(f"  {why}", style="bold red")
    return line


def parked_line(time: datetime, message: Mapping[str, object]) -> Text:
    """Return the line of a message in the dead-letter queue: its merchant and why it could not be applied."""
    attributes = message.get("MessageAttributes")
    code, reason = _attribute(attributes, "code"), _attribute(attributes, "reason")
    line = _beginning(time, _owner(str(message.get("Body", ""))), "message parked")
    line.append(f"  {code or 'no code'}: {(reason or 'no reason given')[:REASON_SHOWN]}", style="magenta")
    return line


class Ledger:
    """What has been read of the ledger so far: how often each order is recorded, and each merchant's last sequence."""

    def __init__(self) -> None:
        self._times: Counter[tuple[str, str]] = Counter()
        self._orders: dict[tuple[str, str], Transaction] = {}
        self._newest: dict[str, int] = {}

    def note(self, transactions: Iterable[Transaction]) -> None:
        """Remember `transactions`."""
        for transaction in transactions:
            self._newest[transaction.merchant_id] = max(
                transaction.sequence, self._newest.get(transaction.merchant_id, 0)
            )
            if transaction.transaction_type == "ORDER_PAID":
                key = (transaction.merchant_id, transaction.reference_id)
                self._times[key] += 1
                self._orders.setdefault(key, transaction)

    def has(self, merchant_id: str, sequence: int) -> bool:
        """Return whether a merchant's transaction of this number has been read."""
        return sequence <= self._newest.get(merchant_id, 0)

    def order(self, merchant_id: str, order_id: str) -> tuple[Transaction, int] | None:
        """Return an order's transaction and how often it was recorded, or None when it was not."""
        key = (merchant_id, order_id)
        return (self._orders[key], self._times[key]) if key in self._orders else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """An event received on NATS; `sequence` is that of its transaction."""

    time: datetime
    event_type: str
    merchant_id: str
    sequence: int


class Announcements:
    """Events that wait for their transaction's own line, so that a person reads cause before effect."""

    def __init__(self) -> None:
        self._waiting: list[ReceivedEvent] = []

    def add(self, told: ReceivedEvent) -> None:
        """Keep an event until `due` gives it out."""
        self._waiting.append(told)

    def due(self, ledger: Ledger, now: datetime) -> list[Text]:
        """Return a line for each transaction that `ledger` has by now, or whose events have waited long enough."""
        ready = [
            told
            for told in self._waiting
            if ledger.has(told.merchant_id, told.sequence) or now - told.time > LONGEST_WAIT
        ]
        self._waiting = [told for told in self._waiting if told not in ready]
        groups: dict[tuple[str, int], list[ReceivedEvent]] = {}
        for told in ready:
            groups.setdefault((told.merchant_id, told.sequence), []).append(told)
        return [
            events_line(group[0].time, merchant_id, [told.event_type for told in group])
            for (merchant_id, _), group in groups.items()
        ]


def _beginning(time: datetime, name: str, fact: str) -> Text:
    line = Text()
    line.append(f"{time.astimezone():%H:%M:%S}  ", style="dim")
    line.append(f"{name:<{NAME_WIDTH}} ", style="bold")
    line.append(f"{fact:<{FACT_WIDTH}} ")
    return line


def _marks(transaction: Transaction) -> Iterable[tuple[str, str]]:
    """Yield the thresholds that a transaction crossed (contract, section 5), and its shortfall."""
    before, after, low = transaction.balance_before, transaction.balance_after, transaction.threshold
    opening = transaction.sequence == 1
    if after == 0 and before > 0:
        yield "RAN OUT, plugin off", "bold red"
    elif before > low >= after:
        yield "LOW BALANCE", "bold yellow"
    elif before == 0 and after > 0 and not opening:
        yield "PLUGIN ON AGAIN", "bold green"
    elif before <= low < after and not opening:
        yield "recovered", "green"
    if transaction.shortfall:
        yield f"{transaction.shortfall} short", "red"


def _owner(body: str) -> str:
    try:
        message = json.loads(body)
        payload = message.get("payload") or message.get("data") or message.get("detail") or {}
        return shop_name(str((payload.get("payload") or payload)["merchant_id"]))
    except (ValueError, AttributeError, KeyError, TypeError):
        return "somebody"


def _attribute(attributes: object, name: str) -> str:
    if not isinstance(attributes, Mapping):
        return ""
    return str((attributes.get(name) or {}).get("StringValue", ""))

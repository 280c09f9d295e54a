"""What time does to an account, judged write by write: lots, lapses and notices (contract, section 16)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from tests.oracles.lots import (
    NEVER,
    Lots,
    Merge,
    days_after,
    expiry_key,
    given_back,
    lots_in,
    next_due,
    notices,
    parts_of,
    read,
    replayed,
)
from tests.simulator.asks import DECREASE, INCREASE, MERGED, Ask, Row

EXPIRY = "EXPIRY"
GRANTS = ("TRIAL", "PAYMENT", "SUBSCRIPTION", "MANUAL")
SIDES = {
    "granted": (*GRANTS, "OPENING"),
    "spent": ("ORDER_PAID", "ORDER_EDITED", "REFUND"),
    "lapsed": (EXPIRY,),
    "reversed": ("REVERSAL", "REVERSAL_RETURNED", "DEBT_REPAID"),
}
SHARDS, HOUR = 8, len("2025-06-01T12")
SKEW_SECONDS_MAX = 0.4
"""How far ahead a container's clock is at most: by so much a lapse may come too early in true time."""


@dataclass
class TimeBooks:
    """The judge's copy of what time does to one account."""

    lots: Lots = field(default_factory=Lots)
    charges: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """What each order, and each reversal, drew from, by its transaction."""
    payments: dict[str, str] = field(default_factory=dict)
    """The instant of each payment's own lot, by its transaction."""
    now: str = ""
    """Until when everything that was due has been brought."""
    due_at: str | None = None


def notice_days(environment: Mapping[str, str]) -> list[int]:
    """Return how many days ahead of a lapse the merchant is told."""
    return [int(days) for days in environment.get("EXPIRY_NOTICE_DAYS", "7,1").split(",") if days]


def lapse_of(merchant: str, instant: str, credits_left: int) -> Ask:
    """Return what the lapse of a lot asks for."""
    return Ask(
        merchant=merchant,
        key=expiry_key(instant),
        type=EXPIRY,
        direction=DECREASE,
        reference=instant,
        credits=credits_left,
    )


def end_of(ask: Ask, environment: Mapping[str, str], created_at: str) -> str:
    """Return when what an ask gives lapses, `NEVER` where it does not."""
    if ask.expires_at is not None:
        return ask.expires_at
    days: int | None = ask.expires_in_days
    if days is None and ask.type == "TRIAL":
        days = int(environment.get("TRIAL_EXPIRES_DAYS", "0") or 0) or None
    if days is None and ask.type == "SUBSCRIPTION":
        setting = environment.get("SUBSCRIPTION_EXPIRES", "never")
        if setting == "period":
            return ask.period_end or NEVER
        days = None if setting == "never" else int(setting)
    return NEVER if days is None else days_after(created_at, days)


def drawn_of(row: Row) -> list[tuple[str, int]]:
    """Return what a transaction says it took from lots or put into them, soonest first."""
    return sorted(lots_in(row.get("drawn")).items())


def merges_of(row: Row) -> list[Merge]:
    """Return which lots joined another, as a transaction says."""
    said = str(row["extra_metadata"].get(MERGED, ""))
    found = []
    for one in said.split(", ") if said else []:
        source, into, part = one.split(" ")
        found.append(Merge(source, into, int(part)))
    return found


@dataclass(frozen=True)
class Moved:
    """A new transaction as its lots are judged: what asked for it, and of an order's way back what it holds before."""

    row: Row
    asks: Sequence[Ask]
    environment: Mapping[str, str]
    order: str | None = None
    held: int = 0
    payment: str | None = None


def wrong_before(books: TimeBooks, row: Row, *, at: float) -> str | None:
    """Return why a transaction must not come now, None where it may: what was due must come first, nothing sooner."""
    due = books.lots.due(row["created_at"])
    if row["transaction_type"] != EXPIRY:
        return f"lots that had lapsed by then, {due}, are still there" if due else None
    instant = row.get("occurred_at")
    if not due or instant != due[0]:
        return f"a lapse of {instant}, and due is {due}"
    if at < read(instant).timestamp() - SKEW_SECONDS_MAX:
        return "a lapse before its instant"
    return None


def wrong_lots(books: TimeBooks, moved: Moved) -> str | None:
    """Take a transaction's movement through the lots, and return what it should have said, None where it did."""
    row = moved.row
    said, merges = drawn_of(row), merges_of(row)
    if row["operation_type"] == DECREASE:
        expected = _taken(books, moved)
        if merges:
            return f"lots merged by what takes credits: {merges}"
        if row["transaction_type"] in ("ORDER_PAID", "REVERSAL"):
            books.charges[row["transaction_id"]] = parts_of(said, row["amount"])
        return None if said == expected else f"it should have taken {expected}"
    possible = list(_put(books, moved))
    if said not in possible:
        return f"it should have gone into {possible}"
    if any(instant <= row["created_at"] for instant, _ in said):
        return "credits that had lapsed before they came"
    if why := books.lots.put(said, merges):
        return why
    if row["transaction_type"] == "PAYMENT" and said:
        books.payments[row["transaction_id"]] = said[0][0]
    return None


def _taken(books: TimeBooks, moved: Moved) -> list[tuple[str, int]]:
    row = moved.row
    if row["transaction_type"] == EXPIRY:
        instant = row["occurred_at"]
        return [(instant, books.lots.left.pop(instant))]
    own = books.payments.get(moved.payment) if moved.payment else None
    return books.lots.take(abs(row["amount"]), first=own)


def _put(books: TimeBooks, moved: Moved) -> Iterable[list[tuple[str, int]]]:
    """Yield what a transaction that gives credits may put into lots: one way, unless two events asked differently."""
    row, kind = moved.row, moved.row["transaction_type"]
    if moved.order is not None:
        charge = books.charges.get(moved.order, [])
        grace = int(moved.environment.get("REFUND_GRACE_DAYS", "7"))
        back = given_back(charge, held=moved.held, credits_back=row["amount"], now=row["created_at"], grace_days=grace)
        yield back
    elif kind in GRANTS and row["amount"]:
        for ask in moved.asks:
            end = end_of(ask, moved.environment, row["created_at"])
            yield [] if end == NEVER else [(end, row["amount"])]
    else:
        yield []


def told_ahead(books: TimeBooks, environment: Mapping[str, str], account: Row) -> list[dict[str, Any]]:
    """Return the notices that a write brings, each after the lapses until then, with how many these are and take."""
    now = account["updated_at"]
    found: list[dict[str, Any]] = []
    for when, instant, days in notices(books.lots.left, notice_days(environment), since=books.now, until=now):
        lapsed = [books.lots.left[end] for end in books.lots.due(when)]
        told = {"expires_at": instant, "days": days, "credits": books.lots.left[instant]}
        found.append({**told, "lapses": len(lapsed), "lapsed": sum(lapsed)})
    return found


def due_of(
    books: TimeBooks, account: Row, environment: Mapping[str, str], others: Iterable[str], *, by_admin: bool
) -> dict[str, Any]:
    """Return what an account's item must say of its next instant after a write, `others` than lots have being those.

    An admin's threshold brings nothing, and so leaves what is due.
    """
    if not by_admin:
        books.now = account["updated_at"]
        of_lots = next_due(books.lots.left, notice_days(environment), now=books.now)
        books.due_at = min(filter(None, (of_lots, *others)), default=None)
    shard = crc32(account["merchant_id"].encode()) % SHARDS
    return {"due_at": books.due_at, "due_shard": books.due_at and f"{books.due_at[:HOUR]}#{shard}"}


def day_end_text(account: Row) -> dict[str, int]:
    """Return the lots that stand on an account's item."""
    return lots_in(account.get("lots"))


def replay_of(rows: Sequence[Row]) -> dict[str, int] | str:
    """Return the lots that the transactions of one account leave, oldest first, or why they cannot be."""
    return replayed((row["operation_type"] == INCREASE, drawn_of(row), merges_of(row)) for row in rows)


def _unbalanced(rows: Sequence[Row], balance: int) -> str | None:
    """Return what does not add up of what was granted, spent, lapsed, taken back and is left; None where it does."""
    moved = {
        name: sum(row["amount"] for row in rows if row["transaction_type"] in kinds) for name, kinds in SIDES.items()
    }
    if {row["transaction_type"] for row in rows} - {kind for kinds in SIDES.values() for kind in kinds}:
        return "a type of transaction that is on no side"
    return None if sum(moved.values()) == balance else f"{moved} do not leave {balance}"


def broken_laws(rows: Sequence[Row], account: Row, lots: Mapping[str, int]) -> list[str]:
    """Return which laws one account's transactions break, all of them together and with no regard to their order."""
    put = taken = lapsed = 0
    keys: list[str] = []
    for row in rows:
        part = sum(credits_drawn for _, credits_drawn in drawn_of(row))
        if row["operation_type"] == INCREASE:
            put += part
        elif row["transaction_type"] == EXPIRY:
            lapsed += part
            keys.append(row["idempotency_key"])
        else:
            taken += part
    left = sum(lots.values())
    found = []
    if put != taken + lapsed + left:
        found.append(f"{put} credits were put into lots; {taken} taken, {lapsed} lapsed, {left} left")
    if left > account["balance"] or min(lots.values(), default=1) < 1:
        found.append(f"lots {lots} of a balance of {account['balance']}")
    if len(set(keys)) < len(keys):
        found.append(f"lapsed twice: {sorted(keys)}")
    lapses = [row for row in rows if row["transaction_type"] == EXPIRY]
    found += [
        f"a lapse before its instant, or under another's key: {row}"
        for row in lapses
        if row["created_at"] < row["occurred_at"] or row["idempotency_key"] != expiry_key(row["occurred_at"])
    ]
    if why := _unbalanced(rows, account["balance"]):
        found.append(why)
    if day_end_text(account) != lots or replay_of(rows) != lots:
        found.append(f"lots {day_end_text(account)}, by the transactions {replay_of(rows)}, should be {lots}")
    return found

"""The ledger judged write by write, by independent rules: what each account and transaction must be.

The evidence is the engine's log of writes: the items before and after each one, and the call that made it.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from tests.oracles.grace import switches, took, uses
from tests.oracles.lots import NEVER
from tests.oracles.published_chain import FIELDS, broken_links_in_answers
from tests.simulator.asks import (
    DECREASE,
    INCREASE,
    NOTED,
    Ask,
    Refunds,
    Row,
    charge,
    plain,
    policy_of,
    record_id,
    refund_key,
    threshold_of,
    verdict,
)
from tests.simulator.aws import CREDITS, TRANSACTIONS
from tests.simulator.editions import (
    ATTRIBUTE,
    EDITED,
    Editions,
    edit_key,
    edit_of,
    edited,
    editions_of,
    noted,
    order_record,
    refunded_by,
)
from tests.simulator.judge_levels import (
    AlertBooks,
    Brought,
    changed_by_time,
    levels_after,
    levels_set,
    noted_wrongly,
    switched_by,
    wrong_item,
)
from tests.simulator.judge_time import (
    EXPIRY,
    SKEW_SECONDS_MAX,
    Moved,
    TimeBooks,
    broken_laws,
    day_end_text,
    drawn_of,
    due_of,
    lapse_of,
    told_ahead,
    wrong_before,
    wrong_lots,
)
from tests.simulator.readers import AccountState
from tests.simulator.releases import LOTS, NEWER, is_newer
from tests.simulator.senders import traces_in
from tests.simulator.tables import Change, Write
from tests.simulator.ways_back import REPAID, SHORT_NAMES, WaysBack, payment_key, tally_of
from tests.simulator.world import World

TALLY = (*WaysBack(0).tally(), "refunded_full", "refunded_at", ATTRIBUTE)
MEMBERS: Mapping[str, tuple[str, str]] = {INCREASE: ("increases", "credits_in"), DECREASE: ("decreases", "credits_out")}
SHARDS_OF_LEVEL = 8
CLOCKS_DIFFER_SECONDS = 60.0
SETTLING_SECONDS = 3600.0


@dataclass
class Books:
    """The judge's copy of one merchant's account, and its transactions in order."""

    rows: list[Row] = field(default_factory=list)
    balance: int = 0
    threshold: int = 0
    override: int | None = None
    outdated: tuple[int, str] | None = None
    """The default that a changed setting replaced, and when."""
    version: int = 0
    shortfall: int = 0
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    status_changed_at: str = ""
    status_transaction_id: str | None = None
    debt: int = 0
    refunds: dict[str, Refunds] = field(default_factory=dict)
    ways_back: dict[str, WaysBack] = field(default_factory=dict)
    editions: dict[str, Editions] = field(default_factory=dict)
    time: TimeBooks = field(default_factory=TimeBooks)
    alerts: AlertBooks = field(default_factory=AlertBooks)
    history: list[AccountState] = field(default_factory=list)


@dataclass
class Ledger:
    """The judge's reading of the whole ledger: books by merchant, transactions by id, and when each was committed."""

    books: dict[str, Books] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    committed: dict[str, tuple[float, str]] = field(default_factory=dict)
    guards: dict[str, str] = field(default_factory=dict)
    crossings: list[Mapping[str, Any]] = field(default_factory=list)

    def find(self, name: str) -> Row | None:
        """Return the transaction of the fact that has this name, its own or another."""
        return self.rows.get(self.guards.get(name, name))

    def facts(self, ask: Ask) -> list[Row]:
        """Return the transactions that an ask's names belong to: one at most, unless it names two facts."""
        rows = [row for name in self.as_recorded(ask).names if (row := self.find(name)) is not None]
        return list({row["transaction_id"]: row for row in rows}.values())

    def verdict(self, ask: Ask, row: Row) -> str:
        """Return what `asks.verdict` does, of a refund by the name that its order was recorded under."""
        return verdict(self.as_recorded(ask), row)

    def as_recorded(self, ask: Ask) -> Ask:
        """Return the ask of a refund or an edit with its order named as it was recorded."""
        order = self.find(ask.order_id) if ask.order_id else None
        if order is None:
            return ask
        named = order["reference_id"]
        kept = tuple((name, named if name == "order_id" else value) for name, value in ask.kept)
        if ask.type == EDITED:
            return replace(ask, order=named, kept=kept, key=edit_key(ask, named), reference=named)
        if ask.key != refund_key(None, ask.order):
            return replace(ask, order=named, kept=kept)
        return replace(ask, order=named, kept=kept, key=refund_key(None, named), reference=named)


def read_ledger(world: World) -> Ledger:
    """Return the ledger as its writes made it, and report violations to the world."""
    ledger = Ledger()
    asks = asked_for(world)
    traces = traces_in(world.letters)
    for write in world.aws.tables.log:
        changes = [change for change in write.changes if change.table in (CREDITS, TRANSACTIONS)]
        if changes:
            _Judged(world, ledger, asks, traces, write).read(changes)
        if world.violations:
            return ledger
    for merchant, books in ledger.books.items():
        _chain(world, merchant, books)
        account = plain(world.aws.tables.tables[CREDITS].items[(merchant,)])
        for law in broken_laws(books.rows, account, books.time.lots.left):
            world.violated(f"{law}: {merchant}")
        if "due_at" in account:
            world.violated(f"due, and nobody brought it: {account}")
    return ledger


def asked_for(world: World) -> dict[str, list[Ask]]:
    """Return all asks, by the id of their transaction."""
    found: dict[str, list[Ask]] = {}
    letters = {posted.body: posted.letter for posted in world.story.posted}
    asks = [ask for letter in letters.values() for ask in letter.asks]
    asks += [asked.ask for asked in world.story.admin_calls if asked.ask is not None]
    for ask in asks:
        found.setdefault(ask.transaction_id, []).append(ask)
        if ask.type == "ORDER_PAID" and ask.at is not None:
            found.setdefault(edit_of(ask).transaction_id, []).append(edit_of(ask))
    return found


class _Judged:
    """One write, and whether it was right."""

    def __init__(
        self, world: World, ledger: Ledger, asks: Mapping[str, list[Ask]], traces: AbstractSet[str], write: Write
    ) -> None:
        self._world = world
        self._traces = traces
        self._ledger = ledger
        self._asks = asks
        self._write = write
        self._environment = world.environment_of(write.by)
        self._edit_direction = ""
        self._held = 0

    def read(self, changes: Sequence[Change]) -> None:
        guards = [change for change in changes if "names" in (change.new or {})]
        self._ledger.guards |= {change.key[0]: (change.new or {})["names"]["S"] for change in guards}
        if len(guards) < len(changes):
            self._counted([change for change in changes if change not in guards])
        self._guarded(guards)
        for change in changes:
            if change.table == TRANSACTIONS and change.old is None and change not in guards:
                self._all_named(plain(change.new or {}))

    def _counted(self, changes: Sequence[Change]) -> None:
        """Judge an account and its transactions, which one write changes together."""
        accounts = [change for change in changes if change.table == CREDITS]
        if len(accounts) != 1 or accounts[0].new is None:
            self._without_account(changes)
            return
        self._form(accounts[0])
        account = plain(accounts[0].new)
        merchant = account["merchant_id"]
        books = self._ledger.books.setdefault(merchant, Books())
        inserted = [change for change in changes if change.table == TRANSACTIONS and change.old is None]
        rows = sorted((plain(change.new or {}) for change in inserted), key=lambda row: row["sequence"])
        opening = not books.rows
        by_admin = self._world.calls[self._write.by].function == "set_threshold"
        if not by_admin:
            self._by_time(books, account, accounts[0].old, rows)
            self._told_ahead(books, account, alone=not rows and not opening)
        if rows:
            books.threshold = self._transactions(merchant, books, rows)
        elif by_admin:
            self._set(merchant, books, account)
        for change in changes:
            if change.table == TRANSACTIONS and change.old is not None:
                self._tallied(change)
        books.version += 1
        if by_admin:
            # A changed threshold takes a version that no write can have had, since its event's id derives from it.
            books.version = max(books.version, account["version"])
            if account["version"] < (self._write.at - CLOCKS_DIFFER_SECONDS) * 1000:
                self._violated(f"a threshold set with a version that a write may have had: {account}")
        self._account(merchant, books, account, opening=opening, by_admin=by_admin)
        self._editions(changes, books)
        self._tallies(rows, changes, books)

    def _transactions(self, merchant: str, books: Books, rows: Sequence[Row]) -> int:
        """Judge the new transactions one after another, and return the threshold that the last one leaves."""
        low_before, inflow = books.threshold, None
        for row in rows:
            if (inflow is None) != (row["transaction_type"] != REPAID):
                self._violated(f"debt that was not repaid by the inflow before, or repaid without one: {row}")
            self._record(merchant, books, row, low_before=low_before, inflow=inflow)
            inflow = row if row["operation_type"] == INCREASE and row["amount"] and books.debt else None
            low_before = row["threshold"]
        if inflow is not None:
            self._violated(f"an inflow that does not pay what is owed: {inflow}")
        return low_before

    def _without_account(self, changes: Sequence[Change]) -> None:
        """Judge a write of no account: newer versions of orders that move nothing are noted on their orders alone."""
        if any(change.old is None or change.new is None or change.table == CREDITS for change in changes):
            self._violated(f"a write without exactly one account: {[change.key for change in changes]}")
            return
        books = self._ledger.books[plain(changes[0].new or {})["merchant_id"]]
        for change in changes:
            self._tallied(change)
        self._editions(changes, books)

    def _form(self, account: Change) -> None:
        """Judge that no release has overwritten a form that it does not know."""
        release = self._world.calls[self._write.by].container.release
        if is_newer(account.old) and release != NEWER:
            self._violated(f"an older release wrote over a newer one's account: {account.new}")
        item = account.new or {}
        if is_newer(item) != (release == NEWER) or (is_newer(item) and item[LOTS] != item["version"]):
            self._violated(f"an account in a form that is not its writer's, release {release}: {item}")

    def _violated(self, sentence: str) -> None:
        self._world.violated(f"{self._write.by} at {self._write.at:.3f}: {sentence}")

    def _guarded(self, guards: Sequence[Change]) -> None:
        """Judge new guards: each stands at the key of a name that somebody gave, beside another of its transaction."""
        for change in guards:
            guard = plain(change.new or {})
            name, transaction = guard["transaction_id"], guard["names"]
            if change.old is not None or name in self._ledger.rows or transaction not in self._ledger.rows:
                self._violated(f"a guard over something, or of nothing: {guard}")
            if name != record_id(guard["merchant_id"], guard["idempotency_key"]):
                self._violated(f"a guard under a wrong id: {guard}")
            self._ledger.guards[name] = transaction
            self._ledger.committed[name] = (self._write.at, self._write.by)
        for change in guards:
            guard = plain(change.new or {})
            name, row = guard["transaction_id"], self._ledger.rows.get(guard["names"])
            if not any(
                name in ask.names and row in self._ledger.facts(ask) for asks in self._asks.values() for ask in asks
            ):
                self._violated(f"a guard that nobody asked for: {guard}")

    def _all_named(self, row: Row) -> None:
        """Judge that a new transaction is known, at once, under all names of one event that asked for it."""
        if row["transaction_type"] in (REPAID, EXPIRY):
            return
        if not any(all(self._ledger.find(name) == row for name in ask.names) for ask in self._asked(row)):
            self._violated(f"a transaction that is not known under its other names: {row}")

    def _record(self, merchant: str, books: Books, row: Row, *, low_before: int, inflow: Row | None) -> None:
        """Judge a new transaction against its ask and the state before it."""
        identity = row["transaction_id"]
        if row["merchant_id"] != merchant or identity != record_id(merchant, row["idempotency_key"]):
            self._violated(f"a transaction under a wrong id or merchant: {row}")
        asks = self._why(books, row, inflow)
        if not asks:
            self._violated(f"a transaction that nobody asked for: {row}")
            return
        if why := wrong_before(books.time, row, at=self._write.at):
            self._violated(f"{why}: {row}")
            return
        if identity in self._ledger.rows or identity in self._ledger.guards:
            self._violated(f"recorded twice: {row}")
        requested = self._requested(asks[0], row, books)
        direction = self._direction(asks[0], row, books)
        moved = requested if direction == INCREASE else -min(requested, books.balance)
        if asks[0].type == "MANUAL" and abs(moved) < requested:
            self._violated(f"an adjustment below zero: {row}")
        expected = {
            "sequence": len(books.rows) + 1,
            "operation_type": direction,
            "requested": requested,
            "amount": moved,
            "shortfall": requested - abs(moved) or None,
            "balance_before": books.balance,
            "balance_after": books.balance + moved,
            "threshold": self._threshold(books, row, low_before=low_before),
            "reference_id": row["reference_id"],
        }
        wrong = {name: (row.get(name), value) for name, value in expected.items() if row.get(name) != value}
        if wrong:
            self._violated(f"a transaction with wrong (is, should be) {wrong}: {row}")
        self._lots(books, asks, row)
        books.debt += self._owed(books, row)
        books.alerts.graces.forget(row, debt=books.debt)
        opening = not books.rows
        if not opening:
            self._follows(books.rows[-1], row, low_before=low_before)
        self._traced(row)
        self._note(books, row, opening=opening)
        self._alerted(books, row, opening=opening)
        if not opening:
            self._crossed(row, low_before=low_before)

    def _threshold(self, books: Books, row: Row, *, low_before: int) -> int:
        """Return the threshold in force (contract, section 5).

        An account goes over to a changed default once: a worker of the settings before, within the hour after, does
        not take it back.
        """
        default = threshold_of(self._environment)
        if books.override is not None or not books.rows:
            books.outdated = None
            return default if books.override is None else books.override
        if books.outdated is not None and _seconds(books.outdated[1], row["created_at"]) >= SETTLING_SECONDS:
            books.outdated = None
        if default == low_before or (books.outdated is not None and default == books.outdated[0]):
            return low_before
        books.outdated = (low_before, row["created_at"])
        return default

    def _asked(self, row: Row) -> list[Ask]:
        """Return what asked for a transaction, as it was recorded."""
        identity = row["transaction_id"]
        asks = self._asks.get(identity, [])
        if (kind := row["transaction_type"]) in ("REFUND", EDITED):
            # One without an id is that of its order, whichever of the order's names it gave; so is an edit.
            asks = [ask for asks in self._asks.values() for ask in asks if ask.type == kind]
        found = [self._ledger.as_recorded(ask) for ask in asks]
        return [ask for ask in found if ask.transaction_id == identity and self._content(ask, row)]

    def _traced(self, row: Row) -> None:
        """Judge the correlation id: it is dropped or kept, and never cut."""
        if (trace := row.get("correlation_id")) is not None and trace not in self._traces:
            self._violated(f"a transaction with a correlation id that nobody sent whole: {row}")

    def _content(self, ask: Ask, row: Row) -> bool:
        kept = {
            name: value
            for name, value in row["extra_metadata"].items()
            if name not in (*NOTED, "policy", "reason", "admin_id", "edited_total")
        }
        same = ask.type == row["transaction_type"] and dict(ask.kept) == kept and ask.reference == row["reference_id"]
        follows = ask.type in ("ORDER_PAID", "REFUND", EDITED) or ask.payment is not None
        return same and (follows or self._credits(ask) == row["requested"])

    def _owed(self, books: Books, row: Row) -> int:
        """Return by how much a transaction changes the debt, and judge what it says of it and of a grace."""
        in_grace, why = noted_wrongly(books.alerts, row, self._environment, debt=books.debt)
        if why:
            self._violated(f"{why}: {row}")
        if row["transaction_type"] == REPAID:
            return -abs(int(row["amount"]))
        if uses(row):
            return in_grace
        of_payment = row["transaction_type"] == "REVERSAL"
        owed = of_payment and self._environment.get("REVERSAL_DEBT", "owed") == "owed"
        due = int(row.get("shortfall", 0)) if owed else 0
        if row["extra_metadata"].get("debt", 0) != due:
            self._violated(f"a debt that should be {due}: {row}")
        return due

    def _credits(self, ask: Ask) -> int:
        if ask.of_settings:
            return int(self._environment.get("TRIAL_CREDITS", "100"))
        return ask.credits

    def _requested(self, ask: Ask, row: Row, books: Books) -> int:
        if ask.type == "ORDER_PAID":
            policy = row["extra_metadata"]["policy"]
            if policy != policy_of(self._environment):
                self._violated(f"an order under a policy that is none: {row}")
            asked = charge(policy, ask)
            return -1 if asked is None else asked
        if ask.payment is not None:
            return self._going_back(ask, row, books)
        if ask.type not in ("REFUND", EDITED):
            return self._credits(ask)
        assert ask.order_id is not None
        order = self._ledger.find(ask.order_id)
        if order is None:
            return -1
        sold = order["extra_metadata"].get("currency")
        if ask.type != EDITED and None not in (sold, ask.currency) and sold != ask.currency:
            self._violated(f"a refund in {ask.currency} of an order that was sold in {sold}: {row}")
        state = books.editions.setdefault(ask.order_id, editions_of(order))
        refunds = books.refunds.setdefault(ask.order_id, Refunds())
        self._held = took(order) + state.taken - refunds.credits
        if ask.type == EDITED:
            found = edited(state, ask, row, order, refunded=refunds.credits, at=self._write.at)
            if isinstance(found, str):
                self._violated(f"{found}: {row}")
                return -1
            requested, self._edit_direction = found
            return requested
        if why := refunded_by(state, row, self._versions(ask.order_id), at=self._write.at):
            self._violated(f"{why}: {row}")
        newest = state.total if state.told else None
        due = refunds.due(order, row, taken=took(order) + state.taken, newest=newest, at=self._write.at)
        return -1 if due is None else due

    def _going_back(self, ask: Ask, row: Row, books: Books) -> int:
        paid = self._ledger.rows.get(record_id(ask.merchant, payment_key(ask.payment)))
        if paid is None:
            return -1
        known = books.ways_back.setdefault(paid["transaction_id"], WaysBack(paid["amount"]))
        due = known.due(row, at=self._write.at)
        return -1 if due is None else int(due)

    def _versions(self, order_id: str) -> list[Ask]:
        named = self._ledger.guards
        versions = [ask for asks in self._asks.values() for ask in asks if ask.at is not None]
        return [ask for ask in versions if named.get(ask.transaction_id, ask.transaction_id) == order_id]

    def _editions(self, changes: Sequence[Change], books: Books) -> None:
        """Judge what the changed orders have seen of their versions."""
        for change in changes:
            item, order = change.new or {}, self._ledger.rows.get(change.key[0])
            if change.table != TRANSACTIONS or order is None or order["transaction_type"] != "ORDER_PAID":
                continue
            state = books.editions.setdefault(change.key[0], editions_of(order))
            if why := noted(state, item, order, self._versions(change.key[0]), at=self._write.at):
                self._violated(why)

    def _direction(self, ask: Ask, row: Row, books: Books) -> str:
        del books
        if ask.type == "ORDER_PAID":
            return str(row["extra_metadata"]["policy"].split(" ")[0])
        if ask.type == EDITED:
            return self._edit_direction
        order = self._ledger.find(ask.order_id) if ask.order_id else None
        if order is None:
            return ask.direction
        return DECREASE if order["operation_type"] == INCREASE else INCREASE

    def _note(self, books: Books, row: Row, *, opening: bool) -> None:
        books.balance = row["balance_after"]
        books.rows.append(row)
        books.shortfall += row.get("shortfall", 0)
        short = SHORT_NAMES.get((row["transaction_type"], row["operation_type"]))
        counted, moved = ("n", "c") if short else MEMBERS[row["operation_type"]]
        total = books.totals.setdefault(short or row["transaction_type"], {})
        total[counted] = total.get(counted, 0) + 1
        total[moved] = total.get(moved, 0) + abs(row["amount"])
        if opening or switches(row):
            books.status_changed_at = row["created_at"]
            books.status_transaction_id = row["transaction_id"]
        self._ledger.rows[row["transaction_id"]] = row
        self._ledger.committed[row["transaction_id"]] = (self._write.at, self._write.by)

    def _crossed(self, row: Row, *, low_before: int) -> None:
        before, after, low = row["balance_before"], row["balance_after"], row["threshold"]
        crossed = []
        if before > low_before and low >= after:
            crossed.append("low_balance_reached")
        if before <= low_before and low < after:
            crossed.append("balance_restored")
        if before > 0 and after == 0:
            crossed.append("balance_exhausted")
        self._ledger.crossings += [{"type": kind, "row": row, "threshold": low} for kind in crossed]
        self._ledger.crossings += switched_by(row)

    def _alerted(self, books: Books, row: Row, *, opening: bool) -> None:
        """Judge which levels a transaction crossed."""
        crossed = levels_after(books.alerts, row, self._environment, opening=opening)
        if isinstance(crossed, str):
            self._violated(f"{crossed}: {row}")
        else:
            self._ledger.crossings += crossed

    def _by_time(self, books: Books, account: Row, old: Mapping[str, Any] | None, rows: Sequence[Row]) -> None:
        """Judge what time alone changed until this write, of levels and of a grace, before its first movement."""
        now = rows[0]["created_at"] if rows else account["updated_at"]
        if not rows and old is not None:
            # A write that time alone causes is later than the one before, and what it crosses is of the clock's time.
            told = [one["time"] for one in json.loads(account.get("crossings", "[]"))]
            now = min([now, *(time for time in told if time >= old["updated_at"]["S"])])
        if why := self._took(changed_by_time(books.alerts, self._brought(books, account, now), skew=SKEW_SECONDS_MAX)):
            self._violated(f"{why}: {account}")

    def _brought(self, books: Books, account: Row, now: str) -> Brought:
        lapses = books.time.lots.due(now)
        return Brought(now, account, self._write.at, books.balance, len(books.rows), lapses)

    def _took(self, crossed: "list[Mapping[str, Any]] | str") -> str | None:
        """Note what was crossed without a transaction, and return why it must not be."""
        if isinstance(crossed, str):
            return crossed
        self._ledger.crossings += crossed
        return None

    def _set(self, merchant: str, books: Books, account: Row) -> None:
        """Judge a write without transactions that an admin asked for: levels, a grace or a threshold."""
        asked = self._world.calls[self._write.by].event
        if "levels" in asked:
            brought = self._brought(books, account, account["updated_at"])
            if why := self._took(levels_set(books.alerts, asked, brought, self._environment)):
                self._violated(f"{why}: {account}")
        elif "grace" in asked:
            grace = asked["grace"]
            books.alerts.graces.own = grace and (grace.get("hours", 0), grace.get("credits", 0))
        else:
            self._threshold_changed(merchant, books, account)

    def _threshold_changed(self, merchant: str, books: Books, account: Row) -> None:
        """Judge a write without transactions: an admin's threshold, and what it crossed."""
        wanted = [
            asked.request["low_balance_threshold"]
            for asked in self._world.story.admin_calls
            if "low_balance_threshold" in asked.request and asked.request["merchant_id"] == merchant
        ]
        override = account.get("low_balance_threshold")
        if override not in wanted:
            self._violated(f"a threshold that nobody set: {account}")
        before = books.threshold
        books.override, books.outdated = override, None
        books.threshold = threshold_of(self._environment) if override is None else override
        kind = None
        if books.balance > before and books.threshold >= books.balance:
            kind = "low_balance_reached"
        elif books.balance <= before and books.threshold < books.balance:
            kind = "balance_restored"
        if kind is not None:
            crossing = {"type": kind, "row": None, "merchant_id": merchant, "version": account["version"]}
            now = {"balance": books.balance, "sequence": len(books.rows), "more": {"threshold": books.threshold}}
            self._ledger.crossings.append({**crossing, **now, "time": account["updated_at"]})

    def _tallied(self, change: Change) -> None:
        """Judge a changed transaction: only its tally may ever change."""
        old, new = change.old or {}, change.new or {}
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        if not changed <= set(TALLY):
            self._violated(f"a transaction was changed: {changed} of {plain(old)}")

    def _tallies(self, rows: Sequence[Row], changes: Sequence[Change], books: Books) -> None:
        """Judge the tallies of the orders that this write refunded."""
        items = {change.key[0]: change.new or {} for change in changes if change.table == TRANSACTIONS}
        self._ways_back(rows, items, books)
        for row in rows:
            if row["transaction_type"] != "REFUND":
                continue
            order_id = order_record(row)
            tally, found = books.refunds.get(order_id), items.get(order_id)
            if tally is None or found is None:
                self._violated(f"a refund without its order's tally in the same write: {row}")
                return
            item = {**found}
            stands = (
                int(item["refunded_count"]["N"]),
                int(item["refunded_credits"]["N"]),
                Decimal(item["refunded_money"]["S"]),
                Decimal(item["refunded_total"]["S"]) if "refunded_total" in item else None,
                item["refunded_full"]["BOOL"],
            )
            if stands != (tally.count, tally.credits, tally.money, tally.total, tally.full):
                self._violated(f"a wrong tally {stands}, should be {tally}")

    def _ways_back(self, rows: Sequence[Row], items: Mapping[str, Mapping[str, Any]], books: Books) -> None:
        """Judge the tallies of the payments that this write took back."""
        for payment_id in dict.fromkeys(
            record_id(row["merchant_id"], payment_key(row["extra_metadata"]["payment_id"]))
            for row in rows
            if "payment_id" in row["extra_metadata"]
        ):
            should, stands = books.ways_back[payment_id].tally(), tally_of(plain(items.get(payment_id, {})))
            if stands != should:
                self._violated(f"a payment's wrong tally {stands}, should be {should}")

    def _account(self, merchant: str, books: Books, account: Row, *, opening: bool, by_admin: bool) -> None:
        if opening and not books.rows:
            self._violated(f"an account without its first transaction: {account}")
            return
        last = books.rows[-1]
        level = None if books.balance > books.threshold else "low" if books.balance else "zero"
        expected = {
            "balance": books.balance,
            "sequence": len(books.rows),
            "version": books.version,
            "totals": books.totals,
            "debt": books.debt or None,
            "total_shortfall": books.shortfall or None,
            "hash": last["hash"],
            "last_transaction_id": last["transaction_id"],
            "last_transaction_at": last["created_at"],
            "threshold": books.threshold,
            "low_balance_threshold": books.override,
            "status_changed_at": books.status_changed_at,
            "status_transaction_id": books.status_transaction_id,
            "created_at": books.rows[0]["created_at"],
            "level": level and f"{level}#{crc32(merchant.encode()) % SHARDS_OF_LEVEL}",
        }
        early = last["transaction_type"] == "ORDER_PAID"
        of_alerts = wrong_item(books.alerts, account, last=last, early=early)
        if by_admin and books.alerts.look and "levels" in self._world.calls[self._write.by].event:
            # Whoever brings what is due computes when levels in days are looked at next.
            books.time.due_at = min(filter(None, (books.time.due_at, account["updated_at"])))
        others = books.alerts.instants()
        expected |= due_of(books.time, account, self._environment, others, by_admin=by_admin)
        grace = books.alerts.graces.running
        until = (grace.until or NEVER) if grace else ""
        books.history.append(AccountState(self._write.at, books.balance, dict(books.time.lots.left), until))
        wrong = {name: (account.get(name), value) for name, value in expected.items() if account.get(name) != value}
        if (lots := day_end_text(account)) != books.time.lots.left:
            wrong["lots"] = lots, books.time.lots.left
        wrong |= of_alerts
        if wrong:
            self._violated(f"an account with wrong (is, should be) {wrong}: {account}")

    def _follows(self, before: Row, row: Row, *, low_before: int) -> None:
        """Judge what a transaction says of its time and of the threshold before it."""
        if row["created_at"] < before["created_at"]:
            self._violated(f"time runs backwards: {row}")
        if row["extra_metadata"].get("threshold_before", before["threshold"]) != low_before:
            self._violated(f"a transaction that does not tell the threshold before it, {low_before}: {row}")

    def _why(self, books: Books, row: Row, inflow: Row | None) -> list[Ask]:
        """Return what asked for a transaction: an event, an inflow while there is debt, or time alone."""
        if row["transaction_type"] == EXPIRY:
            return self._lapses(row["merchant_id"], books, row)
        if inflow is not None:
            return [_repayment(inflow, min(books.debt, books.balance))]
        return self._asked(row)

    def _lapses(self, merchant: str, books: Books, row: Row) -> list[Ask]:
        """Return what asks for a lapse: the lot that the judge knows, whole."""
        left = books.time.lots.left.get(row.get("occurred_at", ""))
        return [] if left is None else [lapse_of(merchant, row["occurred_at"], left)]

    def _told_ahead(self, books: Books, account: Row, *, alone: bool) -> None:
        """Note the notices that this write must publish; a write `alone` has nothing else to do."""
        told = told_ahead(books.time, self._environment, account)
        for notice in told:
            found = {"type": "expiring", "row": None, "merchant_id": account["merchant_id"]}
            now = {"balance": books.balance - notice.pop("lapsed"), "sequence": len(books.rows) + notice.pop("lapses")}
            self._ledger.crossings.append({**found, **now, "more": notice, "time": account["updated_at"]})
        if alone and not told and (books.time.due_at is None or books.time.due_at > account["updated_at"]):
            self._violated(f"a write for nothing: {account}")

    def _lots(self, books: Books, asks: Sequence[Ask], row: Row) -> None:
        """Judge what a transaction says it did to the lots."""
        ask = asks[0]
        held, order = self._held, self._ledger.find(ask.order_id) if ask.order_id else None
        if ask.dispute is not None:
            # What a lost dispute took comes back as it was taken; what others took, or was owed, is of no lot.
            order = self._ledger.rows.get(record_id(ask.merchant, f"BILLING_DISPUTE_{ask.dispute}"))
            held = max(row["amount"], abs(order["amount"])) if order else 0
        paid = record_id(ask.merchant, payment_key(ask.payment)) if ask.payment is not None else None
        moved = Moved(
            row=row,
            asks=asks,
            environment=self._environment,
            order=order["transaction_id"] if order else None,
            held=held,
            payment=paid,
        )
        if why := wrong_lots(books.time, moved):
            self._violated(f"{why}: {row}")


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _repayment(inflow: Row, credits_paid: int) -> Ask:
    """Return what an inflow of an account that owes asks for besides."""
    return Ask(
        merchant=inflow["merchant_id"],
        key=f"{REPAID}_{inflow['transaction_id']}",
        type=REPAID,
        direction=DECREASE,
        reference=inflow["transaction_id"],
        credits=credits_paid,
    )


def _chain(world: World, merchant: str, books: Books) -> None:
    stands = world.aws.tables.tables[TRANSACTIONS].items
    answers = []
    for row in books.rows:
        # The current item, not the written one: a later change shows here.
        item = plain({name: value for name, value in stands[(row["transaction_id"],)].items() if name not in TALLY})
        answer = {name: item.get(name) for name in (*FIELDS, "previous_hash", "hash")}
        answers.append({**answer, "id": item["transaction_id"], "shortfall": item.get("shortfall", 0)})
        answers[-1]["drawn"] = drawn_of(item)
    if broken := broken_links_in_answers(answers):
        world.violated(f"the chain of {merchant} is broken at {broken}")

"""Judges how every message, admin's call and function ended."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.simulator.asks import (
    CONFLICT,
    DECREASE,
    LATE,
    SAME,
    Ask,
    Row,
    charge,
    order_key,
    policy_of,
    record_id,
    verdict,
)
from tests.simulator.editions import Editions, missed
from tests.simulator.judge_ledger import Ledger, asked_for
from tests.simulator.letters import Letter
from tests.simulator.mappings import Delivered
from tests.simulator.queues import Message
from tests.simulator.readers import AccountState, instant_of
from tests.simulator.releases import THIS, is_newer, newer_since
from tests.simulator.running import Call
from tests.simulator.ways_back import payment_key
from tests.simulator.world import DEAD_LETTERS, SKEW_SECONDS_MAX, STREAM_DEAD_LETTERS, Answered, World

GROUND = ("account_missing", "order_missing", "payment_missing", "dispute_missing")


def judge_messages(world: World, ledger: Ledger) -> None:
    """Report to the world every message that ended wrongly."""
    parked = list(world.aws.queues.queues[DEAD_LETTERS].values())
    for found in world.aws.queues.queues[STREAM_DEAD_LETTERS].values():
        world.violated(f"a record of a stream was parked: {found.attributes} {found.body}")
    ignored = _said_to_be_ignored(world)
    in_call = {(message.by, message.body) for message in parked}
    for message in parked:
        _Parked(world, ledger, message).judge()
    sent_on = [Delivered(message.body, message.by) for message in world.aws.queues.sent_on]
    in_call |= {(message.call, message.body) for message in sent_on}
    for deleted in [*world.inbox.deleted, *world.waiting.deleted]:
        if (deleted.call, deleted.body) not in in_call:
            _dropped(world, ledger, deleted.body, deleted.call, ignored)
    newer = newer_since(world.aws.tables.log)
    for back in [*world.inbox.back, *world.waiting.back, *sent_on]:
        _handed_back(world, ledger, back.body, back.call, newer)


def _dropped(world: World, ledger: Ledger, body: str, call: str, ignored: AbstractSet[tuple[str, str, str]]) -> None:
    """Judge a message that was acknowledged and not parked."""
    letter = world.letters[body]
    if letter.poison is not None:
        world.violated(f"{call} dropped poison without a word: {body}")
    for ask in letter.asks:
        if (what := _left_undone(ask, ledger)) is not None:
            world.violated(f"{call} dropped {what}{ask.key} of {ask.merchant}: {body}")
    for order, reason in letter.ignored:
        if ignored and (letter.payload["merchant_id"], order, reason) not in ignored:
            world.violated(f"{call} ignored order {order} without a word: {body}")


def _said_to_be_ignored(world: World) -> AbstractSet[tuple[str, str, str]]:
    """Return what the log says was ignored: merchant, order and reason. Most runs write no such lines."""
    lines = [json.loads(line) for line in world.output.splitlines() if '"ignored"' in line and line.startswith("{")]
    return {
        (line["merchant_id"], line["reference_id"], line["reason"])
        for line in lines
        if line.get("message") == "ignored"
    }


def _left_undone(ask: Ask, ledger: Ledger) -> str | None:
    """Return what was wrong to be done with, None where the ask is done."""
    facts = ledger.facts(ask)
    if not facts and outdated(ask, ledger):
        return None
    if len(facts) != 1 or any(ledger.find(name) is None for name in ledger.as_recorded(ask).names):
        return ""
    [row] = facts
    if missed(ask, row, editions(ask, ledger)):
        return "a newer version of "
    if ledger.verdict(ask, row) == LATE:
        return "what is late, "
    return "a conflict, " if contradicts(ask, row, ledger) else None


def editions(ask: Ask, ledger: Ledger) -> Editions | None:
    """Return what the versions of an order have made of it, None where it has no more than its transaction tells."""
    books = ledger.books.get(ask.merchant)
    return books.editions.get(ledger.guards.get(ask.transaction_id, ask.transaction_id)) if books else None


def contradicts(ask: Ask, row: Row, ledger: Ledger) -> bool:
    """Whether an ask has another content than its transaction, at whatever time it came."""
    state = editions(ask, ledger)
    if ledger.verdict(ask, row) != CONFLICT or (ask.type == "ORDER_PAID" and ask.at is not None):
        return False
    return state is None or charge(row["extra_metadata"]["policy"], ask) not in state.charges


def stands(ask: Ask, ledger: Ledger) -> bool:
    """Whether there is a transaction under any of the ask's names."""
    return bool(ledger.facts(ask))


def outdated(ask: Ask, ledger: Ledger) -> bool:
    """Whether the ask is a cumulative figure below one that was recorded: a duplicate of it, and no transaction."""
    if ask.so_far is None or ask.merchant not in ledger.books:
        return False
    known = ledger.books[ask.merchant].ways_back.get(record_id(ask.merchant, payment_key(ask.payment)))
    return known is not None and Decimal(ask.so_far) < known.seen


def _was_done(ask: Ask, ledger: Ledger, call: Call, name: str) -> bool:
    """Whether an ask was recorded before a call, or by it, and the call could know."""
    at, by = ledger.committed.get(ledger.as_recorded(ask).transaction_id, (float("inf"), ""))
    # A refund waits for the name by which it calls its order, although there may be a transaction under its own.
    named = ask.order_id is None or ledger.committed.get(ask.order_id, (call.started, ""))[0] < call.started
    return named and (at < call.started or by == name)


def _handed_back(world: World, ledger: Ledger, body: str, name: str, newer: Mapping[str, float]) -> None:
    """Judge a message that a call without faults returned to the queue."""
    call, letter = world.calls[name], world.letters[body]
    if call.disturbed:
        return
    if call.container.release == THIS and any(newer.get(ask.merchant, call.ended) < call.ended for ask in letter.asks):
        return  # Left for the newer release.
    if letter.poison is not None:
        world.violated(f"{name}, undisturbed, handed back poison: {body}")
    if letter.asks and all(_was_done(ask, ledger, call, name) for ask in letter.asks):
        world.violated(f"{name}, undisturbed, handed back what was done: {body}")
    opened = [ledger.committed.get(record_id(ask.merchant, "TRIAL_MERCHANT")) for ask in letter.asks]
    if all(found and found[0] < call.started for found in opened) and not any(
        ask.type == "REFUND" or ask.payment is not None for ask in letter.asks
    ):
        world.violated(f"{name}, undisturbed, put off what it could have done: {body}")


class _Parked:
    """A dead letter, and whether its reason is true."""

    def __init__(self, world: World, ledger: Ledger, message: Message) -> None:
        self._world = world
        self._ledger = ledger
        self._message = message
        self._call = world.calls[message.by]
        self._attributes: Mapping[str, str] = {name: value["StringValue"] for name, value in message.attributes.items()}

    def judge(self) -> None:
        """Report to the world a letter without a true reason."""
        body, code = self._message.body, self._attributes.get("code", "")
        letter = self._world.letters.get(body)
        if letter is None:
            self._violated("a body that nobody sent")
            return
        self._judge_attributes(letter.subject)
        if letter.poison is not None:
            if (code, self._attributes.get("field")) != letter.poison:
                self._violated(f"poison whose reason should be {letter.poison}")
            return
        if not any(self._excused(ask, code) for ask in letter.asks):
            self._violated("no reason that holds")
        if code == "total_missing" or any(self._holds_back(ask) for ask in letter.asks):
            self._nothing_applied(letter)
        else:
            # Everything else in it is recorded, or has its own reason.
            for ask in letter.asks:
                if not stands(ask, self._ledger) and not any(self._excused(ask, other) for other in _EXCUSES):
                    self._violated(f"{ask.key} was not done, and nobody said why")

    def _holds_back(self, ask: Ask) -> bool:
        """Whether an ask may still prove to be poison, so that the rest of its message waits with it."""
        return ask.amount is not None and ask.order_total is None and self._order_missing(ask)

    def _nothing_applied(self, letter: Letter) -> None:
        """Judge a parked message of refunds; any of its refunds that are recorded came with another message.

        Its total may become known later, and another copy of it be valid: in the same batch too, where a neighbour
        named the total.
        """
        others = {ask.transaction_id for other in self._world.letters.values() if other != letter for ask in other.asks}
        for ask in letter.asks:
            at, by = self._ledger.committed.get(ask.transaction_id, (float("inf"), self._message.by))
            if ask.type != "REFUND" or ask.transaction_id in others or self._came_twice(by):
                continue
            if at <= self._message.sent_at:
                self._violated(f"{ask.key} was applied, although its message is poison")

    def _came_twice(self, by: str) -> bool:
        """Whether the call that applied it may have done so for another copy than the parked one."""
        here, there = self._copies_in(self._call), self._copies_in(self._world.calls[by])
        return len(here) > 1 or not set(there) <= set(here)

    def _copies_in(self, call: Call) -> list[str]:
        """Return the ids of the messages of a call that say what the parked one does, one for each delivery."""
        letters = self._world.letters
        delivered = [record for record in call.event.get("Records", ()) if record.get("body") in letters]
        same = letters[self._message.body]
        return [record["messageId"] for record in delivered if letters[record["body"]] == same]

    def _judge_attributes(self, subject: str | None) -> None:
        if not self._attributes.get("reason") or self._attributes.get("origin") not in ("bus", "queue", "nats"):
            self._violated("no reason or origin")
        if self._attributes.get("subject") != subject:
            self._violated("put back, it would not be bound to the subject that it came on")
        if "first_seen" not in self._attributes:
            self._violated("nobody knows since when")

    def _violated(self, sentence: str) -> None:
        self._world.violated(f"parked by {self._message.by}: {sentence}: {dict(self._attributes)} {self._message.body}")

    def _before(self, transaction_id: str | None) -> bool:
        """Whether a transaction was committed before the call began."""
        found = self._ledger.committed.get(transaction_id or "")
        return found is not None and found[0] < self._call.started

    def _excused(self, ask: Ask, code: str) -> bool:
        excuse: Any = getattr(self, f"_{code}", None)
        return code in _EXCUSES and bool(excuse(ask))

    def _key_reused(self, ask: Ask) -> bool:
        rows = self._ledger.facts(ask)
        # A refund may name its order by a name that was only known later.
        if any(CONFLICT in (self._ledger.verdict(ask, row), verdict(ask, row)) for row in rows):
            return ask.type != "ORDER_PAID" or ask.at is None
        # A refund that contradicted the total may have been recorded later, once an edit had replaced that total.
        if rows and (ask.type != "REFUND" or self._before(rows[0]["transaction_id"])):
            return False
        if ask.payment is not None:
            return self._contradicts(ask)
        if ask.order_id is None or ask.order_total is None:
            return False
        # The refund itself is not recorded: it contradicts the total by which an earlier one was counted.
        return any(float(total) != float(ask.order_total) for total, _ in self._totals(ask))

    def _contradicts(self, ask: Ask) -> bool:
        """Whether a payment's way back contradicts the payment's total, or a dispute is another payment's."""
        said, dispute = dict(ask.kept).get("payment_total"), self._dispute(ask)
        if dispute is not None and dispute["extra_metadata"]["payment_id"] != ask.payment:
            return True
        books = self._ledger.books.get(ask.merchant)
        known = books.ways_back.get(record_id(ask.merchant, payment_key(ask.payment))) if books else None
        return known is not None and any(total != Decimal(said or 0) for total, _ in known.totals_known)

    def _dispute(self, ask: Ask) -> Any:
        return self._ledger.rows.get(record_id(ask.merchant, f"BILLING_DISPUTE_{ask.dispute}"))

    def _payment_missing(self, ask: Ask) -> bool:
        if ask.payment is None:
            return False
        return not self._before(record_id(ask.merchant, payment_key(ask.payment))) and self._waited()

    def _dispute_missing(self, ask: Ask) -> bool:
        if ask.dispute is None:
            return False
        return not self._before(record_id(ask.merchant, f"BILLING_DISPUTE_{ask.dispute}")) and self._waited()

    def _names_two_facts(self, ask: Ask) -> bool:
        return len(self._ledger.facts(ask)) > 1

    def _currency_mismatch(self, ask: Ask) -> bool:
        order = self._ledger.find(ask.order_id or "")
        sold = order["extra_metadata"].get("currency") if order else None
        return None not in (sold, ask.currency) and sold != ask.currency

    def _period_repeated(self, ask: Ask) -> bool:
        return any(self._ledger.verdict(ask, row) == LATE for row in self._ledger.facts(ask))

    def _totals(self, ask: Ask) -> Any:
        books = self._ledger.books.get(ask.merchant)
        order = self._ledger.find(ask.order_id or "")
        refunds = books.refunds.get(order["transaction_id"]) if books and order else None
        return refunds.totals_known if refunds else []

    def _insufficient_credits(self, ask: Ask) -> bool:
        if ask.type != "MANUAL" or ask.direction != DECREASE or self._before(ask.transaction_id):
            return False
        return was_below(self._ledger, ask, self._call.started, self._message.sent_at)

    def _expiry_past(self, ask: Ask) -> bool:
        """Whether what an ask gives had lapsed when it was to be recorded for the first time."""
        with_period = self._call.container.environment.get("SUBSCRIPTION_EXPIRES") == "period"
        end = ask.expires_at or (ask.period_end if with_period else None)
        late = instant_of(self._call.ended + SKEW_SECONDS_MAX)
        return end is not None and end <= late and not self._before(ask.transaction_id)

    def _account_missing(self, ask: Ask) -> bool:
        opened = record_id(ask.merchant, "TRIAL_MERCHANT")
        return not self._before(opened) and self._waited()

    def _order_missing(self, ask: Ask) -> bool:
        if ask.order is None:
            return False
        return not self._before(record_id(ask.merchant, order_key(ask.order))) and self._waited()

    def _waited(self) -> bool:
        total = float(self._call.container.environment["GROUND_RETRY_SECONDS_TOTAL"])
        first = datetime.fromisoformat(self._attributes["first_seen"]).timestamp()
        return self._message.sent_at - first >= total - SKEW_SECONDS_MAX

    def _total_missing(self, ask: Ask) -> bool:
        # A refund that is also a conflict may get either reason: both are true, and a person must examine both.
        if ask.type == "ORDER_PAID":
            return (
                not self._before(ask.transaction_id)
                and charge(policy_of(self._call.container.environment), ask) is None
            )
        if ask.type != "REFUND" or ask.amount is None or ask.order_total is not None:
            return False
        books = self._ledger.books.get(ask.merchant)
        order = self._ledger.find(ask.order_id or "")
        state = books.editions.get(order["transaction_id"]) if books and order else None
        known = [
            at for _, at in (*self._totals(ask), *(state.totals_known if state else ())) if at < self._call.started
        ]
        order = self._ledger.find(ask.order_id or "")
        if known or order is None:
            return not known
        # Another event without a total may name the same order, but one with a total was recorded first. Then the
        # reason is true for the message as delivered, and a redrive repairs it.
        untotalled = any(told.total is None for told in asked_for(self._world).get(ask.order_id or "", []))
        return "total" not in order["extra_metadata"] or (untotalled and not self._before(ask.order_id))


_EXCUSES = (
    "key_reused",
    "names_two_facts",
    "insufficient_credits",
    *GROUND,
    "total_missing",
    "currency_mismatch",
    "period_repeated",
    "expiry_past",
)


def was_below(ledger: Ledger, ask: Ask, start: float, end: float) -> bool:
    """Whether the balance was, at some moment between two, below the credits that an ask takes."""
    books = ledger.books.get(ask.merchant)
    if books is None:
        return True
    # A write of many decides each by what those before it left.
    passed = (row["balance_after"] for row in books.rows if start <= ledger.committed[row["transaction_id"]][0] <= end)
    if any(balance < ask.credits for balance in passed):
        return True
    standing = [AccountState(0.0, 0, {}), *books.history]
    for place, one in enumerate(standing):
        until = standing[place + 1].since if place + 1 < len(standing) else float("inf")
        # What lapses meanwhile may be brought by the very write that is refused.
        least = one.left(instant_of(min(until, end) + SKEW_SECONDS_MAX))
        if one.since <= end and until >= start and least < ask.credits:
            return True
    return False


def judge_admins(world: World, ledger: Ledger) -> None:
    """Report to the world every wrong answer to an admin."""
    for answered in world.answered:
        assert answered.answer is not None
        code = answered.answer.get("error", {}).get("code")
        if code is None:
            if answered.asked.ask is not None:
                _told_of_a_record(world, ledger, answered, answered.asked.ask)
        elif not _refusal_holds(world, ledger, answered, code):
            world.violated(f"told {code}, which is not so: {answered}")
    _last_set(world, ledger)


def _told_of_a_record(world: World, ledger: Ledger, answered: Answered, ask: Ask) -> None:
    assert answered.answer is not None
    row = ledger.rows.get(ask.transaction_id)
    if row is None or answered.answer["transaction"]["hash"] != row["hash"] or verdict(ask, row) != SAME:
        world.violated(f"told of a transaction that does not stand: {answered}")
        return
    outcome = "posted" if ledger.committed[ask.transaction_id][1] == answered.calls[-1] else "duplicate"
    if answered.answer["outcome"] != outcome:
        world.violated(f"told of another outcome than {outcome}: {answered}")


def _refusal_holds(world: World, ledger: Ledger, answered: Answered, code: str) -> bool:
    """Return whether the reason of an admin's refusal was true at the last call."""
    asked, last = answered.asked, world.calls[answered.calls[-1]]
    if code == "account_missing":
        opened = ledger.committed.get(record_id(asked.request["merchant_id"], "TRIAL_MERCHANT"))
        return opened is None or opened[0] >= last.started
    if asked.ask is None:
        return False
    row = ledger.rows.get(asked.ask.transaction_id)
    if code == "key_reused":
        return row is not None and verdict(asked.ask, row) == CONFLICT
    done = row is not None and ledger.committed[asked.ask.transaction_id][0] < last.started
    return code == "insufficient_credits" and not done and was_below(ledger, asked.ask, last.started, last.ended)


def _last_set(world: World, ledger: Ledger) -> None:
    """The last threshold, levels and grace that an admin set are in force."""
    heard: dict[tuple[str, str], Any] = {}
    for answered in world.answered:
        request = answered.asked.request
        if answered.asked.function == "set_threshold" and "error" not in (answered.answer or {}):
            [what] = request.keys() & {"low_balance_threshold", "levels", "grace"}
            heard[request["merchant_id"], what] = request[what]
    for (merchant, what), wanted in heard.items():
        books = ledger.books[merchant]
        watch, limits = books.alerts.watch, books.alerts.graces.own
        stands: Any = books.override
        if what == "levels":
            stands = [vars(level) for level in watch.levels] if watch.own else None
        elif what == "grace":
            stands = None if limits is None else {"hours": limits[0], "credits": limits[1]}
        if stands != wanted:
            world.violated(f"{merchant} has {stands} as {what}, last set {wanted}")


def judge_calls(world: World) -> None:
    """Report to the world functions that returned records although nothing had failed."""
    for call in world.calls.values():
        if call.disturbed or call.killed or not isinstance(call.answer, dict) or call.function == "ingest_events":
            continue
        left = {
            record["dynamodb"]["SequenceNumber"]
            for record in call.event.get("Records", [])
            if call.container.release == THIS and is_newer(record["dynamodb"].get("NewImage"))
        }
        if {failure["itemIdentifier"] for failure in call.answer.get("batchItemFailures", [])} != left:
            world.violated(f"{call.name}, undisturbed, handed records back: {call.answer}, should be {sorted(left)}")

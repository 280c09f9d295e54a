"""How every message, every admin's call and every function ended, and whether it had a right to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.simulator.asks import CONFLICT, DECREASE, SAME, Ask, charge, order_key, policy_of, record_id, verdict
from tests.simulator.judge_ledger import Ledger, asked_for
from tests.simulator.letters import Letter
from tests.simulator.mappings import Delivered
from tests.simulator.queues import Message
from tests.simulator.releases import THIS, is_newer, newer_since
from tests.simulator.world import DEAD_LETTERS, SKEW_SECONDS_MAX, STREAM_DEAD_LETTERS, Answered, World

GROUND = ("account_missing", "order_missing")


def judge_messages(world: World, ledger: Ledger) -> None:
    """Tell the world of every message that ended otherwise than it had to."""
    parked = list(world.aws.queues.queues[DEAD_LETTERS].values())
    for found in world.aws.queues.queues[STREAM_DEAD_LETTERS].values():
        world.violated(f"a record of a stream was parked: {found.attributes} {found.body}")
    in_call = {(message.by, message.body) for message in parked}
    for message in parked:
        _Parked(world, ledger, message).judge()
    sent_on = [Delivered(message.body, message.by) for message in world.aws.queues.sent_on]
    in_call |= {(message.call, message.body) for message in sent_on}
    for deleted in [*world.inbox.deleted, *world.waiting.deleted]:
        letter = world.letters[deleted.body]
        if (deleted.call, deleted.body) in in_call:
            continue
        if letter.poison is not None:
            world.violated(f"{deleted.call} dropped poison without a word: {deleted.body}")
        for ask in letter.asks:
            if not stands(ask, ledger):
                world.violated(f"{deleted.call} dropped {ask.key} of {ask.merchant}: {deleted.body}")
            elif verdict(ask, ledger.rows[ask.transaction_id]) == CONFLICT:
                world.violated(f"{deleted.call} dropped a conflict, {ask.key} of {ask.merchant}: {deleted.body}")
    newer = newer_since(world.aws.tables.log)
    for back in [*world.inbox.back, *world.waiting.back, *sent_on]:
        _handed_back(world, ledger, back.body, back.call, newer)


def stands(ask: Ask, ledger: Ledger) -> bool:
    """Whether there is a record under the ask's key."""
    return ask.transaction_id in ledger.rows


def _handed_back(world: World, ledger: Ledger, body: str, name: str, newer: Mapping[str, float]) -> None:
    """Judge a message that came back from a call in which nothing went wrong."""
    call, letter = world.calls[name], world.letters[body]
    if call.disturbed:
        return
    if call.container.release == THIS and any(newer.get(ask.merchant, call.ended) < call.ended for ask in letter.asks):
        return  # Left to the newer release.
    if letter.poison is not None:
        world.violated(f"{name}, undisturbed, handed back poison: {body}")
    done = [
        ask.transaction_id in ledger.committed
        and (ledger.committed[ask.transaction_id][0] < call.started or ledger.committed[ask.transaction_id][1] == name)
        for ask in letter.asks
    ]
    if letter.asks and all(done):
        world.violated(f"{name}, undisturbed, handed back what was done: {body}")
    opened = [ledger.committed.get(record_id(ask.merchant, "TRIAL_MERCHANT")) for ask in letter.asks]
    if all(found and found[0] < call.started for found in opened) and all(ask.type != "REFUND" for ask in letter.asks):
        world.violated(f"{name}, undisturbed, put off what it could have done: {body}")


class _Parked:
    """A dead letter, and whether it tells the truth."""

    def __init__(self, world: World, ledger: Ledger, message: Message) -> None:
        self._world = world
        self._ledger = ledger
        self._message = message
        self._call = world.calls[message.by]
        self._attributes: Mapping[str, str] = {name: value["StringValue"] for name, value in message.attributes.items()}

    def judge(self) -> None:
        """Tell the world where its reason is none."""
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
            # All else of it was done: what stands, or has a reason of its own.
            for ask in letter.asks:
                if not stands(ask, self._ledger) and not any(self._excused(ask, other) for other in _EXCUSES):
                    self._violated(f"{ask.key} was not done, and nobody said why")

    def _holds_back(self, ask: Ask) -> bool:
        """Whether an ask may still turn out to be poison, and the rest of its message waits with it."""
        return ask.amount is not None and ask.order_total is None and self._order_missing(ask)

    def _nothing_applied(self, letter: Letter) -> None:
        """Judge a message of refunds of which nothing was applied when it was parked, but what others asked for too.

        Later on its total may come to be known, and another copy of it be good.
        """
        others = {ask.transaction_id for other in self._world.letters.values() if other != letter for ask in other.asks}
        for ask in letter.asks:
            at, _ = self._ledger.committed.get(ask.transaction_id, (float("inf"), ""))
            if ask.type == "REFUND" and at <= self._message.sent_at and ask.transaction_id not in others:
                self._violated(f"{ask.key} was applied, although its message is poison")

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
        """Whether a record was committed before the call began."""
        found = self._ledger.committed.get(transaction_id or "")
        return found is not None and found[0] < self._call.started

    def _excused(self, ask: Ask, code: str) -> bool:
        excuse: Any = getattr(self, f"_{code}", None)
        return code in _EXCUSES and bool(excuse(ask))

    def _key_reused(self, ask: Ask) -> bool:
        row = self._ledger.rows.get(ask.transaction_id)
        if row is not None:
            return verdict(ask, row) == CONFLICT
        if ask.order_id is None or ask.order_total is None:
            return False
        # The refund itself is not recorded: it contradicts the total by which an earlier one was counted.
        return any(float(total) != float(ask.order_total) for total, _ in self._totals(ask))

    def _totals(self, ask: Ask) -> Any:
        books = self._ledger.books.get(ask.merchant)
        refunds = books.refunds.get(ask.order_id or "") if books else None
        return refunds.totals_known if refunds else []

    def _insufficient_credits(self, ask: Ask) -> bool:
        if ask.type != "MANUAL" or ask.direction != DECREASE or self._before(ask.transaction_id):
            return False
        return was_below(self._ledger, ask, self._call.started, self._message.sent_at)

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
        # A refund that is a conflict too may be told either: both are so, and both are for a person to look at.
        if ask.type == "ORDER_PAID":
            return (
                not self._before(ask.transaction_id)
                and charge(policy_of(self._call.container.environment), ask) is None
            )
        if ask.type != "REFUND" or ask.amount is None or ask.order_total is not None:
            return False
        known = [at for _, at in self._totals(ask) if at < self._call.started]
        order = self._ledger.rows.get(ask.order_id or "")
        if known or order is None:
            return not known
        # The order beside it may have been told without a total by an event that came to nothing, since another
        # one, which names a total, was first: then it holds for what was delivered, and a redrive makes good for it.
        untotalled = any(told.total is None for told in asked_for(self._world).get(ask.order_id or "", []))
        return "total" not in order["extra_metadata"] or (untotalled and not self._before(ask.order_id))


_EXCUSES = ("key_reused", "insufficient_credits", *GROUND, "total_missing")


def was_below(ledger: Ledger, ask: Ask, start: float, end: float) -> bool:
    """Whether the balance was below what an ask wanted to take, at some moment between two."""
    books = ledger.books.get(ask.merchant)
    if books is None:
        return True
    balances = [(0.0, 0), *books.balances]
    for place, (at, balance) in enumerate(balances):
        until = balances[place + 1][0] if place + 1 < len(balances) else float("inf")
        if at <= end and until >= start and balance < ask.credits:
            return True
    return False


def judge_admins(world: World, ledger: Ledger) -> None:
    """Tell the world of every admin who was told what is not so."""
    for answered in world.answered:
        assert answered.answer is not None
        code = answered.answer.get("error", {}).get("code")
        if code is None:
            if answered.asked.ask is not None:
                _told_of_a_record(world, ledger, answered, answered.asked.ask)
        elif not _refusal_holds(world, ledger, answered, code):
            world.violated(f"told {code}, which is not so: {answered}")
    _last_thresholds(world, ledger)


def _told_of_a_record(world: World, ledger: Ledger, answered: Answered, ask: Ask) -> None:
    assert answered.answer is not None
    row = ledger.rows.get(ask.transaction_id)
    if row is None or answered.answer["transaction"]["hash"] != row["hash"] or verdict(ask, row) != SAME:
        world.violated(f"told of a record that does not stand: {answered}")
        return
    outcome = "posted" if ledger.committed[ask.transaction_id][1] == answered.calls[-1] else "duplicate"
    if answered.answer["outcome"] != outcome:
        world.violated(f"told of another outcome than {outcome}: {answered}")


def _refusal_holds(world: World, ledger: Ledger, answered: Answered, code: str) -> bool:
    """Return whether an admin was refused for what was so when the last call was made."""
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


def _last_thresholds(world: World, ledger: Ledger) -> None:
    """The threshold that was set last is the one that stands."""
    heard: dict[str, Any] = {}
    for answered in world.answered:
        if answered.asked.function == "set_threshold" and "error" not in (answered.answer or {}):
            heard[answered.asked.request["merchant_id"]] = answered.asked.request["low_balance_threshold"]
    for merchant, threshold in heard.items():
        if ledger.books[merchant].override != threshold:
            world.violated(f"{merchant} has the threshold {ledger.books[merchant].override}, last set {threshold}")


def judge_calls(world: World) -> None:
    """Tell the world of functions that handed records back although nothing had gone wrong."""
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

"""How every message, every admin's call and every function ended, and whether it had a right to."""

from collections.abc import Mapping
from typing import Any

from tests.simulator.asks import CONFLICT, DECREASE, SAME, Ask, charge, order_key, policy_of, record_id, verdict
from tests.simulator.judge_ledger import Ledger
from tests.simulator.queues import Message
from tests.simulator.world import DEAD_LETTERS, STREAM_DEAD_LETTERS, World

GROUND = ("account_missing", "order_missing")


def judge_messages(world: World, ledger: Ledger) -> None:
    """Tell the world of every message that ended otherwise than it had to."""
    parked = list(world.aws.queues.queues[DEAD_LETTERS].values())
    for found in world.aws.queues.queues[STREAM_DEAD_LETTERS].values():
        world.violated(f"a record of a stream was parked: {found.attributes} {found.body}")
    in_call = {(message.by, message.body) for message in parked}
    for message in parked:
        _Parked(world, ledger, message).judge()
    for deleted in world.deleted:
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
    for body, call in world.back:
        _handed_back(world, ledger, body, call)


def stands(ask: Ask, ledger: Ledger) -> bool:
    """Whether there is a record under the ask's key."""
    return ask.transaction_id in ledger.rows


def _handed_back(world: World, ledger: Ledger, body: str, name: str) -> None:
    """Judge a message that came back from a call in which nothing went wrong."""
    call, letter = world.calls[name], world.letters[body]
    if call.disturbed:
        return
    if letter.poison is not None:
        world.violated(f"{name}, undisturbed, handed back poison: {body}")
    done = [
        ask.transaction_id in ledger.committed
        and (ledger.committed[ask.transaction_id][0] < call.started or ledger.committed[ask.transaction_id][1] == name)
        for ask in letter.asks
    ]
    if letter.asks and all(done):
        world.violated(f"{name}, undisturbed, handed back what was done: {body}")


class _Parked:
    """A dead letter, and whether it tells the truth."""

    def __init__(self, world: World, ledger: Ledger, message: Message) -> None:
        self._world = world
        self._ledger = ledger
        self._message = message
        self._call = world.calls[message.by]
        self._attributes: Mapping[str, str] = {
            name: value["StringValue"] for name, value in message.attributes.items()
        }

    def judge(self) -> None:
        """Tell the world where its reason is none."""
        body, code = self._message.body, self._attributes.get("code", "")
        letter = self._world.letters.get(body)
        if letter is None:
            self._violated("a body that nobody sent")
            return
        if not self._attributes.get("reason") or self._attributes.get("origin") not in ("bus", "queue"):
            self._violated("no reason or origin")
        if "first_seen" not in self._attributes:
            self._violated("nobody knows since when")
        if letter.poison is not None:
            if (code, self._attributes.get("field")) != letter.poison:
                self._violated(f"poison whose reason should be {letter.poison}")
            return
        if not any(self._excused(ask, code) for ask in letter.asks):
            self._violated("no reason that holds")
        if code != "total_missing":
            # All else of it was done: what stands, or has a reason of its own.
            for ask in letter.asks:
                if not stands(ask, self._ledger) and not any(self._excused(ask, other) for other in _EXCUSES):
                    self._violated(f"{ask.key} was not done, and nobody said why")

    def _violated(self, sentence: str) -> None:
        self._world.violated(
            f"parked by {self._message.by}: {sentence}: {dict(self._attributes)} {self._message.body}"
        )

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
        from datetime import datetime

        first = datetime.fromisoformat(self._attributes["first_seen"]).timestamp()
        return self._message.sent_at - first >= total

    def _total_missing(self, ask: Ask) -> bool:
        if self._before(ask.transaction_id):
            return False
        if ask.type == "ORDER_PAID":
            return charge(policy_of(self._call.container.environment), ask) is None
        if ask.type != "REFUND" or ask.amount is None or ask.order_total is not None:
            return False
        known = [at for _, at in self._totals(ask) if at < self._call.started]
        order = self._ledger.rows.get(ask.order_id or "")
        return not known and (order is None or "total" not in order["extra_metadata"])


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
        asked, answer = answered.asked, answered.answer
        assert answer is not None
        code = answer.get("error", {}).get("code")
        first, last = world.calls[answered.calls[0]], world.calls[answered.calls[-1]]
        if code == "account_missing":
            opened = ledger.committed.get(record_id(asked.request["merchant_id"], "TRIAL_MERCHANT"))
            if opened is not None and opened[0] < last.started:
                world.violated(f"told that there is no account: {asked}")
            continue
        if asked.ask is None:
            if code is not None:
                world.violated(f"a threshold was refused with {code}: {asked}")
            continue
        row = ledger.rows.get(asked.ask.transaction_id)
        if code == "insufficient_credits":
            in_vain = ledger.committed.get(asked.ask.transaction_id, (float("inf"), ""))[0] < last.started
            if in_vain or not was_below(ledger, asked.ask, first.started, last.ended):
                world.violated(f"refused although there was enough, or it was done: {asked}")
        elif code == "key_reused":
            if row is None or verdict(asked.ask, row) != CONFLICT:
                world.violated(f"told of a conflict that is none: {asked}")
        elif code is not None:
            world.violated(f"an adjustment was refused with {code}: {asked}")
        elif row is None or answer["transaction"]["hash"] != row["hash"] or verdict(asked.ask, row) != SAME:
            world.violated(f"told of a record that does not stand: {answer}, asked {asked}")
    _last_thresholds(world, ledger)


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
        if call.answer.get("batchItemFailures"):
            world.violated(f"{call.name}, undisturbed, handed records back: {call.answer}")

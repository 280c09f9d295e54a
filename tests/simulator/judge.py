"""The judge of a run: ledger, messages, admins, outbound events, figures, and data that must appear nowhere."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.domain import runway
from chalicelib.domain.ids import Instant
from chalicelib.telemetry import sample
from chalicelib.wiring import for_figures
from tests.oracles.runway import agrees
from tests.simulator.asks import INCREASE, plain, record_id
from tests.simulator.aws import CREDITS, FIGURES, TRANSACTIONS
from tests.simulator.judge_derived import judge_derived
from tests.simulator.judge_ledger import Ledger, read_ledger
from tests.simulator.judge_levels import LEVEL_CROSSED
from tests.simulator.judge_messages import judge_admins, judge_calls, judge_messages
from tests.simulator.judge_time import EXPIRY
from tests.simulator.letters import CANARY
from tests.simulator.product import handler
from tests.simulator.readers import instant_of, wrong
from tests.simulator.releases import NEWER, THIS, of_newer_form, run_as
from tests.simulator.restoring import judge_restored
from tests.simulator.running import Context
from tests.simulator.ways_back import REPAID, RETURNED, REVERSAL
from tests.simulator.world import DEAD_LETTERS, STREAM_DEAD_LETTERS, World

RECONCILING_SECONDS = 300.0

ASKED_BY: Mapping[str, tuple[str, str]] = {
    "ORDER_PAID": ("recharged", "evt.shopify.webhook.order_paid"),
    "ORDER_EDITED": ("recharged", "evt.shopify.webhook.order_paid"),
    "PAYMENT": ("recharged", "evt.billing.payment_succeeded"),
    "SUBSCRIPTION": ("recharged", "evt.subscription.renewed"),
    "REFUND": ("refunded", "evt.shopify.webhook.order_refunded"),
    "MANUAL": ("adjusted", "evt.credits.manual_adjustment"),
}
"""The event of each transaction type, and the event type that requested it."""


def judge(world: World) -> None:
    """Report to the world every violation of the contract."""
    ledger = read_ledger(world)
    if world.violations:
        return
    judge_messages(world, ledger)
    judge_admins(world, ledger)
    judge_calls(world)
    _statuses(world, ledger)
    _daily_use(world, ledger)
    _events(world, ledger)
    judge_derived(world)
    _figures(world)
    _canary(world)
    _reconciled(world)
    if world.story.torn and not world.violations:
        judge_restored(world)
        _figures(world)
        _reconciled(world)


def _statuses(world: World, ledger: Ledger) -> None:
    """Every status that a reader got was right as of its time."""
    for answered in world.statuses:
        books = ledger.books.get(answered.merchant)
        if why := wrong(answered, books.history if books else []):
            world.violated(f"{answered.call.name} at {answered.call.started:.3f} got {answered.call.answer}, {why}")


def _daily_use(world: World, ledger: Ledger) -> None:
    """What an account uses a day is what its transactions tell."""
    now = instant_of(world.clock.now)
    seconds = datetime.fromisoformat(now).timestamp()
    for item in world.aws.tables.tables[CREDITS].items.values():
        account = account_from(item)
        told = runway.per_day(account.use, last=account.last_transaction_at, now=Instant(now))
        counted = ledger.books[account.merchant_id].alerts.use.per_day(seconds)
        if not agrees(told, counted):
            world.violated(f"a daily use of {told} thousandths, should be {counted}: {account.merchant_id}")


def _events(world: World, ledger: Ledger) -> None:
    """Every event that the ledger implies was published, under one id, and nothing else was."""
    expected = {event["event_id"]: event for event in _implied(ledger)}
    heard: dict[str, Mapping[str, Any]] = {}
    for event in world.aws.heard:
        detail = event["detail"]
        known = heard.setdefault(detail["event_id"], detail)
        if known != detail:
            world.violated(f"two events of one id: {known} and {detail}")
        if (event["source"], event["detail-type"]) != ("credits", detail["event_type"]):
            world.violated(f"an event under a wrong source or type: {event}")
    for event_id in expected.keys() - heard.keys():
        world.violated(f"never published: {expected[event_id]}")
    for event_id in heard.keys() - expected.keys():
        world.violated(f"published for nothing: {heard[event_id]}")
    for event_id in expected.keys() & heard.keys():
        said = heard[event_id]
        wrong = {name: (said.get(name), value) for name, value in expected[event_id].items() if said.get(name) != value}
        if wrong or said.get("idempotency_key") != event_id:
            world.violated(f"published otherwise (is, should be): {wrong} in {said}")


def _implied(ledger: Ledger) -> list[dict[str, Any]]:
    found = [event for row in ledger.rows.values() if (event := _of_record(row)) is not None]
    return found + [_of_crossing(crossing) for crossing in ledger.crossings]


def _of_record(row: Mapping[str, Any]) -> dict[str, Any] | None:
    common = _common(row)
    kind = row["transaction_type"]
    if kind == "TRIAL":
        return _event("account.created", row, {**common, "initial_balance": row["balance_after"]})
    earned = row["extra_metadata"].get("policy", INCREASE).startswith(INCREASE)
    if kind in ("ORDER_PAID", "ORDER_EDITED") and not (earned and row["operation_type"] == INCREASE):
        return None
    if kind == REPAID:
        return None
    if kind == EXPIRY:
        return _event("expired", row, {**common, "credits": -row["amount"], "expires_at": row["occurred_at"]})
    if kind in (REVERSAL, RETURNED):
        kept = row["extra_metadata"]
        reason = "dispute_won" if kind == RETURNED else "disputed" if "dispute_id" in kept else "refunded"
        more = {
            "amount": row["amount"],
            "debt": kept.get("debt", 0),
            "payment_id": kept["payment_id"],
            "reason": reason,
        }
        return _event("reversed", row, {**common, **more})
    name, source = ASKED_BY[kind]
    payload = {
        **common,
        "amount": row["amount"],
        "new_balance": row["balance_after"],
        "source": row["extra_metadata"].get("source", source),
        "reference_type": kind,
        "reference_id": row["reference_id"],
    }
    return _event(name, row, payload)


def _of_crossing(crossing: Mapping[str, Any]) -> dict[str, Any]:
    kind, row = crossing["type"], crossing["row"]
    if row is None:
        payload = {name: crossing[name] for name in ("merchant_id", "sequence", "balance")} | crossing["more"]
        event_type = f"evt.credits.{kind}"
        credit = record_id(crossing["merchant_id"], "CREDIT")
        fact = f"{payload['expires_at']}:{payload['days']}" if kind == "expiring" else crossing["version"]
        return {
            "event_id": str(uuid5(UUID(credit), f"{event_type}:{fact}{_level(crossing)}")),
            "event_type": event_type,
            "timestamp": crossing["time"],
            "payload": {**payload, "transaction_id": None},
        }
    payload = _common(row) | crossing.get("more", {})
    if kind in ("low_balance_reached", "balance_restored"):
        payload["threshold"] = crossing["threshold"]
    if kind == "plugin_status_changed":
        on = row["balance_after"] > 0
        payload |= {
            "previous_status": "disabled" if on else "enabled",
            "current_status": "enabled" if on else "disabled",
            "reason": "Sufficient credits" if on else "Insufficient credits",
            "timestamp": row["created_at"],
        }
    return _event(kind, row, payload, _level(crossing))


def _level(crossing: Mapping[str, Any]) -> str:
    """Return what tells several levels crossed by one write apart in their events' ids."""
    return f":{crossing['more']['level']}" if crossing["type"] == LEVEL_CROSSED else ""


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: row[name] for name in ("merchant_id", "transaction_id", "sequence")}
    return {**same, "balance": row["balance_after"]}


def _event(name: str, row: Mapping[str, Any], payload: Mapping[str, Any], level: str = "") -> dict[str, Any]:
    event_type = f"evt.credits.{name}"
    return {
        "event_id": str(uuid5(UUID(row["transaction_id"]), f"{event_type}{level}")),
        "event_type": event_type,
        "correlation_id": row.get("correlation_id"),
        "timestamp": row["created_at"],
        "payload": payload,
    }


def _figures(world: World) -> None:
    """The fleet's figures equal the sums of the accounts."""
    accounts = [plain(item) for item in world.aws.tables.tables[CREDITS].items.values()]
    counted: Counter[str] = Counter(
        merchants=len(accounts),
        zero=sum(account["balance"] == 0 for account in accounts),
        low=sum(0 < account["balance"] <= account["threshold"] for account in accounts),
        balance=sum(account["balance"] for account in accounts),
        shortfall=sum(account.get("total_shortfall", 0) for account in accounts),
        debt=sum(account.get("debt", 0) for account in accounts),
        disabled=sum(account["balance"] == 0 and not _in_grace(account) for account in accounts),
        transactions=sum(account["sequence"] for account in accounts),
    )
    fleet = for_figures.figures().fleet()
    wrong = {name: (getattr(fleet, name), counted[name]) for name in counted if getattr(fleet, name) != counted[name]}
    if wrong:
        world.violated(f"figures are not what the accounts add up to (are, should be): {wrong}")


def _in_grace(account: Mapping[str, Any]) -> bool:
    """Whether an account's item names a grace and no end of it."""
    return len(account.get("grace", "").split(" ")) == len(("start", "until", "credits", "used"))


def _counted(world: World) -> None:
    """What was parked is counted before its call answered, unless something went wrong in it."""
    counters = for_figures.container_counters()
    assert counters is not None
    sums = counters.sums()
    letters = [
        letter for queue in (DEAD_LETTERS, STREAM_DEAD_LETTERS) for letter in world.aws.queues.queues[queue].values()
    ]
    parked = Counter(
        letter.attributes["code"]["StringValue"]
        for letter in letters
        if not (world.calls[letter.by].disturbed or world.calls[letter.by].killed)
    )
    for code, times in parked.items():
        counted = sums.get(sample("credits_messages_parked_total", {"code": code}), 0)
        if counted < times:
            world.violated(f"parked as {code} {times} times, counted {counted:.0f}")


def _canary(world: World) -> None:
    """Personal data is in no table, no log, no outbound event, and in no reason of a dead letter."""
    places = {
        **{name: repr(world.aws.tables.tables[name].items) for name in (CREDITS, TRANSACTIONS, FIGURES)},
        "the log": world.output,
        "an event out": repr(world.aws.heard),
        "a dead letter": repr([found.attributes for found in world.aws.queues.queues[DEAD_LETTERS].values()]),
    }
    for place, text in places.items():
        if CANARY in text:
            world.violated(f"personal data in {place}")


def _reconciled(world: World) -> None:
    """The product's own check, of either release, finds no drift."""
    accounts = len(world.aws.tables.tables[CREDITS].items)
    newer = len(of_newer_form(world.aws.tables.tables))
    for release in (THIS, NEWER):
        run_as(release)
        told = handler("reconcile")({}, Context("reconcile", lambda: RECONCILING_SECONDS))
        expected = {"finished": True, "drift": 0, "accounts": accounts, "newer_form": newer if release == THIS else 0}
        if {name: told[name] for name in expected} != expected:
            world.violated(f"reconcile of release {release} found what is not so: {told}, should be {expected}")
    run_as(world.release)

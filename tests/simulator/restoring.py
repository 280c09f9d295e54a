"""A restore that tore the ledger's tables, the steps of infra/recovery/README.md, and the required result.

Both tables are put back to a moment; writes of the seconds before it are restored or lost, item by item. Then the
guide's own code makes them agree, everything is sent again, and the resulting ledger is judged.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from random import Random
from threading import Lock
from typing import Any

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger
from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.domain.findings import Drift, Finding
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.ports import CallTime
from chalicelib.usecases.checking import check
from chalicelib.usecases.counting import count
from infra.commands.figures import accounts_in
from infra.recovery.agreement import Ledger, agree
from infra.recovery.rebuilding import proposed, written
from tests.oracles.grace import TIME
from tests.oracles.published_chain import FIELDS, broken_links_in_answers
from tests.simulator.asks import INCREASE, plain, record_id, refund_key
from tests.simulator.aws import CREDITS, FIGURES, TRANSACTIONS
from tests.simulator.editions import ATTRIBUTE, EDITED, net_taken, order_record
from tests.simulator.judge_derived import derived_again
from tests.simulator.judge_time import EXPIRY, broken_laws, drawn_of, replay_of
from tests.simulator.product import handler
from tests.simulator.running import Context
from tests.simulator.tables import Item, Key
from tests.simulator.ways_back import REPAID, RETURNED, REVERSAL, SHORT_NAMES, WaysBack, payment_key, tally_of
from tests.simulator.world import DEAD_LETTERS, World

TORN_SECONDS = 30.0
"""How long before the moment of the restore a lost item may have been written."""
STEP_SECONDS = 10.0
RECONCILING_SECONDS = 300.0
TEARS = ("whole", "account behind", "account ahead", "gaps")


@contextmanager
def one_at_a_time(client: Any) -> Iterator[None]:
    """Let one thread at a time use the client, through its paginators too.

    Tables in memory bear no second thread, and `agree` looks ahead in one.
    """
    ask, lock = client._make_api_call, Lock()

    def asked(operation: str, params: dict[str, Any]) -> Any:
        with lock:
            return ask(operation, params)

    client._make_api_call = asked
    try:
        yield
    finally:
        client._make_api_call = ask


def judge_restored(world: World) -> None:
    """Tear the tables of a world that has come to its end, let the guide be followed, and judge what becomes of it."""
    before = _rows(world)
    world.come_again(partial(_restore, world))
    if world.violations:
        return
    rows = _rows(world)
    parked = {message.body for message in world.aws.queues.queues[DEAD_LETTERS].values()}
    told = {name for body in parked if body in world.letters for ask in world.letters[body].asks for name in ask.names}
    guards = _guards(world)
    if torn := {name for name, transaction in guards.items() if transaction not in rows}:
        world.violated(f"guards without their transactions after a restore: {sorted(torn)}")
    # Where the newest version of an order comes first, the ones before it are no edits any more.
    # What has lapsed depends on what was drawn before.
    edits = {identity for identity, row in before.items() if row["transaction_type"] in (EDITED, EXPIRY)}
    needless = {identity for identity, row in before.items() if _needless(row, rows)}
    renamed = {identity for identity, row in before.items() if _renamed(row, rows, guards) in rows}
    if lost := set(before) - edits - needless - renamed - set(rows) - set(guards) - told - _refused(world):
        world.violated(f"neither recorded again nor parked after a restore: {sorted(lost)}")
    for item in world.aws.tables.tables[CREDITS].items.values():
        account = plain(item)
        own = [row for row in rows.values() if row["merchant_id"] == account["merchant_id"]]
        ordered = sorted(own, key=lambda row: row["sequence"])
        _judge_ledger(world, account, ordered)
        _judge_time(world, account, ordered)
    for identity in set(before) & set(rows) - told:
        if _newest(rows[identity]) < _newest(before[identity]):
            world.violated(f"a newer version was forgotten in a restore: {before[identity]}, {rows[identity]}")
    heard = {event["detail"]["event_id"] for event in world.aws.heard}
    if never := derived_again(world) - heard:
        world.violated(f"derived after a restore and never published: {never}")


def _renamed(row: Mapping[str, Any], rows: Mapping[str, Any], guards: Mapping[str, str]) -> str | None:
    """Return the id of an order's whole refund where another of the order's names came first this time."""
    order = row["extra_metadata"].get("order_id")
    if order is None or row["idempotency_key"] != refund_key(None, order) or order_record(row) not in guards:
        return None
    found = rows.get(guards[order_record(row)])
    return None if found is None else record_id(row["merchant_id"], refund_key(None, found["reference_id"]))


def _newest(row: Mapping[str, Any]) -> str:
    """Return the time of the newest version that an order has seen, nothing where it has seen none."""
    seen = row[ATTRIBUTE].split(" ")[2] if ATTRIBUTE in row else row["extra_metadata"].get("updated_at", "")
    return str(seen)


def _restore(world: World) -> None:
    random = Random(f"restore {world.clock.now}")
    moment = _tear(world, random)
    _lost_accounts_are_found(world)
    client = world.home.client("dynamodb", None)
    reader = DynamoDBLedgerReader(client, credits_table=CREDITS, transactions_table=TRANSACTIONS)
    store = DynamoDBLedger(client, credits_table=CREDITS, transactions_table=TRANSACTIONS)

    def rebuild(merchant_id: MerchantId) -> None:
        found = proposed(reader, merchant_id, now=_now(world), pause=lambda _: None)
        if found.after is None or not written(store, found):
            world.violated(f"not rebuilt: {found}")
        elif found.after.version <= (highest := _highest_version(world, merchant_id)):
            world.violated(f"rebuilt with version {found.after.version}, and there was {highest}")

    tables = Ledger(credits=CREDITS, transactions=TRANSACTIONS)
    # All of them first: what is torn of a merchant is removed only after it was named.
    with one_at_a_time(client):
        torn = list(agree(client, tables, at=datetime.fromtimestamp(moment, UTC), at_once=1))
    world.clock.advance_to(world.clock.now + STEP_SECONDS)
    for each in torn:
        if each.kept:
            rebuild(each.merchant_id)
    world.clock.advance_to(world.clock.now + STEP_SECONDS)
    found = list(_verified(world, reader))
    if missed := [finding for finding in found if finding.kind is not Drift.TALLY_WRONG]:
        world.violated(f"not named for a rebuild: {missed}")
    for merchant_id in sorted({finding.merchant_id for finding in found}):
        rebuild(merchant_id)
    world.clock.advance_to(world.clock.now + STEP_SECONDS)
    if left := list(_verified(world, reader)):
        world.violated(f"the guide was followed, and there is left: {left}")
    # The new stack has new figures.
    world.aws.tables.tables[FIGURES].items.clear()
    time = CallTime(now=partial(_now, world), remaining_seconds=lambda: 900.0, sleep=lambda _: None)
    count(DynamoDBFigures(client, table=FIGURES), accounts_in(client, CREDITS, set()), time=time)


def _tear(world: World, random: Random) -> float:
    """Put both tables back to a moment, torn, and return it in seconds."""
    tables = world.aws.tables.tables
    log = [
        (write.at, [change for change in write.changes if change.table in (CREDITS, TRANSACTIONS)])
        for write in world.aws.tables.log
    ]
    moment = random.choice([at for at, changes in log if changes] or [world.clock.now])
    restored: dict[str, dict[Key, Item]] = {CREDITS: {}, TRANSACTIONS: {}}
    late: dict[tuple[str, Key], list[Item]] = {}
    for at, changes in log:
        for change in changes:
            assert change.new is not None, "nothing is ever deleted"
            if at < moment - TORN_SECONDS:
                restored[change.table][change.key] = change.new
            elif at <= moment:
                late.setdefault((change.table, change.key), []).append(change.new)
    tears: dict[str, tuple[str, int]] = {}
    for (table, key), states in late.items():
        merchant = states[0]["merchant_id"]["S"]
        # A guard has no sequence: it came back or did not, whatever became of its transaction.
        newest = max(int(new.get("sequence", {"N": "0"})["N"]) for new in states)
        if merchant not in tears:
            tears[merchant] = random.choice(TEARS), max(0, newest - random.randrange(6))
        if kept := _kept(random, table, states, *tears[merchant]):
            restored[table][key] = states[kept - 1]
    for name, items in restored.items():
        tables[name].items.clear()
        tables[name].items.update(items)
    return moment


def _lost_accounts_are_found(world: World) -> None:
    """The daily comparison names every merchant that has transactions and no account."""
    tables = world.aws.tables.tables
    lost = {row["merchant_id"] for row in _rows(world).values()}
    lost -= {item["merchant_id"]["S"] for item in tables[CREDITS].items.values()}
    if not lost:
        return
    handler("reconcile")({}, Context("reconcile", lambda: RECONCILING_SECONDS))
    payloads = [event["detail"]["payload"] for event in world.aws.heard]
    if unnamed := lost - {each["merchant_id"] for each in payloads if each.get("kind") == Drift.ACCOUNT_MISSING}:
        world.violated(f"transactions without an account, and nobody says so: {unnamed}")


def _highest_version(world: World, merchant: str) -> int:
    """Return the highest version that any write before the restore gave the account, and 0 without any."""
    changes = (change for write in world.aws.tables.log for change in write.changes if write.by)
    images = (change.new for change in changes if change.table == CREDITS and change.key == (merchant,) and change.new)
    return max((int(image["version"]["N"]) for image in images), default=0)


def _kept(random: Random, table: str, states: list[Item], tear: str, last: int) -> int:
    """Return how many of an item's late states were restored."""
    if tear == "gaps" or "names" in states[0]:
        return random.randrange(len(states) + 1)
    if tear == "account behind" and table == CREDITS:
        return sum(int(state["sequence"]["N"]) <= last for state in states)
    if tear == "account ahead" and table == TRANSACTIONS and int(states[0]["sequence"]["N"]) > last:
        return 0
    return len(states)


def _verified(world: World, reader: DynamoDBLedgerReader) -> Iterator[Finding]:
    merchants = {item["merchant_id"]["S"] for item in world.aws.tables.tables[CREDITS].items.values()}
    merchants |= {row["merchant_id"] for row in _rows(world).values()}
    for merchant in sorted(merchants):
        now = partial(_now, world)
        yield from check(reader, MerchantId(merchant), pause=lambda _: None, now=now).findings


def _now(world: World) -> Instant:
    return instant(datetime.fromtimestamp(world.clock.now, UTC))


def _rows(world: World) -> dict[str, Mapping[str, Any]]:
    items = world.aws.tables.tables[TRANSACTIONS].items.values()
    return {item["transaction_id"]["S"]: plain(item) for item in items if "names" not in item}


def _needless(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a transaction need not come again in another order.

    A smaller cumulative figure of a payment comes to nothing after a greater one; debt is repaid where there is any.
    """
    if row["transaction_type"] == REPAID:
        return True
    if "amount_refunded" not in row["extra_metadata"]:
        return False
    told, payment = (row["extra_metadata"][name] for name in ("amount_refunded", "payment_id"))
    return any(
        other["merchant_id"] == row["merchant_id"]
        and other["extra_metadata"].get("payment_id") == payment
        and Decimal(other["extra_metadata"].get("amount_refunded", 0)) > Decimal(told)
        for other in rows.values()
    )


def _guards(world: World) -> dict[str, str]:
    items = world.aws.tables.tables[TRANSACTIONS].items.values()
    return {item["transaction_id"]["S"]: item["names"]["S"] for item in items if "names" in item}


def _refused(world: World) -> set[str]:
    """Return the asks of admins that were refused: in another order the balance may be too low."""
    return {
        answered.asked.ask.transaction_id
        for answered in world.answered
        if answered.asked.ask is not None and answered.answer is not None and "error" in answered.answer
    }


def _judge_ways_back(world: World, merchant: str, rows: list[Mapping[str, Any]]) -> None:
    """Judge that what went back of each payment is what its transaction says."""
    paid = {row["transaction_id"]: WaysBack(row["amount"]) for row in rows if row["transaction_type"] == "PAYMENT"}
    for row in rows:
        if row["transaction_type"] in (REVERSAL, RETURNED):
            known = paid[record_id(merchant, payment_key(row["extra_metadata"]["payment_id"]))]
            if known.due(row, at=0.0) != row["requested"]:
                world.violated(f"a reversal of something else than is due after a restore: {row}")
    for row in rows:
        known = paid.get(row["transaction_id"], WaysBack(0))
        if known.count and tally_of(row) != known.tally():
            world.violated(f"a payment's tally after a restore should be {known.tally()}: {row}")


def _judge_time(world: World, account: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:
    """Judge that the lots are those that the transactions leave, and that nothing waits."""
    merchant = account["merchant_id"]
    lots = replay_of(rows)
    if isinstance(lots, str):
        world.violated(f"lots of {merchant} after a restore: {lots}")
    else:
        for law in broken_laws(rows, account, lots):
            world.violated(f"after a restore: {law}")
    _, _, _, _, *over = account.get("grace", "- - - -").split(" ")
    if (
        over
        and over[1] == TIME
        and not any(_tells_end(event["detail"], merchant, over[0]) for event in world.aws.heard)
    ):
        world.violated(f"after a restore, a grace ended and nobody was told: {account}")
    if "due_at" in account:
        world.violated(f"due after a restore, and nobody brought it: {account}")


def _tells_end(event: Mapping[str, Any], merchant: str, until: str) -> bool:
    """Whether an event tells that a grace that ran until then has ended by time."""
    told = event["payload"]
    ended = event["event_type"] == "evt.credits.grace_ended" and told["reason"] == TIME
    return bool(ended and told["merchant_id"] == merchant and event["timestamp"] >= until)


def _judge_ledger(world: World, account: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:
    merchant, balance = account["merchant_id"], 0
    if [row["sequence"] for row in rows] != list(range(1, len(rows) + 1)):
        world.violated(f"sequences of {merchant} after a restore: {[row['sequence'] for row in rows]}")
    totals: Counter[tuple[str, str]] = Counter()
    given_back: Counter[str] = Counter()
    for row in rows:
        if (row["balance_before"], row["balance_after"]) != (balance, balance + row["amount"]):
            world.violated(f"a balance of {balance} is not where this transaction starts: {row}")
        balance = row["balance_after"]
        totals[row["transaction_type"], row["operation_type"]] += abs(row["amount"])
        if row["transaction_type"] == "REFUND":
            given_back[order_record(row)] += row["requested"]
    _judge_ways_back(world, merchant, rows)
    for row in rows:
        if row["transaction_type"] == "PAYMENT":
            continue
        counted, back = row.get("refunded_credits", 0), given_back[row["transaction_id"]]
        if not back == Decimal(counted) <= net_taken(row, rows):
            world.violated(f"refunds of {back} credits, counted {counted}: {row}")
    moved = {
        (name, direction): members[member]
        for name, members in account["totals"].items()
        for direction, member in ((INCREASE, "credits_in"), ("DECREASE", "credits_out"))
        if member in members
    }
    moved |= {kind: account["totals"][short]["c"] for kind, short in SHORT_NAMES.items() if short in account["totals"]}
    stands = account["balance"], account["sequence"], account["hash"], account["last_transaction_id"]
    last = rows[-1]
    if (stands, moved) != ((balance, len(rows), last["hash"], last["transaction_id"]), dict(totals)):
        world.violated(f"an account that is not what its transactions say after a restore: {account}")
    answers = [
        {
            **{name: row.get(name) for name in (*FIELDS, "previous_hash", "hash")},
            "id": row["transaction_id"],
            "shortfall": row.get("shortfall", 0),
            "drawn": drawn_of(row),
        }
        for row in rows
    ]
    if broken := broken_links_in_answers(answers):
        world.violated(f"the chain of {merchant} is broken at {broken} after a restore")

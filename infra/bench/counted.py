"""What each event and route costs in requests, units and items: counted, so the same on every machine.

Every figure is taken from the functions themselves, called with raw events on tables in memory (`tables`).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.lots import Lot
from chalicelib.domain.movements import OrderMovement, order_key
from chalicelib.domain.orders import Policy
from infra.bench import functions
from infra.bench.functions import Orders, account, container, http_event, item_of, merchant, payment
from infra.bench.measurements import Measurement
from infra.bench.tables import MeteredTables, Usage

BALANCE = 900_000_000
"""Far from every threshold: accounts outside the sparse index."""
TEN, NINETY_NINE, HUNDRED = 10, 99, 100
STATUS = "/api/v1/credits/plugin-status/{merchant_id}"
HISTORY = "/api/v1/credits/transactions"
PAGE = 20


def all_counted() -> list[Measurement]:
    """Return all counted figures of a small ledger, in a few seconds of CPU."""
    figures: list[Measurement] = []
    for part in (orders, duplicates, refunds, edits, names, many_merchants, fleet, statuses, pages, due):
        tables = MeteredTables()
        by_total = {"ORDER_CREDIT_BASIS": "total", "ORDER_CREDIT_PERCENTAGE": "10"} if part is edits else {}
        with tables.under_botocore(), container(FIGURES_TABLE="figures" if part in (fleet, due) else "", **by_total):
            figures += part(tables)
    return figures


def usage(tables: MeteredTables, call: Callable[[], object]) -> Usage:
    """Return the requests that a call makes to AWS."""
    with tables.metered() as used:
        call()
    return used


def opened(tables: MeteredTables, *merchants: MerchantId, balance: int = BALANCE, orders: int = 0) -> None:
    """Open an account with so many credits for each merchant, and charge so many orders."""
    for shop in merchants:
        movements = [
            OrderMovement(merchant_id=shop, key=order_key(str(n)), reference_id=str(n), policy=Policy(), lines=1)
            for n in range(orders)
        ]
        owner, history = account(shop, balance=balance, movements=movements)
        tables.load("credits", [item_of(owner)])
        tables.load("transactions", history)


def orders(tables: MeteredTables) -> list[Measurement]:
    """Orders of one merchant with the longest ids: alone, ten and 99 together; in a new container and in a warm one."""
    shop, made = merchant(1), Orders(longest=True)
    opened(tables, shop)
    figures = []
    goals = {1: (5.0, None, 1.0), TEN: (3.2, 0.2, 0.1), NINETY_NINE: (3 + 2 / 99, 0.03, 0.011)}
    for together, (units, cold, warm) in goals.items():
        functions.new_container()
        first = usage(tables, lambda: functions.ingest(made.batch(*[shop] * together)))  # noqa: B023 - called at once
        then = usage(tables, lambda: functions.ingest(made.batch(*[shop] * together)))  # noqa: B023 - the same
        what = f"order, {together} together" if together > 1 else "order alone"
        figures += [
            Measurement(f"{what}: write units", then.write_units / together, "units", units),
            Measurement(f"{what}: requests, new container", first.calls / together, "requests", cold),
            Measurement(f"{what}: requests, warm", then.calls / together, "requests", warm),
        ]
        sizes = then.largest
    figures += [
        Measurement("largest account's item", sizes["credits"], "bytes", 1024),
        Measurement("largest order's item", sizes["transactions"], "bytes", 1024),
    ]
    return figures


def duplicates(tables: MeteredTables) -> list[Measurement]:
    """An order redelivered to a container that knows the account."""
    shop, made = merchant(1), Orders(longest=True)
    opened(tables, shop)
    once = made.batch(shop)
    functions.ingest(once)
    again = usage(tables, lambda: functions.ingest(once))
    assert tables.count("transactions") == 1 + 1, "a duplicate had a second effect"
    return [
        Measurement("duplicate of an order: write units", again.write_units, "units", 4),
        Measurement("duplicate of an order: requests", again.calls, "requests", 1),
    ]


def refunds(tables: MeteredTables) -> list[Measurement]:
    """A refund of a stored order, which is read first and whose tally changes, alone in its write."""
    shop, made = merchant(1), Orders(longest=True)
    opened(tables, shop)
    functions.ingest(made.batch(shop))
    used = usage(tables, lambda: functions.ingest(made.refund(shop)))
    return [
        Measurement("refund alone: write units", used.write_units, "units", 8),
        Measurement("refund alone: requests", used.calls, "requests", 2),
        Measurement("largest refunded order's item", used.largest["transactions"], "bytes", 1024),
    ]


def edits(tables: MeteredTables) -> list[Measurement]:
    """Newer versions of a stored order: one with another charge, one with the same, and one that comes again.

    An order is not read ahead: the answer to its refused write, as of any duplicate, has the stored one.
    """
    shop, made = merchant(1), Orders()
    opened(tables, shop)
    functions.ingest(made.edition(shop, hour=9, total="100.00"))
    edited = usage(tables, lambda: functions.ingest(made.edition(shop, hour=10, total="150.00")))
    noted = usage(tables, lambda: functions.ingest(made.edition(shop, hour=11, total="150.01")))
    again = usage(tables, lambda: functions.ingest(made.edition(shop, hour=10, total="150.00")))
    assert tables.count("transactions") == 1 + 2, "a version with the same charge, or an old one, was recorded"
    return [
        Measurement("edit of an order: write units", edited.write_units, "units", 12),
        Measurement("edit of an order: requests", edited.calls, "requests", 2),
        Measurement("newer version with the same charge: write units", noted.write_units, "units", 7),
        Measurement("newer version with the same charge: requests", noted.calls, "requests", 2),
        Measurement("older version of an order: write units", again.write_units, "units", 4),
        Measurement("largest edited order's item", edited.largest["transactions"], "bytes", 1024),
    ]


def names(tables: MeteredTables) -> list[Measurement]:
    """A payment without aliases, with four, and again under one of them; in a warm container."""
    shop = merchant(1)
    opened(tables, shop)
    functions.ingest(payment(shop, "warm"))
    alone = usage(tables, lambda: functions.ingest(payment(shop, "alone")))
    named = usage(tables, lambda: functions.ingest(payment(shop, "p", "a", "b", "c", "d")))
    again = usage(tables, lambda: functions.ingest(payment(shop, "c")))
    assert tables.count("transactions") == 1 + 3 + 4, "a name of a payment had a second effect"
    return [
        Measurement("payment alone: write units", alone.write_units, "units", 5),
        Measurement("each alias: write units", (named.write_units - alone.write_units) / 4, "units", 2),
        Measurement("payment with four aliases: requests", named.calls, "requests", 1),
        Measurement("the same under an alias: requests", again.calls, "requests", 2),
        Measurement("the same under an alias: write units", again.write_units, "units", 4),
    ]


def many_merchants(tables: MeteredTables) -> list[Measurement]:
    """A batch of a hundred messages, each of another merchant."""
    shops, made = [merchant(number) for number in range(HUNDRED)], Orders(longest=True)
    opened(tables, *shops)
    first = usage(tables, lambda: functions.ingest(made.batch(*shops)))
    then = usage(tables, lambda: functions.ingest(made.batch(*shops)))
    return [
        Measurement(
            "order, 100 merchants in a batch: requests, new container", first.calls / HUNDRED, "requests", 1.01
        ),
        Measurement("order, 100 merchants in a batch: requests, warm", then.calls / HUNDRED, "requests", 1.0),
        Measurement("order, 100 merchants in a batch: write units", then.write_units / HUNDRED, "units", 5.0),
        Measurement("100 accounts read: read units", first.read_units / HUNDRED, "units", 1.0),
    ]


def fleet(tables: MeteredTables) -> list[Measurement]:
    """`roll_up` on a batch of a hundred account writes, merchants that were counted before."""
    accounts = [account(merchant(number), balance=BALANCE)[0] for number in range(HUNDRED)]
    functions.roll_up_accounts([item_of(one) for one in accounts])
    written = [
        item_of(replace(one, version=one.version + 1, balance=one.balance - number, sequence=one.sequence + number))
        for number, one in enumerate(accounts, 1)
    ]
    used = usage(tables, lambda: functions.roll_up_accounts(written))
    alone = usage(tables, lambda: functions.roll_up_accounts([item_of(replace(accounts[0], version=9, balance=1))]))
    return [
        Measurement("roll_up of 100 merchants: write units an account", used.write_units / HUNDRED, "units", 4.0),
        Measurement("roll_up of 100 merchants: requests an account", used.calls / HUNDRED, "requests", 0.1),
        Measurement("roll_up of one merchant: write units", alone.write_units, "units", 4.0),
    ]


def statuses(tables: MeteredTables) -> list[Measurement]:
    """Plugin status: from the table, from memory, and a hundred at once."""
    shops = [merchant(number) for number in range(HUNDRED)]
    opened(tables, *shops)
    asked = http_event(STATUS, path={"merchant_id": shops[0]})
    read = usage(tables, lambda: functions.get(asked))
    cached = usage(tables, lambda: functions.get(asked))
    return [
        Measurement("status, uncached: requests", read.calls, "requests", 1),
        Measurement("status, uncached: read units", read.read_units, "units", 0.5),
        Measurement("status, cached: requests", cached.calls, "requests", 0),
    ]


def pages(tables: MeteredTables, *, transactions: int = 2_000) -> list[Measurement]:
    """Pages of a long history: the first, one in the middle and the last, `transactions` long."""
    shop = merchant(1)
    opened(tables, shop, orders=transactions - 1)
    figures = []
    for page in (1, transactions // PAGE // 10, transactions // PAGE):
        asked = http_event(HISTORY, merchant_id=shop, page=str(page), limit=str(PAGE))
        used = usage(tables, lambda: functions.get(asked))  # noqa: B023 - called at once
        name = f"page {page:,} of {transactions:,}"
        figures += [
            Measurement(f"{name}: requests", used.calls, "requests", 2),
            Measurement(f"{name}: items read beside the account", used.items_read - 1, "items", PAGE),
            Measurement(f"{name}: read units", used.read_units, "units", 3.0),
        ]
    return figures


def due(tables: MeteredTables, *, accounts: int = 10_000, lapsing: int = HUNDRED) -> list[Measurement]:
    """`post_due` in a minute in which one account in a hundred is due, and in the next one, in which none is."""
    opening, history = account(merchant(0), balance=BALANCE)
    past = instant(datetime.now(UTC) - timedelta(minutes=5))
    ends = {True: past, False: instant(datetime.now(UTC) + timedelta(days=30))}
    shops = [replace(opening, merchant_id=merchant(number)) for number in range(accounts)]
    timed = [
        replace(one, lots=(Lot(expires_at=at, credits=5),), due_at=at)
        for number, one in enumerate(shops)
        for at in [ends[number < lapsing]]
    ]
    tables.load("credits", map(item_of, timed))
    tables.load("transactions", history)
    posted: list[int] = []
    first = usage(tables, lambda: posted.append(functions.post_due()["brought"]))
    idle = usage(tables, lambda: posted.append(functions.post_due()["brought"]))
    assert posted == [lapsing, 0], posted
    reads = first.calls - first.requests["TransactWriteItems"] - idle.calls
    return [
        Measurement("100 lapses among 10,000 accounts: write units a lapse", first.write_units / lapsing, "units", 8),
        Measurement(
            "100 lapses among 10,000 accounts: write requests a lapse",
            first.requests["TransactWriteItems"] / lapsing,
            "requests",
            1,
        ),
        Measurement("100 lapses among 10,000 accounts: other requests a lapse", reads / lapsing, "requests", 0.1),
        Measurement("post_due with nothing due: write units", idle.write_units, "units", 1),
    ]

"""What every event and route costs on a long ledger: 100,000 accounts and 1,000,000 transactions beside a small one.

The tables are filled directly; then the same calls run on both, and their requests are compared.
"""

from collections.abc import Callable, Mapping

from chalicelib.domain.ids import MerchantId
from infra.bench import functions
from infra.bench.counted import BALANCE, HISTORY, HUNDRED, PAGE, STATUS, opened, pages, usage
from infra.bench.functions import Orders, container, http_event, merchant
from infra.bench.measurements import Measurement
from infra.bench.tables import MeteredTables, Usage
from infra.bench.units import Item

SMALL = (100, 10)
LARGE = (100_000, 10)
"""Accounts, and transactions of each."""
HISTORY_LENGTH = 200_000
SHOP = merchant(0)
ZERO_EVERY = 50
"""One account in so many is at zero, one low."""


def long_measurements() -> list[Measurement]:
    """Return the difference in requests, units and items of each event and route, and the figures of three pages."""
    small, large = _costs(*SMALL), _costs(*LARGE)
    figures = [
        Measurement(
            f"{name}, {LARGE[0]:,} accounts: difference to {SMALL[0]}", _difference(small[name], large[name]), "", 0
        )
        for name in small
    ]
    tables = MeteredTables()
    with tables.under_botocore(), container():
        return figures + pages(tables, transactions=HISTORY_LENGTH)


def _difference(small: Usage, large: Usage) -> float:
    """Return the total difference of two calls in requests, units and items."""
    return (
        (small.requests - large.requests + (large.requests - small.requests)).total()
        + abs(small.write_units - large.write_units)
        + abs(small.read_units - large.read_units)
        + abs(small.items_read - large.items_read)
    )


def _costs(accounts: int, transactions: int) -> Mapping[str, Usage]:
    """Return what each event and route costs on a ledger of this size."""
    tables = MeteredTables()
    for number in range(accounts):
        balance = {1: transactions - 1, 2: transactions}.get(number % ZERO_EVERY, BALANCE)
        opened(tables, merchant(number), balance=balance, orders=transactions - 1)
    with tables.under_botocore(), container(FIGURES_TABLE="figures", CURSOR_KEY_PARAMETER=""):
        return {name: usage(tables, call) for name, call in _calls(tables).items()}


def _calls(tables: MeteredTables) -> Mapping[str, Callable[[], object]]:
    made = Orders()
    shops = [merchant(number) for number in range(HUNDRED) if number % ZERO_EVERY not in (1, 2)]

    def route(path: str, **parameters: str) -> Callable[[], object]:
        named = {"merchant_id": SHOP} if "{merchant_id}" in path else {}
        return lambda: functions.get(http_event(f"/api/v1/credits/{path}", path=named, **parameters))

    def images() -> list[Item]:
        return [item for shop in shops if (item := tables.item("credits", shop)) is not None]

    return {
        "order": lambda: functions.ingest(made.batch(SHOP)),
        "99 orders": lambda: functions.ingest(made.batch(*[SHOP] * 99)),
        "orders of many merchants": lambda: functions.ingest(made.batch(*shops)),
        "refund": lambda: functions.ingest(_refund(made, SHOP)),
        "roll_up": lambda: functions.roll_up_accounts(images()),
        "threshold events": lambda: functions.publish_thresholds(images()),
        "status": lambda: functions.get(http_event(STATUS, path={"merchant_id": SHOP})),
        "account": route("accounts/{merchant_id}"),
        "balance": route("accounts/{merchant_id}/balance"),
        "history": lambda: functions.get(http_event(HISTORY, merchant_id=SHOP, limit=str(PAGE))),
        "history by type": lambda: functions.get(http_event(HISTORY, merchant_id=SHOP, transaction_type="TRIAL")),
        "statistics": route("transactions/merchant/{merchant_id}/stats"),
        "fleet": route("plugin-status/metrics"),
    }


def _refund(made: Orders, shop: MerchantId) -> Mapping[str, object]:
    made.longest = True
    batch = made.batch(shop)
    functions.ingest(batch)
    return made.refund(shop)

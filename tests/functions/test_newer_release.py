"""Items that a newer release has written: it runs beside this one, or did so before a rollback.

What rests on them is left to that release's workers, neither parked nor acknowledged, and holds up nobody else; who
only answers goes on answering.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.recent_events import RECENT
from chalicelib.domain.ids import MerchantId, transaction_id
from chalicelib.wiring import for_figures
from tests.functions.test_cli_operations import Desk, desk
from tests.support.api import ADMIN, CREDITS_TABLE, TRANSACTIONS_TABLE, Api, Ledger
from tests.support.builders import SHOP, adjustment, merchant, order, payment, trial
from tests.support.events import Context, adjusted, batch, charged, opened, paid, refunded
from tests.support.figures_tables import created
from tests.support.system import System

__all__ = ["desk"]  # a fixture

OTHER = merchant("other-sec")
FIGURES_TABLE = "figures-test"
KEYS = {CREDITS_TABLE: "merchant_id", TRANSACTIONS_TABLE: "transaction_id"}
NEWER = {"N": "3"}


def make_newer(client: Any, table: str, key: str) -> None:
    """Write an item as a newer release would: in another form, and with what only that release knows."""
    client.update_item(
        TableName=table,
        Key={KEYS[table]: {"S": key}},
        UpdateExpression="SET schema_version = :newer, later = :later",
        ExpressionAttributeValues={":newer": NEWER, ":later": {"L": [{"S": "2025-07-01"}]}},
    )


@pytest.fixture
def figures(system: System) -> Iterator[None]:
    built = (
        for_figures.figures,
        for_figures.fleet,
        for_figures.recent_events,
        for_figures.container_counters,
    )
    system.configure(FIGURES_TABLE=FIGURES_TABLE)
    created(system.dynamodb, FIGURES_TABLE)
    for once in built:
        once.cache_clear()
    yield
    for once in built:
        once.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("warm", [False, True], ids=["a new container", "one that remembers the account"])
def test_one_newer_account_among_sixty_brings_its_own_message_back_and_no_other(system: System, warm: bool) -> None:
    shops = [merchant(f"s{number}") for number in range(60)]
    assert system.ingest(*(opened(shop) for shop in shops)) == []
    make_newer(system.dynamodb, CREDITS_TABLE, shops[0])
    if warm:
        # Who remembers it learns from the refused write.
        version = int(system.dynamodb.get_item(**_key(shops[0]))["Item"]["version"]["N"])
        system.dynamodb.update_item(
            **_key(shops[0]),
            UpdateExpression="SET version = :v",
            ExpressionAttributeValues={":v": {"N": str(version + 1)}},
        )
    else:
        system.configure()
    system.asked.clear()

    back = system.ingest(*(paid(number, merchant_id=shop) for number, shop in enumerate(shops)))

    assert len(back) == 1
    assert [system.balance(shop) for shop in shops[1:]] == [99] * 59
    asked = [operation for operation, _ in system.asked]
    assert (asked.count("BatchGetItem"), asked.count("TransactWriteItems")) == ((0, 60) if warm else (1, 59))
    assert system.parked() == []


def _key(shop: MerchantId) -> Any:
    return {"TableName": CREDITS_TABLE, "Key": {"merchant_id": {"S": shop}}}


def test_a_refund_of_a_newer_order_waits_and_is_never_parked(system: System) -> None:
    assert system.ingest(opened(), paid(1), opened(OTHER)) == []
    make_newer(system.dynamodb, TRANSACTIONS_TABLE, transaction_id(SHOP, "SHOPIFY_ORDER_1"))

    assert len(system.ingest(refunded(1), paid(2, merchant_id=OTHER))) == 1
    assert (system.parked(), system.balance(OTHER)) == ([], 99)


def test_an_admin_is_asked_to_come_back(system: System) -> None:
    system.ingest(opened())
    make_newer(system.dynamodb, CREDITS_TABLE, SHOP)
    system.configure()
    asked = {
        "merchant_id": SHOP,
        "operation_type": "INCREASE",
        "credits": 5,
        "reason": "r",
        "admin_id": "a",
        "adjustment_id": "a1",
    }

    assert app.adjust_credits(asked, Context())["error"]["code"] == "unavailable"
    threshold = {"merchant_id": SHOP, "low_balance_threshold": 5, "admin_id": "a"}
    assert app.set_threshold(threshold, Context())["error"]["code"] == "unavailable"


@dataclass(frozen=True)
class Streamed:
    """What a stream brings a function: an older record, a newer one of another shop, and one more behind it."""

    function: Any
    records: list[dict[str, Any]]

    @property
    def newer(self) -> str:
        """The sequence number of the newer record."""
        number: str = self.records[1]["dynamodb"]["SequenceNumber"]
        return number


@pytest.fixture(params=["publish_threshold_events", "publish_transaction_events", "roll_up"])
def streamed(system: System, figures: None, request: pytest.FixtureRequest) -> Streamed:
    shops = [SHOP, OTHER, merchant("third")]
    system.configure(TRIAL_CREDITS="1")
    for shop in shops:
        assert system.ingest(opened(shop), charged("p", 5, merchant_id=shop)) == []
    of_transactions = request.param == "publish_transaction_events"
    system.ingest(*(adjusted("DECREASE", 6, merchant_id=shop) for shop in shops))
    records = system.stream(TRANSACTIONS_TABLE if of_transactions else CREDITS_TABLE)
    newest = {record["dynamodb"]["NewImage"]["merchant_id"]["S"]: record for record in records}
    found = [newest[shop] for shop in shops]
    found.sort(key=lambda record: int(record["dynamodb"]["SequenceNumber"]))
    found[1]["dynamodb"]["NewImage"]["schema_version"] = NEWER
    return Streamed(getattr(app, request.param), found)


def test_a_newer_record_of_a_stream_is_left_and_the_rest_goes_on(system: System, streamed: Streamed) -> None:
    answer = streamed.function(batch(streamed.records), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": streamed.newer}]}
    assert system.parked("STREAM_DEAD_LETTER_QUEUE_URL") == []
    if streamed.function is app.roll_up:
        assert for_figures.figures().fleet().merchants == 2
        assert {event.merchant_id for event in for_figures.recent_events().read()} == {
            record["dynamodb"]["NewImage"]["merchant_id"]["S"] for record in (streamed.records[0], streamed.records[2])
        }
    else:
        heard = {event["detail"]["payload"]["merchant_id"] for event in system.heard()}
        assert len(heard) == 2


def test_a_newer_account_is_left_also_where_this_release_sees_no_crossing(system: System) -> None:
    system.ingest(opened())
    [record] = system.stream(CREDITS_TABLE)
    record["dynamodb"]["NewImage"]["schema_version"] = NEWER

    answer = app.publish_threshold_events(batch([record]), Context())

    assert answer["batchItemFailures"]


def test_the_latest_events_are_read_although_a_newer_release_keeps_more_of_them(system: System, figures: None) -> None:
    recent = for_figures.recent_events()
    event = {
        "time": "2025-06-01T12:00:00.000Z",
        "event_type": "evt.credits.balance_exhausted",
        "event_id": "e1",
        "merchant_id": SHOP,
        "transaction_id": None,
        "sequence": 3,
        "balance": 0,
    }
    text = json.dumps([{**event, "level": "gold"}])
    system.dynamodb.put_item(TableName=FIGURES_TABLE, Item={"id": {"S": RECENT}, "events": {"S": text}})

    assert [found.event_id for found in recent.read()] == ["e1"]


READ = {
    "the account": "/credits/accounts/{merchant_id}",
    "its story": "/credits/accounts/{merchant_id}/story",
    "its balance": "/credits/accounts/{merchant_id}/balance",
    "its figures": "/credits/transactions/merchant/{merchant_id}/stats",
    "a status": "/credits/plugin-status/{merchant_id}",
    "the history": "/credits/transactions/merchant/{merchant_id}",
    "accounts at zero": "/credits/admin/zero-balance",
}


@pytest.mark.parametrize("route", READ.values(), ids=READ)
def test_who_reads_is_answered_with_what_this_release_knows(api: Api, ledger: Ledger, route: str) -> None:
    ledger.post(trial(1), order("1"), payment("p", 5), adjustment("a", -5))
    key = transaction_id(SHOP, "SHOPIFY_ORDER_1")
    before = api.get(route.replace("{merchant_id}", SHOP), route=route, token=ADMIN)
    make_newer(ledger.client, CREDITS_TABLE, SHOP)
    make_newer(ledger.client, TRANSACTIONS_TABLE, key)

    answered = api.get(route.replace("{merchant_id}", SHOP), route=route, token=ADMIN)

    assert (before.status, answered.status) == (200, 200)


def test_verify_reports_the_newer_form_and_rebuild_leaves_it(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1), opened(OTHER))
    make_newer(desk.system.dynamodb, CREDITS_TABLE, SHOP)

    assert desk.told("verify") == {"accounts": 2, "records": 1, "findings": [], "newer_form": [SHOP]}
    assert f"{SHOP} has items in the form of a newer release" in desk.run("verify").output
    said = desk.run("rebuild", SHOP, "--yes")
    assert (said.exit_code, "newer release" in said.output) == (1, True)

"""Why a plugin is off, over HTTP: from the account, the transaction that decided it, and the transactions around."""

from datetime import timedelta

from chalicelib.domain.ids import instant
from tests.support.api import ADMIN, NOBODY, NOON, OTHER, OWNER, Answered, Api, Aws, Ledger
from tests.support.builders import SHOP, adjustment, order, trial
from tests.support.fakes import FakeLedger, settle


def story_of(api: Api, merchant_id: str, token: dict[str, str]) -> Answered:
    route = "/credits/accounts/{merchant_id}/story"
    return api.get(route.replace("{merchant_id}", merchant_id), route=route, token=token)


def emptied(ledger: Ledger) -> None:
    written = FakeLedger()
    movements = [trial(2), adjustment("a", -1), order("1"), order("2")]
    for minute, movement in enumerate(movements):
        settle(written, [movement], now=instant(NOON + timedelta(minutes=minute)))
    ledger.copy(written)


def test_the_story_says_why_the_plugin_is_off_since_when_and_what_was_published(api: Api, ledger: Ledger) -> None:
    emptied(ledger)

    told = story_of(api, SHOP, ADMIN).body["data"]

    assert (told["status"], told["since"]) == ("disabled", "2025-06-01T12:02:00.000Z")
    assert told["because"] == "Order 1 used 1 credit."
    assert told["since_then"] == "Since then 1 order found too few credits: 1 credit was missing."
    assert [said["event_type"] for said in told["chapters"][-1]["events"]] == [
        "evt.credits.balance_exhausted",
        "evt.credits.plugin_status_changed",
    ]


def test_a_story_costs_an_account_a_transaction_and_one_query(api: Api, ledger: Ledger, aws: Aws) -> None:
    emptied(ledger)
    aws.calls.clear()

    story_of(api, SHOP, OWNER)

    assert aws.operations() == ["GetItem", "GetItem", "Query"]


def test_a_story_is_for_the_owner_and_for_admins(api: Api, ledger: Ledger) -> None:
    emptied(ledger)

    assert story_of(api, SHOP, OWNER).status == 200
    assert story_of(api, OTHER, OWNER).status == 404
    assert story_of(api, NOBODY, ADMIN).status == 404

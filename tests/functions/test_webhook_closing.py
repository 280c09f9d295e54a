"""Shops that remove the app and come back, while other webhooks are under way (contract, section 15, point 3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.contracts.sources.raw import from_request
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import instant
from chalicelib.domain.links import LinkKind, merchant_of_name
from chalicelib.usecases.linking import Linking
from chalicelib.wiring import for_posting
from tests.support.api import CREDITS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, asking, batch, paid, sqs_record
from tests.support.system import System
from tests.support.webhooks import DOMAIN, SHOP_BODY, headers, order, text

OWN = merchant_of_name(f"shopify:{DOMAIN}")
LINKS = [f"shopify:{DOMAIN}", "stripe:cus_1"]


def shop(topic: str, body: dict[str, Any], *, at: str = "2026-11-20T15:00:02Z", deliveries: int = 1) -> dict[str, Any]:
    named = {**headers(topic), "X-Shopify-Triggered-At": at}
    record = sqs_record(from_request(LinkKind.SHOPIFY, text(body), named).message())
    record["attributes"]["ApproximateReceiveCount"] = str(deliveries)
    return record


def uninstalled(at: str = "2026-11-21T10:00:00Z") -> dict[str, Any]:
    return shop("app/uninstalled", SHOP_BODY, at=at)


def created(at: str | None) -> str:
    return asking("evt.merchant.created", {"links": LINKS}, **({"timestamp": at} if at else {}))


def test_an_order_that_comes_again_does_not_open_a_shop_that_has_gone(system: System) -> None:
    system.configure(UNLINKED="open")
    system.ingest(shop("orders/paid", order()))
    system.ingest(uninstalled())
    assert system.account(OWN).closed

    system.ingest(shop("orders/updated", order(), deliveries=2))
    assert system.account(OWN).closed


def test_a_shop_that_came_back_before_it_was_known_to_have_gone_stays(system: System) -> None:
    system.ingest(created("2026-11-19T10:00:00Z"))
    system.ingest(created("2026-11-22T10:00:00Z"))
    system.ingest(uninstalled("2026-11-21T10:00:00Z"))
    assert system.account().enabled

    system.ingest(uninstalled("2026-11-23T10:00:00Z"))
    assert system.account().closed


def test_a_shop_that_went_again_before_it_was_known_to_have_come_back_stays_closed(system: System) -> None:
    system.ingest(created("2026-11-19T10:00:00Z"))
    system.ingest(uninstalled("2026-11-21T10:00:00Z"))
    system.ingest(uninstalled("2026-11-23T10:00:00Z"))
    system.ingest(created("2026-11-22T10:00:00Z"))
    assert system.account().closed

    system.ingest(created("2026-11-24T10:00:00Z"))
    assert system.account().enabled


def test_a_shop_that_went_before_its_account_was_opened_is_there(system: System) -> None:
    system.ingest(created("2026-11-22T10:00:00Z"))
    system.ingest(uninstalled("2026-11-21T10:00:00Z"))

    assert system.account().enabled


def test_an_opening_that_two_services_tell_is_written_once(system: System) -> None:
    system.ingest(created("2026-11-22T10:00:00Z"))
    version = system.account().version
    system.ingest(created("2026-11-22T10:00:30Z"), created("2026-11-22T10:00:00Z"), created(None))

    assert system.account().version == version


def test_a_shop_that_goes_in_the_batch_of_its_first_order_is_closed(system: System) -> None:
    system.configure(UNLINKED="open")
    going = uninstalled()
    first = [shop("orders/paid", order()), going]
    if going["messageId"] in system.ingest(*first):
        system.ingest(going)

    assert system.account(OWN).closed
    assert [transaction.amount for transaction in system.history(OWN)] == [100, -1]


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        ({"GRACE_HOURS": "24", "TRIAL_CREDITS": "1"}, [order()]),
        ({"TRIAL_EXPIRES_DAYS": "1", "TRIAL_CREDITS": "5"}, []),
    ],
    ids=["a grace", "credits that lapse"],
)
def test_a_shop_that_comes_back_after_time_has_switched_its_plugin_off_is_not_told_to_be_on(
    system: System, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], used: list[dict[str, Any]]
) -> None:
    begun = datetime.now(UTC)
    system.configure(**settings)
    system.ingest(created("2026-11-19T10:00:00Z"))
    system.ingest(*(shop("orders/paid", body) for body in used))
    system.ingest(uninstalled("2026-11-21T10:00:00Z"))
    monkeypatch.setattr(for_posting, "now", lambda: instant(begun + timedelta(hours=25)))
    system.ingest(created("2026-11-22T10:00:00Z"))
    system.ingest(paid("next"))

    assert not system.account().closed
    assert statuses(system) == ["disabled"]


def statuses(system: System) -> list[str]:
    """Publish what the stream of accounts brings, and return the statuses of the plugin in it."""
    app.publish_threshold_events(batch(system.stream(CREDITS_TABLE)), Context())
    told = [event["detail"] for event in system.heard()]
    return [one["payload"]["current_status"] for one in told if one["event_type"].endswith("status_changed")]


def test_a_fault_of_one_events_links_fails_none_of_its_neighbours(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[RetryLater]:
        raise ValueError(Code.INTERNAL)

    monkeypatch.setattr(Linking, "write", broken)
    poison, neighbour = created(None), asking("evt.merchant.created", {"merchant_id": merchant("neighbour")})
    records = [sqs_record(body) for body in (poison, neighbour)]

    assert system.ingest(*records) == [records[0]["messageId"]]
    assert system.balance(SHOP) == system.balance(merchant("neighbour")) == 100

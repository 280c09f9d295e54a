"""Merchants found by label, domain, customer or id, over HTTP (contract, "Merchants")."""

from datetime import UTC, datetime

import pytest

from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.links import Link
from chalicelib.usecases.searching import found_merchants
from chalicelib.wiring import for_api, for_desk
from tests.functions.test_people import MERCHANTS, api, found, rolled_up
from tests.support.api import ADMIN, Answered, Api
from tests.support.builders import merchant
from tests.support.events import opened
from tests.support.system import System

__all__ = ["api"]


@pytest.mark.parametrize("text", ["!", "x" * 256, " - "])
def test_what_nothing_can_be_found_by_is_a_bad_request(api: Api, text: str) -> None:
    answered = api.get(MERCHANTS, token=ADMIN, parameters={"search": text})

    assert (answered.status, answered.body["error"]["details"]["field"]) == (400, "search")


def searched(api: Api, text: str, **parameters: str) -> Answered:
    return api.get(MERCHANTS, token=ADMIN, parameters={"search": text, **parameters})


def ids(answered: Answered) -> list[str]:
    return [row["merchant_id"] for row in found(answered)]


def named(shop: MerchantId, name: str, label: str | None = None) -> None:
    assert for_api.links().put(Link(name=name, merchant_id=shop, label=label, since=instant(datetime.now(UTC)))) == shop


def test_a_merchant_is_found_by_how_its_label_or_a_word_of_it_begins(api: Api, desk: System) -> None:
    books, tea = merchant("books"), merchant("tea")
    desk.ingest(opened(books), opened(tea), opened())
    named(books, "shopify:lpb.example", "Last Penny Books")
    named(tea, "shopify:cafe-o.example", "O’Hara's Café & Penny-Tea, Wien")

    for text in ("Last Penny Books", "last", "PENNY BOOKS", " books ", "last  penny b"):
        assert ids(searched(api, text)) == [books], text
    for text in ("ohara", "O'Hara", "cafe", "CAFÉ", "Café penny", "tea", "wien"):
        assert ids(searched(api, text)) == [tea], text
    assert ids(searched(api, "penny")) == [books, tea]
    assert ids(searched(api, "enny")) == ids(searched(api, "last books")) == []


def test_a_merchant_is_found_by_its_domain_and_customer_and_each_once_with_its_id(api: Api, desk: System) -> None:
    shops = [merchant(f"shop {number}") for number in range(12)]
    desk.ingest(*(opened(shop) for shop in shops))
    rolled_up(desk)
    start = shops[0][0]
    for number, shop in enumerate(shops[:6]):
        named(shop, f"shopify:{start}-{number}.example", f"{start} {start}{number} shop")
        named(shop, f"stripe:{start}{number}", f"{start}again")

    assert ids(searched(api, f"{start.upper()}-3.ex")) == [shops[3]]
    assert ids(searched(api, f"{start}4")) == [shops[4]]
    listed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answered = searched(api, start, limit="2", **cursor)
        listed += ids(answered)
        if (after := answered.body["pagination"]["next_cursor"]) is None:
            break
        cursor = {"cursor": after}

    assert len(listed) == len(set(listed))
    assert set(listed[:6]) == set(shops[:6])
    assert listed[6:] == sorted(shop for shop in shops[6:] if shop.startswith(start))


def test_a_page_that_begins_at_a_merchant_who_lost_the_name_is_a_bad_request(api: Api, desk: System) -> None:
    shops = [merchant("tea 1"), merchant("tea 2")]
    desk.ingest(*(opened(shop) for shop in shops))
    for number, shop in enumerate(shops):
        named(shop, f"shopify:{number}.example", f"Tea {number}")
    cursor = searched(api, "tea", limit="1").body["pagination"]["next_cursor"]
    assert ids(searched(api, "tea", cursor=cursor)) == [shops[1]]

    named(shops[0], "shopify:0.example", "Coffee")

    answered = searched(api, "tea", cursor=cursor)
    assert (answered.status, answered.body["error"]["code"]) == (400, "CURSOR_INVALID")
    assert ids(searched(api, "tea")) == [shops[1]]


def test_a_search_returns_no_more_merchants_than_wanted(api: Api, desk: System) -> None:
    first, second, third = (merchant(f"shop {number}") for number in range(3))
    # The second name of the first merchant is left out, so the next request for two finds one too many.
    for shop, name, label in (
        (first, "shopify:a.example", "Tea A"),
        (first, "stripe:cus_a", "Tea A2"),
        (second, "shopify:b.example", "Tea B"),
        (third, "shopify:c.example", "Tea C"),
    ):
        named(shop, name, label)

    found_now = found_merchants(for_api.links(), for_desk.desk_reader(), "tea", wanted=2)
    after = found_merchants(for_api.links(), for_desk.desk_reader(), "tea", after=second, wanted=2)

    assert (found_now, after) == ([first, second], [third])

"""Links over HTTP: an admin says which merchant a shop or customer belongs to (contract, section 15)."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant
from chalicelib.domain.plugin_status import Closure
from chalicelib.wiring import for_api
from tests.support.api import ADMIN, OTHER, OWNER, Answered, Api
from tests.support.builders import SHOP, account_of
from tests.support.fake_links import FakeLinks

LINKS = "/credits/admin/links"
ROUTE = f"{LINKS}/{{kind}}/{{name}}"
DOMAIN = "teegeist.myshopify.com"


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> FakeLinks:
    fake = FakeLinks()
    monkeypatch.setattr(for_api, "links", lambda: fake)
    return fake


def put(api: Api, name: str = DOMAIN, *, kind: str = "shopify", **body: object) -> Answered:
    return api.put(f"{LINKS}/{kind}/{name}", {"merchant_id": SHOP, **body}, route=ROUTE, token=ADMIN)


def ask(api: Api, name: str = DOMAIN, method: str = "GET") -> Answered:
    return api.get(f"{LINKS}/shopify/{name}", route=ROUTE, token=ADMIN, method=method)


def test_a_name_is_linked_once_and_again_with_the_same_answer(api: Api, links: FakeLinks) -> None:
    first = put(api, DOMAIN.upper(), label=" 茶\u3000Teegeist ")
    assert (first.status, first.body["data"]["name"]) == (200, f"shopify:{DOMAIN}")
    assert first.body["data"]["label"] == "茶\u3000Teegeist"
    assert put(api).body["data"] == first.body["data"] == ask(api).body["data"]


def test_a_name_of_another_merchant_is_409_and_stays_there(api: Api, links: FakeLinks) -> None:
    put(api)
    answered = put(api, merchant_id=OTHER)

    assert (answered.status, answered.body["error"]["code"]) == (409, "LINK_TAKEN")
    assert ask(api).body["data"]["merchant_id"] == SHOP


def test_a_removed_name_is_nobodys_and_may_be_another_merchants(api: Api, links: FakeLinks) -> None:
    put(api)
    assert ask(api, method="DELETE").status == 200
    assert (ask(api).status, ask(api, method="DELETE").status) == (404, 404)
    assert put(api, merchant_id=OTHER).status == 200


@pytest.mark.parametrize(
    ("kind", "name", "body"),
    [
        ("paypal", "x", {}),
        ("shopify", "no-domain", {}),
        ("stripe", "cus-1%20", {}),
        ("stripe", "cus_1%0a", {}),
        ("shopify", "%0d%0ateegeist.example", {}),
        ("%09shopify", "teegeist.example", {}),
        ("stripe", "cus_1%c2%a0", {}),
        ("stripe", "cus_1", {"merchant_id": "x"}),
        ("stripe", "cus_1", {"merchant_id": None}),
        ("stripe", "cus_1", {"label": ""}),
        ("stripe", "cus_1", {"label": "x" * 101}),
        ("stripe", "cus_1", {"label": "a\nb"}),
        ("stripe", "cus_1", {"label": "half a pair: \ud83d"}),
        ("stripe", "cus_1", {"label": 5}),
    ],
)
def test_what_is_no_link_is_400(api: Api, links: FakeLinks, kind: str, name: str, body: dict[str, object]) -> None:
    assert put(api, name, kind=kind, **body).status == 400
    assert links.links == {}


def test_shops_are_found_by_how_their_names_start_page_by_page(api: Api, links: FakeLinks) -> None:
    for name in ("tea-a.example", "tea-b.example", "wine.example"):
        put(api, name)
    put(api, "cus_1", kind="stripe")

    first = api.get(LINKS, token=ADMIN, parameters={"starting": "TEA", "limit": "1"})
    assert [row["name"] for row in first.body["data"]] == ["shopify:tea-a.example"]
    cursor = first.body["pagination"]["next_cursor"]
    second = api.get(LINKS, token=ADMIN, parameters={"starting": "tea", "limit": "1", "cursor": cursor})
    assert [row["name"] for row in second.body["data"]] == ["shopify:tea-b.example"]
    assert not second.body["pagination"]["has_next"]
    stripe = api.get(LINKS, token=ADMIN, parameters={"kind": "stripe"})
    assert [row["name"] for row in stripe.body["data"]] == ["stripe:cus_1"]
    assert api.get(LINKS, token=ADMIN, parameters={"kind": "stripe", "cursor": cursor}).status == 400


def test_names_of_many_merchants_are_answered_at_once(api: Api, links: FakeLinks) -> None:
    put(api, "cus_1", kind="stripe")
    put(api)
    put(api, "wine.example", merchant_id=OTHER, label="Weinhaus")

    answered = api.post("/credits/admin/names", {"merchant_ids": [SHOP, OTHER, SHOP]}, token=ADMIN)
    names = answered.body["data"]["names"]
    assert {merchant: one["shown"] for merchant, one in names.items()} == {SHOP: DOMAIN, OTHER: "Weinhaus"}
    of_one = api.get(LINKS, token=ADMIN, parameters={"merchant_id": SHOP})
    assert [row["name"] for row in of_one.body["data"]] == [f"shopify:{DOMAIN}", "stripe:cus_1"]


def test_links_are_for_admins(api: Api, links: FakeLinks) -> None:
    assert api.get(LINKS, token=OWNER).status == 403
    assert api.put(f"{LINKS}/shopify/{DOMAIN}", {}, route=ROUTE, token=OWNER).status == 403
    assert api.put(f"{LINKS}/shopify/{DOMAIN}", {}, route=ROUTE).status == 401


def test_a_table_that_does_not_answer_is_503(api: Api, links: FakeLinks, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_name: str) -> None:
        raise RetryLater(Code.UNAVAILABLE, "the links did not answer")

    monkeypatch.setattr(FakeLinks, "get", lambda _self, name: unavailable(name))
    assert ask(api).status == 503


def test_a_closed_account_is_opened_by_a_link(api: Api, links: FakeLinks, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("chalicelib.api.links.send_to_inbox", sent.append)
    put(api)
    assert sent == []

    closed = replace(account_of(balance=5), closure=Closure(closed=True, at=Instant("2026-11-21T10:00:00.000Z")))
    monkeypatch.setattr(for_api, "history", lambda: SimpleNamespace(account=lambda _merchant: closed))
    put(api)
    [body] = sent
    assert json.loads(body)["payload"] == {"merchant_id": SHOP}

"""Links in the list of who did what (contract, "Who did what")."""

import pytest

from chalicelib.wiring import for_desk
from tests.functions.test_people import ACTIONS, api, found
from tests.support.api import ADMIN, Answered, Api, throttled
from tests.support.builders import SHOP, merchant
from tests.support.events import opened
from tests.support.system import System

__all__ = ["api"]


def test_links_are_noted_with_their_names_and_who_set_them(api: Api, desk: System) -> None:
    desk.ingest(opened())
    name, eve = "last-penny.example", {**ADMIN, "subject": "eve"}
    assert linked(api, name).status == 200
    assert linked(api, name, merchant_id=merchant("other shop")).status == 409
    assert linked(api, name, method="DELETE", token=eve).status == 200
    assert linked(api, name, method="DELETE", token=eve).status == 404

    everything = found(api.get(ACTIONS, token=ADMIN))

    told = {(one["did"], one["admin_id"], one["merchant_id"], one["details"]["name"]) for one in everything}
    assert told == {
        ("linked", "admin-7", SHOP, f"shopify:{name}"),
        ("unlinked", "eve", SHOP, f"shopify:{name}"),
    }
    assert len(everything) == 2
    assert found(api.get(ACTIONS, token=ADMIN, parameters={"merchant_id": SHOP})) == everything
    assert found(api.get(ACTIONS, token=ADMIN, parameters={"merchant_id": merchant("other shop")})) == []


def test_a_link_that_could_not_be_noted_is_answered_so_and_noted_when_it_is_repeated(
    api: Api, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened())
    with monkeypatch.context() as broken:
        broken.setattr(for_desk.desk_reader()._client, "put_item", lambda **_: (_ for _ in ()).throw(throttled()))
        assert linked(api, "last-penny.example").status == 503
    assert found(api.get(ACTIONS, token=ADMIN)) == []

    assert linked(api, "last-penny.example").status == 200

    assert [one["did"] for one in found(api.get(ACTIONS, token=ADMIN))] == ["linked"]


def linked(api: Api, name: str, *, method: str = "PUT", token: dict[str, str] = ADMIN, **body: str) -> Answered:
    route = "/credits/admin/links/{kind}/{name}"
    path = f"/credits/admin/links/shopify/{name}"
    if method == "PUT":
        return api.put(path, {"merchant_id": SHOP, **body}, route=route, token=token)
    return api.get(path, route=route, token=token, method=method)

"""Dead letters over HTTP: the newest of those asked for, grouped, and discarded with a reason that is kept."""

from datetime import datetime
from typing import Any

import pytest

from chalicelib.adapters.letter_looks import Look
from chalicelib.api import dead_letters as routes
from chalicelib.domain.errors import Code, RetryLater
from tests.functions.test_http_desk import LETTERS, api, listed, redriven
from tests.support.api import ADMIN, OPS, OWNER, Answered, Api
from tests.support.builders import SHOP, merchant
from tests.support.events import asking, charged, opened
from tests.support.figures_tables import FiguresTable
from tests.support.system import System

__all__ = ["api"]

OTHER = merchant("other")
REASON = {"reason": "The sender sent it again"}


def discarded(api: Api, letter_id: str, body: Any = REASON, token: dict[str, str] = ADMIN) -> Answered:
    route = f"{LETTERS}/{{letter_id}}/discard"
    return api.post(route.replace("{letter_id}", letter_id), body, route=route, token=token)


def shown(api: Api, letter_id: str) -> Answered:
    return api.get(f"{LETTERS}/{letter_id}", route=f"{LETTERS}/{{letter_id}}", token=ADMIN)


def test_a_list_has_the_newest_whatever_the_queue_hands_out_first(api: Api, desk: System) -> None:
    desk.ingest(opened(), *(charged(f"p{number}", 0) for number in range(25)))
    desk.ingest(charged("newest", 0))

    assert '"newest"' in listed(api, limit="1")[0]["body"]
    times = [letter["parked_at"] for letter in listed(api, limit="100")]
    assert times == sorted(times, reverse=True)


def test_a_list_that_could_not_see_all_letters_says_so(api: Api, desk: System, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ingest(opened(), *(charged(f"p{number}", 0) for number in range(3)))

    def seen(path: str, **parameters: str) -> tuple[int, bool]:
        answered = api.get(path, token=ADMIN, parameters=parameters).body
        return len(answered["data"]), answered["pagination"]["complete"]

    assert seen(LETTERS, limit="2") == (2, True)
    assert seen(LETTERS, code="nothing") == (0, True)
    assert seen(f"{LETTERS}/groups") == (1, True)

    monkeypatch.setattr(routes, "LOOK_SECONDS", -1.0)
    assert seen(LETTERS, code="credits_invalid") == (0, False)
    assert seen(f"{LETTERS}/groups") == (0, False)


def test_a_list_is_narrowed_by_code_and_by_merchant(api: Api, desk: System) -> None:
    other = asking("evt.billing.payment_succeeded", {"merchant_id": OTHER, "payment_id": "p2", "credits": 0})
    desk.ingest(opened(), charged("p1", 0), other, "no event")

    assert len(listed(api)) == 3
    assert {letter["merchant_id"] for letter in listed(api, code="credits_invalid")} == {SHOP, OTHER}
    [one] = listed(api, code="credits_invalid", merchant_id=OTHER)
    assert one["merchant_id"] == OTHER
    answered = api.get(LETTERS, token=ADMIN, parameters={"code": "credits_invalid", "limit": "1"})
    assert (answered.body["pagination"]["total"], answered.body["pagination"]["has_next"]) == (2, True)
    assert "code=credits_invalid" in answered.body["links"]["self"]
    assert api.get(LETTERS, token=ADMIN, parameters={"merchant_id": "x"}).status == 400


def test_letters_are_grouped_by_code_and_merchant_the_largest_group_first(
    api: Api, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened(), *(charged(f"p{number}", 0) for number in range(3)), "no event")

    groups = api.get(f"{LETTERS}/groups", token=ADMIN).body["data"]

    assert [(group["code"], group["merchant_id"], group["letters"]) for group in groups] == [
        ("credits_invalid", SHOP, 3),
        ("not_json", None, 1),
    ]
    assert groups[0]["oldest"] <= groups[0]["newest"]
    assert len(listed(api)) == 4, "looking takes nothing out"
    monkeypatch.setattr(routes, "LIMIT_MAX", 1)
    fewer = api.get(f"{LETTERS}/groups", token=ADMIN).body
    assert (len(fewer["data"]), fewer["pagination"]["total"]) == (1, 2)


def test_a_discarded_letter_is_gone_and_who_did_it_when_and_why_is_kept(
    api: Api, desk: System, table: FiguresTable
) -> None:
    desk.ingest(opened(), charged("p1", 0), charged("p2", 0))
    [letter, other] = listed(api)

    answered = discarded(api, letter["id"])

    assert answered.status == 200
    why = answered.body["data"]["discarded"]
    assert (why["admin_id"], why["reason"]) == ("admin-7", REASON["reason"])
    assert [one["id"] for one in listed(api)] == [other["id"]]
    again = discarded(api, letter["id"], {"reason": "another"})
    assert (again.status, again.body["data"]["discarded"]) == (200, why)
    kept = shown(api, letter["id"]).body["data"]
    assert (kept["body"], kept["discarded"]) == (letter["body"], why)
    assert redriven(api, letter["id"]).status == 404
    assert desk.in_inbox() == []


def test_a_discard_that_ended_halfway_did_not_happen_once_the_letter_is_put_back(
    api: Api, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened(), charged("p1", 0))
    [letter] = listed(api)
    with monkeypatch.context() as broken:
        broken.setattr(Look, "delete", unanswered)
        assert discarded(api, letter["id"]).status == 503
    assert len(listed(api)) == 1

    assert redriven(api, letter["id"]).status == 200

    assert shown(api, letter["id"]).status == 404
    assert discarded(api, letter["id"]).status == 404


def test_a_discard_that_ended_halfway_is_that_of_whoever_ends_it(
    api: Api, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened(), charged("p1", 0))
    [letter] = listed(api)
    with monkeypatch.context() as broken:
        broken.setattr(Look, "delete", unanswered)
        discarded(api, letter["id"], {"reason": "first"})

    assert discarded(api, letter["id"], {"reason": "second"}).body["data"]["discarded"]["reason"] == "second"


def unanswered(*_: object) -> None:
    raise RetryLater(Code.UNAVAILABLE, "no answer")


def test_a_discarded_letter_is_kept_for_as_long_as_the_setting_says(
    api: Api, desk: System, table: FiguresTable
) -> None:
    desk.ingest(opened(), charged("p1", 0))
    desk.configure(DISCARDED_DAYS="30")
    [letter] = listed(api)

    why = discarded(api, letter["id"]).body["data"]["discarded"]

    item = table.item(f"discarded#{letter['id']}")
    assert int(item["expires_at"]["N"]) == int(datetime.fromisoformat(why["time"]).timestamp()) + 30 * 86_400


def test_a_long_letter_is_kept_whole_when_it_is_discarded(api: Api, desk: System, table: FiguresTable) -> None:
    body = "no event " * 20_000
    desk.ingest(body)
    [letter] = listed(api)
    assert letter["body_cut"]

    discarded(api, letter["id"])

    kept = shown(api, letter["id"]).body["data"]
    assert (kept["body"], kept["body_cut"]) == (body, False)


def test_a_letter_that_cannot_be_recorded_stays_parked(api: Api, desk: System) -> None:
    desk.ingest(opened(), charged("p1", 0))
    [letter] = listed(api)

    assert discarded(api, letter["id"]).status >= 500, "there is no figures table"
    assert [one["id"] for one in listed(api)] == [letter["id"]]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": 7}, {"reason": "x" * 501}])
def test_a_reason_is_needed(api: Api, desk: System, table: FiguresTable, body: Any) -> None:
    desk.ingest(opened(), charged("p1", 0))
    [letter] = listed(api)

    answered = discarded(api, letter["id"], body)

    assert (answered.status, answered.body["error"]["details"]["field"]) == (400, "reason")
    assert len(listed(api)) == 1


def test_only_admins_discard_and_what_is_not_there_is_404(api: Api, desk: System, table: FiguresTable) -> None:
    assert [discarded(api, "x", token=token).status for token in (OWNER, OPS)] == [403, 403]
    assert discarded(api, "x").status == 404
    assert api.get(f"{LETTERS}/groups", token=OPS).status == 403

"""The running stack over HTTP: what admins may do, and the table of hostile requests, none of which gets through."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.builders import merchant
from tests.support.forger import Forger, valid_tokens
from tests.support.hostile import Row, Scene, faults, forged_rows, rows
from tests.support.running_stack import client
from tests.support.stack_process import READY_SECONDS, started, wait

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("hostile stack")]

SHOP, OTHER = merchant("hostile shop"), merchant("another shop")
ANSWER_SECONDS = 300
"""How long sixteen containers that start at once may keep a request waiting on a busy machine."""
GOODWILL = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": 5, "reason": "goodwill"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came over the wire."""

    status: int
    media_type: str
    text: str

    def data(self) -> Any:
        return json.loads(self.text)["data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running stack with two shops of 100 credits, and who may ask it."""

    description: Mapping[str, Any]
    forger: Forger
    tokens: Mapping[str, str | None]

    def ask(
        self, method: str, path: str, *, token: str | None, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = token
        with closing(
            http.client.HTTPConnection(urlsplit(self.description["api_url"]).netloc, timeout=ANSWER_SECONDS)
        ) as line:
            line.request(method, path, headers=sent, body=body)
            answer = line.getresponse()
            return Answer(
                status=answer.status, media_type=answer.headers.get("Content-Type", ""), text=answer.read().decode()
            )

    def admin(self, method: str, path: str, fields: Any = None, *, key: str | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        body = json.dumps(fields) if fields is not None else None
        return self.ask(method, f"/api/v1{path}", token=self.tokens["admin"], headers=headers, body=body)

    def answered(self, adjustment: Any, *, key: str) -> Answer:
        """Return the answer to an adjustment, which is asked for again while it is 503, as that asks to."""
        for _ in range(10):
            answer = self.admin("POST", "/credits/admin/adjustments", adjustment, key=key)
            if answer.status != 503:
                break
            time.sleep(1)
        return answer

    def account(self, shop: str) -> Any:
        return self.admin("GET", f"/credits/accounts/{shop}").data()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with started(tmp_path_factory.mktemp("hostile"), {}) as run:
        run.wait_for_line("READY ")
        description = run.description()
        signer = description["jwt"]
        forger = Forger(
            private_key_path=Path(signer["private_key_path"]),
            issuer=signer["issuer"],
            audience=signer["audience"],
            key_id=signer["key_id"],
        )
        tokens = valid_tokens(forger, shop=SHOP, other=OTHER)
        site = Site(description=description, forger=forger, tokens=tokens)
        for shop in (SHOP, OTHER):
            payload = {"merchant_id": shop, "trial_id": "t", "credits_to_use": 100}
            body = json.dumps({"event_type": "evt.account.created", "payload": payload})
            client(description, "sqs").send_message(QueueUrl=description["inbox_queue_url"], MessageBody=body)
        for shop in (SHOP, OTHER):
            path = f"/credits/accounts/{shop}"
            wait(lambda path=path: site.admin("GET", path).status == 200, READY_SECONDS)  # type: ignore[misc]
        yield site


def test_sixteen_at_once_that_start_cold_are_posted_once_and_none_gets_a_bare_failure(site: Site) -> None:
    before = site.account(SHOP)["balance"]
    key = str(uuid4())

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(site.admin, "POST", "/credits/admin/adjustments", GOODWILL, key=key) for _ in range(16)]
        answered = [one.result() for one in asked]

    posted = [one for one in answered if one.status != 503]
    assert {one.status for one in posted} <= {200, 201}, answered
    assert sum(one.status == 201 for one in posted) <= 1, answered
    for one in answered:
        assert one in posted or one.media_type == "application/problem+json", one
    assert site.answered(GOODWILL, key=key).status in (200, 201)
    assert site.account(SHOP)["balance"] == before + 5


def test_an_adjustment_over_http_is_posted_once(site: Site) -> None:
    before = site.account(SHOP)["balance"]
    key = str(uuid4())

    asked = site.admin("POST", "/credits/admin/adjustments", GOODWILL, key=key)
    # Whose first answer was a 503 on a busy machine may have been posted by it.
    first, posted = (asked, (201,)) if asked.status != 503 else (site.answered(GOODWILL, key=key), (200, 201))
    again = site.answered(GOODWILL, key=key)
    other = site.answered({**GOODWILL, "credits": 6}, key=key)

    assert first.status in posted, first
    assert (again.status, other.status) == (200, 409), (again, other)
    assert first.data() == again.data()
    assert first.data()["extra_metadata"] == {"reason": "goodwill", "admin_id": "hostile"}
    assert site.account(SHOP)["balance"] == before + 5


def test_of_many_at_once_one_at_most_is_201_and_the_others_are_200(site: Site) -> None:
    before = site.account(SHOP)["balance"]
    key = str(uuid4())

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(site.answered, GOODWILL, key=key) for _ in range(4)]
        answered = [one.result() for one in asked]

    # Whose first answer was a 503 on a busy machine may have been the one that posted it.
    assert {one.status for one in answered} <= {200, 201}, answered
    assert sum(one.status == 201 for one in answered) <= 1, answered
    assert site.account(SHOP)["balance"] == before + 5


def test_a_threshold_set_over_http_lists_the_shop_among_the_low_ones(site: Site) -> None:
    threshold = f"/credits/admin/accounts/{OTHER}/low-balance-threshold"

    low = site.admin("PUT", threshold, {"low_balance_threshold": 100})
    wait(lambda: bool(site.admin("GET", "/credits/admin/low-balance").data()), READY_SECONDS)
    listed = site.admin("GET", "/credits/admin/low-balance")
    back = site.admin("PUT", threshold, {"low_balance_threshold": None})

    assert (low.status, back.status) == (200, 200), (low, back)
    assert (low.data()["threshold"], back.data()["low_balance_threshold"]) == (100, None)
    assert [one["merchant_id"] for one in listed.data()] == [OTHER]


def test_every_hostile_request_is_refused_and_no_credit_moves(site: Site) -> None:
    site.admin("POST", "/credits/admin/adjustments", GOODWILL, key=str(uuid4()))
    history = site.admin("GET", f"/credits/transactions?merchant_id={SHOP}&limit=1")
    scene = Scene(
        shop=SHOP,
        other=OTHER,
        foreign_transaction=site.account(OTHER)["last_transaction_id"],
        cursor=json.loads(history.text)["pagination"]["next_cursor"],
    )
    before = [site.account(shop) for shop in (SHOP, OTHER)]
    secrets = [str(site.description[table]) for table in ("credits_table", "transactions_table", "figures_table")]
    requests = [(row, site.tokens[row.caller]) for row in rows()] + list(forged_rows(site.forger))

    found: list[str] = []
    for row, token in requests:
        answer = sent(site, scene, row, token)
        found += faults(row, answer.status, answer.media_type, answer.text, expected=row.statuses, secrets=secrets)

    assert not found, "\n".join(found)
    assert [site.account(shop) for shop in (SHOP, OTHER)] == before


def sent(site: Site, scene: Scene, row: Row, token: str | None) -> Answer:
    headers = {name: scene.filled(value) for name, value in row.headers.items()}
    return site.ask(row.method, scene.filled(row.path), token=token, headers=headers, body=scene.body(row))

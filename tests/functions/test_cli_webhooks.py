"""`credits emit --webhook`: signed, posted to the very route, and said what came of it."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import Result

from app import app
from chalicelib.wiring import for_api
from infra.commands import emitting
from infra.commands.target import Target
from tests.functions.test_cli_operations import Desk, desk
from tests.support.api import Api
from tests.support.builders import SHOP
from tests.support.engines import LOOPBACK
from tests.support.events import opened
from tests.support.system import System, forget_the_container
from tests.support.webhooks import (
    DOMAIN,
    ORDER_ID,
    PERIOD,
    SHOP_BODY,
    charge,
    dispute,
    invoice,
    line,
    order,
    refund,
    session,
    stripe,
    transaction,
)

__all__ = ["desk"]

SECRETS = {"shopify": "shopify-secret", "stripe": "whsec_stripe"}
LINKED = [{"name": f"shopify:{DOMAIN}"}, {"name": "stripe:cus_1"}]


class Inbox:
    """Stands for the queue: what it gets the ledger has at once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.bodies: list[str] = []

    def send(self, _url: str, body: str, _group: str | None = None) -> None:
        self.bodies.append(body)
        self.system.ingest(body)


@pytest.fixture
def inbox(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """Serve the API, with this inbox behind it, as the target of the command."""
    found = Inbox(desk.system)
    desk.system.configure(SHOPIFY_SECRET_PARAMETER="/shopify", STRIPE_SECRET_PARAMETER="/stripe")
    monkeypatch.setattr(for_api, "webhook_queue", lambda: found)
    monkeypatch.setattr(for_api, "webhook_secrets", lambda name: (SECRETS[name.strip("/")],))
    desk.functions.get_function_configuration = lambda **_: {  # type: ignore[method-assign]
        "Environment": {"Variables": dict(os.environ)}
    }

    class Route(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = Api(app).post(self.path.removeprefix("/api/v1"), body, headers=dict(self.headers))
            self.send_response(said.status)
            self.end_headers()
            self.wfile.write(said.text.encode())

        def log_message(self, *_: object) -> None:
            return

    target: Target = emitting.find(None, None)  # type: ignore[attr-defined]
    with HTTPServer((LOOPBACK, 0), Route) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        local = cast("Any", SimpleNamespace(webhook_secrets=SECRETS))
        at = replace(target, api_url=f"http://{LOOPBACK}:{server.server_port}", local=local)
        monkeypatch.setattr(emitting, "find", lambda *_: at)
        yield found
        server.shutdown()
    forget_the_container()


def link(desk: Desk) -> None:
    """Open the shop's account, with its links."""
    body = json.loads(opened())
    body["payload"]["links"] = LINKED
    body["event_type"] = "evt.merchant.created"
    desk.system.ingest(json.dumps(body))


def emitted(desk: Desk, folder: Path, source: str, body: Any, *options: str) -> Result:
    file = folder / "webhook.json"
    file.write_text(body if isinstance(body, str) else json.dumps(body))
    of_shopify = ("--topic", "orders/paid", "--shop", DOMAIN) if source == "shopify" else ()
    return desk.run("emit", "--webhook", source, str(file), *of_shopify, "--timeout", "3", *options)


def test_an_order_is_posted_signed_and_counts_once(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)

    first, again = (emitted(desk, tmp_path, "shopify", order(), "--wait") for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout.splitlines()[:2] == ["200: taken into the inbox.", "#2: 100 → 99 credits"]
    assert "#2: recorded before" in again.stdout
    assert len(inbox.bodies) == 2


def test_an_invoice_and_a_dispute_of_a_payment_are_waited_for(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    assert inbox.bodies == []
    link(desk)
    desk.system.configure(CREDITS_BY_PRICE='{"price_pro": 500}')
    renewal = stripe("invoice.paid", invoice(line(start=PERIOD)))
    bought = stripe("checkout.session.completed", session())
    disputed = stripe("charge.dispute.funds_withdrawn", dispute())

    said = [emitted(desk, tmp_path, "stripe", one, "--wait").stdout for one in (renewal, bought, disputed)]

    assert [one.splitlines()[1] for one in said] == [
        "#2: 100 → 600 credits",
        "#3: 600 → 1,100 credits",
        "#4: 1100 → 600 credits",
    ]


def test_a_session_that_is_captured_later_is_reported_as_counting_then(
    desk: Desk, inbox: Inbox, tmp_path: Path
) -> None:
    link(desk)
    unpaid = stripe("checkout.session.completed", session(payment_status="unpaid"))
    captured = stripe("charge.captured", charge(amount_refunded=0))

    said = [emitted(desk, tmp_path, "stripe", one, "--wait") for one in (unpaid, captured)]

    assert [one.exit_code for one in said] == [0, 0]
    assert all("counts once its checkout session is completed and paid" in one.stdout for one in said)
    assert inbox.system.balance() == 600


def test_what_is_ignored_is_said(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)

    said = emitted(desk, tmp_path, "shopify", order(id=7, admin_graphql_api_id=None, test=True), "--wait")
    unused = emitted(desk, tmp_path, "stripe", stripe("customer.created", {"id": "cus_1"}), "--wait")

    assert (said.exit_code, unused.exit_code) == (0, 0)
    assert "7: ignored (test_order); nothing is recorded." in said.stdout
    assert "customer.created: ignored (topic_unused); nothing is recorded." in unused.stdout
    assert len(inbox.bodies) == 2


def test_what_is_ignored_is_said_without_waiting_too(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)
    body = order(id=7, admin_graphql_api_id=None, test=True)

    said, told = emitted(desk, tmp_path, "shopify", body), emitted(desk, tmp_path, "shopify", body, "--json")

    assert "7: ignored (test_order); nothing is recorded." in said.stdout
    assert json.loads(told.stdout)["ignored"] == [{"reference_id": "7", "reason": "test_order"}]
    assert len(inbox.bodies) == 2


@pytest.mark.parametrize("option", ["--wait", "--json"])
def test_fields_that_cannot_be_read_are_named_beside_the_answer(
    desk: Desk, inbox: Inbox, tmp_path: Path, option: str
) -> None:
    link(desk)
    event = stripe("invoice.paid", invoice(line(start=PERIOD), metadata={"credits": "5"}))

    bought = emitted(desk, tmp_path, "shopify", order(currency="E", total_price={"amount": "5"}), option)
    dated = emitted(desk, tmp_path, "shopify", order(id=8, admin_graphql_api_id=None, updated_at="noon"), option)
    paid = emitted(desk, tmp_path, "stripe", {**event, "created": "noon"}, option)
    fine = emitted(desk, tmp_path, "shopify", order(id=9, admin_graphql_api_id=None), option)

    assert "currency 'E' cannot be read and is left out" in bought.stderr
    assert "total_price is of another form, cannot be read and is left out" in bought.stderr
    assert "updated_at 'noon' cannot be read and is left out" in dated.stderr
    assert "created is of another form, cannot be read and is left out" in paid.stderr
    assert fine.stderr == ""
    assert len(inbox.bodies) == 4


def test_a_refund_in_an_order_that_is_refused_does_not_keep_the_order_from_being_sent(
    desk: Desk, inbox: Inbox, tmp_path: Path
) -> None:
    link(desk)
    wrong = refund(transaction("9" * 16), transaction("9" * 16))
    file = tmp_path / "webhook.json"
    file.write_text(json.dumps(order(financial_status="partially_refunded", refunds=[wrong])))
    options = ("--topic", "orders/updated", "--shop", DOMAIN, "--timeout", "3", "--wait")

    said = desk.run("emit", "--webhook", "shopify", str(file), *options)

    assert (said.exit_code, len(inbox.bodies)) == (0, 1)
    assert said.stdout.splitlines()[:2] == ["200: taken into the inbox.", "#2: 100 → 99 credits"]


def test_a_shop_that_removed_the_app_is_said_to_close(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)
    file = tmp_path / "webhook.json"
    file.write_text(json.dumps(SHOP_BODY))

    said = desk.run(
        *("emit", "--webhook", "shopify", str(file), "--topic", "app/uninstalled", "--shop", DOMAIN, "--wait")
    )

    assert said.exit_code == 0
    assert "The shop's account closes" in said.stdout
    assert len(inbox.bodies) == 1


def test_a_wrong_secret_is_refused_in_plain_words(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)
    (tmp_path / "secret").write_text("another\n")

    said = emitted(desk, tmp_path, "shopify", order(), "--secret-file", str(tmp_path / "secret"))
    told = emitted(desk, tmp_path, "shopify", order(), "--secret-file", str(tmp_path / "secret"), "--json")

    assert (said.exit_code, told.exit_code) == (1, 1)
    assert "401: X-Shopify-Hmac-Sha256 does not match this body: another secret signed it" in said.stdout
    assert "--secret-file names the one that signs" in said.stdout
    assert json.loads(told.stdout)["status"] == 401
    assert inbox.bodies == []


def test_a_shop_that_nobody_linked_is_named_with_the_command_that_links_it(
    desk: Desk, inbox: Inbox, tmp_path: Path
) -> None:
    said = emitted(desk, tmp_path, "shopify", order(), "--wait")

    assert said.exit_code == 1
    assert f"No merchant is linked to shopify:{DOMAIN}" in said.stdout
    assert f"credits link shopify:{DOMAIN} MERCHANT" in said.stdout
    assert len(inbox.bodies) == 1


def test_an_order_of_a_shop_that_nobody_linked_is_said_to_be_ignored_where_nobody_paid(
    desk: Desk, inbox: Inbox, tmp_path: Path
) -> None:
    said = emitted(desk, tmp_path, "shopify", order(test=True), "--wait")

    assert (said.exit_code, len(inbox.bodies)) == (0, 1)
    assert f"{ORDER_ID}: ignored (test_order); nothing is recorded." in said.stdout


def test_poison_is_not_sent_unless_that_is_wanted(desk: Desk, inbox: Inbox, tmp_path: Path) -> None:
    link(desk)
    poison = order(order_id=1)

    said = emitted(desk, tmp_path, "shopify", poison, "--wait")
    assert (said.exit_code, inbox.bodies) == (1, [])
    assert "Not sent, the service would park it" in said.stderr

    sent = emitted(desk, tmp_path, "shopify", poison, "--wait", "--unchecked")
    assert sent.exit_code == 1
    assert "Parked, " in sent.stdout
    assert len(desk.system.parked()) == 1
    assert desk.system.balance(SHOP) == 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--webhook", "shopify", "{file}"), "give --topic and --shop"),
        (("--webhook", "stripe", "{file}", "--topic", "orders/paid"), "--topic and --shop are Shopify's"),
        (("--webhook", "stripe"), "A webhook is one file"),
        (("--webhook", "stripe", "{file}", "order_id=1"), "A webhook is one file"),
        (("--webhook", "stripe", "{file}", "--via", "bus"), "A webhook is one file"),
        (("order_paid", "--shop", DOMAIN), "need --webhook"),
        (("--webhook", "stripe", "/nowhere.json"), "/nowhere.json cannot be read: no such file or directory."),
        (("--webhook", "stripe", "{file}", "--secret-file", "/nowhere"), "/nowhere cannot be read"),
    ],
)
def test_what_is_missing_or_too_much_is_said_before_anything_is_sent(
    desk: Desk, inbox: Inbox, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    file = tmp_path / "webhook.json"
    file.write_text("{}")

    said = desk.run("emit", *(one.format(file=file) for one in arguments))

    assert said.exit_code == 2
    assert sentence in said.stderr.replace("\n", " ")
    assert inbox.bodies == []

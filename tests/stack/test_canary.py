"""A canary in everything that is not ours to keep, through the whole running system: in no log line and in no table."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.marketplace import Event, happened, merchant
from tests.support.poison import ADJUSTED, CREATED, ORDER_PAID, PAID, REFUNDED, RENEWED
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

CANARY = "canary-7f3a"
MAIL = f"{CANARY}@example.org"
REVERSED, DISPUTED, DISPUTE_WON = (f"evt.billing.payment_{what}" for what in ("refunded", "disputed", "dispute_won"))


def marked(event: Event) -> Event:
    """Return the event with a canary in every place that holds nothing of ours."""
    payload = event["payload"]
    lines = [{**line, "title": MAIL, "properties": [{MAIL: MAIL}]} for line in payload.get("order_items", [])]
    return {
        **event,
        "metadata": {"email": MAIL, "ip": MAIL},
        "customer": MAIL,
        MAIL: MAIL,
        "payload": {
            **payload,
            **({"order_items": lines} if lines else {}),
            "email": MAIL,
            "customer": {"first_name": MAIL, "addresses": [{"street": MAIL}]},
            "note": MAIL,
            "shop_domain": MAIL,
            "identifiers": {"merchant_id": payload["merchant_id"], "email": MAIL},
        },
    }


def ask(stack: Stack, method: str, path: str, body: str | None = None, **headers: str) -> int:
    with closing(http.client.HTTPConnection(urlsplit(stack.description.api_url).netloc, timeout=60)) as connection:
        connection.request(method, path, body, {"User-Agent": MAIL, "Referer": f"https://{CANARY}", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def asked_over_http(stack: Stack, shop: str) -> None:
    """Ask for everything with a canary in it, in good tokens' and bad tokens' company."""
    good = {"Authorization": f"Bearer {stack.description.admin_token}"}
    adjustment = {"merchant_id": shop, "operation_type": "INCREASE", "credits": 5, "reason": "goodwill", "email": MAIL}
    key = {**good, "Idempotency-Key": "c1", "Content-Type": "application/json"}
    api = "/api/v1/credits"
    assert ask(stack, "POST", f"{api}/admin/adjustments", json.dumps(adjustment), **key) in (200, 201, 400)
    assert (
        ask(stack, "POST", f"{api}/admin/adjustments", f'{{"reason": "{MAIL}', **{**key, "Idempotency-Key": "c2"})
        == 400
    )
    assert ask(stack, "GET", f"{api}/accounts/{shop}?email={CANARY}", **good) in (200, 400)
    assert ask(stack, "GET", f"{api}/transactions?merchant_id={CANARY}", **good) in (400, 404, 422)
    assert ask(stack, "GET", f"{api}/accounts/{shop}", Authorization=f"Bearer {CANARY}.{CANARY}.{CANARY}") == 401
    assert ask(stack, "GET", f"{api}/plugin-status/{shop}?token={CANARY}") == 200
    assert ask(stack, "GET", f"{api}/plugin-status/{CANARY}") in (400, 404, 422)


def test_what_is_personal_or_secret_is_in_no_log_line_and_in_no_table(flows: Stack) -> None:
    shop = merchant("keeps canaries")
    good = [
        happened(CREATED, shop),
        happened(ORDER_PAID, shop, order_id=1, order_items=[{}, {}], total="9.90", currency="EUR"),
        happened("evt.order.updated", shop, order_id=2),
        happened(REFUNDED, shop, order_id=1, refund_id=1),
        happened(PAID, shop, payment_id="p1", credits=5),
        happened(RENEWED, shop, subscription_id="s1", renewal_id="r1", credits_used=5),
        happened(ADJUSTED, shop, adjustment_id="a1", operation_type="DECREASE", credits=105, reason="misuse"),
    ]
    back = [
        happened(REVERSED, shop, payment_id="p1", reversal_id="v1", credits=1),
        happened(DISPUTED, shop, payment_id="p1", dispute_id="d1"),
        happened(DISPUTE_WON, shop, payment_id="p1", dispute_id="d1"),
    ]
    bad = [happened(PAID, shop, payment_id="p2", credits=MAIL), happened(ORDER_PAID, shop, order_id={"id": MAIL})]
    for event in good:
        flows.tell(marked(event))
    flows.put(*map(marked, [happened(ORDER_PAID, shop, order_id=3), happened(PAID, shop, payment_id="p3", credits=9)]))
    flows.publish(*map(marked, (*back, *bad)))
    flows.nats.publish([(PAID, f'{{"event_type": "{MAIL}"'.encode()), (PAID, json.dumps(MAIL).encode())])
    until("four letters", lambda: len(flows.letters(naming=CANARY)) == 4)
    asked_over_http(flows, shop)
    flows.settle()

    assert len(flows.ledger(shop)) >= 12
    for letter in flows.letters(naming=CANARY):
        assert CANARY not in json.dumps(letter.attributes), "bodies are kept as they came, reasons say no value"
    for heard in flows.told_about(shop):
        assert CANARY not in json.dumps([heard.event, dict(heard.headers)])
    secrets = [CANARY, *secrets_of(flows)]
    places = dict(kept(flows))
    assert any("ingested" in text for text in places.values()), "the functions' own lines are among the logs"
    for place, text in places.items():
        assert text.strip() or "log" in place
        for secret in secrets:
            assert secret not in text, f"{secret[:12]}… stands in {place}"


def secrets_of(stack: Stack) -> Iterator[str]:
    """Yield what opens the stack: tokens, and the text of the key that signs them."""
    yield stack.description.admin_token
    yield stack.description.ops_token
    lines = Path(stack.description.jwt.private_key_path).read_text().splitlines()
    yield next(line for line in lines if not line.startswith("-----"))


def kept(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield every log and every table of the stack, by name."""
    for path in [*stack.directory.glob("*.log"), stack.directory.parent / "output.txt"]:
        if path.exists():
            yield path.name, without_the_table_of_contents(path.read_text(errors="replace"))
    for table in (field.name for field in fields(stack.description) if field.name.endswith("_table")):
        name = getattr(stack.description, table)
        pages = stack.dynamodb.get_paginator("scan").paginate(TableName=name)
        yield name, json.dumps([item for page in pages for item in page["Items"]])
    yield from function_logs(stack)


def function_logs(stack: Stack) -> Iterator[tuple[str, str]]:
    logs: Any = stack._client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
        yield f"log {name}", "\n".join(event["message"] for page in pages for event in page["events"])


def without_the_table_of_contents(text: str) -> str:
    """Leave out the lines to try that `make run` prints for whoever started it, a token of the stack's own in them."""
    return "\n".join(line for line in text.splitlines() if "Authorization: Bearer" not in line)

"""`credits emit` of what is ignored by rule or parked: it is reported with its reason, and not awaited."""

import json
import time
from hashlib import sha256
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dead_letters import DeadLetters, Listing
from infra.commands import parked
from infra.commands.channels import Bus
from infra.commands.events import Outgoing
from tests.functions.test_cli_operations import Desk, desk
from tests.support.builders import SHOP
from tests.support.events import charged, opened, paid

__all__ = ["desk"]


def test_an_ignored_order_is_said_with_its_reason_and_not_waited_for(desk: Desk) -> None:
    order = ("emit", "order_paid", f"merchant_id={SHOP}", "--via", "bus", "--wait", "--timeout", "5")
    unpaid = desk.run(*order, "order_id=1", "financial_status=pending")
    test = desk.run(*order, "order_id=2", "test=true")

    assert (unpaid.exit_code, test.exit_code) == (0, 0)
    assert "order 1: ignored (order_not_paid); nothing is recorded." in unpaid.stdout
    assert "TEST_ORDERS" not in unpaid.stdout
    assert "order 2: ignored (test_order); nothing is recorded." in test.stdout
    assert "A stage whose setting TEST_ORDERS is count charges test orders." in test.stdout
    assert "park" not in unpaid.stdout + test.stdout


def test_of_a_file_the_ignored_orders_are_counted_by_reason(desk: Desk, tmp_path: Path) -> None:
    desk.system.ingest(opened(), paid(1))
    cloud_event = {
        "specversion": "1.0",
        "type": "evt.order.updated",
        "data": {"merchant_id": SHOP, "order_id": 4, "financial_status": "voided"},
    }
    lines = [paid(1), paid(2, test=True), paid(3, test=True), json.dumps(cloud_event)]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    emitted = ("emit", "--file", str(file), "--via", "bus", "--wait", "--timeout", "5")

    said, told = desk.run(*emitted), desk.told(*emitted)

    assert said.exit_code == 0
    assert "3 ignored: 1 order_not_paid, 2 test_order." in said.stdout
    assert (told["sent"], told["recorded_before"], told["missing"]) == (4, 1, [])
    assert told["ignored"] == [
        {"reference_id": "2", "reason": "test_order"},
        {"reference_id": "3", "reason": "test_order"},
        {"reference_id": "4", "reason": "order_not_paid"},
    ]


def test_what_is_ignored_is_said_without_waiting_too(desk: Desk) -> None:
    said = desk.run(
        "emit", "order_paid", f"merchant_id={SHOP}", "order_id=1", "financial_status=pending", "--via", "bus"
    )

    assert "order 1: ignored (order_not_paid); nothing is recorded." in said.stdout


@pytest.fixture
def delivered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bus deliver events at once, in its own envelope, and the command look for letters without a pause."""

    def send(_: Bus, events: list[Outgoing]) -> list[str | None]:
        for event in events:
            detail = json.loads(event.detail)
            desk.system.ingest(json.dumps({"version": "0", "detail-type": event.event_type, "detail": detail}))
        return [None] * len(events)

    monkeypatch.setattr(Bus, "send", send)
    monkeypatch.setattr(parked, "FIRST_LOOK_SECONDS", 0.0)


SENT = ("--via", "bus", "--wait", "--timeout", "30")


@pytest.mark.usefixtures("delivered")
@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (
            ("payment_succeeded", "payment_id=p1", "credits=5", "expires_at=2020-01-01"),
            "expiry_past",
            "lapsed, at 2020-01-01",
        ),
        (("payment_succeeded", "payment_id=p1", "credits=-5", "--unchecked"), "credits_invalid", "credits"),
        (
            (
                "manual_adjustment",
                "adjustment_id=a1",
                "operation_type=DECREASE",
                "credits=500",
                "reason=r",
                "admin_id=a",
            ),
            "insufficient_credits",
            "500",
        ),
    ],
)
def test_a_parked_event_is_reported_with_its_reason_and_not_awaited(
    desk: Desk, event: tuple[str, ...], code: str, reason: str
) -> None:
    desk.system.ingest(opened())
    started = time.monotonic()

    said = desk.run("emit", event[0], f"merchant_id={SHOP}", *event[1:], *SENT)

    assert time.monotonic() - started < 10
    assert said.exit_code == 1
    assert f"Parked, {code}: " in said.stdout
    assert reason in said.stdout
    [letter] = desk.told("dead-letters", "list", "--json")["items"]
    assert f"credits dead-letters show {letter['id']}" in said.stdout
    assert "not in the ledger yet" not in said.stdout


@pytest.mark.usefixtures("delivered")
def test_the_parked_events_of_a_file_are_reported_and_the_others_awaited(desk: Desk, tmp_path: Path) -> None:
    desk.system.ingest(opened(), paid(1, total="10"))
    both = json.loads(paid(3, 4))
    both["payload"]["order_items"][0]["expires_at"] = "2030-01-01"
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([paid(2), json.dumps(both)]))

    said = desk.run("emit", "--file", str(file), "--unchecked", *SENT, "--json")

    # The service runs in this process too, and writes a line of metrics first.
    told = json.loads("\n".join(line for line in said.stdout.splitlines() if '"_aws"' not in line))
    assert said.exit_code == 1
    assert (told["sent"], told["recorded"], told["missing"]) == (2, 1, [])
    assert [(one["code"], one["event_type"]) for one in told["parked"]] == [
        ("field_invalid", "evt.shopify.webhook.order_paid")
    ]


@pytest.mark.usefixtures("delivered")
def test_an_event_that_is_parked_twice_is_not_awaited_either(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([charged("p1", 0)] * 2))
    started = time.monotonic()

    said = desk.run("emit", "--file", str(file), "--unchecked", *SENT)

    assert time.monotonic() - started < 10
    assert said.exit_code == 1
    assert said.stdout.count("Parked, credits_invalid: ") == 2


def test_a_second_look_reads_no_body_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoLetters:
        def listing(self, **_: object) -> Listing:
            return Listing(letters=(), counted=0, matched=0, whole=True)

    read: list[str] = []

    def marks(body: str) -> set[str]:
        read.append(body)
        return {body}

    monkeypatch.setattr(parked, "_marks", marks)
    looking, events = parked.ParkedEvents(NoLetters()), [parked.Sent(body="a"), parked.Sent(body="b")]  # type: ignore[arg-type]

    for _ in range(2):
        assert looking.found(events, last=True) == {}

    assert read == ["a", "b"]


@pytest.mark.usefixtures("delivered")
def test_a_letter_parked_before_the_event_was_sent_is_not_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bus, "send", lambda _bus, events: [None] * len(events))
    monkeypatch.setattr(parked, "_CLOCKS", -parked._CLOCKS)
    desk.system.ingest(opened(), '{"event_type": "evt.nobody.knows"}')

    said = desk.run("emit", "evt.nobody.knows", "--unchecked", "--via", "bus", "--wait", "--timeout", "0")

    assert "Parked" not in said.stdout
    assert "The service will park it" in said.stdout


def test_a_message_that_the_bridge_keeps_is_recognised_by_its_hash() -> None:
    body = json.dumps({"event_type": "evt.order.updated", "payload": {"note": "x" * 100}})
    kept = {"event_type": "evt.order.updated", "kept": {"sha256": sha256(body.encode()).hexdigest()}}

    class Letter:
        body = json.dumps(kept)

    assert parked._marks_of_letter(Letter()) & parked._marks(body)  # type: ignore[arg-type]


@pytest.mark.usefixtures("delivered")
def test_without_the_right_to_read_dead_letters_the_command_says_so_and_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.system.ingest(opened())

    def denied(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage")

    monkeypatch.setattr(DeadLetters, "listing", denied)

    said = desk.run(
        "emit",
        "payment_succeeded",
        f"merchant_id={SHOP}",
        "payment_id=p1",
        "credits=5",
        "expires_at=2020-01-01",
        "--via",
        "bus",
        "--wait",
        "--timeout",
        "0.5",
    )

    assert said.exit_code == 1
    assert said.stderr.count("The dead letters cannot be read") == 1
    assert "1 not in the ledger yet" in said.stdout


@pytest.mark.usefixtures("delivered")
def test_an_inflow_is_reported_with_the_debt_that_it_repaid(desk: Desk) -> None:
    desk.system.ingest(opened(), charged("p1", 5), *(paid(order) for order in range(105)))
    desk.run("emit", "payment_refunded", f"merchant_id={SHOP}", "payment_id=p1", "reversal_id=r1", "credits=5", *SENT)

    said = desk.run("emit", "payment_succeeded", f"merchant_id={SHOP}", "payment_id=p2", "credits=8", *SENT)
    later = desk.run("emit", "payment_succeeded", f"merchant_id={SHOP}", "payment_id=p3", "credits=1", *SENT)

    assert ": 0 → 8 credits" in said.stdout
    assert "5 of it paid debt (#" in said.stdout
    assert "): 3 credits left." in said.stdout
    assert (later.exit_code, "paid debt" in later.stdout) == (0, False)

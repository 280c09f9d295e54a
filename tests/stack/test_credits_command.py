"""The `credits` command on the running stack: every command, what it says and the status that it ends with."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.client import Client

from infra.commands.channels import IN_FLIGHT
from tests.support.bridge_process import ANSWER_SECONDS, on_nats
from tests.support.command_line import Said, said
from tests.support.engines import FAKE_AWS_ENVIRONMENT
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("people")]

Command = Callable[..., Said]


@pytest.fixture
def run(flows: Stack) -> Command:
    """Run a command against the stack."""

    def command(*arguments: object, answer: str | None = None) -> Said:
        return said(*arguments, environment={"LOCAL_DIR": str(flows.directory)}, answer=answer)

    return command


def opened(run: Command, credits_given: int) -> str:
    """Return a new shop with these credits."""
    shop = str(uuid4())
    told = run("emit", "account.created", f"merchant_id={shop}", f"credits_to_use={credits_given}", "--wait")
    assert (told.status, f"0 → {credits_given} credits" in told.out) == (0, True), told.out + told.err
    return shop


def test_an_event_counts_once_whichever_way_it_comes(run: Command) -> None:
    shop = opened(run, 22)
    order = ("emit", "order_paid", f"merchant_id={shop}", "order_id=1", "total=24.90", "--wait")

    first, again = run(*order, "--via", "nats"), run(*order, "--via", "bus")

    assert "sent over NATS" in first.out
    assert "22 → 21 credits" in first.out
    assert "sent over the bus" in again.out
    assert "#2: recorded before" in again.out
    assert (first.status, again.status) == (0, 0)


def test_a_key_used_again_for_other_content_is_said(run: Command) -> None:
    shop = opened(run, 5)
    payment = ("emit", "payment_succeeded", f"merchant_id={shop}", "payment_id=p1", "--wait")
    run(*payment, "credits=10")

    other = run(*payment, "credits=11")

    assert other.status == 1
    assert "BILLING_PAYMENT_p1: recorded before with other content" in other.out


def test_a_merchant_moves_in_and_what_the_old_service_counted_counts_no_more(run: Command, tmp_path: Path) -> None:
    shop, accounts, transactions = str(uuid4()), tmp_path / "accounts.csv", tmp_path / "transactions.csv"
    accounts.write_text(f"merchant_id,balance\n{shop},40\n")
    transactions.write_text(
        "merchant_id,idempotency_key,reference_id,balance_after\n"
        f"{shop},TRIAL_MERCHANT,{shop},41\n"
        f"{shop},SHOPIFY_ORDER_old-1,old-1,40\n"
    )

    looked = run("import", accounts, transactions, "--dry-run", "--json")
    moved = run("import", accounts, transactions, "--json")
    repeated = run("import", accounts, transactions, "--json")
    orders = [
        run("emit", "order_paid", f"merchant_id={shop}", f"order_id={order}", "total=9.90", "--wait")
        for order in ("old-1", "new-1")
    ]

    assert (looked.status, moved.status, repeated.status) == (0, 0, 0), looked.err + moved.err + repeated.err
    assert [told.json["opened"] for told in (looked, moved, repeated)] == [0, 1, 0]
    assert "recorded before" in orders[0].out
    assert "40 → 39 credits" in orders[1].out
    assert run("why", shop).status == 0


def test_a_movement_whose_ground_is_missing_is_waited_for_as_long_as_asked(run: Command) -> None:
    shop = str(uuid4())

    told = run("emit", "order_paid", f"merchant_id={shop}", "order_id=1", "--wait", "--timeout", "0.5")

    assert told.status == 1
    assert "1 not in the ledger yet" in told.out
    # The order finds its account after all, so that nothing is left under way for other tests.
    run("emit", "merchant.created", f"merchant_id={shop}", "--wait")
    assert run("emit", "order_paid", f"merchant_id={shop}", "order_id=1", "--wait").status == 0


@pytest.mark.parametrize(("suffix", "count"), [(".jsonl", IN_FLIGHT + 10), (".jsonl.gz", 30)])
def test_a_file_of_events_is_sent_and_its_bad_lines_are_named(
    run: Command, tmp_path: Path, suffix: str, count: int
) -> None:
    shop = opened(run, 500)
    orders = [
        json.dumps({"event_type": "evt.shopify.webhook.order_paid", "payload": {"merchant_id": shop, "order_id": each}})
        for each in range(count)
    ]
    file = tmp_path / f"events{suffix}"
    content = "\n".join([*orders[:3], "{nonsense", "", *orders[3:], orders[7]]).encode()
    file.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)

    told = run("emit", "--file", file, "--wait", "--json")

    assert told.json == {
        "sent": count + 1,
        "not_sent": ["line 4: the body is not JSON"],
        "recorded": count,
        "recorded_before": 0,
        "conflicts": [],
        "parked": [],
        "ignored": [],
        "missing": [],
    }
    assert told.status == 1
    assert f"{500 - count} credits left" in run("balance", shop).out


def test_a_merchant_is_looked_at(run: Command, flows: Stack) -> None:
    shop = opened(run, 3)
    for number in (1, 2):
        run("emit", "order_paid", f"merchant_id={shop}", f"order_id={number}", "--wait")

    assert "1 credit left, plugin on since 20" in run("balance", shop).out
    assert run("balance", shop, "--json").json == flows.read(f"/credits/accounts/{shop}")
    newest = run("history", shop, "--limit", 2)
    assert "2 of 3; go on with --before 2" in newest.out
    assert run("history", shop, "--json").json["items"] == flows.read(f"/credits/transactions?merchant_id={shop}")
    assert [row["sequence"] for row in run("history", shop, "--before", 2, "--json").json["items"]] == [1]
    assert run("status", shop).out.startswith("enabled: sufficient credits")


def test_why_tells_the_story_with_times_and_ids_and_what_was_published(run: Command, flows: Stack) -> None:
    shop = opened(run, 22)
    run("adjust", shop, "--remove", 21, "--reason", "a test", "--id", "T-1")
    run("emit", "order_paid", f"merchant_id={shop}", "order_id=1002", "--wait")

    told = run("why", shop)

    [opening, removal, order] = flows.ledger(shop)
    assert told.status == 0
    assert told.out.startswith("The plugin is off since 20")
    places = [told.out.index(row["id"]) for row in (opening, removal, order)]
    assert places == sorted(places)
    assert "published evt.credits.balance_exhausted, evt.credits.plugin_status_changed" in told.out
    assert run("why", shop, "--json").json == flows.read(f"/credits/accounts/{shop}/story")
    assert run("status", shop).status == 1

    run("adjust", shop, "--add", 30, "--reason", "a test", "--id", "T-2")

    published = "evt.credits.adjusted, evt.credits.balance_restored, evt.credits.plugin_status_changed"
    assert f"published {published}\n" in run("why", shop).out, "no line is cut off"


def test_an_adjustment_is_previewed_applied_once_and_refused_where_it_must_be(run: Command) -> None:
    shop = opened(run, 10)
    asked = ("adjust", shop, "--remove", 4, "--reason", "a test", "--id", "T-1")

    preview, first, again = run(*asked, "--dry-run"), run(*asked, "--admin", "support"), run(*asked)
    other = run("adjust", shop, "--remove", 5, "--reason", "a test", "--id", "T-1")
    too_much = run("adjust", shop, "--remove", 7, "--reason", "a test")

    assert "Would be 10 → 6 credits" in preview.out
    assert "Adjustment T-1: 10 → 6 credits" in first.out
    assert "already applied at" in again.out
    assert [one.status for one in (preview, first, again, other, too_much)] == [0, 0, 0, 1, 1]
    assert "recorded before with other content" in other.err
    assert "7 credits cannot be taken" in too_much.err
    assert run("adjust", shop, "--remove", 7, "--reason", "a test", "--dry-run").status == 1
    newest = run("history", shop, "--limit", 1, "--json").json["items"][0]
    assert newest["extra_metadata"] == {"admin_id": "support", "reason": "a test"}


def test_a_threshold_is_shown_set_and_taken_back(run: Command) -> None:
    shop = opened(run, 30)

    assert run("threshold", shop).out == "threshold 20 (the default); the balance is 30\n"
    assert "threshold 40 (its own); the balance is 30, which is low" in run("threshold", shop, 40).out
    assert run("threshold", shop, "default", "--json").json["low_balance_threshold"] is None


def test_the_doctor_finds_a_running_stack_well(run: Command) -> None:
    told = run("doctor", "--json")

    bad = [one for one in told.json["findings"] if one["state"] != "ok"]
    # Other tests park messages in the same stack.
    assert [one for one in bad if one["component"] != "dead letters"] == []
    assert {one["component"] for one in told.json["findings"]} >= {"tables", "functions", "NATS", "bridge", "API"}


def test_the_doctor_and_the_health_name_a_stream_whose_consumer_is_paused(flows: Stack, run: Command) -> None:
    pause = "$JS.API.CONSUMER.PAUSE.CREDIT_ADJUSTMENTS.credit-service"

    def paused_until(instant: datetime) -> None:
        async def act(client: Client) -> None:
            await client.request(
                pause, json.dumps({"pause_until": instant.isoformat()}).encode(), timeout=ANSWER_SECONDS
            )

        on_nats(flows.description.nats_url, act)

    def named() -> bool:
        findings = run("doctor", "--json").json["findings"]
        return any(one["component"] == "streams" and one["state"] == "failed" for one in findings)

    try:
        paused_until(datetime.now(UTC) + timedelta(minutes=5))
        until("the doctor to name the stream", named)
        (found,) = [one for one in run("doctor", "--json").json["findings"] if one["component"] == "streams"]
        assert found["said"].startswith("CREDIT_ADJUSTMENTS: its consumer is paused until ")
    finally:
        paused_until(datetime.now(UTC) - timedelta(minutes=5))
    until("the doctor to find all well", lambda: not named())


def test_a_deployed_stage_is_found_by_its_stack(flows: Stack, run: Command) -> None:
    shop = opened(run, 12)
    aws = {**FAKE_AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": flows.description.aws_endpoint, "LOCAL_DIR": "/nowhere"}
    at_stage = ("--stage", "local")

    balance = said("balance", shop, *at_stage, "--json", environment=aws)
    adjust = ("adjust", shop, "--add", 3, "--reason", "a test", *at_stage)
    declined = said(*adjust, environment=aws, answer="n\n")
    applied = said(*adjust, environment=aws, answer="y\n")
    over_the_bus = said("emit", "order_paid", f"merchant_id={shop}", "order_id=1", "--wait", *at_stage, environment=aws)
    missing = said("balance", shop, "--stage", "nowhere", environment=aws)

    assert balance.json["balance"] == 12
    assert (declined.status, applied.status) == (1, 0)
    assert "Stage local: 12 → 15 credits. Continue?" in declined.err
    assert "12 → 15 credits" in applied.out
    assert "15 → 14 credits" in over_the_bus.out
    assert (missing.status, "make deploy STAGE=nowhere" in missing.err) == (2, True)

"""`credits dead-letters`, `verify`, `rebuild` and `republish`: what they say, what they change, and how they end."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import Result

import app
from chalicelib.adapters.dynamodb.desk import Desk as DeskTable
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.actions import Action
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.usecases.checking import check
from infra.commands import alerting, changes, checking, cli, emitting, letters, linking, republishing
from infra.commands.known_letters import told_apart
from infra.commands.output import visible
from infra.commands.target import Target
from tests.functions.test_dead_letters import POINTER, POISON, Functions
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.command_line import CliRunner
from tests.support.events import (
    STREAM_ARN,
    Context,
    adjusted,
    asking,
    batch,
    charged,
    opened,
    paid,
    refunded,
    stream_record,
)
from tests.support.figures_tables import DESK_TABLE, FiguresTable, created
from tests.support.system import System, _client, failed_entries, let_no_poll_wait, refusal

OTHER = merchant("other")
NOBODY = merchant("nobody")


@dataclass
class Desk:
    """A system and the command line in front of it."""

    system: System
    figures: FiguresTable
    functions: Functions

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.command_line(), list(arguments), catch_exceptions=False)

    def told(self, *arguments: str, status: int = 0) -> Any:
        """Return the JSON that a command prints."""
        said = self.run(*arguments, "--json")
        assert said.exit_code == status, said.output
        return json.loads(said.stdout)

    def change_account(self, merchant_id: MerchantId, **attributes: dict[str, Any]) -> None:
        self.system.dynamodb.update_item(
            TableName=CREDITS_TABLE,
            Key={"merchant_id": {"S": merchant_id}},
            UpdateExpression="SET " + ",".join(f"#{name}=:{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={f":{name}": attribute for name, attribute in attributes.items()},
        )

    def streamed(self) -> list[tuple[str, str]]:
        """Publish what both streams bring, and return the types and ids of what was heard."""
        app.publish_threshold_events(batch(self.system.stream(CREDITS_TABLE)), Context())
        app.publish_transaction_events(batch(self.system.stream(TRANSACTIONS_TABLE)), Context())
        return self.heard()

    def heard(self) -> list[tuple[str, str]]:
        return sorted((event["detail-type"], event["detail"]["event_id"]) for event in self.system.heard())

    def park(self, body: str) -> None:
        self.system.sqs.send_message(QueueUrl=self.system.urls["STREAM_DEAD_LETTER_QUEUE_URL"], MessageBody=body)


@pytest.fixture
def desk(system: System, monkeypatch: pytest.MonkeyPatch) -> Desk:
    figures = created(system.dynamodb, "figures-test")
    created(system.dynamodb, DESK_TABLE, logical_id="DeskTable")
    outbox = {name: system.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("outbox", "outbox-dead")}
    target = Target(
        stage="dev",
        api_url="",
        credits_table=CREDITS_TABLE,
        transactions_table=TRANSACTIONS_TABLE,
        figures_table="figures-test",
        links_table=LINKS_TABLE,
        desk_table=DESK_TABLE,
        event_bus="credits",
        inbox_queue_url=system.urls["INBOX_QUEUE_URL"],
        waiting_queue_url=system.urls["WAITING_QUEUE_URL"],
        dead_letter_queue_url=system.urls["DEAD_LETTER_QUEUE_URL"],
        outbox_queue_url=outbox["outbox"],
        outbox_dead_letter_queue_url=outbox["outbox-dead"],
        stream_dead_letter_queue_url=system.urls["STREAM_DEAD_LETTER_QUEUE_URL"],
        functions={
            name: name for name in (*letters.STREAM_FUNCTIONS, "adjust_credits", "ingest_events", "set_threshold")
        },
        session=None,  # type: ignore[arg-type]
    )

    functions = Functions()

    def client(_target: Target, service: str) -> Any:
        return functions if service == "lambda" else _client(service, of="functions")

    monkeypatch.setattr(Target, "client", client)
    monkeypatch.setattr("chalicelib.adapters.dead_letters.WAIT_SECONDS", 0)
    let_no_poll_wait(monkeypatch)
    monkeypatch.setattr("chalicelib.usecases.checking.LOOK_AGAIN_SECONDS", 0)
    for module in (alerting, changes, checking, emitting, letters, linking, republishing):
        monkeypatch.setattr(module, "find", lambda *_: target)
    return Desk(system, figures, functions)


def test_letters_and_their_groups_name_the_merchant_by_what_people_call_it(desk: Desk) -> None:
    desk.system.ingest(opened())
    desk.system.ingest(POISON)
    desk.run("link", "shopify:teegeist.myshopify.com", SHOP, "--label", "Teegeist")

    listed = desk.run("dead-letters", "list").stdout
    counted = desk.run("dead-letters", "list", "--group").stdout

    assert "evt.billing.payment_succeeded Teegeist" in listed
    assert "Teegeist" in counted
    assert SHOP not in listed + counted
    assert f"{SHOP} (Teegeist)" in desk.run("dead-letters", "show", listed.split()[0]).stdout


def test_what_is_parked_is_listed_shown_and_put_back(desk: Desk) -> None:
    assert desk.run("dead-letters", "list").stdout.strip() == "Nothing is parked."
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    early = charged("p1", 5)
    desk.system.ingest(POISON, early)

    listed = desk.told("dead-letters", "list")
    assert listed["total"] == 2
    ids = {letter["code"]: letter["id"] for letter in listed["items"]}
    assert set(ids) == {"credits_invalid", "account_missing"}
    said = desk.run("dead-letters", "list").stdout
    assert all(letter["id"] in said and letter["reason"] in said for letter in listed["items"])
    shown = desk.run("dead-letters", "show", ids["credits_invalid"]).stdout
    assert "payload.credits" in shown
    assert '"event_type": "evt.billing.payment_succeeded"' in shown
    assert desk.told("dead-letters", "show", ids["account_missing"])["body"] == early

    desk.system.ingest(opened())
    assert desk.told("dead-letters", "redrive", ids["account_missing"])["put_back"] == 1
    [record] = desk.system.in_inbox()
    desk.system.ingest(record)
    assert desk.system.balance() == 105

    again = desk.run("dead-letters", "redrive", ids["account_missing"])
    gone = f"No letter {ids['account_missing']} is parked.\n0 put back, 1 not found.\n"
    assert (again.exit_code, again.stdout) == (1, gone)
    told = desk.told("dead-letters", "redrive", ids["account_missing"], status=1)
    assert (told["stayed"], told["unknown"]) == (1, [ids["account_missing"]])
    assert desk.run("dead-letters", "show", "nobody").exit_code == 1
    assert desk.run("dead-letters", "redrive").exit_code == 2


@pytest.mark.parametrize(
    "body",
    [
        '{"event_type": "evt.x", "note": "\u009b2J\u009b31mpaid\u009d0;owned\u009c"}',
        "not JSON \u009b2J \u202e\u2066\u200b",
        '{"event_type": "\\u202e", "note": "\\ud800"}',
    ],
)
def test_a_letter_moves_no_cursor_and_turns_no_line(desk: Desk, body: str) -> None:
    desk.system.ingest(body)
    [letter] = desk.told("dead-letters", "list")["items"]

    for command in (("list",), ("show", letter["id"]), ("list", "--json"), ("show", letter["id"], "--json")):
        said = desk.run("dead-letters", *command)
        assert (said.exit_code, {sign for sign in said.stdout if visible(sign, kept="\n") != sign}) == (0, set())
    assert desk.told("dead-letters", "show", letter["id"])["body"] == body


@pytest.mark.parametrize("body", ['{"a": 1, "a": 2}', '{"total": 1e999}', '{"total": 24.90}', '{"n": NaN, "n": 1}'])
def test_what_would_not_be_the_same_indented_is_shown_as_it_came(desk: Desk, body: str) -> None:
    desk.system.ingest(body)
    [letter] = desk.told("dead-letters", "list")["items"]

    assert body in desk.run("dead-letters", "show", letter["id"]).stdout


def test_all_of_a_code_are_put_back(desk: Desk) -> None:
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    desk.system.ingest(POISON, charged("p1", 5), charged("p2", 5))

    told = desk.told("dead-letters", "redrive", "--all", "--code", "account_missing", "--queue", "inbox")
    assert (told["put_back"], told["stayed"]) == (2, 0)
    assert [letter["code"] for letter in desk.told("dead-letters", "list")["items"]] == ["credits_invalid"]
    assert "1 put back" in desk.run("dead-letters", "redrive", "--all").stdout


def test_a_ledger_that_proves_itself_ends_with_zero_and_drift_with_one(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1), opened(OTHER))
    assert desk.told("verify") == {"accounts": 2, "records": 3, "findings": [], "newer_form": []}
    assert "every hash, balance and counter agrees" in desk.run("verify", SHOP.upper()).stdout

    desk.change_account(SHOP, balance={"N": "5"})
    told = desk.told("verify", status=1)
    assert told["findings"] == [
        {
            "merchant_id": SHOP,
            "kind": "account_balance",
            "sequence": 2,
            "transaction_id": None,
            "detail": "the account's balance is 5, its ledger says 99",
        }
    ]
    said = desk.run("verify", SHOP)
    assert said.exit_code == 1
    assert f"{SHOP} #2 account_balance: the account's balance is 5, its ledger says 99" in said.stdout
    assert desk.told("verify", OTHER)["findings"] == []
    assert desk.run("verify", NOBODY).exit_code == 1
    assert desk.run("verify", "shop").exit_code == 2


def test_an_account_is_rebuilt_only_when_it_is_said(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1), charged("p1", 5))
    before = desk.system.account()
    transactions = desk.system.items(TRANSACTIONS_TABLE)
    wrong = replace(before, balance=7, totals={}, total_shortfall=3, low_balance_threshold=8)
    desk.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(wrong))

    told = desk.told("rebuild", SHOP, status=1)
    assert told["differences"]["balance"] == {"account": "7", "ledger": "104"}
    assert told["differences"]["ORDER_PAID DECREASE"] == {"account": "none", "ledger": "1 of 1 credit"}
    assert (told["written"], desk.system.account()) == (False, wrong)
    assert "balance: 7 → 104" in desk.run("rebuild", SHOP).stdout

    assert "Written." in desk.run("rebuild", SHOP, "--yes").stdout
    after = desk.system.account()
    assert after == replace(
        before, version=after.version, updated_at=after.updated_at, low_balance_threshold=8, threshold=8
    )
    assert after.version > 10**12
    assert desk.system.items(TRANSACTIONS_TABLE) == transactions
    assert desk.told("verify")["findings"] == []
    assert "nothing to rebuild" in desk.run("rebuild", SHOP, "--yes").stdout
    # The functions go on where it stands, also the one that remembers the account as it was.
    assert desk.system.ingest(paid(2)) == []
    assert (desk.system.balance(), desk.told("verify")["findings"]) == (103, [])


def test_an_account_that_was_deleted_is_rebuilt(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1))
    before = desk.system.account()
    desk.system.dynamodb.delete_item(TableName=CREDITS_TABLE, Key={"merchant_id": {"S": SHOP}})

    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    after = desk.system.account()
    assert after == replace(before, version=after.version, updated_at=after.updated_at)


def test_a_broken_ledger_is_no_ground_to_rebuild_on(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1), paid(2))
    desk.change_account(SHOP, balance={"N": "5"})
    key = {"transaction_id": {"S": desk.system.history()[1].transaction_id}}
    desk.system.dynamodb.delete_item(TableName=TRANSACTIONS_TABLE, Key=key)

    said = desk.run("rebuild", SHOP, "--yes")
    assert said.exit_code == 1
    assert "record_missing" in said.stdout
    assert desk.system.balance() == 5
    assert desk.run("rebuild", NOBODY).exit_code == 1


def test_an_account_written_to_meanwhile_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.system.ingest(opened())
    desk.change_account(SHOP, balance={"N": "5"})
    checked = check

    def overtaken(*asked: Any, **named: Any) -> Any:
        found = checked(*asked, **named)
        desk.change_account(SHOP, version={"N": "9"})
        return found

    monkeypatch.setattr("infra.recovery.rebuilding.check", overtaken)
    said = desk.run("rebuild", SHOP, "--yes")
    assert (said.exit_code, "written to meanwhile" in said.stderr) == (1, True)
    assert desk.system.balance() == 5


def history(desk: Desk) -> list[tuple[str, str]]:
    """Let two merchants have a past that crossed every threshold, and return what was published of it."""
    for message in (opened(), paid(1), adjusted("DECREASE", 90), adjusted("DECREASE", 9, "a2"), charged("p1", 50)):
        desk.system.ingest(message)
    desk.system.ingest(refunded(1), opened(OTHER))
    return desk.streamed()


def test_what_was_published_is_published_again_under_the_same_ids(desk: Desk) -> None:
    published = history(desk)
    assert len({event_type for event_type, _ in published}) == 8

    assert desk.told("republish", "--since", "2020-01-01")["refused"] == 0
    assert desk.heard() == published

    desk.run("republish", SHOP)
    of_shop = desk.heard()
    assert len(of_shop) == len(published) - 1
    assert set(of_shop) < set(published)

    assert desk.told("republish", "--since", "2020-01-01", "--only", "crossings")["events"] == {
        "evt.credits.balance_exhausted": 1,
        "evt.credits.balance_restored": 1,
        "evt.credits.low_balance_reached": 1,
        "evt.credits.plugin_status_changed": 2,
    }
    desk.heard()
    exhausted = desk.system.history()[3]
    desk.run("republish", "--transaction", exhausted.transaction_id)
    assert [event_type for event_type, _ in desk.heard()] == [
        "evt.credits.adjusted",
        "evt.credits.balance_exhausted",
        "evt.credits.plugin_status_changed",
    ]


def test_a_time_is_kept_to(desk: Desk) -> None:
    history(desk)
    transactions = desk.system.history()
    told = desk.told("republish", SHOP, "--since", transactions[2].created_at[:19], "--dry-run")
    assert told["records"] == sum(one.created_at >= transactions[2].created_at[:19] for one in transactions)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert desk.told("republish", "--since", tomorrow)["records"] == 0
    assert desk.told("republish", "--since", "2020-01-01", "--until", "2021-01-01")["records"] == 0
    assert desk.heard() == []


def test_a_threshold_that_an_admin_changed_is_told_while_the_account_carries_it(desk: Desk) -> None:
    desk.system.ingest(opened())
    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": 500, "admin_id": "a"}, Context())
    published = desk.streamed()
    assert [event_type for event_type, _ in published] == [
        "evt.credits.account.created",
        "evt.credits.low_balance_reached",
    ]

    desk.run("republish", SHOP)
    assert desk.heard() == published

    # After the next write nobody knows its id any more; that write's transaction tells that it crossed nothing itself.
    desk.system.ingest(paid(1))
    told = desk.told("republish", SHOP)
    assert told["doubtful"] == []
    assert desk.heard() == published[:1]


def test_a_transaction_of_an_earlier_release_is_in_doubt_where_the_threshold_moved_past_the_balance(desk: Desk) -> None:
    desk.system.ingest(opened())
    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": 500, "admin_id": "a"}, Context())
    desk.system.ingest(paid(1))
    desk.system.dynamodb.update_item(
        TableName=TRANSACTIONS_TABLE,
        Key={"transaction_id": {"S": desk.system.history()[-1].transaction_id}},
        UpdateExpression="REMOVE extra_metadata.threshold_before",
    )

    assert desk.told("republish", SHOP)["doubtful"] == [f"{SHOP} #2"]
    assert [event_type for event_type, _ in desk.heard()] == ["evt.credits.account.created"]


def test_low_after_a_threshold_that_went_back_under_another_setting_is_published_again(desk: Desk) -> None:
    desk.system.ingest(opened(), adjusted("DECREASE", 95))
    desk.system.configure(LOW_BALANCE_THRESHOLD_PERCENT="3")
    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": None, "admin_id": "a"}, Context())
    desk.system.configure(LOW_BALANCE_THRESHOLD_PERCENT="20")
    desk.system.ingest(paid(1))
    newest = desk.system.history()[-1]
    published = [event for event in desk.streamed() if "low" in event[0]]

    assert desk.told("republish", "--transaction", newest.transaction_id)["doubtful"] == []
    again = desk.heard()
    assert len(again) == 1
    assert set(again) < set(published)
    assert desk.told("verify", SHOP)["findings"] == []


def pointer(
    desk: Desk, function: str, *, earliest: str | None = None, latest: str | None = None, records: int = 3
) -> str:
    """Park a pointer to records, of just now where no times are named, and return the letter's id."""
    now = datetime.now(UTC)
    info = {
        **POINTER["DDBStreamBatchInfo"],  # type: ignore[dict-item]
        "approximateArrivalOfFirstRecord": earliest or instant(now - timedelta(minutes=1)),
        "approximateArrivalOfLastRecord": latest or instant(now + timedelta(minutes=1)),
        "batchSize": records,
        "streamArn": STREAM_ARN,
    }
    context = {"functionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{function}:$LATEST", "condition": "x"}
    desk.park(json.dumps({**POINTER, "requestContext": context, "DDBStreamBatchInfo": info}))
    [letter] = desk.told("dead-letters", "list")["items"]
    letter_id: str = letter["id"]
    return letter_id


def of_whole_seconds(desk: Desk, function: str, *, records: int) -> str:
    """Park a pointer to all records as Lambda writes it: the times of arrival without their milliseconds."""
    first, last = (f"{desk.system.history()[place].created_at[:19]}Z" for place in (0, -1))
    return pointer(desk, function, earliest=first, latest=last, records=records)


@pytest.mark.parametrize(
    ("function", "table", "records"),
    [("publish_threshold_events", CREDITS_TABLE, 1), ("publish_transaction_events", TRANSACTIONS_TABLE, 2)],
)
def test_records_of_the_last_second_of_a_letter_are_published_too(
    desk: Desk, function: str, table: str, records: int
) -> None:
    desk.system.ingest(opened())
    desk.system.ingest(adjusted("DECREASE", 80))
    getattr(app, function)(batch(desk.system.stream(table)), Context())
    published = desk.heard()

    assert desk.run("republish", "--letter", of_whole_seconds(desk, function, records=records)).exit_code == 0
    assert (desk.heard(), bool(published)) == (published, True)
    assert desk.told("dead-letters", "list")["total"] == 0


def test_a_letter_that_points_to_more_than_was_found_stays_parked(desk: Desk) -> None:
    desk.system.ingest(opened())
    letter = of_whole_seconds(desk, "publish_transaction_events", records=2)

    said = desk.run("republish", "--letter", letter)

    assert (said.exit_code, "1 fewer than the dead letter points to" in said.stdout) == (1, True)
    assert desk.told("republish", "--letter", letter, status=1)["missing"] == 1
    assert desk.told("dead-letters", "list")["total"] == 1


@pytest.mark.parametrize("function", letters.STREAM_FUNCTIONS)
def test_an_account_that_cannot_be_read_is_named_and_its_letter_stays(desk: Desk, function: str) -> None:
    desk.system.ingest(opened(), adjusted("DECREASE", 80), opened(OTHER), adjusted("DECREASE", 80, merchant_id=OTHER))
    desk.change_account(SHOP, totals={"S": "x"})
    letter = pointer(desk, function, records=1)

    told = desk.told("republish", "--letter", letter, status=1)

    assert [one.startswith(f"{SHOP}: ") for one in told["unreadable"]] == [True]
    assert (told["events"] or told["recounted"]) not in ({}, 0), "its neighbours are told all the same"
    assert desk.told("dead-letters", "list")["total"] == 1
    said = desk.run("republish", "--since", "2020-01-01")
    assert (said.exit_code, f"{SHOP}: " in said.stdout) == (1, True)


@pytest.mark.parametrize("change", ["removed", "unreadable"])
def test_a_transaction_that_cannot_be_read_is_named_and_stops_nobody_else(desk: Desk, change: str) -> None:
    history(desk)
    transaction = desk.system.history()[2]
    key = {"transaction_id": {"S": transaction.transaction_id}}
    if change == "removed":
        desk.system.dynamodb.delete_item(TableName=TRANSACTIONS_TABLE, Key=key)
    else:
        desk.system.dynamodb.update_item(TableName=TRANSACTIONS_TABLE, Key=key, UpdateExpression="REMOVE balance_after")

    told = desk.told("republish", "--since", "2020-01-01", status=1)

    assert [one.startswith(f"{SHOP} #3: ") for one in told["unreadable"]] == [True]
    assert (told["records"], len(desk.heard()) > 1) == (3, True)


@pytest.mark.parametrize("function", ["publish_threshold_events", "publish_transaction_events"])
def test_records_that_a_publisher_gave_up_are_published_from_the_ledger(desk: Desk, function: str) -> None:
    history(desk)
    getattr(app, function)(
        batch(desk.system.stream(CREDITS_TABLE if "threshold" in function else TRANSACTIONS_TABLE)), Context()
    )
    published = desk.heard()
    letter = pointer(desk, function)
    assert "credits republish --letter" in desk.run("dead-letters", "redrive", letter).stdout

    desk.system.fail("PutEvents", *[refusal("PutEvents", "InternalFailure", 500)] * 4)
    assert desk.run("republish", "--letter", letter).exit_code == 1
    assert desk.told("dead-letters", "list")["total"] == 1, "it stays until all of it is said"
    desk.heard()
    assert desk.run("republish", "--letter", letter).exit_code == 0
    assert desk.heard() == published
    assert desk.told("dead-letters", "list")["items"] == []
    assert desk.run("republish", "--letter", letter).exit_code == 1


def test_records_that_roll_up_gave_up_are_counted_from_the_accounts(desk: Desk) -> None:
    history(desk)
    letter = pointer(desk, "roll_up")

    assert desk.told("republish", "--letter", letter)["recounted"] == 2
    fleet = desk.figures.store.fleet()
    assert (fleet.merchants, fleet.balance) == (2, 151)
    assert desk.heard() == []


def test_a_letter_that_holds_its_message_is_not_republished(desk: Desk) -> None:
    desk.system.ingest(POISON)
    [letter] = desk.told("dead-letters", "list")["items"]

    said = desk.run("republish", "--letter", letter["id"])
    assert (said.exit_code, "redrive" in said.stderr) == (1, True)
    assert desk.run("republish").exit_code == 2
    assert desk.run("republish", "--transaction", "nobody").exit_code == 1
    assert desk.run("republish", NOBODY).exit_code == 1


def test_what_the_bus_refuses_ends_with_one(desk: Desk) -> None:
    desk.system.ingest(opened())
    desk.system.fail("PutEvents", *[failed_entries(0)] * 4)

    assert desk.told("republish", SHOP, status=1)["refused"] == 1


def test_a_message_with_a_field_of_lambdas_name_is_put_back_like_any_other(desk: Desk) -> None:
    context = {"functionArn": "arn:aws:lambda:x:1:function:publish_threshold_events"}
    info = POINTER["DDBStreamBatchInfo"]
    early = asking("evt.billing.payment_succeeded", {"payment_id": "p1", "credits": 5}, DDBStreamBatchInfo=info)
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    desk.system.ingest(json.dumps({**json.loads(early), "requestContext": context}))
    [letter] = desk.told("dead-letters", "list")["items"]

    assert desk.run("republish", "--letter", letter["id"]).exit_code == 1
    assert desk.told("dead-letters", "list")["total"] == 1
    desk.system.ingest(opened())
    assert desk.told("dead-letters", "redrive", letter["id"])["put_back"] == 1
    desk.system.ingest(*desk.system.in_inbox())
    assert desk.system.balance() == 105


def test_a_command_invokes_the_version_that_callers_get(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stream_record({"merchant_id": {"S": SHOP}}, sequence_number=7)
    parked = {"function": "publish_threshold_events", "code": "record_unreadable"}
    attributes: Any = {name: {"DataType": "String", "StringValue": text} for name, text in parked.items()}
    desk.system.sqs.send_message(
        QueueUrl=desk.system.urls["STREAM_DEAD_LETTER_QUEUE_URL"],
        MessageBody=json.dumps(record),
        MessageAttributes=attributes,
    )
    asked: list[str] = []
    invoke = Functions.invoke

    def invoked(functions: Functions, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's
        asked.append(FunctionName)
        return invoke(functions, FunctionName=FunctionName, Payload=Payload)

    monkeypatch.setattr(Functions, "invoke", invoked)
    desk.run("dead-letters", "redrive", "--all")

    assert asked == ["publish_threshold_events:live"]


def test_letters_are_listed_and_grouped_by_code_and_merchant(desk: Desk) -> None:
    other = asking("evt.billing.payment_succeeded", {"merchant_id": OTHER, "payment_id": "p2", "credits": 0})
    desk.system.ingest(POISON, other, "no event")

    def codes(*options: str) -> list[str]:
        return [letter["code"] for letter in desk.told("dead-letters", "list", *options)["items"]]

    assert codes("--code", "credits_invalid") == ["credits_invalid"] * 2
    assert codes("--merchant", OTHER) == ["credits_invalid"]
    assert codes("--code", "not_json", "--merchant", OTHER) == []
    assert desk.told("dead-letters", "list", "--limit", "1")["total"] == 3
    groups = desk.told("dead-letters", "list", "--group")["items"]
    assert {(one["code"], one["merchant_id"], one["letters"]) for one in groups} == {
        ("credits_invalid", SHOP, 1),
        ("credits_invalid", OTHER, 1),
        ("not_json", None, 1),
    }
    assert "none named" in desk.run("dead-letters", "list", "--group").stdout


def test_a_letter_is_discarded_with_a_reason_that_is_kept(desk: Desk) -> None:
    desk.system.ingest(POISON)
    [letter] = desk.told("dead-letters", "list")["items"]

    assert desk.run("dead-letters", "discard", letter["id"]).exit_code == 2, "a reason is needed"
    assert desk.run("dead-letters", "discard", letter["id"], "--reason", " ").exit_code == 2
    said = desk.run("dead-letters", "discard", letter["id"], "--reason", "sent again", "--admin", "support", "-y")

    assert (said.exit_code, said.stdout) == (0, "1 discarded.\n")
    assert desk.told("dead-letters", "list")["items"] == []
    kept = desk.told("dead-letters", "show", letter["id"])
    assert (kept["body"], kept["discarded"]["admin_id"], kept["discarded"]["reason"]) == (
        letter["body"],
        "support",
        "sent again",
    )
    assert "by support: sent again" in desk.run("dead-letters", "show", letter["id"]).stdout
    assert desk.run("dead-letters", "discard", letter["id"], "--reason", "again", "-y").exit_code == 0
    assert desk.told("dead-letters", "show", letter["id"])["discarded"]["reason"] == "sent again"
    assert desk.run("dead-letters", "discard", "no-letter", "--reason", "again", "-y").exit_code == 1
    [noted] = actions(desk)
    assert (noted.did, noted.admin_id, noted.details["reason"]) == ("letter_discarded", "support", "sent again")


def actions(desk: Desk) -> list[Action]:
    return DeskTable(desk.system.dynamodb, table=DESK_TABLE).actions(None, before=None, wanted=100)


def test_letters_that_are_put_back_or_discarded_are_among_what_admins_did(desk: Desk) -> None:
    desk.system.ingest(POISON, charged("p9", 0), "no event")
    codes = {letter["code"]: letter["id"] for letter in desk.told("dead-letters", "list")["items"]}

    desk.told("dead-letters", "redrive", codes["not_json"], "--admin", "ada")
    desk.told("dead-letters", "discard", "--all", "--reason", "a test", "--admin", "ben", "-y")

    noted = [(action.did, action.admin_id, action.details["code"]) for action in actions(desk)]
    assert sorted(noted) == [
        ("letter_discarded", "ben", "credits_invalid"),
        ("letter_discarded", "ben", "credits_invalid"),
        ("letter_retried", "ada", "not_json"),
    ]


def test_what_could_not_be_noted_is_done_and_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object) -> None:
        raise RetryLater(Code.UNAVAILABLE, "no answer")

    desk.system.ingest(POISON)
    monkeypatch.setattr(DeskTable, "note", unable)

    said = desk.run("dead-letters", "redrive", "--all")

    assert said.exit_code == 0
    assert "1 put back, 0 stay parked." in said.stdout.splitlines()
    assert "does not have it: no answer" in " ".join(said.stderr.split())


def test_all_letters_of_a_code_are_discarded_and_the_others_stay(desk: Desk) -> None:
    desk.system.ingest(POISON, charged("p9", 0), "no event")

    gone = desk.told("dead-letters", "discard", "--all", "--code", "credits_invalid", "--reason", "a test", "-y")[
        "discarded"
    ]

    assert len(gone) == 2
    assert [letter["code"] for letter in desk.told("dead-letters", "list")["items"]] == ["not_json"]
    assert desk.told("dead-letters", "show", gone[0])["discarded"]["reason"] == "a test"


def test_the_doctor_tells_new_letters_from_known_ones(desk: Desk) -> None:
    letters_of = letters.dead_letters(vars(letters)["find"]())
    now = datetime.now(UTC)
    sample = json.dumps({**json.loads(POISON), "correlation_id": "sample-1"})
    desk.system.ingest(sample, json.dumps({"detail-type": "evt.x", "detail": json.loads(sample)}))

    assert told_apart(letters_of, 2, now=now) == ("parked: 2 of the sample traffic, broken on purpose", 0)

    desk.system.ingest(POISON, "no event")
    said, new = told_apart(letters_of, 4, now=now)
    assert (new, said.startswith("parked: 2 new (")) == (2, True)
    later = told_apart(letters_of, 4, now=now + timedelta(days=2))
    assert (later[1], "2 older than a day" in later[0]) == (0, True)
    assert told_apart(letters_of, 5, now=now)[1] == 3, "what was not seen is new"


def test_a_list_without_a_match_says_how_many_are_parked(desk: Desk) -> None:
    desk.system.ingest(POISON, "no event")
    for more in ((), ("--group",)):
        said = desk.run("dead-letters", "list", "--code", "nonsense", *more).stdout
        assert said == "No dead letter has the code nonsense; 2 are parked.\n"
    said = desk.run("dead-letters", "list", "--merchant", NOBODY).stdout
    assert said == f"No dead letter has the merchant {NOBODY}; 2 are parked.\n"


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("total=abc", "total 'abc'"),
        ("total=-5", "total -5"),
        ("total=1e400", "total '1e400'"),
        ("total=12,50", "total '12,50'"),
        ("currency=nonsense", "currency 'nonsense'"),
        ('order_items=[{"total": "x"}]', "total 'x'"),
    ],
)
def test_what_cannot_be_read_of_an_event_is_said(desk: Desk, field: str, sentence: str) -> None:
    event = ("emit", "order_paid", f"merchant_id={SHOP}", "order_id=1", "--via", "bus")

    said = desk.run(*event, field)

    assert (said.exit_code, said.stderr) == (0, f"{sentence} cannot be read and is left out\n")
    assert desk.run(*event, "total=24.90", "currency=EUR").stderr == ""


NO_TRANSACTION = "00000000-0000-5000-8000-000000000000"


@pytest.mark.parametrize(
    "command",
    [
        ("adjust", NOBODY, "--add", "1", "--reason", "x", "--yes"),
        ("threshold", NOBODY, "3"),
        ("verify", NOBODY),
        ("rebuild", NOBODY),
        ("republish", NOBODY),
        ("republish", "--transaction", NO_TRANSACTION),
        ("link", "nobody.myshopify.com"),
        ("dead-letters", "show", "nope"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_programs_read_that_something_is_not_there_as_the_api_says_it(desk: Desk, command: tuple[str, ...]) -> None:
    said = desk.run(*command, "--json")

    problem = json.loads(said.stderr)
    assert (said.exit_code, problem["status"], problem["error"]["code"]) == (1, 404, "NOT_FOUND")

"""A function that runs short of its time stops, and hands back what it did not do; the next call does it, once."""

from typing import Any

import pytest

import app
from chalicelib.wiring import for_api, for_figures
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, asking, batch, charged, opened, paid, stream_record
from tests.support.figures_tables import created
from tests.support.system import System, refusal, seen

SHORT = Context(900)
OTHERS = [merchant(f"late {number}") for number in range(3)]


class Running:
    """A context with so many questions' worth of time: whoever asks how much is left uses it up."""

    aws_request_id = "8d3bf1f6-0000-4000-8000-000000000000"

    def __init__(self, questions: int) -> None:
        self.left = questions

    def get_remaining_time_in_millis(self) -> int:
        self.left -= 1
        return 30_000 if self.left >= 0 else 0


def handed_back(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def ingested(records: list[dict[str, Any]], context: Any) -> list[str]:
    return handed_back(app.ingest_events(batch(records), context))


def test_messages_that_there_is_no_time_for_come_back_and_nothing_of_them_is_applied(system: System) -> None:
    records = [seen(opened()), seen(paid(1)), seen(charged("p1", 0))]

    assert sorted(ingested(records, SHORT)) == sorted(record["messageId"] for record in records)
    assert (system.items(CREDITS_TABLE), system.parked()) == ([], [])
    assert "TransactWriteItems" not in system.requests
    assert "SendMessage" not in system.requests

    assert ingested(records, Context()) == []
    assert (system.balance(), [letter.attributes["code"] for letter in system.parked()]) == (99, ["credits_invalid"])


@pytest.mark.parametrize("questions", range(4))
def test_wherever_the_time_ends_each_message_is_applied_or_comes_back(system: System, questions: int) -> None:
    records = [seen(opened(one)) for one in OTHERS]
    records += [seen(asking("evt.shopify.webhook.order_paid", {"merchant_id": one, "order_id": 1})) for one in OTHERS]
    records.append(seen(charged("p1", 0)))

    back = ingested(records, Running(questions))
    assert back
    assert ingested([record for record in records if record["messageId"] in back], Context()) == []
    assert [system.balance(one) for one in OTHERS] == [99, 99, 99]
    assert [letter.attributes["code"] for letter in system.parked()] == ["credits_invalid"]


def test_records_that_there_is_no_time_to_publish_come_back(system: System) -> None:
    system.ingest(*map(opened, OTHERS))
    records = system.stream(TRANSACTIONS_TABLE)
    unreadable = stream_record({"crossings": {"S": "[{}]"}}, sequence_number=7)

    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert handed_back(app.publish_transaction_events(batch(records), SHORT)) == numbers
    assert handed_back(app.publish_threshold_events(batch([unreadable]), SHORT)) == ["7"]
    assert "PutEvents" not in system.requests
    assert system.parked("STREAM_DEAD_LETTER_QUEUE_URL") == []

    assert handed_back(app.publish_transaction_events(batch(records), Context())) == []
    assert len(system.heard()) == 3


def test_a_bus_that_fails_until_the_time_is_short_gets_no_further_try(system: System) -> None:
    system.ingest(*map(opened, OTHERS))
    records = system.stream(TRANSACTIONS_TABLE)
    system.fail("PutEvents", *[refusal("PutEvents", "InternalFailure", 500)] * 4)

    # Time for the first look at the clock, for that of the request, and for no other.
    back = handed_back(app.publish_transaction_events(batch(records), Running(2)))
    assert len(back) == 3
    assert [name for name, _ in system.asked].count("PutEvents") == 1
    assert system.waits == []


def test_an_adjustment_that_there_is_no_time_for_is_refused_and_may_be_asked_for_again(system: System) -> None:
    system.ingest(opened())
    asked = {
        "merchant_id": SHOP,
        "operation_type": "INCREASE",
        "credits": 5,
        "reason": "goodwill",
        "admin_id": "a",
        "adjustment_id": "a1",
    }

    assert app.adjust_credits(asked, SHORT)["error"]["code"] == "unavailable"
    threshold = {"merchant_id": SHOP, "low_balance_threshold": 5, "admin_id": "a"}
    assert app.set_threshold(threshold, SHORT)["error"]["code"] == "unavailable"
    assert (system.balance(), system.account().low_balance_threshold) == (100, None)

    assert app.adjust_credits(asked, Context())["balance_after"] == 105
    assert app.set_threshold(threshold, Context())["low_balance_threshold"] == 5


def test_accounts_that_there_is_no_time_to_count_come_back(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = created(system.dynamodb, "figures-test")
    system.configure(FIGURES_TABLE="figures-test")
    monkeypatch.setattr(for_figures, "figures", lambda: figures.store)
    monkeypatch.setattr(for_api, "shared_statuses", lambda: None)
    system.ingest(*map(opened, OTHERS))
    records = system.stream(CREDITS_TABLE)

    assert len(handed_back(app.roll_up(batch(records), SHORT))) == 3
    assert figures.store.fleet().merchants == 0
    assert handed_back(app.roll_up(batch(records), Context())) == []
    assert figures.store.fleet().merchants == 3

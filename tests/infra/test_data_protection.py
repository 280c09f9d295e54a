"""The page about data protection names every queue, table, stream and bucket that keeps data."""

from typing import Any

import pytest

from infra.packaging.dependencies import ROOT
from infra.packaging.yaml_text import yaml_parse

PAGE = " ".join((ROOT / "infra/docs/data-protection.md").read_text().split())
STREAMS = sorted(path.stem for path in (ROOT / "infra/bridge/nats/streams").glob("*.json"))
QUEUES = {
    "InboxQueue": "inbox queue",
    "WaitingQueue": "waiting queue",
    "DeadLetterQueue": "dead letters (inbox)",
    "OutboxQueue": "outbox queue",
    "OutboxDeadLetterQueue": "outbox queue, its dead letters",
    "StreamDeadLetterQueue": "stream dead letters",
    "ScheduleDeadLetterQueue": "dead letters of the schedules",
}
"""What the page calls each queue."""


def of_type(resources: dict[str, Any], kind: str) -> set[str]:
    return {name for name, one in resources.items() if one["Type"] == kind}


def test_the_page_names_every_queue(resources: dict[str, Any]) -> None:
    assert of_type(resources, "AWS::SQS::Queue") == QUEUES.keys()
    assert [name for name in QUEUES.values() if name not in PAGE] == []


def test_the_page_names_every_table(resources: dict[str, Any]) -> None:
    tables = {name.removesuffix("Table").lower() for name in of_type(resources, "AWS::DynamoDB::Table")}
    assert [name for name in tables if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("stream", STREAMS)
def test_the_page_names_every_stream_of_the_bridge(stream: str) -> None:
    assert f"NATS stream `{stream}`" in PAGE


def test_the_page_names_every_bucket(template: dict[str, Any]) -> None:
    ledger = yaml_parse((ROOT / "infra/finance/ledger.yaml").read_text())
    buckets = [name for name in (*template["Parameters"], *ledger["Parameters"]) if name.endswith("Bucket")]
    assert [name for name in buckets if f"`{name}`" not in PAGE] == []

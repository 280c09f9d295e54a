"""Log lines are those of Powertools, byte for byte but for what the clock says."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from chalicelib.environment import SettingError
from chalicelib.telemetry import LEVELS, Lines

FIELDS: list[Mapping[str, Any]] = [
    {},
    {"messages": 3, "posted": 0, "dropped": {"total": 2}, "nothing": None},
    {"merchant_id": 'sm"ö\\r\n\u2028', "ms": 1.5, "stale": False},
    {"nothing": None},
    {"amount": Decimal("1.20"), "codes": ["a", None], "level_": "INFO"},
]
CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}([+-]\d{4})")
PLACE = re.compile(r'"location":"(\w+):\d+"')


def comparable(line: str) -> str:
    return PLACE.sub(r'"location":"\1"', CLOCK.sub(r"now\1", line))


def ours(level: str = "INFO") -> tuple[Lines, StringIO]:
    lines, stream = Lines("credit-service", level=level), StringIO()
    lines.stream = stream
    return lines, stream


def powertools(name: str) -> tuple[Logger, StringIO]:
    stream = StringIO()
    formatter = LambdaPowertoolsFormatter(json_deserializer=str, serialize_stacktrace=False)
    # A logger is one a name: a name of its own keeps the streams apart.
    return Logger(service=name, logger_formatter=formatter, stream=stream), stream


@pytest.mark.parametrize("traced", ["", "Root=1-67-abc;Parent=53;Sampled=1"])
@pytest.mark.parametrize("number", range(len(FIELDS)))
def test_a_line_is_the_one_that_powertools_writes(monkeypatch: pytest.MonkeyPatch, number: int, traced: str) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", traced)
    (lines, written), (logger, expected) = ours(), powertools(f"as-expected-{number}-{traced[:4]}")
    lines.service = logger.service

    for each in (lines, logger):
        each.info("ingested", **FIELDS[number])
        each.warning("parked", **FIELDS[number])
        each.error('a "message"', **FIELDS[number])

    assert comparable(written.getvalue()) == comparable(expected.getvalue())
    assert len(CLOCK.findall(written.getvalue())) == 3


def test_an_error_is_named_where_it_arose_with_its_words_only_where_they_hold_no_body() -> None:
    lines, written = ours()
    payload = "a " + "body"
    cause = SettingError("TABLE is not set")
    try:
        try:
            dict[str, int]()[payload]
        except KeyError as error:
            raise cause from error
    except SettingError as error:
        lines.exception("internal error", code="internal")
        lines.error("again", exc_info=error)
        lines.warning("and again", exc_info=True)

    said = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [one["exception_name"] for one in said] == ["SettingError"] * 3
    for one in said:
        assert "SettingError: TABLE is not set\ncaused by\n" in one["exception"]
        assert one["exception"].endswith("KeyError")
        assert payload not in one["exception"]
    assert list(said[0]) == [
        *("level", "location", "message", "timestamp", "service", "code", "exception", "exception_name")
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_not_written(level: str) -> None:
    lines, written = ours(level)

    lines.info("a")
    lines.warning("b")
    lines.error("c")
    lines.exception("d")

    said = [json.loads(line)["level"] for line in written.getvalue().splitlines()]
    assert said == [one for one in ("INFO", "WARNING", "ERROR", "ERROR") if LEVELS[one] >= LEVELS[level]]


def test_half_a_character_costs_no_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lines, _ = ours()
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        lines.stream = stream
        lines.info("closed", merchant_id="\ud800")

    assert json.loads((tmp_path / "log").read_text())["merchant_id"] == "\ud800"

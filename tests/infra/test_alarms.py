"""The alarms: a page for each, metrics that somebody emits, and a dashboard that shows them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from infra.commands.cli import command_line
from infra.packaging.dependencies import ROOT

Resources = dict[str, dict[str, Any]]

RUNBOOK = ROOT / "infra/monitoring/runbook"
HEADINGS = ["## What it means", "## What to look at", "## What to do"]
PLACEHOLDERS = {"MERCHANT": "0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d", "ID": "a-letter", "CODE": "key_reused", "WHY": "x"}

QUEUE, FUNCTION, RULE = ("QueueName",), ("FunctionName",), ("EventBusName", "RuleName")
API, TABLE, OURS = ("ApiName", "Stage"), ("TableName",), ("service",)
INDEX, HTTP_API = ("TableName", "GlobalSecondaryIndexName"), ("ApiId",)
OTHERS = {"IndexThrottlesAlarm": INDEX, "PublicApiErrorsAlarm": HTTP_API, "PublicApiLatencyAlarm": HTTP_API}
"""Alarms on metrics whose names are also those of other dimensions."""
EMITTED = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): QUEUE,
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): QUEUE,
    ("AWS/SQS", "ApproximateNumberOfMessagesDelayed"): QUEUE,
    ("AWS/SQS", "NumberOfMessagesDeleted"): QUEUE,
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): QUEUE,
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", "Errors"): FUNCTION,
    ("AWS/Lambda", "Throttles"): FUNCTION,
    ("AWS/Lambda", "Duration"): FUNCTION,
    ("AWS/Lambda", "IteratorAge"): FUNCTION,
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html: of a bus of one's own, both.
    ("AWS/Events", "FailedInvocations"): RULE,
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): RULE,
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    ("AWS/ApiGateway", "5XXError"): API,
    ("AWS/ApiGateway", "4XXError"): API,
    ("AWS/ApiGateway", "Count"): API,
    ("AWS/ApiGateway", "Latency"): API,
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    ("AWS/ApiGateway", "5xx"): HTTP_API,
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    ("AWS/DynamoDB", "ReadThrottleEvents"): TABLE,
    ("AWS/DynamoDB", "WriteThrottleEvents"): TABLE,
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): TABLE,
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): TABLE,
    # tests/functions/test_emitted.py shows each of these.
    ("credits", "credits_ledger_drift"): OURS,
    ("credits", "credits_match_differences"): OURS,
    ("credits", "credits_due_lag_seconds"): OURS,
    ("credits", "credits_bridge_heartbeat_age_seconds"): OURS,
    ("credits", "credits_bridge_streams_failing"): OURS,
    ("credits", "credits_bridge_stream_oldest_seconds"): OURS,
    ("credits", "credits_bridge_stream_dropped_messages"): OURS,
    ("credits", "credits_plugin_status_unavailable_total"): OURS,
}
"""Namespace and name of a metric to its dimensions, as AWS documents them; `credits` is our own namespace."""

VALUES = {
    "DeadLettersAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "OutboxDeadLettersAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "StreamDeadLettersAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "ScheduleDeadLettersAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "InboxAgeAlarm": ("Maximum", 60, 5, 5, 300, "notBreaching"),
    "WaitingAlarm": ("Maximum", 60, 5, 5, 10_000, "notBreaching"),
    "InboxInFlightAlarm": ("Maximum", 60, 5, 5, 60_000, "notBreaching"),
    "OutboxAgeAlarm": ("Maximum", 60, 5, 5, 300, "notBreaching"),
    "IteratorAgeAlarm": ("Maximum", 60, 5, 5, 60_000, "notBreaching"),
    "OutboxStuckAlarm": ("Maximum Sum", 60, 10, 10, 0, "notBreaching"),
    "RuleFailuresAlarm": ("Sum", 60, 1, 1, 0, "notBreaching"),
    "ApiErrorsAlarm": ("Average", 60, 3, 2, 0.01, "notBreaching"),
    "ApiLatencyAlarm": ("p95", 60, 5, 3, {"Ref": "ApiLatencyMilliseconds"}, "notBreaching"),
    "PublicApiErrorsAlarm": ("Sum", 60, 3, 2, 0.01, "notBreaching"),
    "PublicApiLatencyAlarm": ("p95", 60, 5, 3, {"Ref": "ApiLatencyMilliseconds"}, "notBreaching"),
    "FunctionErrorsAlarm": ("Sum", 60, 3, 2, 0, "notBreaching"),
    "EventFunctionErrorsAlarm": ("Sum", 60, 3, 2, 0, "notBreaching"),
    "ReleaseErrorsAlarm": ("Sum", 60, 3, 2, 10, "notBreaching"),
    "FunctionThrottlesAlarm": ("Sum", 60, 5, 3, 0, "notBreaching"),
    "EventFunctionThrottlesAlarm": ("Sum", 60, 5, 3, 0, "notBreaching"),
    "TableThrottlesAlarm": ("Sum", 60, 5, 3, 0, "notBreaching"),
    "LookupTableThrottlesAlarm": ("Sum", 60, 5, 3, 0, "notBreaching"),
    "IndexThrottlesAlarm": ("Sum", 60, 5, 3, 0, "notBreaching"),
    # The last comparison stands until the next one says something else.
    "LedgerDriftAlarm": ("Maximum", 300, 1, 1, 0, "ignore"),
    "OrdersDifferAlarm": ("Maximum", 86_400, 1, 1, 0, "ignore"),
    "DueLagAlarm": ("Maximum", 60, 2, 2, 300, "notBreaching"),
    "BridgeHeartbeatAlarm": ("Maximum", 60, 2, 2, 60, "notBreaching"),
    "BridgeStreamsAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "BridgeWaitingAlarm": ("Maximum", 60, 2, 2, 300, "notBreaching"),
    "BridgeDroppedAlarm": ("Maximum", 60, 1, 1, 0, "notBreaching"),
    "StatusUnavailableAlarm": ("Sum", 60, 3, 2, 0, "notBreaching"),
}
"""Statistics, period in seconds, periods looked at and needed, threshold, and what a gap counts for."""

WATCHED = {
    "DeadLettersAlarm": {"DeadLetterQueue.QueueName"},
    "OutboxDeadLettersAlarm": {"OutboxDeadLetterQueue.QueueName"},
    "StreamDeadLettersAlarm": {"StreamDeadLetterQueue.QueueName"},
    "ScheduleDeadLettersAlarm": {"ScheduleDeadLetterQueue.QueueName"},
    "InboxAgeAlarm": {"InboxQueue.QueueName"},
    "OutboxAgeAlarm": {"OutboxQueue.QueueName"},
    "OutboxStuckAlarm": {"OutboxQueue.QueueName"},
    "WaitingAlarm": {"WaitingQueue.QueueName"},
    "InboxInFlightAlarm": {"InboxQueue.QueueName"},
    "IndexThrottlesAlarm": {
        *("CreditsTable", "by_level", "by_due", "TransactionsTable", "by_merchant", "LinksTable", "by_kind")
    },
    "RuleFailuresAlarm": {
        *("CreditsBus", "${AWS::StackName}-inbound", "${AWS::StackName}-inbound-bare", "${AWS::StackName}-outbound"),
        *("ShopifyEventBus", "${AWS::StackName}-shopify", "StripeEventBus", "${AWS::StackName}-stripe"),
    },
    "TableThrottlesAlarm": {"CreditsTable", "TransactionsTable", "FiguresTable"},
    "LookupTableThrottlesAlarm": {"LinksTable", "DeskTable"},
    "LedgerDriftAlarm": {"ServiceName"},
    "OrdersDifferAlarm": {"ServiceName"},
    "DueLagAlarm": {"ServiceName"},
    "BridgeHeartbeatAlarm": {"ServiceName"},
    "BridgeStreamsAlarm": {"ServiceName"},
    "BridgeWaitingAlarm": {"ServiceName"},
    "BridgeDroppedAlarm": {"ServiceName"},
    "StatusUnavailableAlarm": {"ServiceName"},
    "ApiErrorsAlarm": {"AWS::StackName", "Stage"},
    "ApiLatencyAlarm": {"AWS::StackName", "Stage"},
    "PublicApiErrorsAlarm": {"PublicHttpApi"},
    "PublicApiLatencyAlarm": {"PublicHttpApi"},
}


def alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"}


def page(alarm: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", alarm.removesuffix("Alarm")).lower()


def metrics(alarm: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return the metrics of an alarm, each with its statistic."""
    if "Metrics" not in alarm:
        return [(alarm, alarm.get("Statistic") or alarm["ExtendedStatistic"])]
    return [(one["MetricStat"]["Metric"], one["MetricStat"]["Stat"]) for one in parts(alarm) if "MetricStat" in one]


def parts(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an alarm adds up, those of a partner's bus among them, which are left out where there is none."""
    found = [one.get("Fn::If", [None, one, {"Ref": "AWS::NoValue"}]) for one in alarm["Metrics"]]
    assert all(otherwise == {"Ref": "AWS::NoValue"} for _, _, otherwise in found)
    return [one for _, one, _ in found]


def text(reference: Any) -> str:
    if isinstance(reference, str):
        return reference
    value = next(iter(reference.values()))
    return value if isinstance(value, str) else ".".join(value)


def functions(resources: Resources) -> set[str]:
    return {name for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"}


def test_every_alarm_has_its_page_and_every_page_its_alarm(resources: Resources) -> None:
    pages = {path.stem for path in RUNBOOK.glob("*.md")} - {"README"}

    assert pages == {page(name) for name in alarms(resources)}


@pytest.mark.parametrize("alarm", VALUES)
def test_an_alarm_names_its_page_and_tells_when_it_begins_and_ends(resources: Resources, alarm: str) -> None:
    found = alarms(resources)[alarm]

    assert found["AlarmName"] == {"Fn::Sub": f"${{AWS::StackName}}-{page(alarm)}"}
    assert found["AlarmDescription"].endswith(f" infra/monitoring/runbook/{page(alarm)}.md")
    assert found["AlarmActions"] == found["OKActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("path", sorted(RUNBOOK.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_says_what_it_means_and_what_to_do_with_commands_that_there_are(path: Path) -> None:
    said = path.read_text()

    assert path.stem == "README" or [line for line in said.splitlines() if line.startswith("## ")] == HEADINGS
    assert path.stem == "README" or len(said.split()) > 80
    for target in re.findall(r"\]\(([\w-]+\.md)\)", said):
        assert (RUNBOOK / target).is_file()


@pytest.mark.parametrize("path", sorted(RUNBOOK.glob("*.md")), ids=lambda path: path.stem)
def test_a_command_of_a_page_can_be_typed_as_it_stands_there(path: Path) -> None:
    for line in re.findall(r"`credits ([^`]+)`", path.read_text().replace("\n", " ")):
        words = [PLACEHOLDERS.get(word, word) for word in line.split()]
        command: Any = get_command(command_line())
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        # Reads the line and does nothing; an unknown option or a missing argument raises.
        command.make_context(line, words)


@pytest.mark.parametrize("alarm", VALUES)
def test_an_alarm_waits_as_long_and_for_as_much_as_its_page_says(resources: Resources, alarm: str) -> None:
    found = alarms(resources)[alarm]
    statistic, period, looked_at, needed, threshold, gap = VALUES[alarm]

    assert {stat for _, stat in metrics(found)} == set(statistic.split())
    periods = {found["Period"]} if "Period" in found else {one["MetricStat"]["Period"] for one in parts(found)[1:]}
    assert periods == {period}
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (looked_at, needed)
    assert found["Threshold"] == threshold
    assert found["ComparisonOperator"] == "GreaterThanThreshold"
    assert found["TreatMissingData"] == gap


def test_there_is_no_other_alarm(resources: Resources) -> None:
    assert set(alarms(resources)) == set(VALUES)


@pytest.mark.parametrize("alarm", VALUES)
def test_an_alarms_metric_is_one_that_is_emitted_with_these_dimensions(resources: Resources, alarm: str) -> None:
    for metric, _ in metrics(alarms(resources)[alarm]):
        namespace = "credits" if metric["Namespace"] == {"Ref": "AWS::StackName"} else metric["Namespace"]
        dimensions = tuple(one["Name"] for one in metric["Dimensions"])

        assert dimensions == OTHERS.get(alarm, EMITTED[namespace, metric["MetricName"]])


@pytest.mark.parametrize("alarm", WATCHED)
def test_an_alarm_watches_what_its_name_says(resources: Resources, alarm: str) -> None:
    found = {text(one["Value"]) for metric, _ in metrics(alarms(resources)[alarm]) for one in metric["Dimensions"]}

    assert found == WATCHED[alarm]


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_counts_in_one_of_the_alarms_of_functions(resources: Resources, metric: str) -> None:
    found = [
        text(one["Value"])
        for alarm in (f"Function{metric}Alarm", f"EventFunction{metric}Alarm")
        for read, _ in metrics(alarms(resources)[alarm])
        for one in read["Dimensions"]
        if read["MetricName"] == metric
    ]

    assert sorted(found) == sorted(functions(resources))


def test_a_release_is_taken_back_by_more_than_an_error_now_and_then(resources: Resources) -> None:
    """Those that only a schedule or a release calls are left out: they cannot fail as often."""
    found = alarms(resources)["ReleaseErrorsAlarm"]
    watched = {text(one["Value"]) for metric, _ in metrics(found) for one in metric["Dimensions"]}

    assert watched == functions(resources) - {"MatchOrders", "PostDue", "ReportMarks", "Reconcile", "SmokeTest"}
    assert found["Threshold"] > 1


def test_an_outbox_with_events_that_none_leaves_is_stuck(resources: Resources) -> None:
    whole, *parts = alarms(resources)["OutboxStuckAlarm"]["Metrics"]

    assert resources["OutboxStuckAlarm"]["Condition"] == "HasAlarmsOnSums"
    assert whole["Expression"] == "IF(m1 + m2 > 0 AND m3 < 1, 1, 0)"
    assert [(one["Id"], one["MetricStat"]["Metric"]["MetricName"], one["ReturnData"]) for one in parts] == [
        ("m1", "ApproximateNumberOfMessagesVisible", False),
        ("m2", "ApproximateNumberOfMessagesNotVisible", False),
        ("m3", "NumberOfMessagesDeleted", False),
    ]


def test_few_answers_do_not_make_the_api_slow(resources: Resources) -> None:
    for alarm in ("ApiLatencyAlarm", "PublicApiLatencyAlarm"):
        assert alarms(resources)[alarm]["EvaluateLowSampleCountPercentile"] == "ignore"


def test_the_http_api_counts_errors_so_their_share_is_computed(resources: Resources) -> None:
    whole, *parts = alarms(resources)["PublicApiErrorsAlarm"]["Metrics"]

    assert whole["Expression"] == "IF(m2 > 0, m1 / m2, 0)"
    assert [(one["Id"], one["MetricStat"]["Metric"]["MetricName"], one["ReturnData"]) for one in parts] == [
        ("m1", "5xx", False),
        ("m2", "Count", False),
    ]


def test_every_function_behind_a_stream_counts_in_the_alarm_of_streams(resources: Resources) -> None:
    reading = {
        name
        for name in functions(resources)
        for event in resources[name]["Properties"].get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    }
    found = [
        text(one["Value"])
        for metric, _ in metrics(alarms(resources)["IteratorAgeAlarm"])
        for one in metric["Dimensions"]
    ]

    assert sorted(found) == sorted(reading)


ON_SUMS = [
    "EventFunctionErrorsAlarm",
    "EventFunctionThrottlesAlarm",
    "FunctionErrorsAlarm",
    "FunctionThrottlesAlarm",
    "IndexThrottlesAlarm",
    "IteratorAgeAlarm",
    "LookupTableThrottlesAlarm",
    "ReleaseErrorsAlarm",
    "RuleFailuresAlarm",
    "TableThrottlesAlarm",
]


@pytest.mark.parametrize("alarm", ON_SUMS)
def test_an_alarm_on_several_metrics_takes_all_of_them(resources: Resources, alarm: str) -> None:
    whole, *summed = parts(alarms(resources)[alarm])

    assert whole["Expression"] == ("MAX(METRICS())" if alarm == "IteratorAgeAlarm" else "SUM(METRICS())")
    assert whole.get("ReturnData", True) is True
    assert [one["ReturnData"] for one in summed] == [False] * len(summed)
    assert len({one["Id"] for one in summed}) == len(summed)
    assert resources[alarm]["Condition"] == "HasAlarmsOnSums"


def test_alarms_on_sums_are_left_out_for_an_emulator_only(template: dict[str, Any]) -> None:
    assert template["Parameters"]["AlarmsOnSums"]["Default"] == "true"
    assert template["Conditions"]["HasAlarmsOnSums"] == {"Fn::Equals": [{"Ref": "AlarmsOnSums"}, "true"]}


def test_whoever_is_named_is_written_to_over_tls(resources: Resources) -> None:
    mail, policy = resources["AlarmMail"], resources["AlarmTopicPolicy"]["Properties"]
    allowed, denied = policy["PolicyDocument"]["Statement"]

    assert mail["Condition"] == "HasAlarmEmail"
    assert mail["Properties"] == {
        "TopicArn": {"Ref": "AlarmTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlarmEmail"},
    }
    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    assert (allowed["Effect"], allowed["Principal"], allowed["Action"]) == (
        "Allow",
        {"Service": "cloudwatch.amazonaws.com"},
        "sns:Publish",
    )
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sns:Publish")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Resource"] == denied["Resource"] == {"Ref": "AlarmTopic"}


def dashboard(resources: Resources) -> dict[str, Any]:
    properties = resources["Dashboard"]["Properties"]
    assert properties["DashboardName"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
    body: dict[str, Any] = json.loads(properties["DashboardBody"]["Fn::Sub"])
    return body


def test_the_dashboard_shows_every_alarm_and_all_functions(resources: Resources) -> None:
    widgets = {one["properties"]["title"]: one["properties"] for one in dashboard(resources)["widgets"]}
    (shown,) = [one["alarms"] for one in widgets.values() if "alarms" in one]

    assert {arn.rsplit(":${AWS::StackName}-")[-1] for arn in shown} == {page(name) for name in alarms(resources)}
    for title in ("Functions: errors", "Functions: throttles", "Functions: p95 duration (ms)"):
        assert {metric[3] for metric in widgets[title]["metrics"]} == {f"${{{name}}}" for name in functions(resources)}


def test_the_dashboard_shows_metrics_that_are_emitted(resources: Resources) -> None:
    shown = [metric for one in dashboard(resources)["widgets"] for metric in one["properties"].get("metrics", [])]
    named = [
        (metric[0], metric[1], tuple(one for one in metric[2:] if isinstance(one, str))[::2])
        for metric in shown
        if isinstance(metric[0], str) and metric[0].startswith("AWS/")
    ]

    assert named
    for namespace, name, dimensions in named:
        assert dimensions == EMITTED[namespace, name]


def test_the_dashboards_widgets_lie_side_by_side(resources: Resources) -> None:
    places: set[tuple[int, int]] = set()
    for one in dashboard(resources)["widgets"]:
        taken = {
            (x, y) for x in range(one["x"], one["x"] + one["width"]) for y in range(one["y"], one["y"] + one["height"])
        }
        assert not places & taken
        assert one["x"] + one["width"] <= 24
        places |= taken

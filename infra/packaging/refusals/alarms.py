"""Alarms that CloudWatch refuses, that have no room left, or that stay silent when they should not."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources, named, of_type

ALARM, TABLE = "AWS::CloudWatch::Alarm", "AWS::DynamoDB::Table"
MATH_METRICS, MATH_QUERIES = 10, 20
LONGEST_SECONDS = 86_400
DEPLOYMENT_ALARMS = 10
THROTTLES = ("ReadThrottleEvents", "WriteThrottleEvents")
RECEIVES_SEEN = 3
"""A message received this often and not deleted no longer counts for the age of a queue's oldest message."""

Metric = Mapping[str, Any]


def metrics(alarm: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that an alarm reads."""
    if "Metrics" not in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


def dimensions(metric: Metric) -> dict[str, str]:
    """Return the dimensions of a metric, by name."""
    return {one["Name"]: named(one["Value"]) for one in metric.get("Dimensions", [])}


def metric_math(found: Resources) -> Iterator[str]:
    """Yield alarms with too many metrics, and those that have no room for the next function or table."""
    for name, alarm in of_type(found, ALARM):
        read, queries = len(metrics(alarm)), len(alarm.get("Metrics", []))
        if read > MATH_METRICS or queries > MATH_QUERIES:
            yield f"{name}: {read} metrics in {queries} queries, {MATH_METRICS} and {MATH_QUERIES} are allowed"
        elif read == MATH_METRICS:
            yield f"{name}: {read} metrics are as many as an alarm takes: the next function has no place in it"
        if queries and [one.get("ReturnData", True) for one in alarm["Metrics"]].count(True) != 1:
            yield f"{name}: exactly one of its queries must return data"


def time_looked_at(found: Resources) -> Iterator[str]:
    """Yield alarms that look at more than a day, or whose period is invalid."""
    for name, alarm in of_type(found, ALARM):
        periods = [one["MetricStat"]["Period"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        for period in {*periods, alarm.get("Period", 60)}:
            if int(period) not in (10, 20, 30) and int(period) % 60:
                yield f"{name}: a period of {period} s"
            if int(period) * int(alarm["EvaluationPeriods"]) > LONGEST_SECONDS:
                yield f"{name}: it looks at more than a day"


def few_samples(found: Resources) -> Iterator[str]:
    """Yield alarms on percentiles that a handful of requests sets off."""
    for name, alarm in of_type(found, ALARM):
        if "ExtendedStatistic" in alarm and alarm.get("EvaluateLowSampleCountPercentile") != "ignore":
            yield f"{name}: {alarm['ExtendedStatistic']} of a few requests is the slowest of them"


def indexes(found: Resources) -> Iterator[str]:
    """Yield indexes whose throttles nobody watches although the table's are watched: an index has its own metrics."""
    watched = _watched_throttles(found)
    for table, properties in of_type(found, TABLE):
        for index in properties.get("GlobalSecondaryIndexes", []):
            for name in THROTTLES:
                if (name, table) in watched and (name, *sorted((index["IndexName"], table))) not in watched:
                    yield f"{table}: {name} of its index {index['IndexName']} do not count"


def tables(found: Resources) -> Iterator[str]:
    """Yield tables whose throttles no alarm reads, although those of other tables are read."""
    watched = _watched_throttles(found)
    for table, _ in of_type(found, TABLE):
        for name in THROTTLES:
            if watched and (name, table) not in watched:
                yield f"{table}: nobody watches its {name}"


def _watched_throttles(found: Resources) -> set[tuple[str, ...]]:
    """Return the metrics of throttles that alarms read, each with its sorted dimensions."""
    return {
        (metric["MetricName"], *sorted(dimensions(metric).values()))
        for _, alarm in of_type(found, ALARM)
        for metric in metrics(alarm)
        if metric["MetricName"] in THROTTLES
    }


def ages(found: Resources) -> Iterator[str]:
    """Yield queues that allow many receives, and whose age is watched but not their number of messages."""
    watched: dict[str, set[str]] = {}
    for _, alarm in of_type(found, ALARM):
        for metric in metrics(alarm):
            if queue := dimensions(metric).get("QueueName"):
                watched.setdefault(queue, set()).add(metric["MetricName"])
    for queue, names in watched.items():
        receives = int(found[queue]["Properties"].get("RedrivePolicy", {}).get("maxReceiveCount", 0))
        if receives > RECEIVES_SEEN and "ApproximateAgeOfOldestMessage" in names and len(names) == 1:
            yield f"{queue}: its age leaves out what was received {RECEIVES_SEEN} times; nothing counts its messages"


def releases(found: Resources) -> Iterator[str]:
    """Yield alarms that roll a whole release back at a single error."""
    uses: Counter[str] = Counter()
    for name, group in of_type(found, "AWS::CodeDeploy::DeploymentGroup"):
        alarms = {named(one["Name"]) for one in group.get("AlarmConfiguration", {}).get("Alarms", [])}
        if len(alarms) > DEPLOYMENT_ALARMS:
            yield f"{name}: {len(alarms)} alarms, {DEPLOYMENT_ALARMS} are allowed"
        uses.update(alarms)
    for alarm, count in uses.items():
        properties = found[alarm]["Properties"]
        errors = [one for one in metrics(properties) if one["MetricName"] == "Errors"]
        once = properties.get("DatapointsToAlarm") == 1 or len(errors) > 1
        if count > 1 and once and float(properties.get("Threshold", 1)) == 0:
            yield f"{alarm}: one error takes {count} deployments back"

"""The table of rules, and the question whether a template breaks one."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.packaging.refusals import alarms, deliveries, http_apis, policies, releases, schedules, tables, wiring
from infra.packaging.refusals.resolved import Resources, resources

AWS = "https://docs.aws.amazon.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that AWS refuses or does differently. `source` is the page that documents it."""

    name: str
    source: str
    broken: Callable[[Resources], Iterator[str]]


RULES = (
    Rule(
        name="queue-policy",
        source=f"{AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html",
        broken=policies.queue_policies,
    ),
    Rule(
        name="policy-size",
        source=f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
        broken=policies.policy_sizes,
    ),
    Rule(
        name="alarm-metrics",
        source=f"{AWS}/AmazonCloudWatch/latest/monitoring/alarm-limits.html",
        broken=alarms.metric_math,
    ),
    Rule(
        name="alarm-time",
        source=f"{AWS}/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
        broken=alarms.time_looked_at,
    ),
    Rule(
        name="alarm-few-samples",
        source=f"{AWS}/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html",
        broken=alarms.few_samples,
    ),
    Rule(
        name="alarm-index",
        source=f"{AWS}/amazondynamodb/latest/developerguide/metrics-dimensions.html",
        broken=alarms.indexes,
    ),
    Rule(
        name="alarm-tables",
        source=f"{AWS}/amazondynamodb/latest/developerguide/metrics-dimensions.html",
        broken=alarms.tables,
    ),
    Rule(
        name="alarm-age",
        source=f"{AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
        broken=alarms.ages,
    ),
    Rule(
        name="release-alarm",
        source=f"{AWS}/codedeploy/latest/userguide/deployment-groups-configure-advanced-options.html",
        broken=alarms.releases,
    ),
    Rule(
        name="deployment-hook",
        source=f"{AWS}/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html",
        broken=releases.hooks,
    ),
    Rule(
        name="api-stage",
        source=f"{AWS}/serverless-application-model/latest/developerguide/sam-resource-api.html",
        broken=wiring.stages,
    ),
    Rule(
        name="stream-readers",
        source=f"{AWS}/amazondynamodb/latest/developerguide/Streams.Lambda.html",
        broken=wiring.stream_readers,
    ),
    Rule(
        name="patterns",
        source=f"{AWS}/lambda/latest/dg/invocation-eventfiltering.html",
        broken=wiring.filters,
    ),
    Rule(
        name="environment",
        source=f"{AWS}/lambda/latest/dg/gettingstarted-limits.html",
        broken=wiring.environments,
    ),
    Rule(
        name="log-levels",
        source=f"{AWS}/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html",
        broken=wiring.logs,
    ),
    Rule(
        name="warm-throughput",
        source=f"{AWS}/amazondynamodb/latest/developerguide/warm-throughput.html",
        broken=tables.throughput,
    ),
    Rule(
        name="schedules",
        source=f"{AWS}/scheduler/latest/APIReference/API_CreateSchedule.html",
        broken=schedules.schedules,
    ),
    Rule(
        name="bus-logs",
        source=f"{AWS}/eventbridge/latest/userguide/eb-event-bus-logs.html",
        broken=deliveries.bus_logs,
    ),
    Rule(
        name="http-api",
        source=f"{AWS}/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html",
        broken=http_apis.http_apis,
    ),
    Rule(
        name="edge",
        source=f"{AWS}/AmazonCloudFront/latest/DeveloperGuide/Expiration.html",
        broken=http_apis.edges,
    ),
    Rule(
        name="reserved-copies",
        source=f"{AWS}/lambda/latest/dg/configuration-concurrency.html",
        broken=wiring.reserved_copies,
    ),
)


def refusals(cloudformation: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield each rule that a CloudFormation template in JSON breaks with these `values`, with its source."""
    template: dict[str, Any] = json.loads(cloudformation)
    found = resources(template, values)
    for rule in RULES:
        for text in rule.broken(found):
            yield f"AWS: {rule.name} {text} ({rule.source})"

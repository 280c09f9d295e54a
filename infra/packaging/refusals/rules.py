"""The table of rules, and the question whether a template breaks one."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.packaging.refusals import alarms, dashboards, deliveries, http_apis, policies, schedules, wiring
from infra.packaging.refusals.resolved import Resources, resources

AWS = "https://docs.aws.amazon.com"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that AWS refuses or does differently. `page` of AWS's documentation says so.

    What is `refused` for certain stops a deployment; the build stops at everything. Other rules do not know the account
    or the length of names, or find what AWS takes.
    """

    name: str
    page: str
    broken: Callable[[Resources], Iterator[str]]
    refused: bool = False

    @property
    def source(self) -> str:
        """Return the address of the page."""
        return f"{AWS}/{self.page}"


RULES = (
    Rule(
        "queue-policy", "AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html", policies.queue_policies
    ),
    Rule("policy-size", "IAM/latest/UserGuide/reference_iam-quotas.html", policies.policy_sizes),
    Rule("alarm-metrics", "AmazonCloudWatch/latest/monitoring/alarm-limits.html", alarms.metric_math),
    Rule("alarm-time", "AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html", alarms.time_looked_at),
    Rule(
        "alarm-few-samples", "AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html", alarms.few_samples
    ),
    Rule("alarm-index", "amazondynamodb/latest/developerguide/metrics-dimensions.html", alarms.indexes),
    Rule("alarm-tables", "amazondynamodb/latest/developerguide/metrics-dimensions.html", alarms.tables),
    Rule(
        "alarm-age", "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html", alarms.ages
    ),
    Rule("search", "AmazonCloudWatch/latest/monitoring/search-expression-syntax.html", dashboards.searches),
    Rule(
        "release-alarm",
        "codedeploy/latest/userguide/deployment-groups-configure-advanced-options.html",
        alarms.releases,
    ),
    Rule(
        "deployment-hook",
        "serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html",
        wiring.hooks,
    ),
    Rule("api-stage", "serverless-application-model/latest/developerguide/sam-resource-api.html", wiring.stages),
    Rule("stream-readers", "amazondynamodb/latest/developerguide/Streams.Lambda.html", wiring.stream_readers),
    Rule("patterns", "lambda/latest/dg/invocation-eventfiltering.html", wiring.filters),
    Rule("environment", "lambda/latest/dg/gettingstarted-limits.html", wiring.environments),
    Rule("recursive-loop", "lambda/latest/dg/invocation-recursion.html", wiring.loops),
    Rule("log-levels", "lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html", wiring.logs),
    Rule(
        "warm-throughput", "amazondynamodb/latest/developerguide/warm-throughput.html", wiring.throughput, refused=True
    ),
    Rule("schedules", "scheduler/latest/APIReference/API_CreateSchedule.html", schedules.schedules),
    Rule("bus-logs", "eventbridge/latest/userguide/eb-event-bus-logs.html", deliveries.bus_logs),
    Rule("http-api", "apigateway/latest/developerguide/http-api-develop-integrations-lambda.html", http_apis.http_apis),
    Rule("edge", "AmazonCloudFront/latest/DeveloperGuide/Expiration.html", http_apis.edges, refused=True),
    Rule("global-names", "AmazonCloudWatch/latest/APIReference/API_PutDashboard.html", policies.global_names),
    Rule("reserved-copies", "lambda/latest/dg/configuration-concurrency.html", wiring.reserved_copies),
)


def refusals(cloudformation: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield each rule that a CloudFormation template in JSON breaks with these `values`, with its source."""
    template: dict[str, Any] = json.loads(cloudformation)
    for rule, text in broken(resources(template, values)):
        yield f"AWS: {rule.name} {text} ({rule.source})"


def broken(found: Resources) -> Iterator[tuple[Rule, str]]:
    """Yield each rule that resources break, and how."""
    for rule in RULES:
        for text in rule.broken(found):
            yield rule, text

"""Extracts of templates that AWS refuses or misreads; the first ones are of this service as it was on 2026-11-25."""

from typing import Any

from infra.packaging.refusals.http_apis import ERRORS_KEPT

Resource = dict[str, Any]


REGIONAL = {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}


def resource(kind: str, **properties: Any) -> Resource:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def searching(schema: str, term: str = 'MetricName=\\"credits_total\\"') -> dict[str, Resource]:
    """Return a dashboard with one search, as the text of a body has it."""
    widget = (
        f"""{{"properties": {{"metrics": [[{{"expression": "SUM(SEARCH('{{{schema}}} {term}', 'Sum', 60))"}}]]}}}}"""
    )
    return {"Dashboard": resource("CloudWatch::Dashboard", DashboardBody={"Fn::Sub": f'{{"widgets": [{widget}]}}'})}


def arn(queue: str) -> Resource:
    return {"Fn::GetAtt": [queue, "Arn"]}


def metric(namespace: str, name: str, **dimensions: Any) -> Resource:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": f"AWS/{namespace}", "MetricName": name, "Dimensions": named}


def summed(*metrics: Resource, threshold: int = 0) -> Resource:
    """Return an alarm on the sum of metrics."""
    whole = {"Id": "all", "Expression": "SUM(METRICS())"}
    parts = [
        {"Id": f"m{number}", "ReturnData": False, "MetricStat": {"Metric": one, "Stat": "Sum", "Period": 60}}
        for number, one in enumerate(metrics, start=1)
    ]
    return resource("CloudWatch::Alarm", Metrics=[whole, *parts], EvaluationPeriods=3, Threshold=threshold)


def alarm(read: Resource, **properties: Any) -> Resource:
    return resource("CloudWatch::Alarm", **read, **{"Period": 60, "EvaluationPeriods": 5, "Threshold": 0, **properties})


FUNCTIONS = [{"Ref": f"Function{number}"} for number in range(10)]
ALL_ERRORS = summed(*(metric("Lambda", "Errors", FunctionName=one) for one in FUNCTIONS))
POLICY = {
    "Statement": [
        {"Sid": "RuleMaySend", "Action": "sqs:SendMessage", "Resource": [arn("InboxQueue"), arn("DeadLetterQueue")]}
    ]
}
GROUP = resource("CodeDeploy::DeploymentGroup", AlarmConfiguration={"Alarms": [{"Name": {"Ref": "Errors"}}]})
SOURCE = resource(
    "Lambda::EventSourceMapping", EventSourceArn={"Fn::GetAtt": ["CreditsTable", "StreamArn"]}, FunctionName="f"
)
INDEXED = resource("DynamoDB::Table", GlobalSecondaryIndexes=[{"IndexName": "by_level"}])
LONG = [{"Effect": "Allow", "Action": "x" * 400, "Resource": "y"} for _ in range(30)]


def hooked(name: str, *, called: bool, reporting: bool) -> dict[str, Resource]:
    """Return an alias whose deployments wait for a hook."""

    def role(*actions: str) -> Resource:
        statements = [{"Effect": "Allow", "Action": one, "Resource": arn("Hook")} for one in actions]
        return resource(
            "IAM::Role", AssumeRolePolicyDocument={}, Policies=[{"PolicyDocument": {"Statement": statements}}]
        )

    moves = {"DeploymentGroupName": {"Ref": "Group"}, "BeforeAllowTrafficHook": {"Ref": "Hook"}}
    return {
        "Alias": {"Type": "AWS::Lambda::Alias", "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": moves}},
        "Group": resource("CodeDeploy::DeploymentGroup", ServiceRoleArn=arn("Caller")),
        "Hook": resource("Lambda::Function", FunctionName=name, Role=arn("HookRole")),
        "Caller": role(*["lambda:InvokeFunction"] * called),
        "HookRole": role(*["codedeploy:PutLifecycleEventHookExecutionStatus"] * reporting),
    }


def scheduled(expression: str = "rate(1 minute)", **changed: Any) -> dict[str, Resource]:
    """Return a schedule as Scheduler takes it, but for what is `changed`: of the schedule, its target or its role."""
    trusted = changed.pop("trusted", "schedule-group/credits")
    rights = changed.pop("rights", ("lambda:InvokeFunction", "sqs:SendMessage"))
    fifo = changed.pop("fifo", False)
    target = {
        "Arn": {"Ref": "Alias"},
        "RoleArn": arn("Role"),
        "DeadLetterConfig": {"Arn": arn("Queue")},
        **changed.pop("target", {}),
    }
    allowed = [{"Effect": "Allow", "Action": one, "Resource": [{"Ref": "Alias"}, arn("Queue")]} for one in rights]
    trust = {"Principal": {"Service": "scheduler.amazonaws.com"}, "Condition": f"arn:aws:scheduler:r:a:{trusted}"}
    return {
        "Timer": resource(
            "Scheduler::Schedule",
            **{
                "Name": {"Fn::Sub": "${AWS::StackName}-report_marks"},
                "ScheduleExpression": expression,
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": target,
                **changed,
            },
        ),
        "Queue": resource("SQS::Queue", FifoQueue=fifo),
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument={"Statement": [trust]},
            Policies=[{"PolicyDocument": {"Statement": allowed}}],
        ),
    }


def delivered(
    level: str, *kinds: str, before: str = "", writer: str = "delivery.logs.amazonaws.com"
) -> dict[str, Resource]:
    """Return a bus with a log of `level`, and deliveries of these kinds of lines, each made after the one `before`."""
    found = {
        "Bus": resource("Events::EventBus", LogConfig={"Level": level}),
        "Group": resource("Logs::LogGroup"),
        "Policy": resource("Logs::ResourcePolicy", PolicyDocument={"Fn::Sub": f"{writer} ${{Group.Arn}}"}),
        "Place": resource("Logs::DeliveryDestination", Name="place", DestinationResourceArn=arn("Group")),
    }
    for kind in kinds:
        found[kind] = resource("Logs::DeliverySource", Name=kind, LogType=kind, ResourceArn=arn("Bus"))
        delivery = resource("Logs::Delivery", DeliverySourceName={"Ref": kind}, DeliveryDestinationArn=arn("Place"))
        found[f"D{kind}"] = {**delivery, "DependsOn": before if kind != kinds[0] else ""}
    return found


def public(*keys: str, permitted: bool = True, **integration: Any) -> dict[str, Resource]:
    """Return an HTTP API with these routes."""
    asked = {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "1.0", **integration}
    found = {"Api": resource("ApiGatewayV2::Api"), "Call": resource("ApiGatewayV2::Integration", **asked)}
    if permitted:
        place = {"Fn::Sub": "arn:aws:execute-api:r:a:${Api}/*"}
        found["May"] = resource("Lambda::Permission", FunctionName={"Ref": "F"}, SourceArn=place)
    routes = {f"R{number}": key for number, key in enumerate(keys)}
    return found | {n: resource("ApiGatewayV2::Route", ApiId={"Ref": "Api"}, RouteKey=key) for n, key in routes.items()}


def edge(*patterns: str, methods: tuple[str, ...] = ("GET", "HEAD"), errors: tuple[int, ...] = ERRORS_KEPT) -> Resource:
    """Return a distribution with behaviours for these patterns, which asks again after these errors."""
    config = {
        "DefaultCacheBehavior": {"AllowedMethods": list(methods)},
        "CacheBehaviors": [{"PathPattern": one} for one in patterns],
        "CustomErrorResponses": [{"ErrorCode": one, "ErrorCachingMinTTL": 0} for one in errors],
    }
    return resource("CloudFront::Distribution", DistributionConfig=config)


def kept(least: int, default: int, most: int, name: Any = REGIONAL) -> Resource:
    config = {"Name": name, "MinTTL": least, "DefaultTTL": default, "MaxTTL": most}
    return resource("CloudFront::CachePolicy", CachePolicyConfig=config)


def looping(**properties: Any) -> dict[str, Resource]:
    """Return a function that may send to the queue that calls its alias."""
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": [arn("Waiting")]}
    role = {"AssumeRolePolicyDocument": {}, "Policies": [{"PolicyDocument": {"Statement": [send]}}]}
    return {
        "F": resource("Lambda::Function", Role=arn("R"), **properties),
        "Live": resource("Lambda::Alias", FunctionName={"Ref": "F"}),
        "R": resource("IAM::Role", **role),
        "Source": resource("Lambda::EventSourceMapping", EventSourceArn=arn("Waiting"), FunctionName={"Ref": "Live"}),
    }


OLD: tuple[tuple[int, str, dict[str, Resource], str], ...] = (
    (
        1,
        "queue-policy",
        {
            "InboundQueuePolicy": resource(
                "SQS::QueuePolicy", Queues=[{"Ref": "InboxQueue"}, {"Ref": "DeadLetterQueue"}], PolicyDocument=POLICY
            )
        },
        "InboundQueuePolicy: statement RuleMaySend names several resources",
    ),
    (
        7,
        "api-stage",
        {"RestAPIDeployment": resource("ApiGateway::Deployment", RestApiId={"Ref": "RestAPI"}, StageName="Stage")},
        "a second stage, 'Stage'",
    ),
    (9, "alarm-metrics", {"Errors": ALL_ERRORS}, "the next function has no place"),
    (9, "release-alarm", {"Errors": ALL_ERRORS, "One": GROUP, "Two": GROUP}, "takes 2 deployments back"),
    (
        9,
        "alarm-few-samples",
        {"Latency": alarm(metric("ApiGateway", "Latency"), ExtendedStatistic="p95")},
        "p95 of a few requests",
    ),
    (
        9,
        "alarm-index",
        {
            "CreditsTable": INDEXED,
            "Throttles": summed(metric("DynamoDB", "WriteThrottleEvents", TableName={"Ref": "CreditsTable"})),
        },
        "WriteThrottleEvents of its index by_level do not count",
    ),
    (
        9,
        "alarm-age",
        {
            "OutboxQueue": resource("SQS::Queue", RedrivePolicy={"maxReceiveCount": 1000}),
            "Age": alarm(
                metric("SQS", "ApproximateAgeOfOldestMessage", QueueName={"Fn::GetAtt": ["OutboxQueue", "QueueName"]})
            ),
        },
        "OutboxQueue: its age leaves out",
    ),
)
"""Number in the review, rule, extract, and a part of the finding's text."""

OTHERS: tuple[tuple[str, dict[str, Resource], str], ...] = (
    (
        "policy-size",
        {
            "Role": resource(
                "IAM::Role", AssumeRolePolicyDocument={}, Policies=[{"PolicyDocument": {"Statement": LONG}}]
            )
        },
        "10240 are allowed",
    ),
    (
        "global-names",
        {"D": resource("CloudWatch::Dashboard", DashboardName={"Ref": "AWS::StackName"}, DashboardBody="{}")},
        "D: its name",
    ),
    ("global-names", {"P": resource("IAM::ManagedPolicy", ManagedPolicyName="boundary", PolicyDocument={})}, "P: its"),
    ("global-names", {"P": kept(0, 0, 60, "credits-public")}, "P: its name"),
    ("recursive-loop", looping(), "F: it sends to Waiting, which calls it"),
    ("recursive-loop", looping(RecursiveLoop="Terminate"), "F: it sends to Waiting, which calls it"),
    ("search", searching("credits-prod,service"), "Dashboard: credits-prod in a search"),
    ("search", searching("${AWS::StackName},service"), "Dashboard: ${AWS::StackName} in a search"),
    ("search", searching('\\"credits-prod\\",service,reference_type'), "Dashboard: reference_type in a search"),
    ("search", searching("Credits,service", "MetricName=credits_total"), "Dashboard: credits_total in a search"),
    ("search", searching("Credits", 'reference_type=\\"ORDER\\"'), "Dashboard: reference_type in a search"),
    ("policy-size", {"Admins": resource("IAM::ManagedPolicy", PolicyDocument={"Statement": LONG})}, "6144"),
    (
        "policy-size",
        {f"P{number}": resource("Lambda::Permission", FunctionName={"Ref": "F"}) for number in range(60)},
        "60 permissions",
    ),
    ("alarm-metrics", {"Errors": summed(*(metric("SQS", f"m{number}") for number in range(11)))}, "11 metrics"),
    ("deployment-hook", hooked("credits-smoke", called=False, reporting=True), "Caller may not call Hook"),
    ("deployment-hook", hooked("CodeDeployHook_smoke", called=False, reporting=False), "HookRole may not report"),
    ("log-levels", {"F": resource("Lambda::Function", LoggingConfig={"SystemLogLevel": "WARN"})}, "without the JSON"),
    (
        "log-levels",
        {"F": resource("Lambda::Function", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})},
        "drops the lines of metrics",
    ),
    (
        "warm-throughput",
        {"T": resource("DynamoDB::Table", WarmThroughput={"WriteUnitsPerSecond": "3999"})},
        "fewer than the 4000",
    ),
    (
        "warm-throughput",
        {
            "T": resource(
                "DynamoDB::Table",
                WarmThroughput={"WriteUnitsPerSecond": "9000"},
                OnDemandThroughput={"MaxWriteRequestUnits": "500"},
            )
        },
        "MaxWriteRequestUnits lets 500 through",
    ),
    ("alarm-time", {"Slow": alarm(metric("SQS", "x"), Period=3600, EvaluationPeriods=25)}, "more than a day"),
    ("alarm-time", {"Odd": alarm(metric("SQS", "x"), Period=90)}, "a period of 90 s"),
    ("stream-readers", {f"S{number}": SOURCE for number in range(3)}, "CreditsTable: 3 functions read its stream"),
    (
        "patterns",
        {
            "S": resource(
                "Lambda::EventSourceMapping",
                EventSourceArn="arn:aws:sqs:::q",
                FilterCriteria={"Filters": [{"Pattern": '{"eventName": "INSERT"}'}]},
            )
        },
        "eventName must be a list",
    ),
    ("patterns", {"R": resource("Events::Rule", EventPattern={"detail": {"a": []}})}, "detail.a must be a list"),
    (
        "environment",
        {"F": resource("Lambda::Function", Environment={"Variables": {"A": "x" * 4096}})},
        "4096 are allowed",
    ),
    (
        "reserved-copies",
        {"F": resource("Lambda::Function", ReservedConcurrentExecutions="901")},
        "901 copies reserved of 1000",
    ),
    (
        "reserved-copies",
        {
            "S": resource(
                "Lambda::EventSourceMapping", EventSourceArn="arn:aws:sqs:::q", ScalingConfig={"MaximumConcurrency": 1}
            )
        },
        "MaximumConcurrency of 1",
    ),
    (
        "alarm-tables",
        {
            "CreditsTable": resource("DynamoDB::Table"),
            "LinksTable": resource("DynamoDB::Table"),
            "Throttles": summed(
                metric("DynamoDB", "WriteThrottleEvents", TableName={"Ref": "CreditsTable"}),
                metric("DynamoDB", "ReadThrottleEvents", TableName={"Ref": "CreditsTable"}),
            ),
        },
        "LinksTable: nobody watches its WriteThrottleEvents",
    ),
    ("schedules", scheduled(Name="a name"), "has one that is refused"),
    ("schedules", scheduled(Name={"Fn::Sub": "${AWS::StackName}-publish_transaction_events"}), "longer than 64"),
    ("schedules", scheduled("rate(0 minutes)"), "is no rate, cron or at"),
    ("schedules", scheduled("cron(17 3 * * *)"), "needs six fields"),
    ("schedules", scheduled("cron(17 3 * * * *)"), "? as exactly one of the days"),
    ("schedules", scheduled(FlexibleTimeWindow={"Mode": "FLEXIBLE"}), "a flexible window has"),
    ("schedules", scheduled(target={"RetryPolicy": {"MaximumEventAgeInSeconds": 30}}), "60 to 86400 are allowed"),
    ("schedules", scheduled(target={"RetryPolicy": {"MaximumRetryAttempts": 186}}), "0 to 185 are allowed"),
    ("schedules", scheduled(target={"Input": "only: unfinished"}), "is not JSON"),
    ("schedules", scheduled(trusted="schedule/credits/report_marks"), "Role trusts a schedule"),
    ("schedules", scheduled(rights=("sqs:SendMessage",)), "Role may not call Alias"),
    ("schedules", scheduled(rights=("lambda:InvokeFunction",)), "Role may not send to Queue"),
    ("schedules", scheduled(fifo=True), "Queue is a FIFO queue"),
    ("bus-logs", delivered("ERROR"), "Bus: its ERROR_LOGS are delivered nowhere"),
    ("bus-logs", delivered("INFO", "ERROR_LOGS"), "Bus: its INFO_LOGS are delivered nowhere"),
    (
        "bus-logs",
        delivered("INFO", "ERROR_LOGS", "INFO_LOGS"),
        "DINFO_LOGS: it is made at the same time as DERROR_LOGS",
    ),
    ("bus-logs", delivered("ERROR", "ERROR_LOGS", writer="events.amazonaws.com"), "may not write into Group"),
    (
        "bus-logs",
        {"Long": resource("Logs::DeliverySource", Name="x" * 61, LogType="ERROR_LOGS", ResourceArn=arn("Bus"))},
        "longer than 60",
    ),
    ("http-api", public(permitted=False), "Api: it may not call its function"),
    ("http-api", {"Api": resource("ApiGatewayV2::Api", CorsConfiguration={})}, "answers OPTIONS itself"),
    ("http-api", public(PayloadFormatVersion=None), "Call: a function needs PayloadFormatVersion"),
    ("http-api", public(TimeoutInMillis=30_001), "50 to 30000 are allowed"),
    ("http-api", public("/widget-1.js"), "is no method with a path"),
    ("http-api", public("GET /a", "GET /a"), "R1: R0 has the key"),
    ("edge", {"Policy": kept(0, 60, 60)}, "keeps answers that say `no-store`, or nothing"),
    ("edge", {"Policy": kept(0, 0, -1)}, "must not fall"),
    ("edge", {"Edge": edge("/a/*", "/a/batch")}, "/a/batch is never reached, /a/* fits before"),
    ("edge", {"Edge": edge(methods=("GET", "POST"))}, "the default allows a set of methods"),
    ("edge", {"Edge": edge(errors=ERRORS_KEPT[1:])}, "keeps errors for ten seconds: 400"),
    (
        "edge",
        {
            "Acl": resource(
                "WAFv2::WebACL", Rules=[{"Name": "rate", "Statement": {"RateBasedStatement": {"Limit": "9"}}}]
            )
        },
        "10 to 2000000000 are allowed",
    ),
)

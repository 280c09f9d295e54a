"""Extracts of templates that AWS refuses or misreads; the first ones are of this service as it was on 2026-11-25."""

from typing import Any

Resource = dict[str, Any]


def resource(kind: str, **properties: Any) -> Resource:
    return {"Type": f"AWS::{kind}", "Properties": properties}


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
ROLE_OF_OLD = {
    "Statement": [
        {"Action": ["lambda:*Tag*"], "Resource": ["arn:aws:lambda:r:a:function:credits-prod*"]},
        {"Action": "lambda:*EventSourceMapping", "Resource": "arn:aws:lambda:r:a:event-source-mapping:*"},
    ]
}
"""What the role of deployments could do with tags and sources."""

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
)

"""What runs on a schedule: EventBridge Scheduler calls it, whatever Chalice wrote.

Chalice makes a rule of EventBridge for each `@app.schedule`, and a rule drops a call that it cannot deliver. A schedule
of EventBridge Scheduler puts it into a queue, which an alarm watches, calls by a role of its own instead of a
permission on the function, and can be named. No function has to ask for this.
"""

import re
from typing import Any, Final

GROUP: Final = "ScheduleGroup"
QUEUE: Final = "ScheduleDeadLetterQueue"
RULE, SCHEDULE = "Schedule", "ScheduleV2"
"""SAM's types of an event that becomes a rule, and of one that becomes a schedule."""
TIMER: Final = "Timer"

MINUTE_SECONDS: Final = 60
"""The youngest age at which Scheduler can give a call up."""
HOUR_SECONDS: Final = 3600
ATTEMPTS: Final = 30

_EVERY_MINUTE = re.compile(r"rate\(1 minute\)|cron\(\* \* .*\)")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def call_by_scheduler(resources: dict[str, Any]) -> None:
    """Turn every scheduled event of a function in `resources` into a schedule, with a role for each function.

    What an event sets stays: its description, input, retry policy or state.
    """
    for name, function in list(resources.items()):
        events = function.get("Properties", {}).get("Events", {})
        scheduled = {key: one for key, one in events.items() if one["Type"] in (RULE, SCHEDULE)}
        for key, event in scheduled.items():
            del events[key]
            which = key.removesuffix(TIMER)
            # CloudFormation refuses to change a resource's type, and SAM gives a rule and a schedule one logical id.
            events[f"{which}{TIMER}"] = _schedule(event["Properties"], name, which if len(scheduled) > 1 else "")
        if scheduled:
            resources[f"{name}ScheduleRole"] = _role(name)


def _schedule(given: dict[str, Any], function: str, which: str) -> dict[str, Any]:
    """Return the schedule with the `given` properties; `which` tells several schedules of one function apart."""
    own = {"ScheduleExpression" if key == RULE else key: value for key, value in given.items()}
    words = "-".join(_WORDS.sub("_", one).lower() for one in (function, which) if one)
    # A call that is due every minute is given up after a minute: the next one is due then, and does the same.
    patience = MINUTE_SECONDS if _EVERY_MINUTE.fullmatch(own["ScheduleExpression"]) else HOUR_SECONDS
    properties = {
        "Name": {"Fn::Sub": f"${{AWS::StackName}}-{words}"},
        "GroupName": {"Ref": GROUP},
        "RoleArn": {"Fn::GetAtt": [f"{function}ScheduleRole", "Arn"]},
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": [QUEUE, "Arn"]}},
        "RetryPolicy": {"MaximumEventAgeInSeconds": patience, "MaximumRetryAttempts": ATTEMPTS},
    }
    return {"Type": SCHEDULE, "Properties": properties | own}


def _role(function: str) -> dict[str, Any]:
    """Return the role with which Scheduler calls one function, and parks what it cannot deliver."""
    # Scheduler names the group as the source, never the schedule (its guide, "Confused deputy prevention").
    group = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/${AWS::StackName}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnEquals": {"aws:SourceArn": {"Fn::Sub": group}},
        },
    }
    allowed = [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": {"Ref": f"{function}.Alias"}},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": [QUEUE, "Arn"]}},
    ]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {"PolicyName": "CallTheFunction", "PolicyDocument": {"Version": "2012-10-17", "Statement": allowed}}
            ],
            "Tags": [{"Key": "service", "Value": {"Ref": "ServiceName"}}, {"Key": "stage", "Value": {"Ref": "Stage"}}],
        },
    }

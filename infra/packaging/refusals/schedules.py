"""Schedules that EventBridge Scheduler refuses, or whose calls it could not make or park."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources, allowed, named, of_type

SCHEDULE, GROUP = "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"
NAME_CHARACTERS = 64
STACK_CHARACTERS = 41
"""The longest name of a stack (infra/deploying/names.py)."""
AGE_SECONDS, ATTEMPTS = range(60, 86_401), range(186)
WINDOW_MINUTES = range(1, 1_441)

_RATE = re.compile(r"rate\([1-9][0-9]* (minute|hour|day)s?\)")
_AT = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
_CRON_FIELDS, _DAY_OF_MONTH, _DAY_OF_WEEK = 6, 2, 4


def schedules(found: Resources) -> Iterator[str]:
    """Yield schedules whose name, time, window, input or retries are refused, or whose role does not suffice."""
    for name, group in of_type(found, GROUP):
        yield from _name(name, group.get("Name"))
    for name, schedule in of_type(found, SCHEDULE):
        target = schedule["Target"]
        yield from _name(name, schedule.get("Name"))
        yield from _time(name, schedule)
        yield from _retries(name, target.get("RetryPolicy", {}))
        yield from _input(name, target.get("Input"))
        yield from _rights(found, name, target)


def _name(name: str, given: Any) -> Iterator[str]:
    text = given["Fn::Sub"] if isinstance(given, Mapping) and "Fn::Sub" in given else given
    if isinstance(text, str):
        longest = text.replace("${AWS::StackName}", "x" * STACK_CHARACTERS)
        if not re.fullmatch(rf"[0-9a-zA-Z_.-]{{1,{NAME_CHARACTERS}}}", longest):
            yield f"{name}: the name {text!r} is longer than {NAME_CHARACTERS} characters or has one that is refused"


def _time(name: str, schedule: Mapping[str, Any]) -> Iterator[str]:
    expression = schedule["ScheduleExpression"]
    fields = expression.removeprefix("cron(").removesuffix(")").split() if expression.startswith("cron(") else []
    days = [fields[_DAY_OF_MONTH], fields[_DAY_OF_WEEK]] if len(fields) == _CRON_FIELDS else []
    if fields and (not days or days.count("?") != 1):
        yield f"{name}: {expression} needs six fields, and ? as exactly one of the days of month and week"
    if not fields and not _RATE.fullmatch(expression) and not _AT.fullmatch(expression):
        yield f"{name}: {expression!r} is no rate, cron or at"
    window = schedule["FlexibleTimeWindow"]
    minutes = int(window.get("MaximumWindowInMinutes", 0))
    if (minutes in WINDOW_MINUTES) != (window["Mode"] == "FLEXIBLE"):
        yield f"{name}: a flexible window has 1 to {WINDOW_MINUTES[-1]} minutes, another none"


def _retries(name: str, policy: Mapping[str, Any]) -> Iterator[str]:
    for key, allowed_values in (("MaximumEventAgeInSeconds", AGE_SECONDS), ("MaximumRetryAttempts", ATTEMPTS)):
        if key in policy and int(policy[key]) not in allowed_values:
            yield f"{name}: {key} of {policy[key]}, {allowed_values[0]} to {allowed_values[-1]} are allowed"


def _input(name: str, given: Any) -> Iterator[str]:
    if isinstance(given, str):
        try:
            json.loads(given)
        except ValueError:
            yield f"{name}: its input for a function is not JSON"


def _rights(found: Resources, name: str, target: Mapping[str, Any]) -> Iterator[str]:
    role = named(target["RoleArn"])
    trust = json.dumps(found[role]["Properties"]["AssumeRolePolicyDocument"])
    if "scheduler.amazonaws.com" not in trust:
        yield f"{name}: Scheduler may not take the role {role}"
    if ":schedule/" in trust:
        yield f"{name}: {role} trusts a schedule, and Scheduler asks in the name of its group"
    if named(target["Arn"]) not in allowed(found, role, "lambda:InvokeFunction"):
        yield f"{name}: {role} may not call {named(target['Arn'])}"
    if "DeadLetterConfig" not in target:
        yield f"{name}: a call that cannot be made is dropped without a trace"
        return
    queue = named(target["DeadLetterConfig"]["Arn"])
    if queue not in allowed(found, role, "sqs:SendMessage"):
        yield f"{name}: {role} may not send to {queue}"
    if str(found[queue].get("Properties", {}).get("FifoQueue", "false")).lower() == "true":
        yield f"{name}: {queue} is a FIFO queue, which Scheduler does not take"

"""The API's stages, streams, filters, environments, loops, reserved concurrency, throughput, and hooks of releases."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.policies import length
from infra.packaging.refusals.resolved import Resources, allowed, named, of_type

FUNCTION, SOURCE = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
ENVIRONMENT_BYTES = 4_096
STREAM_READERS = 2
PATTERN_CHARACTERS, FILTERS = 4_096, 5
RULE_CHARACTERS = 2_048
UNRESERVED = 100
"""Concurrency that Lambda keeps for functions without a reservation."""
CONCURRENCY = 1_000
"""The default quota of an account. A young one may have 10 or 50; deploying/preflight.py asks for the real figure."""
ABOVE_INFO = ("WARN", "ERROR", "FATAL")
WARM_FROM = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
"""What every table and index on demand has from the start; nobody can ask for less."""
FUSED = {"ReadUnitsPerSecond": "MaxReadRequestUnits", "WriteUnitsPerSecond": "MaxWriteRequestUnits"}
HOOK_PREFIX = "CodeDeployHook_"
"""AWS's managed policy for CodeDeploy allows functions whose name begins so, and no others."""
INVOKE, REPORT = "lambda:InvokeFunction", "codedeploy:PutLifecycleEventHookExecutionStatus"
HOOKS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")
Pattern = Mapping[str, Any]


def stages(found: Resources) -> Iterator[str]:
    """Yield deployments that make a second stage, open to anybody, without limits or logs."""
    for name, deployment in of_type(found, "AWS::ApiGateway::Deployment"):
        if "StageName" in deployment:
            yield f"{name}: it makes a second stage, {deployment['StageName']!r}, without limits and logs"


def stream_readers(found: Resources) -> Iterator[str]:
    """Yield streams that more functions read than one shard allows."""
    arns = [source["EventSourceArn"] for _, source in of_type(found, SOURCE)]
    for table, count in Counter(named(arn) for arn in arns if "StreamArn" in str(arn)).items():
        if count > STREAM_READERS:
            yield f"{table}: {count} functions read its stream, {STREAM_READERS} can without being throttled"


def filters(found: Resources) -> Iterator[str]:
    """Yield event sources' filters and rules' patterns that are refused or match nothing."""
    for name, source in of_type(found, SOURCE):
        asked = source.get("FilterCriteria", {}).get("Filters", [])
        if len(asked) > FILTERS:
            yield f"{name}: {len(asked)} filters, {FILTERS} are allowed"
        for one in asked:
            if len(one["Pattern"]) > PATTERN_CHARACTERS:
                yield f"{name}: a pattern of more than {PATTERN_CHARACTERS} characters"
            yield from _malformed(name, json.loads(one["Pattern"]))
    for name, rule in of_type(found, "AWS::Events::Rule"):
        if "EventPattern" in rule:
            if length(rule["EventPattern"]) > RULE_CHARACTERS:
                yield f"{name}: a pattern of more than {RULE_CHARACTERS} characters"
            yield from _malformed(name, rule["EventPattern"])


def _malformed(name: str, pattern: Pattern, path: str = "") -> Iterator[str]:
    for key, value in pattern.items():
        if isinstance(value, Mapping):
            yield from _malformed(name, value, f"{path}{key}.")
        elif not isinstance(value, list) or not value:
            yield f"{name}: {path}{key} must be a list that is not empty"
        elif any(isinstance(one, Mapping) and len(one) != 1 for one in value):
            yield f"{name}: {path}{key} has an operator with more or less than one name"


def environments(found: Resources) -> Iterator[str]:
    """Yield functions whose environment may not fit."""
    for name, function in of_type(found, FUNCTION):
        variables = function.get("Environment", {}).get("Variables", {})
        size = sum(len(key) + _bytes(value) for key, value in variables.items())
        if size > ENVIRONMENT_BYTES:
            yield f"{name}: an environment of up to {size} bytes, {ENVIRONMENT_BYTES} are allowed"


def _bytes(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else length(value)


def loops(found: Resources) -> Iterator[str]:
    """Yield functions that send to a queue that calls them, without saying that this is meant.

    Lambda counts how often a message has gone round, and stops calling the function after 16 times.
    """
    called: dict[str, set[str]] = {}
    for _, source in of_type(found, SOURCE):
        target = named(source.get("FunctionName", ""))
        function = named(found.get(target, {}).get("Properties", {}).get("FunctionName", target))
        called.setdefault(function, set()).add(named(source["EventSourceArn"]))
    for name, properties in of_type(found, FUNCTION):
        if name in called and properties.get("RecursiveLoop") != "Allow":
            for queue in sorted(called[name] & allowed(found, named(properties["Role"]), "sqs:SendMessage")):
                yield f"{name}: it sends to {queue}, which calls it: Lambda stops that after 16 times"


def reserved_copies(found: Resources, concurrency: int = CONCURRENCY) -> Iterator[str]:
    """Yield findings on reserved concurrency in an account with a limit of `concurrency`."""
    reserved = sum(int(one.get("ReservedConcurrentExecutions", 0)) for _, one in of_type(found, FUNCTION))
    if reserved and concurrency - reserved < UNRESERVED:
        yield f"{reserved} copies reserved of {concurrency}: {UNRESERVED} must remain for the other functions"
    for name, source in of_type(found, SOURCE):
        limit = int(source.get("ScalingConfig", {}).get("MaximumConcurrency", STREAM_READERS))
        if not 2 <= limit <= CONCURRENCY:  # noqa: PLR2004 - the least that Lambda takes
            yield f"{name}: MaximumConcurrency of {limit}, 2 to {CONCURRENCY} are allowed"


def logs(found: Resources) -> Iterator[str]:
    """Yield functions whose log levels are refused, or drop metric lines, which have no level and count as INFO."""
    for name, function in of_type(found, FUNCTION):
        config = function.get("LoggingConfig", {})
        levels = [one for one in ("ApplicationLogLevel", "SystemLogLevel") if one in config]
        if levels and config.get("LogFormat") != "JSON":
            yield f"{name}: {', '.join(levels)} without the JSON log format"
        if config.get("ApplicationLogLevel", "INFO") in ABOVE_INFO:
            yield f"{name}: ApplicationLogLevel {config['ApplicationLogLevel']} drops the lines of metrics"


def throughput(found: Resources) -> Iterator[str]:
    """Yield tables and indexes that are to be warmed to less than they have, or above their limit."""
    for name, table in of_type(found, "AWS::DynamoDB::Table"):
        fuse = table.get("OnDemandThroughput", {})
        for place, one in ((name, table), *((i["IndexName"], i) for i in table.get("GlobalSecondaryIndexes", []))):
            for units, wanted in one.get("WarmThroughput", {}).items():
                if int(wanted) < WARM_FROM[units]:
                    yield f"{place}: {wanted} {units} are fewer than the {WARM_FROM[units]} that it has"
                limit = fuse.get(FUSED[units], wanted)
                if place == name and int(limit) < int(wanted):
                    yield f"{place}: {wanted} {units} are paid for, and {FUSED[units]} lets {limit} through"


def hooks(found: Resources) -> Iterator[str]:
    """Yield hooks that fail a deployment: the right to call or the right to report is missing."""
    for alias, resource in found.items():
        moves = resource.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        for kind in HOOKS:
            if kind in moves:
                yield from _of_hook(found, alias, named(moves[kind]), named(moves["DeploymentGroupName"]))


def _of_hook(found: Resources, alias: str, hook: str, group: str) -> Iterator[str]:
    caller = named(found[group]["Properties"]["ServiceRoleArn"])
    function = found[hook]["Properties"]
    if not str(function.get("FunctionName", "")).startswith(HOOK_PREFIX) and hook not in allowed(found, caller, INVOKE):
        yield f"{alias}: {caller} may not call {hook}, which is not named {HOOK_PREFIX}…"
    role = named(function["Role"])
    if not allowed(found, role, REPORT):
        yield f"{alias}: {role} may not report the result of {hook}, and the deployment would wait in vain"

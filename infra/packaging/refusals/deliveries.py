"""Logs of event buses that nothing would write, and deliveries that CloudWatch Logs refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.packaging.refusals.resolved import Resources, listed, named, of_type
from infra.packaging.refusals.schedules import STACK_CHARACTERS

SOURCE, DESTINATION = "AWS::Logs::DeliverySource", "AWS::Logs::DeliveryDestination"
DELIVERY = "AWS::Logs::Delivery"
WRITER = "delivery.logs.amazonaws.com"
LOG_TYPES = {
    "ERROR": ("ERROR_LOGS",),
    "INFO": ("ERROR_LOGS", "INFO_LOGS"),
    "TRACE": ("ERROR_LOGS", "INFO_LOGS", "TRACE_LOGS"),
}
"""The kinds of lines that a bus writes at each level; each is a source of its own."""
NAME_CHARACTERS = 60


def bus_logs(found: Resources) -> Iterator[str]:
    """Yield buses whose lines reach no log group, and sources, destinations and deliveries that are refused."""
    sources = {(named(one["ResourceArn"]), one["LogType"]): name for name, one in of_type(found, SOURCE)}
    delivered = {named(one["DeliverySourceName"]) for _, one in of_type(found, DELIVERY)}
    for bus, properties in of_type(found, "AWS::Events::EventBus"):
        for kind in LOG_TYPES.get(properties.get("LogConfig", {}).get("Level", "OFF"), ()):
            if sources.get((bus, kind)) not in delivered:
                yield f"{bus}: its {kind} are delivered nowhere"
    for kind in (SOURCE, DESTINATION):
        for name, one in of_type(found, kind):
            yield from _name(name, one["Name"])
    yield from _at_once(found)
    yield from _unwritable(found)


def _name(name: str, given: Any) -> Iterator[str]:
    text = str(given["Fn::Sub"] if isinstance(given, Mapping) else given)
    if not re.fullmatch(rf"[\w-]{{1,{NAME_CHARACTERS}}}", text.replace("${AWS::StackName}", "x" * STACK_CHARACTERS)):
        yield f"{name}: {text!r} is longer than {NAME_CHARACTERS} characters or has one that is refused"


def _at_once(found: Resources) -> Iterator[str]:
    """Yield deliveries to one destination that CloudFormation would make at the same time, which is a conflict."""
    destinations = {name: named(one["DeliveryDestinationArn"]) for name, one in of_type(found, DELIVERY)}
    after: dict[tuple[str, str], str] = {}
    for name, destination in destinations.items():
        before = [one for one in listed(found[name].get("DependsOn", [])) if destinations.get(one) == destination]
        other = after.setdefault((destination, before[0] if before else ""), name)
        if other != name:
            yield f"{name}: it is made at the same time as {other}, to the same destination"


def _unwritable(found: Resources) -> Iterator[str]:
    policies = [str(one["PolicyDocument"]) for _, one in of_type(found, "AWS::Logs::ResourcePolicy")]
    for name, one in of_type(found, DESTINATION):
        group = named(one["DestinationResourceArn"])
        if not any(WRITER in text and f"${{{group}.Arn}}" in text for text in policies):
            yield f"{name}: {WRITER} may not write into {group}"

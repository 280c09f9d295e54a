"""A template with its parameters' values filled in, without the resources that conditions leave out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]
"""Resources by logical id."""

_ABSENT = {"Ref": "AWS::NoValue"}
_NAME = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def resources(template: Mapping[str, Any], values: Mapping[str, str]) -> Resources:
    """Return the resources that CloudFormation makes of `template` with `values`; references to resources remain.

    Raises:
        ValueError: a condition has a function that CloudFormation refuses there.
    """
    known = {name: str(one["Default"]) for name, one in template.get("Parameters", {}).items() if "Default" in one}
    known |= values
    conditions = template.get("Conditions", {})
    found: dict[str, Mapping[str, Any]] = {}
    for name, one in template["Resources"].items():
        if "Condition" not in one or _holds(one["Condition"], conditions, known):
            found[name] = _resolved(one, conditions, known)
    return found


def of_type(found: Resources, resource_type: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the logical id and the properties of each resource of a type."""
    for name, one in found.items():
        if one["Type"] == resource_type:
            yield name, one.get("Properties", {})


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def named(reference: Any) -> str:
    """Return the logical id that a reference names, or the text itself."""
    if isinstance(reference, str):
        return reference
    target = reference.get("Ref") or reference.get("Fn::GetAtt") or str(reference)
    return str(target[0]) if isinstance(target, list) else str(target)


def allowed(found: Resources, role: str, action: str) -> set[str]:
    """Return what a role's own policies allow an action on, resources of the template by their logical ids."""
    policies: list[Mapping[str, Any]] = found[role]["Properties"].get("Policies", [])
    return {
        named(resource)
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def _resolved(node: Any, conditions: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_resolved(one, conditions, known) for one in node if not _left_out(one, conditions, known)]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in known:
        return known[node["Ref"]]
    if node.keys() == {"Fn::If"}:
        return _resolved(_chosen(node["Fn::If"], conditions, known), conditions, known)
    if node.keys() == {"Fn::Sub"} and isinstance(node["Fn::Sub"], str):
        return {"Fn::Sub": _NAME.sub(lambda match: known.get(match[1], match[0]), node["Fn::Sub"])}
    return {
        name: _resolved(value, conditions, known)
        for name, value in node.items()
        if not _left_out(value, conditions, known)
    }


def _left_out(node: Any, conditions: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    while isinstance(node, dict) and node.keys() == {"Fn::If"}:
        node = _chosen(node["Fn::If"], conditions, known)
    return bool(node == _ABSENT)


def _chosen(choice: list[Any], conditions: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    name, yes, no = choice
    return yes if _holds(name, conditions, known) else no


def _holds(condition: Any, conditions: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """Return whether a condition holds, named or spelled out."""
    if isinstance(condition, str):
        return _holds(conditions[condition], conditions, known)
    ((function, arguments),) = condition.items()
    match function:
        case "Condition":
            return _holds(arguments, conditions, known)
        case "Fn::Equals":
            first, second = (str(_resolved(one, conditions, known)) for one in arguments)
            return first == second
        case "Fn::Not":
            return not _holds(arguments[0], conditions, known)
        case "Fn::And":
            return all(_holds(one, conditions, known) for one in arguments)
        case "Fn::Or":
            return any(_holds(one, conditions, known) for one in arguments)
        case _:
            raise ValueError(f"{function} in a condition: CloudFormation takes Fn::And, Fn::Equals, Fn::Not and Fn::Or")

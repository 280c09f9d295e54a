"""The template beside Chalice's output: joined from its parts first, and completed after Chalice has merged them.

Chalice merges one file, but several are easier to read: the tables, queues and overrides, the public
API, the alarms, the dashboard.
"""

import hashlib
from pathlib import Path
from typing import Any

from infra.packaging.schedules import call_by_scheduler

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE, PUBLIC_API = "infra/template.yaml", "infra/public_api.yaml"
ALARMS, DASHBOARD = "infra/monitoring/alarms.yaml", "infra/monitoring/dashboard.json"
PARTS = (TEMPLATE, PUBLIC_API, ALARMS, DASHBOARD)
UNQUALIFIED, ALIAS = ".Arn}/invocations", ".Arn}:live/invocations"
FUNCTION, PERMISSION, ROLE = "AWS::Serverless::Function", "AWS::Lambda::Permission", "AWS::IAM::Role"
BOUNDARY = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}


class TemplatePartsError(ValueError):
    """Raised when two parts define the same thing."""


def whole_template() -> str:
    """Return the parts as one YAML text without tags: short forms such as `!Ref` are spelled out.

    Raises:
        TemplatePartsError: Two parts have an entry of the same name in the same section.
    """
    whole: dict[str, Any] = {}
    for part in (TEMPLATE, PUBLIC_API, ALARMS):
        for section, entries in _read(ROOT / part).items():
            known = whole.setdefault(section, {})
            if twice := sorted(known.keys() & entries.keys()):
                raise TemplatePartsError(f"{part}: {section} has {', '.join(twice)} a second time")
            known |= entries
    body = (ROOT / DASHBOARD).read_text()
    whole["Resources"]["Dashboard"]["Properties"]["DashboardBody"] = {"Fn::Sub": body}
    return _written(whole)


def finish(sam: Path, *, stage: str, code: Path) -> None:
    """Rewrite Chalice's `sam` so that stages differ only in the defaults of two parameters, and calls go to aliases.

    Chalice writes the stage into each function and points the gateway at functions without an alias, which a gradual
    deployment would never reach. Scheduled rules become schedules of EventBridge Scheduler. Every role, Chalice's too,
    gets the permissions boundary. YAML's own aliases, which CloudFormation refuses, are spelled out.
    """
    template = _read(sam)
    call_by_scheduler(template["Resources"])
    for resource in template["Resources"].values():
        if resource["Type"] == FUNCTION:
            resource["Properties"].pop("Tags", None)
            # SAM publishes a version when this changes; by default it would miss a changed parameter. It has no place
            # among the template's Globals.
            resource["Properties"]["AutoPublishCodeSha256"] = {"Ref": "Release"}
        elif resource["Type"] == PERMISSION:
            resource["Properties"]["FunctionName"] = {"Ref": f"{_named(resource['Properties']['FunctionName'])}.Alias"}
        elif resource["Type"] == ROLE:
            resource["Properties"]["PermissionsBoundary"] = BOUNDARY
    _call_aliases(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"])
    parameters = template["Parameters"]
    parameters["Stage"]["Default"] = stage
    digest = hashlib.sha256(code.read_bytes() + _written(template).encode()).hexdigest()
    parameters["Release"]["Default"] = digest[:16]
    sam.write_text(_written(template))


def _call_aliases(definition: Any) -> None:
    """Point every integration and authorizer below `definition` at the alias of its function."""
    if isinstance(definition, dict):
        address = definition.get("Fn::Sub")
        if isinstance(address, str) and address.endswith(UNQUALIFIED):
            definition["Fn::Sub"] = address.removesuffix(UNQUALIFIED) + ALIAS
        for value in definition.values():
            _call_aliases(value)
    elif isinstance(definition, list):
        for value in definition:
            _call_aliases(value)


def _named(function: dict[str, Any]) -> str:
    """Return the logical id of the function that a reference to it, or to its ARN, names."""
    name: str = function["Ref"] if "Ref" in function else function["Fn::GetAtt"][0]
    return name


def _read(path: Path) -> dict[str, Any]:
    from infra.packaging.yaml_text import yaml_parse  # noqa: PLC0415 - an unchanged build does not need it

    parsed: dict[str, Any] = yaml_parse(path.read_text())
    return parsed


def _written(template: dict[str, Any]) -> str:
    from infra.packaging.yaml_text import yaml_text  # noqa: PLC0415 - the same

    return yaml_text(template)

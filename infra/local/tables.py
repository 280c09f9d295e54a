"""The template's tables in the words of DynamoDB's CreateTable, for engines that know no CloudFormation."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from infra.packaging.dependencies import ROOT
from infra.packaging.yaml_text import yaml_parse

_CREATED_WITH = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
_INDEXED_WITH = ("IndexName", "KeySchema", "Projection")


@cache
def declared(logical_id: str) -> Mapping[str, Any]:
    """Return CreateTable's parameters of a table in infra/template.yaml, except its name and its stream."""
    template = yaml_parse((ROOT / "infra/template.yaml").read_text())
    properties: Mapping[str, Any] = template["Resources"][logical_id]["Properties"]
    found = {part: properties[part] for part in _CREATED_WITH if part in properties}
    if indexes := found.get("GlobalSecondaryIndexes"):
        # CloudFormation takes an index's insights and throughput with it; CreateTable does not, and no engine here.
        found["GlobalSecondaryIndexes"] = [{part: index[part] for part in _INDEXED_WITH} for index in indexes]
    return found

"""Throughput of tables that DynamoDB refuses."""

from collections.abc import Iterator

from infra.packaging.refusals.resolved import Resources, of_type

WARM_FROM = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
"""What every table and index on demand has from the start; nobody can ask for less."""
FUSED = {"ReadUnitsPerSecond": "MaxReadRequestUnits", "WriteUnitsPerSecond": "MaxWriteRequestUnits"}


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

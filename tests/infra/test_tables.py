"""The tables: their keys, and that nobody loses them by accident."""

from typing import Any

import pytest

from infra.packaging.stages import values

Resources = dict[str, dict[str, Any]]

TABLES = ("CreditsTable", "TransactionsTable", "FiguresTable", "LinksTable", "DeskTable")
TAGS = [{"Key": "service", "Value": {"Ref": "ServiceName"}}, {"Key": "stage", "Value": {"Ref": "Stage"}}]


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def keys(schema: list[dict[str, str]]) -> list[str]:
    return [one["AttributeName"] for one in sorted(schema, key=lambda one: one["KeyType"])]


def test_the_credits_table_has_the_contracts_key_index_and_stream(resources: Resources) -> None:
    table = properties(resources, "CreditsTable")
    indexes = table["GlobalSecondaryIndexes"]

    assert keys(table["KeySchema"]) == ["merchant_id"]
    assert {index["IndexName"]: keys(index["KeySchema"]) for index in indexes} == {
        "by_level": ["level", "merchant_id"],
        "by_due": ["due_shard", "due_at"],
    }
    assert all(index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in indexes)
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_the_transactions_table_has_the_contracts_key_index_and_stream(resources: Resources) -> None:
    table = properties(resources, "TransactionsTable")
    (index,) = table["GlobalSecondaryIndexes"]

    assert keys(table["KeySchema"]) == ["transaction_id"]
    assert (index["IndexName"], keys(index["KeySchema"])) == ("by_merchant", ["merchant_id", "sequence"])
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert {"AttributeName": "sequence", "AttributeType": "N"} in table["AttributeDefinitions"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_the_figures_table_has_a_key_and_no_stream(resources: Resources) -> None:
    table = properties(resources, "FiguresTable")

    assert keys(table["KeySchema"]) == ["id"]
    assert "StreamSpecification" not in table
    # Discarded dead letters end on their own, after DISCARDED_DAYS; no other item has the attribute.
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_links_table_has_a_key_an_index_for_lists_and_no_stream(resources: Resources) -> None:
    table = properties(resources, "LinksTable")
    (index,) = table["GlobalSecondaryIndexes"]

    assert keys(table["KeySchema"]) == ["name"]
    assert (index["IndexName"], keys(index["KeySchema"])) == ("by_kind", ["kind", "name"])
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert "StreamSpecification" not in table


def test_the_desks_table_lists_places_under_a_topic(resources: Resources) -> None:
    assert keys(properties(resources, "DeskTable")["KeySchema"]) == ["topic", "place"]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_encrypted_protected_and_survives_its_stack(resources: Resources, table: str) -> None:
    assert resources[table]["DeletionPolicy"] == "Retain"
    assert resources[table]["UpdateReplacePolicy"] == "Retain"
    assert properties(resources, table)["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert properties(resources, table)["SSESpecification"] == {"SSEEnabled": True}
    assert properties(resources, table)["BillingMode"] == "PAY_PER_REQUEST"
    assert properties(resources, table)["Tags"] == TAGS


@pytest.mark.parametrize("table", ["CreditsTable", "TransactionsTable", "LinksTable", "DeskTable"])
def test_what_nothing_else_knows_can_be_restored_to_any_second(resources: Resources, table: str) -> None:
    assert properties(resources, table)["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_deletion_protection_is_on_unless_a_stage_turns_it_off(template: dict[str, Any]) -> None:
    assert template["Parameters"]["DeletionProtection"]["Default"] == "true"


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_units_can_be_limited_as_a_fuse(template: dict[str, Any], table: str) -> None:
    limits = {"MaxReadRequestUnits": {"Ref": "MaxReadUnits"}, "MaxWriteRequestUnits": {"Ref": "MaxWriteUnits"}}
    without = {"Ref": "AWS::NoValue"}

    assert template["Resources"][table]["Properties"]["OnDemandThroughput"] == {
        "Fn::If": ["HasMaxUnits", limits, without]
    }
    assert template["Conditions"]["HasMaxUnits"] == {
        "Fn::And": [{"Fn::Not": [{"Fn::Equals": [{"Ref": one}, 0]}]} for one in ("MaxReadUnits", "MaxWriteUnits")]
    }
    assert {template["Parameters"][one]["Default"] for one in ("MaxReadUnits", "MaxWriteUnits")} == {0}


def test_the_ledger_can_be_warmed_for_a_peak_with_the_index_that_every_record_is_in(template: dict[str, Any]) -> None:
    units = {"ReadUnitsPerSecond": {"Ref": "WarmReadUnits"}, "WriteUnitsPerSecond": {"Ref": "WarmWriteUnits"}}
    warm = {"Fn::If": ["HasWarmUnits", units, {"Ref": "AWS::NoValue"}]}
    tables = [properties(template["Resources"], one) for one in ("CreditsTable", "TransactionsTable")]

    assert [table["WarmThroughput"] for table in tables] == [warm, warm]
    assert tables[1]["GlobalSecondaryIndexes"][0]["WarmThroughput"] == warm
    assert {template["Parameters"][one]["Default"] for one in ("WarmReadUnits", "WarmWriteUnits")} == {0}


def test_throttled_keys_are_shown_in_prod_of_the_ledger_and_its_indexes(template: dict[str, Any]) -> None:
    shown = {"Fn::If": ["HasInsights", {"Enabled": True, "Mode": "THROTTLED_KEYS"}, {"Enabled": False}]}
    for table in (properties(template["Resources"], one) for one in ("CreditsTable", "TransactionsTable")):
        assert table["ContributorInsightsSpecification"] == shown
        assert table["GlobalSecondaryIndexes"][0]["ContributorInsightsSpecification"] == shown
    assert template["Parameters"]["ContributorInsights"]["Default"] == "false"
    assert values("prod")["ContributorInsights"] == "true"

"""The template that a stack is begun with around restored tables: what CloudFormation takes for an import."""

import json
import re
from pathlib import Path
from typing import Any

from infra.recovery.adoption import TABLE, only_tables
from infra.recovery.again import RULES
from infra.recovery.tables import KINDS, WITH_STREAM
from infra.recovery.writers import BY_CALL, OF_THE_QUEUE, REFUSING, WRITES
from tests.infra.test_policies import WRITING_LEDGER, listed, name, roles, statements
from tests.support.linted import findings_of_cloudformation


def test_every_table_with_point_in_time_recovery_is_restored_with_the_stream_that_it_has(
    resources: dict[str, dict[str, Any]],
) -> None:
    tables = {name: one["Properties"] for name, one in resources.items() if one["Type"] == TABLE}
    recovery = "PointInTimeRecoverySpecification"

    kept = {name for name, one in tables.items() if one.get(recovery, {}).get("PointInTimeRecoveryEnabled")}
    assert set(KINDS) == kept
    assert {name for name, one in tables.items() if "StreamSpecification" in one} == WITH_STREAM
    # What has none is derived: `credits recount` and `credits refill-months` make it anew.
    assert set(tables) - kept == {"FiguresTable"}


def test_whoever_may_write_to_a_restored_table_is_stopped_or_refused(
    template: dict[str, Any], resources: dict[str, dict[str, Any]]
) -> None:
    outputs = {one: value["Value"] for one, value in template["Outputs"].items()}
    functions = [resources[outputs[one]["Ref"]] for one in (OF_THE_QUEUE, *BY_CALL)]
    stopped = {one["Properties"]["Role"]["Fn::GetAtt"][0] for one in functions}
    refusing = {outputs[one]["Ref"]: condition for one, condition in REFUSING.items()}
    (except_for,) = refusing["DeskTable"]["ForAnyValue:StringNotLike"].values()
    tables = {f"{logical_id}.Arn": logical_id for logical_id in KINDS}

    going_on = set()
    for role in set(roles(resources)) - stopped:
        for statement in statements(resources, role, keys_are_set=True):
            written = {tables[one] for one in map(name, listed(statement["Resource"])) if one in tables}
            writes = {one for one in listed(statement["Action"]) if re.search(r":.*(Write|Put|Update|Delete)", one)}
            if written and writes:
                keys = [*statement.get("Condition", {}).values(), {}][0].get("dynamodb:LeadingKeys")
                assert written <= set(refusing)
                assert writes <= set(WRITES)
                going_on.add((role, *written, keys == except_for))

    assert stopped == WRITING_LEDGER
    # Whoever is not stopped is refused, or lists merchants by the ledger's stream, which ends with its writers.
    assert going_on == {
        ("ApiHandlerRole", "LinksTable", False),
        ("ApiHandlerRole", "DeskTable", False),
        ("RollUpRole", "DeskTable", True),
    }


def test_every_archive_is_replayed_to_the_rules_of_its_bus_that_feed_the_inbox(
    resources: dict[str, dict[str, Any]],
) -> None:
    archives = {one for one, each in resources.items() if each["Type"] == "AWS::Events::Archive"}
    rules = {one: each["Properties"] for one, each in resources.items() if each["Type"] == "AWS::Events::Rule"}
    inbox = {"Fn::GetAtt": ["InboxQueue", "Arn"]}

    assert set(RULES) == archives
    for archive, replayed in RULES.items():
        source = str(resources[archive]["Properties"]["SourceArn"])
        fed = {
            name
            for name, rule in rules.items()
            if rule["EventBusName"]["Ref"] in source and [one["Arn"] for one in rule["Targets"]] == [inbox]
        }
        assert fed == set(replayed)


def test_the_restored_tables_alone_are_a_template_that_can_be_imported(
    packaged: Path, resources: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    template = only_tables(packaged)

    path = tmp_path / "tables.json"
    path.write_text(json.dumps(template))
    assert findings_of_cloudformation(path) == []
    assert set(template["Resources"]) == set(KINDS)
    conditions = template.get("Conditions", {})
    wanted = json.dumps([template["Resources"], *conditions.values()])
    assert [name for name in (*conditions, *template["Parameters"]) if f'"{name}"' not in wanted] == []
    for logical_id, table in template["Resources"].items():
        # The same as in the whole service, so that deploying that over it changes nothing of the tables.
        assert table == resources[logical_id]
        assert table["DeletionPolicy"] == "Retain"
        # Imported under whatever name the restore gave it.
        assert "TableName" not in table["Properties"]

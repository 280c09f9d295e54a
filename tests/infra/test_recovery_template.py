"""The template that a stack is begun with around restored tables: what CloudFormation takes for an import."""

import json
from pathlib import Path
from typing import Any

from infra.packaging.lint import findings_of_cloudformation
from infra.recovery.adoption import TABLE, only_tables
from infra.recovery.tables import KINDS, WITH_STREAM


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


def test_the_restored_tables_alone_are_a_template_that_can_be_imported(
    packaged: Path, resources: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    template = only_tables(packaged)

    path = tmp_path / "tables.json"
    path.write_text(json.dumps(template))
    assert findings_of_cloudformation(path) == []
    assert set(template["Resources"]) == set(KINDS)
    for name, table in template["Resources"].items():
        # The same as in the whole service, so that deploying that over it changes nothing of the tables.
        assert table == resources[name]
        assert table["DeletionPolicy"] == "Retain"
        # Imported under whatever name the restore gave it.
        assert "TableName" not in table["Properties"]

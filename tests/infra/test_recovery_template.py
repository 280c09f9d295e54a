"""The template that a stack is begun with around restored tables: what CloudFormation takes for an import."""

import json
from pathlib import Path
from typing import Any

from infra.packaging.lint import findings_of_cloudformation
from infra.recovery.adoption import only_tables


def test_the_ledgers_tables_alone_are_a_template_that_can_be_imported(
    packaged: Path, resources: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    template = only_tables(packaged)

    path = tmp_path / "tables.json"
    path.write_text(json.dumps(template))
    assert findings_of_cloudformation(path) == []
    assert set(template["Resources"]) == {"CreditsTable", "TransactionsTable"}
    for name, table in template["Resources"].items():
        # The same as in the whole service, so that deploying that over it changes nothing of the tables.
        assert table == resources[name]
        assert table["DeletionPolicy"] == "Retain"
        # Imported under whatever name the restore gave it.
        assert "TableName" not in table["Properties"]

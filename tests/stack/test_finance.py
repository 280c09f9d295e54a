"""What finance and support ask of the running stack: statements, rows, exports, comparisons and many adjustments."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.contracts.api import tables
from infra.commands.export_rows import rows
from infra.commands.exported import Form
from tests.support.command_line import Said, said
from tests.support.marketplace import happened, merchant
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("people")]

Command = Callable[..., Said]


@pytest.fixture
def run(flows: Stack) -> Command:
    """Run a command against the stack."""

    def command(*arguments: object) -> Said:
        return said(*arguments, environment={"LOCAL_DIR": str(flows.directory)})

    return command


def test_an_owner_reads_the_statement_and_the_rows_of_the_shop_and_of_no_other(flows: Stack) -> None:
    shop, other = merchant("has a statement"), merchant("has another statement")
    flows.tell(
        happened("evt.account.created", shop, credits_to_use=9),
        happened("evt.account.created", other, credits_to_use=5),
    )
    flows.tell(happened("evt.shopify.webhook.order_paid", shop, order_id=1))
    token = flows.owner(shop)
    month = flows.ledger(shop)[-1]["created_at"][:7]

    statement = flows.get(f"/credits/accounts/{shop}/statements/{month}", token)
    page = flows.get(f"/credits/accounts/{shop}/statements/{month}", token, Accept="text/html")
    as_csv = flows.get(f"/credits/transactions?merchant_id={shop}", token, Accept="text/csv")
    lines = flows.get(f"/credits/transactions?merchant_id={shop}&limit=1", token, Accept="application/x-ndjson")
    before = flows.get(f"/credits/accounts/{shop}/balance?at=2020-01-01", token)

    assert (statement.data["opening"]["balance"], statement.data["closing"]["balance"]) == (0, 8)
    assert f"Statement of credits, {month}" in page.text
    assert [row["sequence"] for row in csv.DictReader(as_csv.text.splitlines())] == ["2", "1"]
    assert json.loads(lines.text)["sequence"] == 2
    assert before.data["balance"] == 0
    assert flows.get(f"/credits/accounts/{other}/statements/{month}", token).status == 404
    assert flows.get(f"/credits/transactions?merchant_id={other}", token, Accept="text/csv").status == 404


def test_a_shop_is_exported_proven_compared_mended_and_adjusted(flows: Stack, run: Command, tmp_path: Path) -> None:
    shop = merchant("is looked at by finance")
    flows.tell(happened("evt.account.created", shop, credits_to_use=50))
    flows.tell(*(happened("evt.shopify.webhook.order_paid", shop, order_id=number, total="5") for number in range(4)))
    paid_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    orders = tmp_path / "orders.jsonl"
    told = [{"order_id": number, "total": "5.00", "paid_at": paid_at} for number in range(6)]
    orders.write_text("\n".join(map(json.dumps, told)))

    compared = run("match", orders, "--merchant", shop, "--fix", "--json")
    until("the missing orders to be there", lambda: run("match", orders, "--merchant", shop, "--json").status == 0)

    assert (compared.json["found"], compared.json["sent"]) == ({"missing": 2}, 2)

    file = tmp_path / "rows.csv"
    file.write_text(f"merchant_id,credits,reason\n{shop},-4,a mistake\n{shop},10,goodwill\n")
    assert run("adjust", "--file", file, "--json").json["applied"] == 2
    assert run("adjust", "--file", file, "--json").json["applied"] == 0
    assert run("adjust", "--file", file, "--undo", "--json").json["applied"] == 2

    export = tmp_path / "shop.csv"
    until("the newest transaction to be in the index", lambda: run("export", export, "--merchant", shop).status == 0)
    assert run("verify", "--file", export).status == 0
    found = [row.members["balance_after"] for row in rows(export, Form.CSV) if row.members]
    assert (len(found), found[-1]) == (11, 44)
    export.write_bytes(export.read_bytes().replace(b"goodwill", b"badwill!"))
    assert run("verify", "--file", export).status == 1
    assert export.read_text().startswith(tables.heading().strip())

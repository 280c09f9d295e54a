"""`credits adjust --file`: each row once wherever it was torn, nothing while a row is bad, and back again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.adjustment_files import batch_of, read_rows
from chalicelib.domain.bulk import foreseen
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.source_orders import BadRow, NotOrdersError
from infra.commands import bulk, changes, freezing, undoing
from infra.commands.target import Target
from tests.support.api import CREDITS_TABLE, OTHER, TRANSACTIONS_TABLE, Functions
from tests.support.builders import SHOP, merchant
from tests.support.command_line import Said, said, target_of
from tests.support.events import asking, charged, paid
from tests.support.figures_tables import DESK_TABLE, created
from tests.support.system import System, _client

NOBODY = merchant("nobody")
HEADING = "merchant_id,credits,reason\n"


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def shops(system: System, functions: Functions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> System:
    target = target_of(stage="prod", credits_table=CREDITS_TABLE, transactions_table=TRANSACTIONS_TABLE)

    def client(_target: Target, service: str) -> Any:
        return functions if service == "lambda" else _client(service, of="functions")

    monkeypatch.setattr(Target, "client", client)
    monkeypatch.setattr(Target, "in_use", lambda _target, name: f"{name.partition('_')[0]}-test")
    for module in (changes, freezing, undoing):
        monkeypatch.setattr(module, "find", lambda *_: target)
    monkeypatch.chdir(tmp_path)
    system.ingest(
        asking("evt.account.created", {"merchant_id": SHOP, "credits_to_use": 5}),
        asking("evt.account.created", {"merchant_id": OTHER, "credits_to_use": 100}),
    )
    return system


def adjusted(rows: str, *more: str, answer: str | None = None) -> Said:
    Path("rows.csv").write_text(HEADING + rows)
    who = () if "--admin" in more else ("--admin", "ada")
    return said("adjust", "--file", "rows.csv", *who, *more, answer=answer)


def told(said_so: Said) -> Any:
    """Return the JSON of a command, behind the log lines of the functions, which run in this process."""
    return json.loads(said_so.out[said_so.out.index("{\n") :])


ROWS = f"{SHOP},+10,goodwill\n{OTHER},-30,a mistake\n{SHOP},-15,returned\n{OTHER},2,more\n"


def test_a_preview_says_what_each_row_would_do_and_changes_nothing(shops: System) -> None:
    before = shops.everything()

    preview = told(adjusted(ROWS, "--dry-run", "--json"))

    assert [(one["before"], one["after"], one["turns"]) for one in preview["items"]] == [
        (5, 15, None),
        (100, 70, None),
        (15, 0, "off"),
        (70, 72, None),
    ]
    assert (preview["total"], preview["applied"], preview["bad"]) == (4, 0, [])
    assert shops.everything() == before
    assert "the plugin goes off" in adjusted(ROWS, "--dry-run").out


def test_a_preview_pays_debt_first_and_lets_no_closed_account_turn_on(shops: System) -> None:
    payment = {"merchant_id": SHOP, "payment_id": "p1"}
    shops.ingest(asking("evt.billing.payment_succeeded", {**payment, "credits": 8}), paid(*range(9)))
    shops.ingest(asking("evt.billing.payment_disputed", {**payment, "dispute_id": "d1"}))
    account = shops.account(SHOP)
    assert (account.balance, account.debt) == (0, 4)

    items = told(adjusted(f"{SHOP},3,a gift\n{SHOP},5,another\n", "--dry-run", "--json"))["items"]

    assert [(one["before"], one["after"], one["turns"]) for one in items] == [(0, 0, None), (0, 4, "on")]
    one = said("adjust", SHOP, "--add", "3", "--reason", "a gift", "--dry-run", "--json")
    assert (told(one)["balance_after"], told(one)["sentence"]) == (0, "0 → 0 credits; 3 credits of it pay debt")
    closed = replace(account, closure=Closure(closed=True, at=account.updated_at))
    assert (after := foreseen(closed, 9)) is not None
    assert (after.balance, after.enabled) == (5, False)


def test_a_preview_leaves_out_what_has_lapsed_though_it_is_not_recorded(
    shops: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops.ingest(
        asking(
            "evt.billing.payment_succeeded",
            {"merchant_id": SHOP, "payment_id": "p1", "credits": 8, "expires_in_days": 1},
        )
    )
    for module in (bulk, changes):
        monkeypatch.setattr(module, "now", lambda: instant(datetime.now(UTC) + timedelta(days=3)), raising=False)
    removing = ("adjust", SHOP, "--remove", "6", "--reason", "r", "--dry-run")

    items = told(adjusted(f"{SHOP},-6,a mistake\n{SHOP},1,a gift\n", "--dry-run", "--json"))["items"]

    assert shops.balance() == 13
    assert [(one["before"], one["after"], one["state"]) for one in items] == [(5, None, "refused"), (5, 6, "apply")]
    assert "5 credits left, 6 cannot be removed" in said(*removing).err


def test_a_file_is_applied_once_however_often_it_is_run(shops: System) -> None:
    first = adjusted(ROWS, "--yes", "--json")
    again = adjusted(ROWS, "--yes", "--json")

    assert (first.status, told(first)["applied"]) == (0, 4)
    assert (again.status, told(again)["applied"]) == (0, 0)
    assert {one["state"] for one in told(again)["items"]} == {"done"}
    assert (shops.balance(), shops.balance(OTHER)) == (0, 72)
    batch = told(first)["batch"]
    keys = [f"MANUAL_ADJUSTMENT_{batch}-{number}" for number in (1, 3)]
    assert shops.recorded() == ["TRIAL_MERCHANT", *keys]


@pytest.mark.parametrize("torn", range(4))
@pytest.mark.parametrize("lost", [False, True])
def test_a_file_torn_at_any_row_and_run_again_counts_each_row_once(
    shops: System, functions: Functions, monkeypatch: pytest.MonkeyPatch, torn: int, *, lost: bool
) -> None:
    invoke, calls = functions.invoke, []

    def failing(**request: Any) -> Any:
        calls.append(request)
        if len(calls) == torn + 1:
            if lost:
                invoke(**request)
            raise RetryLater(Code.UNAVAILABLE, "torn")
        return invoke(**request)

    monkeypatch.setattr(Functions, "invoke", lambda _self, **request: failing(**request))
    broken = adjusted(ROWS, "--yes")
    assert (broken.status, "Repeated like this it counts once" in broken.err) == (2, True)

    again = adjusted(ROWS, "--yes", "--json")

    assert again.status == 0
    assert told(again)["applied"] == 4 - torn - lost
    assert (shops.balance(), shops.balance(OTHER)) == (0, 72)
    assert (len(shops.history()), len(shops.history(MerchantId(OTHER)))) == (3, 3)


def test_nothing_is_applied_while_a_row_is_bad_or_refused_unless_partial(shops: System) -> None:
    rows = f"{SHOP},10,goodwill\n{NOBODY},5,no account\n{SHOP},-16,too much\n{SHOP},1.5,half\n{SHOP},1,fine\n"
    before = shops.everything()

    held = adjusted(rows, "--yes")

    assert held.status == 1
    assert shops.everything() == before
    for words in ("no account", "15 left, 16 cannot be removed", "line 5, credits", "Nothing was applied"):
        assert words in held.out + held.err
    part = adjusted(rows, "--yes", "--partial", "--json")
    assert (part.status, told(part)["applied"]) == (1, 2)
    assert shops.balance() == 16


def test_a_batch_is_taken_back_and_what_was_spent_is_refused_by_row(shops: System) -> None:
    adjusted(f"{SHOP},10,goodwill\n{OTHER},-30,a mistake\n{OTHER},2,more\n", "--yes")
    shops.ingest(paid(*(f"o{number}" for number in range(12))))
    assert (shops.balance(), shops.balance(OTHER)) == (3, 72)
    rows = Path("rows.csv").read_text().removeprefix(HEADING)

    held = adjusted(rows, "--undo", "--yes")
    undone = adjusted(rows, "--undo", "--partial", "--yes", "--json")
    again = adjusted(rows, "--undo", "--partial", "--yes", "--json")

    assert held.status == 1
    assert "3 left, 10 cannot be removed: it was spent meanwhile" in held.out
    assert [one["state"] for one in told(undone)["items"]] == ["applied", "applied", "refused"]
    assert [one["state"] for one in told(again)["items"]] == ["done", "done", "refused"]
    assert (shops.balance(), shops.balance(OTHER)) == (3, 100)


def test_what_was_never_applied_is_not_taken_back(shops: System) -> None:
    undone = adjusted(ROWS, "--undo", "--yes", "--json")

    assert {one["state"] for one in told(undone)["items"]} == {"skipped"}
    assert (undone.status, shops.balance()) == (0, 5)


def test_above_the_limit_somebody_else_has_to_confirm(shops: System) -> None:
    created(shops.dynamodb, DESK_TABLE, logical_id="DeskTable")
    shops.configure(ADJUSTMENT_CONFIRM_ABOVE="56", DESK_TABLE=DESK_TABLE)

    waiting = adjusted(ROWS, "--yes")
    again = adjusted(ROWS, "--yes", "--json")
    oneself = adjusted(ROWS, "--yes", "--confirmed-by", "Ada ")
    one = said("adjust", OTHER, "--add", 57, "--reason", "r", "--admin", "ada", "--yes")
    fine = said("adjust", OTHER, "--add", 56, "--reason", "r", "--admin", "ada", "--yes")

    assert [each.status for each in (waiting, again, oneself, one, fine)] == [1, 1, 1, 1, 0]
    assert "4 rows wait for another admin" in waiting.err
    assert {each["state"] for each in told(again)["items"]} == {"waiting"}
    assert "cannot confirm it too" in oneself.err
    assert (shops.balance(), shops.balance(OTHER)) == (5, 156)
    confirmed = adjusted(ROWS, "--yes", "--confirmed-by", "grace")
    assert confirmed.status == 0
    assert shops.history()[-1].metadata["reason"] == "returned (confirmed by grace)"


def test_another_admin_confirms_by_running_the_same_file(shops: System) -> None:
    created(shops.dynamodb, DESK_TABLE, logical_id="DeskTable")
    shops.configure(ADJUSTMENT_CONFIRM_ABOVE="56", DESK_TABLE=DESK_TABLE)
    adjusted(ROWS, "--yes")

    confirmed = adjusted(ROWS, "--yes", "--admin", "grace")

    assert confirmed.status == 0
    last = shops.history()[-1].metadata
    assert (last["admin_id"], last["reason"]) == ("ada", "returned (confirmed by grace)")
    assert (shops.balance(), shops.balance(OTHER)) == (0, 72)


def test_a_deployed_stage_is_asked_about_first(shops: System) -> None:
    assert adjusted(ROWS, answer="n\n").status == 1
    assert shops.balance() == 5
    assert adjusted(ROWS, answer="y\n").status == 0
    assert shops.balance() == 0


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (f"{SHOP},=1+1,r", "credits"),
        (f"{SHOP},1E+3,r", "credits"),
        (f'{SHOP},"1,000",r', "credits"),
        (f"{SHOP},0,r", "credits"),
        (f"{SHOP},10000000000,r", "credits"),
        (f"{SHOP},٣,r", "credits"),
        (f"{SHOP}\u200f,1,r", "merchant_id"),
        ("=HYPERLINK(1),1,r", "merchant_id"),
        (f"{SHOP},1,", "reason"),
        (f"{SHOP},1,\u202eevil", "reason"),
        (f"{SHOP},1,{'x' * 5000}", "reason"),
        (f"{SHOP},1", "reason"),
        (f"{SHOP},1,r,more", "reason"),
    ],
)
def test_a_row_that_is_none_is_named_with_line_and_column(tmp_path: Path, row: str, column: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"{HEADING}{SHOP},1,r\n{row}\n")

    [_, bad] = read_rows(path.read_bytes())

    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column) == (3, column)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"{HEADING}{SHOP},1,é\n".encode("latin-1"), "line 2, byte"),
        (HEADING.encode("utf-16"), "UTF-16"),
        (b"merchant_id,credits\n", "'reason'"),
        (b"merchant_id,credits,reason,credits\n", "'credits'"),
        (f"{HEADING}{SHOP},1,{'x' * 10_000_000}\n".encode(), "line 2, reason: the cell has more than 65,536"),
        (f'{HEADING}{SHOP},1,"torn\n\n'.encode(), "line 2, reason: the quotation mark"),
        (f'{HEADING}{SHOP},"1"2,r\n'.encode(), "line 2, credits: there is text"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(NotOrdersError, match=why):
        read_rows(path.read_bytes())


def test_another_content_is_another_batch(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(HEADING + ROWS)
    other.write_text(HEADING + ROWS + f"{SHOP},1,r\n")

    assert batch_of(one.read_bytes()) != batch_of(other.read_bytes())


def test_a_file_and_its_text_pasted_from_a_spreadsheet_are_one_batch() -> None:
    # A browser drops the mark of the encoding, and a text field the carriage returns and often the last line's end.
    saved = f"{HEADING}{ROWS}".replace("\n", "\r\n").encode("utf-8-sig")

    assert batch_of(saved) == batch_of(f"{HEADING}{ROWS}".encode())
    assert batch_of(saved) == batch_of(f"{HEADING}{ROWS}".rstrip("\n").encode())


@pytest.mark.usefixtures("shops")
def test_a_file_and_a_merchant_together_are_refused() -> None:
    assert adjusted(ROWS, "--add", "5").status == 2
    assert said("adjust", SHOP, "--undo", "--add", 5, "--reason", "r").status == 2
    assert said("adjust").status == 2


def test_a_file_that_was_taken_back_is_refused_and_says_so(shops: System) -> None:
    adjusted(ROWS, "--yes")
    adjusted(ROWS, "--yes", "--undo")

    again = adjusted(ROWS, "--yes")

    assert (again.status, again.out.count("applied before, and undone since")) == (1, 4)
    assert "another file" in again.out
    assert (shops.balance(), shops.balance(OTHER)) == (5, 100)
    assert told(adjusted(ROWS, "--undo", "--json"))["items"][0]["state"] == "done"


def test_an_adjustment_that_was_taken_back_is_not_called_applied(shops: System) -> None:
    add = ("adjust", SHOP, "--add", "4", "--reason", "a gift", "--id", "t1", "--admin", "ada", "--yes")
    said(*add)
    transaction = shops.history()[-1].transaction_id
    undone = ("undo", transaction, "--admin", "ada", "--yes")
    assert said(*undone).status == 0

    again = said(*add)

    assert (again.status, "was applied before, and taken back since" in again.err) == (1, True)
    assert "another --id" in again.err
    assert said("undo", shops.history()[-1].transaction_id, "--admin", "ada", "--yes").status == 0
    assert "already applied" in said(*add).out
    assert shops.balance() == 9


def test_an_adjustment_reports_the_debt_that_it_repaid(shops: System) -> None:
    shops.ingest(charged("p1", 4), *(paid(order) for order in range(9)))
    back = {"merchant_id": SHOP, "payment_id": "p1", "reversal_id": "r1", "credits": 4}
    shops.ingest(asking("evt.billing.payment_refunded", back))
    add = ("adjust", SHOP, "--add", "6", "--reason", "a gift", "--id", "t1", "--admin", "ada", "--yes")

    first, again = said(*add), said(*add)

    assert "Adjustment t1: 0 → 6 credits" in first.out
    assert "4 of it paid debt (#" in first.out
    assert "): 2 credits left." in first.out
    assert "paid debt" not in again.out
    assert shops.balance() == 2


@pytest.mark.parametrize("command", [("adjust", SHOP, "--remove", "500"), ("unfreeze", SHOP)])
def test_what_programs_read_of_a_refusal_is_one_problem_with_the_id(shops: System, command: tuple[str, ...]) -> None:
    refused = said(*command, "--reason", "x", "--admin", "ada", "--yes", "--json")

    assert refused.status == 1
    assert json.loads(refused.err)["error"]["details"]["adjustment_id"].startswith("cli-")
    assert said(*command, "--reason", "x", "--yes", environment={"USER": "ada"}).err.startswith("Adjustment id: cli-")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((SHOP,), "Give either --add CREDITS or --remove CREDITS and --reason 'why'."),
        ((SHOP, "--add", "5"), "Give --reason 'why'"),
        ((SHOP, "--reason", "x"), "Give either --add CREDITS or --remove CREDITS."),
        (("--add", "5"), "Give MERCHANT"),
        ((SHOP, "--partial"), "--partial needs --file"),
    ],
)
def test_an_adjustment_names_what_it_lacks(words: tuple[str, ...], sentence: str) -> None:
    refused = said("adjust", *words)

    assert (refused.status, sentence in refused.err) == (2, True)

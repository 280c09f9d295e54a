"""`credits levels`, `grace`, `freeze` and what the other commands say of time."""

import json
from typing import Any

import pytest
from typer.testing import Result

from infra.commands import alerting, changes, checking, cli, freezing, status
from infra.commands.target import Target
from tests.functions.test_dead_letters import Functions
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP
from tests.support.command_line import CliRunner
from tests.support.events import charged, opened, paid, refunded
from tests.support.figures_tables import DESK_TABLE, created
from tests.support.system import System, _client


class Shop:
    """A shop, and the command line in front of it."""

    def __init__(self, system: System) -> None:
        self.system = system

    def run(self, *arguments: str, status: int = 0) -> str:
        said: Result = CliRunner().invoke(cli.command_line(), list(arguments), catch_exceptions=False)
        assert said.exit_code == status, said.output
        return said.stdout

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def shop(system: System, monkeypatch: pytest.MonkeyPatch) -> Shop:
    created(system.dynamodb, DESK_TABLE, logical_id="DeskTable")
    queues = ("inbox", "waiting", "dead_letter", "outbox", "outbox_dead_letter", "stream_dead_letter")
    target = Target(
        stage="dev",
        api_url="",
        credits_table=CREDITS_TABLE,
        transactions_table=TRANSACTIONS_TABLE,
        figures_table="figures-test",
        links_table=LINKS_TABLE,
        desk_table=DESK_TABLE,
        event_bus="credits",
        **{f"{name}_queue_url": "" for name in queues},  # type: ignore[arg-type]
        functions={name: name for name in ("adjust_credits", "set_threshold")},
        session=None,  # type: ignore[arg-type]
    )
    functions = Functions()

    def client(_target: Target, service: str) -> Any:
        return functions if service == "lambda" else _client(service, of="functions")

    monkeypatch.setattr(Target, "client", client)
    for module in (alerting, changes, checking, freezing, status):
        monkeypatch.setattr(module, "find", lambda *_: target)
    system.ingest(opened())
    return Shop(system)


BUSY = ("adjust", SHOP, "--reason", "a busy day", "--admin", "support", "--yes", "--remove")


def test_levels_are_set_shown_crossed_and_given_up(shop: Shop) -> None:
    shop.run("levels", SHOP, "week=7 days", "half=50%", "few=20")
    shop.run(*BUSY, "60", "--id", "busy-1")

    assert shop.run("levels", SHOP).splitlines() == [
        "level week, 7 days (its own): above",
        "level half, 50 percent (its own): below",
        "level few, 20 credits (its own): above",
        "grace: none; the fleet's limits",
    ]
    assert "evt.credits.adjusted, evt.credits.level_crossed" in shop.run("why", SHOP)
    assert shop.told("levels", SHOP, "--none")["levels"] == {"own": True, "percent_of": None, "levels": []}
    assert shop.run("levels", SHOP, "--fleet").startswith("no levels (the fleet's)")


def test_a_grace_is_set_runs_and_ends(shop: Shop) -> None:
    shop.run("grace", SHOP, "--hours", "48", "--credits", "10")
    shop.run(*BUSY, "99", "--id", "busy-2")
    shop.system.ingest(paid("1001"), paid("1002"))

    assert "1 credit of 10 owed" in shop.run("grace", SHOP)
    said = shop.run("balance", SHOP)
    assert "0 credits left, plugin on since" in said
    assert said.splitlines()[0].endswith(", kept on by a grace")
    assert "1 credit owed" in said
    shop.system.ingest(charged("pay-650", 50))
    assert shop.run("grace", SHOP).endswith(
        "grace: none; limits of its own: 48 hours or 10 credits, whichever comes first\n"
    )
    assert shop.run("grace", SHOP, "--hours", "5").endswith("limits of its own: 5 hours, no limit of credits\n")
    assert shop.run("grace", SHOP, "--credits", "1").endswith("limits of its own: 1 credit, no limit of hours\n")
    assert shop.told("grace", SHOP, "--none")["grace_terms"] == {"hours": 0, "credits": 0}
    assert shop.told("grace", SHOP, "--fleet")["grace_terms"] is None
    assert "every hash, balance and counter agrees" in shop.run("verify", SHOP)


def test_a_shop_is_frozen_explained_and_unfrozen(shop: Shop) -> None:
    as_asked = ("freeze", SHOP, "--until", "2099-01-01", "--id", "t1", "--admin", "ada", "--yes")
    frozen = "ada froze the account until 2099-01-01 00:00:00 UTC: chargebacks."

    said = shop.run(*as_asked, "--reason", "chargebacks")
    again = shop.run(*as_asked, "--reason", "in other words")
    shop.run("freeze", SHOP, "--reason", "x", "--id", "t1", "--yes", status=1)
    shop.run("freeze", SHOP, "--reason", "x", "--until", "2026-01-01", "--yes", status=1)

    assert f"{frozen} The plugin is off: frozen." in said
    assert "t1 was recorded before" in again
    assert frozen in again
    balance, why = (" ".join(shop.run(name, SHOP).split()) for name in ("balance", "why"))
    assert frozen in balance
    assert ", frozen low-balance threshold" in balance
    assert f"UTC: {frozen} It is switched on again at 2099-01-01 00:00:00 UTC, or when it is unfrozen before" in why
    assert "Not frozen. The plugin is on" in shop.run("unfreeze", SHOP, "--reason", "settled", "--yes")
    shop.run("unfreeze", SHOP, "--yes", status=1)
    assert "every hash, balance and counter agrees" in shop.run("verify", SHOP)


@pytest.mark.parametrize(
    "wrong",
    [
        ("levels", SHOP, "week"),
        ("levels", SHOP, "a=1", "a=2"),
        ("levels", SHOP, "a=1", "--none"),
        ("grace", SHOP, "--hours", "1", "--fleet"),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused_by_the_command(shop: Shop, wrong: tuple[str, ...]) -> None:
    shop.run(*wrong, status=2)


def test_credits_that_lapse_are_told_by_their_lots(shop: Shop) -> None:
    shop.system.ingest(charged("pay-651", 50, expires_in_days=30))
    shop.run("adjust", SHOP, "--add", "5", "--expires-in-days", "7", "--reason", "a present", "--id", "one", "--yes")

    left = []
    for body in (paid("1001"), refunded("1001")):
        shop.system.ingest(body)
        left.append([lot["credits"] for lot in shop.told("balance", SHOP)["lots"]])

    assert left == [[4, 50], [5, 50]]


def test_a_balance_says_which_credits_lapse_next_and_when(shop: Shop) -> None:
    assert "lapse" not in shop.run("balance", SHOP)
    shop.system.ingest(charged("p1", 50, expires_at="2099-02-01T00:00:00Z"))
    shop.system.ingest(charged("p2", 1, expires_at="2099-01-31T12:30:00Z"))

    said = shop.run("balance", SHOP).splitlines()

    assert said[0].startswith("151 credits left")
    assert said[2:4] == ["1 credit lapses at 2099-01-31 12:30:00", "50 credits lapse at 2099-02-01 00:00:00"]

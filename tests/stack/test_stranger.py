"""A stranger's ten tasks through the command line, on the sample data of `make run`: few commands, and no guesses.

What a task needs of an earlier one is read from what that one printed, as a person copies it.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.shops import LOST_ORDER, PAST_SHOP, SHOPS
from tests.support.engines import PROGRAMS
from tests.support.stack_process import READY_SECONDS, Run, started, wait

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("local stack")]

PENNY = next(shop for shop in SHOPS if shop.spends_all)
OFF_SECONDS = 240.0
"""The sample shop is off a minute or two after the start, and every few minutes after that."""


@dataclass(slots=True)
class Stranger:
    """Somebody at a terminal of 80 columns; `typed` counts the commands since the last task began."""

    run: Run
    folder: Path
    typed: int = 0
    printed: list[str] = field(default_factory=list)

    def types(self, *words: str, refused: bool = False) -> str:
        """Return what `credits` prints with these words; it may be `refused`, where that is not known before."""
        self.typed += 1
        environment = {**os.environ, "LOCAL_DIR": str(self.run.directory), "COLUMNS": "80", "NO_COLOR": "1"}
        command = [str(PROGRAMS / "credits"), *words]
        said = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert said.returncode == 0 or (refused and said.returncode == 1), said.stdout + said.stderr
        return said.stdout + said.stderr

    def begins(self) -> None:
        """Begin a task."""
        self.typed = 0


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    folder = tmp_path_factory.mktemp("stranger")
    with started(folder, {"TRAFFIC": "on"}) as run:
        run.wait_for_line(f"{PAST_SHOP.name} has sold for ")
        yield Stranger(run=run, folder=folder)


def test_ten_tasks_take_a_command_or_two_each(stranger: Stranger) -> None:
    # 1. Find the shop.
    wait(lambda: PENNY.name in stranger.types("merchants", "penny"), READY_SECONDS)
    stranger.begins()
    assert PENNY.merchant_id in stranger.types("merchants", PENNY.name)
    assert stranger.typed == 1

    # 2. Say why it is off. It is so for a minute only: the first look that finds it off is the one that is read.
    looks: list[str] = []

    def off() -> bool:
        stranger.begins()
        looks.append(" ".join(stranger.types("why", PENNY.name).split()))
        return "The plugin is off since" in looks[-1]

    wait(off, OFF_SECONDS)
    assert "The plugin is off since" in looks[-1]
    assert "The next credit switches it on again" in looks[-1]
    assert stranger.typed == 1

    # 3. Give it 20 credits.
    stranger.begins()
    given = stranger.types("adjust", PENNY.name, "--add", "20", "--reason", "a present")
    assert re.search(r"(\d+) → (\d+) credits", given)
    assert stranger.typed == 1

    # 4. Undo that. If some is spent meanwhile, the refusal names the command that takes back the rest.
    stranger.begins()
    undone = stranger.types(*offered("undo", given), refused=True)
    if "--partly" in undone:
        undone = stranger.types(*offered("undo", undone))
    assert "→" in undone
    assert stranger.typed <= 2

    # 5. Export its month.
    stranger.begins()
    month = f"{datetime.now(UTC):%Y-%m}"
    stranger.types("export", "month.csv", "--merchant", PENNY.name, "--month", month)
    assert stranger.typed == 1
    assert PENNY.merchant_id in (stranger.folder / "month.csv").read_text()

    # 6. Find and retry the dead letter of an order.
    stranger.begins()
    letter = stranger.types("dead-letters", "list", str(LOST_ORDER)).split()[0]
    assert "1 put back, 0 stay parked." in stranger.types("dead-letters", "redrive", letter)
    assert stranger.typed == 2
    wait(lambda: f" {LOST_ORDER} " in stranger.types("history", PAST_SHOP.name, "--limit", "1"), READY_SECONDS)

    # 7. Set an alert at 10.
    stranger.begins()
    assert "threshold 10 (its own)" in stranger.types("threshold", PENNY.name, "10")
    assert stranger.typed == 1

    # 8. See who changed the threshold.
    stranger.begins()
    assert re.search(r"UTC  \S+ set the threshold to 10", stranger.types("actions", PENNY.name))
    assert stranger.typed == 1

    # 9. List the shops that run out this week.
    stranger.begins()
    assert PAST_SHOP.name in stranger.types("merchants", "--days", "7")
    assert stranger.typed == 1

    # 10. Connect a Shopify shop.
    stranger.begins()
    assert "/api/v1/webhooks/shopify" in stranger.types("link", "second-shop.myshopify.com", PENNY.name)
    assert stranger.typed == 1


def offered(command: str, printed: str) -> list[str]:
    """Return the words of the command that a text offers."""
    found = re.search(rf"`credits ({command} [^`]*)`", " ".join(printed.split()))
    assert found is not None, printed
    return found[1].split()

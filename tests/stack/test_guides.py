"""The README's tour and the guides, run as a new user would run them, on the running stack."""

import os

import pytest

from infra.deploying.emulator import ROOT
from tests.support.engines import PROGRAMS
from tests.support.guides import blocks, masked, ran, rewritten
from tests.support.running_stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("people")]

GUIDES = [
    "README.md",
    *sorted(f"infra/docs/{path.name}" for path in (ROOT / "infra/docs").glob("*.md") if blocks(path.read_text())),
]
OTHERS_TOO = ("credits dead-letters list", "credits recount", "credits doctor", "/metrics", "credits --help")
"""Commands that tell of the whole stack, or of what others add to it: only their beginning is compared."""


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_s_commands_print_what_the_guide_says(flows: Stack, name: str) -> None:
    path, description = ROOT / name, flows.description
    text = path.read_text()
    assert blocks(text)
    environment = {
        "LOCAL_DIR": str(flows.directory),
        "NATS_URL": description.nats_url,
        "AWS_ENDPOINT_URL": description.aws_endpoint,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    }

    printed = list(ran(text, environment, {"http://127.0.0.1:8015": description.api_url}))

    if os.environ.get("WRITE_GUIDES"):
        rewritten(path, printed)
        return
    assert [told(block.commands, one) for block, one in zip(blocks(text), printed, strict=True)] == [
        told(block.commands, block.printed) for block in blocks(text)
    ]


def told(commands: str, printed: str) -> str:
    said = masked(printed)
    return said.partition("\n")[0].partition(" ")[0] if any(each in commands for each in OTHERS_TOO) else said

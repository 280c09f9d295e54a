"""Guides whose commands are run: a `sh` block, then the `text` block with its output.

The blocks of one file run in one shell, from the repository's root, as a reader would paste them. Output that differs
from run to run (times, ids of requests and letters, tokens, durations) is masked on both sides before they are
compared. With WRITE_GUIDES=1 the test writes the output into the file instead.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.deploying.emulator import ROOT

MARK = "--- end of block"
SHELL_SECONDS = 400
_PAIR = re.compile(r"```sh\n(?P<commands>.*?)```\n\n```text\n(?P<printed>.*?)```", re.DOTALL)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MASKS = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{3})?Z?", "TIME"),
    (rf'"(request_id|correlation_id)":"{_UUID}"', r'"\1":"ID"'),
    (rf"^{_UUID}", "LETTER"),
    (r"eyJ[\w.-]+", "TOKEN"),
    (r"\b\d+ ms\b", "N ms"),
    (r"\b\d+ s ago\b", "N s ago"),
    (r"[ \t]+$", ""),
)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a guide, and the output that the guide shows."""

    commands: str
    printed: str


def blocks(text: str) -> list[Block]:
    """Return the blocks of a guide, in order; commands without a `text` block after them are left out."""
    return [Block(found["commands"], found["printed"]) for found in _PAIR.finditer(text)]


def ran(text: str, environment: Mapping[str, str], replaced: Mapping[str, str]) -> Iterator[str]:
    """Run a guide's blocks in one shell, and yield the output of each, with errors.

    `replaced` maps addresses of the guide to those of this stack, in commands and back in output.
    """
    script = "".join(f"{block.commands}\necho '{MARK}'\n" for block in blocks(text))
    for there, here in replaced.items():
        script = script.replace(there, here)
    shell = subprocess.run(
        ["bash", "-s"],  # noqa: S607 - the reader's shell
        input=script,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SHELL_SECONDS,
        check=True,
    )
    printed = shell.stdout
    for there, here in replaced.items():
        printed = printed.replace(here, there)
    yield from printed.split(f"{MARK}\n")[:-1]


def masked(printed: str) -> str:
    """Return the output, with everything that differs from run to run masked."""
    for pattern, mask in _MASKS:
        printed = re.sub(pattern, mask, printed, flags=re.MULTILINE)
    return printed.strip()


def rewritten(path: Path, printed: list[str]) -> None:
    """Write the output into the guide."""
    remaining = iter(printed)

    def block(found: re.Match[str]) -> str:
        said = "\n".join(line.rstrip() for line in next(remaining).rstrip().splitlines())
        return f"```sh\n{found['commands']}```\n\n```text\n{said}\n```"

    path.write_text(_PAIR.sub(block, path.read_text()))

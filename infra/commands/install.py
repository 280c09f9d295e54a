"""`python -m infra.commands.install`: leave the command `credits` in the virtual environment (contract, section 9).

A script of three lines instead of an installed package: it needs no network, and no second copy of the code.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXECUTABLE = 0o755

SCRIPT = """#!{python}
import sys
sys.path.insert(0, {root!r})
from infra.commands.cli import main
main()
"""


def install(command: Path, *, python: str) -> Path:
    """Write the command, run by that Python, and return its path."""
    unfinished = command.with_name(f".{command.name}-unfinished")
    unfinished.write_text(SCRIPT.format(python=python, root=str(ROOT)))
    unfinished.chmod(EXECUTABLE)
    unfinished.replace(command)
    return command


if __name__ == "__main__":
    install(Path(sys.executable).parent / "credits", python=sys.executable)

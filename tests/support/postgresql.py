"""A PostgreSQL of a test's own: Debian's package, on a socket in a folder of its own, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT_ID = 0


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else debian[-1].parent if debian else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """A running server, without TCP."""

    folder: Path
    bin: Path

    def run(self, sql: str) -> str:
        """Run statements, psql's own too, in the server's folder, and return what they print."""
        return _run(
            [self.bin / "psql", "-h", self.folder, "-qAtX", "-v", "ON_ERROR_STOP=1", "postgres"], self.folder, sql
        )


@contextmanager
def postgresql(programs_in: Path) -> Iterator[PostgreSQL]:
    """Yield a new server with an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    owner = _owner()
    if owner is not None:
        shutil.chown(folder, owner)
    data, control = folder / "data", programs_in / "pg_ctl"
    try:
        _run([programs_in / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-c listen_addresses= -k {folder} -c fsync=off"
        _run([control, "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], folder)
        try:
            yield PostgreSQL(folder=folder, bin=programs_in)
        finally:
            _run([control, "-D", data, "-w", "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder)


def _owner() -> str | None:
    """Return who runs the server: it refuses to run as root."""
    if os.getuid() != _ROOT_ID:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[str | Path], folder: Path, sql: str | None = None) -> str:
    owner = _owner()
    done = subprocess.run(
        command,
        cwd=folder,
        user=owner,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **({"PGUSER": owner} if owner else {})},
        input=sql,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        check=True,
    )
    return done.stdout

"""Files that a command reads or writes: why one cannot be read, and whether one can be written."""

import gzip
from pathlib import Path

import typer

from infra.commands.output import unable


def why_not(error: Exception) -> str:
    """Return in words why a file cannot be read or written."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, (gzip.BadGzipFile, EOFError)):
        return "it is not a complete gzip file"
    return (getattr(error, "strerror", None) or "the system does not allow it").lower()


def unread(path: Path, error: Exception) -> typer.Exit:
    """Say that a file cannot be read, and why; return the exit to raise."""
    return unable(f"{path} cannot be read: {why_not(error)}.")


def check_writable(path: Path) -> None:
    """End the command where a file cannot be there: its folder is missing, or it is a folder itself."""
    if path.is_dir():
        raise unable(f"{path} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise unable(f"There is no folder {path.parent}.")

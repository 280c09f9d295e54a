"""The console: one page and its files, which ship with the code, served by the API itself (spec, section 6).

The page names its files below a folder that is the digest of all of them, so that browsers keep them for a year and
a new version is a new address. Relative addresses only: it works at the root, and below a stage or a base path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

from chalice.app import Blueprint

from chalicelib.contracts.problems import not_found
from chalicelib.handlers.requests import Call
from chalicelib.handlers.routing import Reply, Routes

VERSION_PLACE = "{version}"
"""Where the page names its files' folder."""
YEAR_SECONDS = 31_536_000
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }
)

_FOLDER = Path(__file__).resolve().parent.parent / "static" / "console"
_PAGE = "index.html"
_VERSION_LENGTH = 12
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The page, which names its files, and the files by name."""

    version: str
    page: str
    files: Mapping[str, str]


@cache
def console_files() -> Console:
    """Return the console as it ships; `version` changes with any of its files."""
    files = {path.name: path.read_text() for path in sorted(_FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    page = (_FOLDER / _PAGE).read_text()
    digest = sha256("\0".join([page, *(f"{name}\0{text}" for name, text in files.items())]).encode())
    version = digest.hexdigest()[:_VERSION_LENGTH]
    return Console(version=version, page=page.replace(VERSION_PLACE, version), files=files)


@routes.get("/console", token=False)
def console(call: Call) -> Reply:
    """Answer the page; it may load its own files and ask this API, and nothing else."""
    shipped = console_files()
    tag = f'W/"{shipped.version}"'
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        # Asked for again each time, and mostly answered with 304: the files behind it are kept.
        "Cache-Control": "no-cache",
        "ETag": tag,
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
    }
    known = {one.strip().removeprefix("W/") for one in call.headers.get("if-none-match", "").split(",")}
    if known & {"*", tag.removeprefix("W/")}:
        return Reply(body="", status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Reply(body=shipped.page, headers=headers)


@routes.get("/console/{version}/{name}", token=False)
def console_file(call: Call, version: str, name: str) -> Reply:  # noqa: ARG001 - every view has its call
    """Answer a file of the page, to be kept for a year.

    Under another version's address too, so that a page opened before a deployment goes on, but not to be kept.
    """
    shipped = console_files()
    text = shipped.files.get(name)
    if text is None:
        raise not_found("file")
    kept = f"public, max-age={YEAR_SECONDS}, immutable" if version == shipped.version else "no-store"
    media_type = MEDIA_TYPES[Path(name).suffix]
    return Reply(body=text, headers={"Content-Type": media_type, "Cache-Control": kept})

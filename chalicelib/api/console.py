"""The console: one page and its scripts, which ship with the code, served by the API itself (contract, section 6).

The scripts' folder is named by a digest of all of them, so that browsers keep them for a year and a new version has a
new address. Relative addresses only: it works at the root, and below a stage or a base path.
"""

from http import HTTPStatus

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.console_files import console_files
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes, without_slash
from chalicelib.contracts.api.problems import not_found

YEAR_SECONDS = 31_536_000

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src {style}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/console", access=Access.ANYONE, summary="The console, for people")
def console(call: Call) -> Reply:
    """Return the page; it may load its own scripts and call this API, and nothing else."""
    if (elsewhere := without_slash(call)) is not None:
        return elsewhere
    shipped = console_files()
    tag = f'W/"{shipped.version}"'
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        # Revalidated each time, and mostly answered with 304: its scripts are cached.
        "Cache-Control": "no-cache",
        "ETag": tag,
        "Content-Security-Policy": _POLICY.format(style=shipped.style_source),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
    }
    if call.holds(tag):
        return Reply(body="", status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Reply(body=shipped.page, headers=headers)


@routes.get("/console/{version}/{name}", access=Access.ANYONE, summary="A script of the console")
def console_file(call: Call, version: str, name: str) -> Reply:  # noqa: ARG001 - every view has its call
    """Return a script of the page, to be cached for a year.

    Also served under another version's address, but not to be cached, so that a page opened before a deployment still
    works.
    """
    shipped = console_files()
    text = shipped.scripts.get(name)
    if text is None:
        raise not_found("script")
    kept = f"public, max-age={YEAR_SECONDS}, immutable" if version == shipped.version else "no-store"
    return Reply(body=text, headers={"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": kept})

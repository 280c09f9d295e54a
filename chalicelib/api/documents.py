"""The API's document, for programs (`/openapi.json`) and for people (`/docs`): two files that ship with the code.

They are made at build time (`python -m infra.interfaces`), so that nothing is generated here: no model and no
library is imported for them.
"""

import json
from base64 import b64encode
from functools import cache, lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from re import DOTALL, search

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes, without_slash

PREFIXES_MAX = 8
"""Addresses of the API (stages, base paths) whose documents a container keeps."""

_STATIC = Path(__file__).resolve().parent.parent / "static"
_CACHE_CONTROL = "public, max-age=300"

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get(
    "/openapi.json", "/api/v1/openapi.json", open_to_all_origins=True, access=Access.ANYONE, summary="This document"
)
def openapi(call: Call) -> Reply:
    """Return the API's document, with the server's address as the caller reached it."""
    return _file(call, _document(call.link_path.removesuffix(call.route)), {"Content-Type": "application/json"})


@routes.get("/docs", "/api/v1/docs", access=Access.ANYONE, summary="This document, to browse and try")
def docs(call: Call) -> Reply:
    """Return the page that shows the document; it may load nothing else."""
    if (elsewhere := without_slash(call)) is not None:
        return elsewhere
    page, policy = _page()
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
    }
    return _file(call, page, headers)


def _file(call: Call, text: str, headers: dict[str, str]) -> Reply:
    tag = f'W/"{sha256(text.encode()).hexdigest()[:16]}"'
    headers = {**headers, "Cache-Control": _CACHE_CONTROL, "ETag": tag}
    if call.holds(tag):
        return Reply(body="", status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Reply(body=text, headers=headers)


@lru_cache(maxsize=PREFIXES_MAX)
def _document(prefix: str) -> str:
    document = json.loads((_STATIC / "openapi.json").read_text())
    document["servers"] = [{"url": prefix or "/"}]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


@cache
def _page() -> tuple[str, str]:
    """Return the page, and the policy that allows only its own script and style."""
    page = (_STATIC / "docs.html").read_text()
    policy = (
        f"default-src 'none'; script-src {_source(page, 'script')}; style-src {_source(page, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _source(page: str, element: str) -> str:
    found = search(f"<{element}>(.*?)</{element}>", page, DOTALL)
    assert found is not None, f"the page has no {element}"
    return f"'sha256-{b64encode(sha256(found[1].encode()).digest()).decode()}'"

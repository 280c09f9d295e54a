"""The storefront widget: a script that a shop's theme loads, under a name that holds its version (contract, section 6).

A served file is never changed, because browsers keep it for a year without asking: a new version is a new file. Anybody
may load it from anywhere, also by its checksum (`integrity`).
"""

from functools import cache
from pathlib import Path

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes

_STATIC = Path(__file__).resolve().parent.parent / "static"
_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/widget-1.js", open_to_all_origins=True, access=Access.ANYONE, summary="The storefront widget")
def widget(_call: Call) -> Reply:
    """Return the widget's first version."""
    return Reply(body=_script("widget-1.js"), headers=_HEADERS)


@routes.get(
    "/widget-2.js", open_to_all_origins=True, access=Access.ANYONE, summary="The storefront widget, with days left"
)
def widget_with_days(_call: Call) -> Reply:
    """Return the widget's second version, which also shows how many days the credits last where a page asks for it."""
    return Reply(body=_script("widget-2.js"), headers=_HEADERS)


@cache
def _script(name: str) -> str:
    return (_STATIC / name).read_text()

"""The API's function as it is deployed: it starts with the merchants' routes, and loads all others on first use.

Shops wait for the first answer of a new container, and most requests ask for a status. So this module imports what a
status needs, including AWS's client. A request to any other route registers all others.
"""

from functools import cache
from types import ModuleType
from typing import Any

from chalice.app import Chalice

from chalicelib.adapters import sdk as _sdk
from chalicelib.adapters.dynamodb import status_table as _status_table
from chalicelib.api import merchants
from chalicelib.usecases import plugin_status as _plugin_status

__all__ = ["_plugin_status", "_sdk", "_status_table", "application", "other_modules", "register_all", "serve"]

application = Chalice(app_name="credits")
"""The application, with the merchants' routes; `register_all` adds all others."""

merchants.configure(application)
application.register_blueprint(merchants.blueprint)
_PATHS = {path for declared in merchants.routes.declared for path in declared.paths}


def other_modules() -> tuple[ModuleType, ...]:
    """Return the modules of all routes but the merchants', in the order in which they are registered."""
    from chalicelib.api import (
        admin,
        bulk,
        console,
        dead_letters,
        documents,
        links,
        operations,
        people,
        webhooks,
        widget,
    )

    return (admin, bulk, links, dead_letters, operations, people, webhooks, documents, console, widget)


@cache
def register_all() -> None:
    """Register every other route; nothing when called again."""
    for module in other_modules():
        application.register_blueprint(module.blueprint)


def serve(event: dict[str, Any], context: Any) -> Any:
    """Return the answer to an event of API Gateway, the same as `app.app` gives."""
    if event.get("requestContext", {}).get("resourcePath") not in _PATHS:
        register_all()
    elif (answer := merchants.routes.answer(event)) is not None:
        return answer
    return application(event, context)

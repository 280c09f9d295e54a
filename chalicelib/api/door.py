"""The API's function as it is deployed: it starts with the merchants' routes, and loads all others on first use.

Shops wait for the first answer of a new container, and most requests ask for a status. So this module imports what a
status needs, including AWS's client. `app`, which registers every route, is imported for a request to any other route.
"""

from importlib import import_module
from typing import Any

from chalice.app import Chalice

from chalicelib.adapters import sdk as _sdk
from chalicelib.adapters.dynamodb import status_table as _status_table
from chalicelib.api import merchants
from chalicelib.usecases import plugin_status as _plugin_status

__all__ = ["_plugin_status", "_sdk", "_status_table", "application", "serve"]

application = Chalice(app_name="credits")
"""The application, with the merchants' routes; `app` adds all others."""

merchants.configure(application)
application.register_blueprint(merchants.blueprint)
_PATHS = {path for declared in merchants.routes.declared for path in declared.paths}


def serve(event: dict[str, Any], context: Any) -> Any:
    """Return the answer to an event of API Gateway, the same as `app.app` gives."""
    if event.get("requestContext", {}).get("resourcePath") not in _PATHS:
        import_module("app")
    elif (answer := merchants.routes.answer(event)) is not None:
        return answer
    return application(event, context)

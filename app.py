"""The Chalice application: registers the blueprints and names the functions (spec, section 7).

Every function is an attribute of this module and callable as `handler(event, context)`.
"""

from chalice.app import Chalice

from chalicelib.handlers import admin, authorizer, http, inbound, streams
from chalicelib.handlers.admin import adjust_credits
from chalicelib.handlers.authorizer import authorize
from chalicelib.handlers.inbound import ingest_events
from chalicelib.handlers.streams import publish_threshold_events, publish_transaction_events

__all__ = [
    "adjust_credits",
    "app",
    "authorize",
    "ingest_events",
    "publish_threshold_events",
    "publish_transaction_events",
]

app = Chalice(app_name="credits")
http.configure(app)
for module in (inbound, streams, admin, authorizer, http):
    app.register_blueprint(module.blueprint)

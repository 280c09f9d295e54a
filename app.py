"""The Chalice application: registers the blueprints and names the functions (spec, section 7).

Every function is an attribute of this module and callable as `handler(event, context)`.
"""

from chalice.app import Chalice

from chalicelib.handlers import (
    admin,
    authorizer,
    figures,
    http,
    http_admin,
    http_console,
    http_desk,
    http_docs,
    http_metrics,
    http_widget,
    inbound,
    marks,
    schedule,
    streams,
)
from chalicelib.handlers.admin import adjust_credits, set_threshold
from chalicelib.handlers.authorizer import authorize
from chalicelib.handlers.figures import roll_up
from chalicelib.handlers.inbound import ingest_events
from chalicelib.handlers.marks import report_marks
from chalicelib.handlers.schedule import reconcile
from chalicelib.handlers.streams import publish_threshold_events, publish_transaction_events

__all__ = [
    "adjust_credits",
    "app",
    "authorize",
    "ingest_events",
    "publish_threshold_events",
    "publish_transaction_events",
    "reconcile",
    "report_marks",
    "roll_up",
    "set_threshold",
]

app = Chalice(app_name="credits")
http.configure(app)
for module in (inbound, streams, figures, marks, schedule, admin, authorizer):
    app.register_blueprint(module.blueprint)
for routes in (http, http_admin, http_desk, http_metrics, http_docs, http_console, http_widget):
    app.register_blueprint(routes.blueprint)

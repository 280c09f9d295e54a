"""The Chalice application: registers the blueprints and names the functions (spec, section 7).

Every function is an attribute of this module and callable as `handler(event, context)`.
"""

from chalice.app import Chalice

from chalicelib.handlers import admin, authorize, roll_up, ingest_events, report_marks, reconcile, streams
from chalicelib.api import merchants, admin, console, desk, documents, operations, widget
from chalicelib.handlers.admin import adjust_credits, set_threshold
from chalicelib.handlers.authorize import authorize
from chalicelib.handlers.roll_up import roll_up
from chalicelib.handlers.ingest_events import ingest_events
from chalicelib.handlers.report_marks import report_marks
from chalicelib.handlers.reconcile import reconcile
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
merchants.configure(app)
for module in (inbound, streams, figures, marks, schedule, admin, authorizer):
    app.register_blueprint(module.blueprint)
for routes in (http, http_admin, http_desk, http_metrics, http_docs, http_console, http_widget):
    app.register_blueprint(routes.blueprint)

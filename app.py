"""The Chalice application: registers the routes and names the functions (contract, section 7).

API Gateway calls `api.door.serve`; everything else calls one of the functions below.

Every function is an attribute of this module and callable as `handler(event, context)`.
"""

from chalicelib import handlers
from chalicelib.api.door import application as app
from chalicelib.api.door import register_all
from chalicelib.handlers.adjust_credits import adjust_credits
from chalicelib.handlers.authorize import authorize
from chalicelib.handlers.ingest_events import ingest_events
from chalicelib.handlers.match_orders import match_orders
from chalicelib.handlers.post_due import post_due
from chalicelib.handlers.reconcile import reconcile
from chalicelib.handlers.report_marks import report_marks
from chalicelib.handlers.roll_up import roll_up
from chalicelib.handlers.set_threshold import set_threshold
from chalicelib.handlers.smoke_test import smoke_test
from chalicelib.handlers.stream_records import publish_threshold_events, publish_transaction_events

__all__ = [
    "adjust_credits",
    "app",
    "authorize",
    "ingest_events",
    "match_orders",
    "post_due",
    "publish_threshold_events",
    "publish_transaction_events",
    "reconcile",
    "report_marks",
    "roll_up",
    "set_threshold",
    "smoke_test",
]

for functions in (
    handlers.ingest_events,
    handlers.stream_records,
    handlers.roll_up,
    handlers.report_marks,
    handlers.post_due,
    handlers.reconcile,
    handlers.match_orders,
    handlers.adjust_credits,
    handlers.set_threshold,
    handlers.authorize,
    handlers.smoke_test,
):
    app.register_blueprint(functions.blueprint)
register_all()

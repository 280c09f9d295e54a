"""The admins' routes for many adjustments at once: a file's plan, and what waits for another admin (section 17).

A plan's rows are applied one by one, each by the route for adjustments under its own id: an interrupted run can be
repeated.
"""

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes, about
from chalicelib.contracts.api.problems import bad_request, not_found
from chalicelib.domain.ids import TransactionId, instant, merchant_id
from chalicelib.domain.source_orders import BadRow, NotOrdersError
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.wiring import for_desk

FILE_BYTES_MAX = 512 * 1024
ROWS_MAX = 2_000
"""Rows of a plan over HTTP; `credits adjust --file` takes more."""
WAITING_MAX = 2_000

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.post(
    "/api/v1/credits/admin/adjustments/preview",
    access=Access.ADMIN,
    summary="What a file of adjustments would do",
    body_bytes_max=FILE_BYTES_MAX,
)
def preview(call: Call) -> Reply:
    """Return what applying a file of adjustments would do row by row, or undoing it; nothing is changed."""
    from chalicelib.contracts.adjustment_files import batch_of, read_rows
    from chalicelib.contracts.api.bulk import Plan
    from chalicelib.domain.bulk import AdjustmentRow
    from chalicelib.usecases.planning import plan
    from chalicelib.wiring import for_posting

    asked = call.json_object()
    text, undo = asked.get("csv"), asked.get("undo", False)
    if not isinstance(text, str):
        raise bad_request("csv", "csv is the text of the file: merchant_id,credits,reason, a row each.")
    if not isinstance(undo, bool):
        raise bad_request("undo", "undo is true or false.")
    # Half of a surrogate pair, which JSON may hold, is then refused with its line.
    content = text.encode(errors="surrogatepass")
    try:
        rows = read_rows(content)
    except NotOrdersError as error:
        raise bad_request("csv", f"{error}.") from error
    if len(rows) > ROWS_MAX:
        raise bad_request("csv", f"More than {ROWS_MAX:,} rows: split the file, or use credits adjust --file.")
    batch, good = batch_of(content), [row for row in rows if isinstance(row, AdjustmentRow)]
    planned = plan(for_posting.ledger(), good, batch, undo=undo, now=instant(call.now))
    bad = [row for row in rows if isinstance(row, BadRow)]
    answer = Plan.of(batch, planned, bad, limit=settings().confirm_above)
    return about(call, answer)


@routes.get(
    "/api/v1/credits/admin/adjustments/waiting", access=Access.ADMIN, summary="Adjustments that wait for another admin"
)
def waiting(call: Call) -> Reply:
    """Return the adjustments that another admin has to confirm, the oldest first."""
    from chalicelib.contracts.api.bulk import WaitingAdjustment, WaitingAdjustments

    found = for_desk.desk_reader().all_waiting(wanted=WAITING_MAX + 1)
    rows = [WaitingAdjustment.of(one) for one in found[:WAITING_MAX]]
    return about(call, WaitingAdjustments(waiting=rows, more=len(found) > WAITING_MAX))


@routes.delete(
    "/api/v1/credits/admin/adjustments/waiting/{transaction_id}",
    access=Access.ADMIN,
    summary="Withdraw an adjustment that waits",
)
def withdraw(call: Call, transaction_id: str) -> Reply:
    """Withdraw a waiting adjustment, and return it; 404 if none waits under this id."""
    from chalicelib.contracts.api.bulk import WaitingAdjustment

    admin, desk = call.caller.name(), for_desk.desk_reader()
    try:
        name = TransactionId(merchant_id(transaction_id))
    except ValueError:
        raise not_found("adjustment that waits") from None
    found = desk.waiting(name)
    if found is None or not desk.remove_waiting(name):
        raise not_found("adjustment that waits")
    logger.info("adjustment withdrawn", admin_id=admin, merchant_id=found.merchant_id, key=found.adjustment_id)
    return about(call, WaitingAdjustment.of(found), found.merchant_id)

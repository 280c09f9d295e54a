"""Notes who did what, for the routes that do it themselves (contract, section 6, "Who did what")."""

from collections.abc import Mapping

from chalicelib.api.requests import Call
from chalicelib.domain.actions import Action, Did
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.telemetry import logger
from chalicelib.wiring import for_figures


def done(
    call: Call,
    did: Did,
    subject: str,
    merchant_id: MerchantId | None,
    details: Mapping[str, str | int | None],
    *,
    time: Instant | None = None,
    admin_id: str | None = None,
) -> Action:
    """Return what the caller did to a subject in this call, or what an admin did to it at another time."""
    when = time or instant(call.now)
    return Action(
        time=when,
        did=did,
        admin_id=admin_id or call.caller.subject,
        fact=f"{did}#{subject}#{when}",
        merchant_id=merchant_id,
        details=details,
    )


def note(action: Action) -> None:
    """Note an action that may be repeated; raises `RetryLater` where that did not work."""
    desk = for_figures.desk()
    if desk is not None:
        desk.note(action)


def note_or_report(action: Action) -> None:
    """Note an action that is done and cannot be repeated: what did not work is only an error in the log."""
    try:
        note(action)
    except Exception:  # noqa: BLE001 - whatever it is, the caller must not take what is done for undone
        logger.exception("action not noted", did=action.did, admin_id=action.admin_id, fact=action.fact)

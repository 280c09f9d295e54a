"""Records who did what, for the routes that act themselves (contract, section 6, "Who did what")."""

from chalicelib.domain.actions import Action
from chalicelib.telemetry import logger
from chalicelib.wiring import for_desk


def note_or_report(action: Action) -> None:
    """Record an action that is done and cannot be repeated; if that fails, it is only logged as an error."""
    try:
        for_desk.note(action)
    except Exception:  # noqa: BLE001 - whatever it is, the caller must not take what is done for undone
        logger.exception("action not noted", did=action.did, admin_id=action.admin_id, fact=action.fact)

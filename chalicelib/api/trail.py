"""Notes who did what, for the routes that do it themselves (contract, section 6, "Who did what")."""

from chalicelib.domain.actions import Action
from chalicelib.telemetry import logger
from chalicelib.wiring import for_figures


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

"""The bridge's heartbeat as its item in the figures table, written by the bridge's own code."""

from datetime import datetime
from typing import Any

from infra.bridge.heartbeat import Heart
from infra.bridge.states import Look, StreamState
from infra.bridge.telemetry import Part, Telemetry
from tests.support.figures_tables import FiguresTable


def beat(table: FiguresTable, at: datetime, *states: StreamState, **look: Any) -> None:
    """Write a heartbeat of a bridge that has seen these streams, whose other parts all work."""
    telemetry = Telemetry()
    for part in Part:
        telemetry.report(part, ok=True, detail="fine")
    consumed = tuple(state.name for state in states)
    telemetry.saw(Look(streams={state.name: state for state in states}, consumed=consumed, **look))
    assert Heart(table.name, telemetry, client=table.client).beat(at)

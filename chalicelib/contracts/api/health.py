"""The health routes' answers: the process, and each component it depends on (contract, section 6)."""

from enum import StrEnum

from chalicelib.contracts.api.model import Model


class State(StrEnum):
    """The state of a component."""

    OK = "ok"
    FAILING = "failing"
    UNKNOWN = "unknown"


class Overall(StrEnum):
    """The state of the service: degraded when a component fails; unknown ones do not count."""

    OK = "ok"
    DEGRADED = "degraded"


class Health(Model):
    """The API's process answers."""

    status: str
    service: str
    stage: str


class Component(Model):
    """One component: `latency_ms` is the time of its check, `detail` what is wrong or unknown."""

    status: State
    latency_ms: float
    detail: str | None


class DetailedHealth(Model):
    """Each component on which the service depends."""

    status: Overall
    service: str
    stage: str
    components: dict[str, Component]

"""What the health routes answer: the process, and each component it rests on (contract, section 6)."""

from enum import StrEnum

from chalicelib.contracts.api.model import Model


class State(StrEnum):
    """How a component does."""

    OK = "ok"
    FAILING = "failing"
    UNKNOWN = "unknown"


class Overall(StrEnum):
    """How the service does: degraded where a component fails; one of which nothing is known does not count."""

    OK = "ok"
    DEGRADED = "degraded"


class Health(Model):
    """The API's process answers."""

    status: str
    service: str
    stage: str


class Component(Model):
    """One component: `latency_ms` is what asking it took, `detail` says what is wrong or unknown."""

    status: State
    latency_ms: float
    detail: str | None


class DetailedHealth(Model):
    """Each component that the service rests on."""

    status: Overall
    service: str
    stage: str
    components: dict[str, Component]

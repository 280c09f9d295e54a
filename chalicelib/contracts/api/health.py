"""The health routes' answers: the process, and each component it depends on (contract, section 6)."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class State(StrEnum):
    """The state of a component."""

    OK = "ok"
    FAILING = "failing"
    UNKNOWN = "unknown"


class Overall(StrEnum):
    """The state of the service: degraded when a component fails; unknown ones do not count."""

    OK = "ok"
    DEGRADED = "degraded"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Health(_Model):
    """The API's process answers."""

    status: str
    service: str
    stage: str


class Component(_Model):
    """One component: `latency_ms` is the time of its check, `detail` what is wrong or unknown."""

    status: State
    latency_ms: float
    detail: str | None


class DetailedHealth(_Model):
    """Each component that the service depends on."""

    status: Overall
    service: str
    stage: str
    components: dict[str, Component]

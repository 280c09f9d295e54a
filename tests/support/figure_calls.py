"""A call's time for counting: so many seconds left, which only its waits use up."""

from dataclasses import dataclass, field

from chalicelib.ports import CallTime
from tests.support.fakes import FakeClock


@dataclass
class Waits:
    """The waits of a call that had `seconds`."""

    seconds: float = 30.0
    waited: list[float] = field(default_factory=list)

    @property
    def time(self) -> CallTime:
        return CallTime(now=FakeClock(), remaining_seconds=self.remaining, sleep=self.waited.append)

    def remaining(self) -> float:
        return self.seconds - sum(self.waited)


def call(seconds: float = 30.0) -> CallTime:
    """Return the time of a call with so many seconds left."""
    return Waits(seconds).time

"""A function's call as posting sees it: a clock, the time that is left, and waits that cost nothing."""

from dataclasses import dataclass, field

from chalicelib.ports import CallTime
from tests.support.fakes import FakeClock


@dataclass
class FakeCall:
    """A call with `seconds` left, which only its waits use up."""

    seconds: float = 30.0
    clock: FakeClock = field(default_factory=FakeClock)
    waits: list[float] = field(default_factory=list)

    @property
    def time(self) -> CallTime:
        """Return the call's time for posting."""
        return CallTime(now=self.clock, remaining_seconds=self.remaining, sleep=self.sleep)

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - sum(self.waits)

    def sleep(self, seconds: float) -> None:
        """Advance the transactions' clock and the time left, without really waiting."""
        assert seconds >= 0, "time.sleep refuses it"
        self.waits.append(seconds)
        self.clock.advance(milliseconds=round(seconds * 1000))

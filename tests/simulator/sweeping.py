"""The schedule that calls `post_due` each minute, as far as anything is due: so months of idle minutes cost nothing.

What the calls of idle minutes do, which is to keep the mark, is done for them.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from chalicelib.adapters.dynamodb.fleet import DUE as MARK
from tests.oracles.lots import text
from tests.simulator.aws import CREDITS, FIGURES, Aws
from tests.simulator.mappings import Lab
from tests.simulator.running import START, Agenda, Call, Clock
from tests.simulator.tables import Item

MINUTE_SECONDS = 60.0
LATE_SECONDS = (0.0, 5.0)
"""How long after the minute EventBridge calls."""
TRIES_MAX = 60
"""The most calls for one thing that is due, faults and all."""
DUE_AT, GRACE = "due_at", "grace"
FUNCTION = "post_due"


class Schedule:
    """Calls `post_due` in each minute in which something is due, but in the spans `without`, in seconds of the run.

    `on_grace` is told of each shop's grace that has an end by time.
    """

    def __init__(
        self,
        lab: Lab,
        aws: Aws,
        clock: Clock,
        agenda: Agenda,
        *,
        without: Sequence[tuple[float, float]],
        on_call: Callable[[], None],
        on_grace: Callable[[str, float], None],
    ) -> None:
        self.calls: list[Call] = []
        self._lab = lab
        self._aws = aws
        self._clock = clock
        self._agenda = agenda
        self._without = [(START + begins, START + ends) for begins, ends in without]
        self._on_call = on_call
        self._on_grace = on_grace
        self._graces: set[str] = set()
        self._minutes: set[float] = set()
        self._known = 0
        self._called = self._marked = START
        self._mark(START)
        self._tries: dict[tuple[str, str], int] = {}

    def watch(self) -> None:
        """Plan calls for what the newest writes made due."""
        log = self._aws.tables.log
        for write in log[self._known :]:
            for change in write.changes:
                if change.table == CREDITS and change.new is not None and DUE_AT in change.new:
                    self._plan(_seconds(change.new[DUE_AT]["S"]))
                    self._graced(change.new)
        self._known = len(log)

    def watch_all(self) -> None:
        """Plan calls for all that is due, whoever wrote it."""
        self._known = len(self._aws.tables.log)
        for _, due_at in self.waiting():
            self._plan(_seconds(due_at))
        # The first sweep of a restored stack looks back for weeks; here it begins where there is something.
        self._mark(min([_seconds(due_at) for _, due_at in self.waiting()], default=self._clock.now))

    def waiting(self) -> list[tuple[str, str]]:
        """Return each merchant that waits for its next instant, and that instant."""
        items = self._aws.tables.tables[CREDITS].items.values()
        return [(item["merchant_id"]["S"], item[DUE_AT]["S"]) for item in items if DUE_AT in item]

    def _graced(self, item: Item) -> None:
        """Tell of each grace with an end by time, once."""
        started, until, *_ = (item[GRACE]["S"] if GRACE in item else "- -").split(" ")
        if until != "-" and started not in self._graces:
            self._graces.add(started)
            self._on_grace(item["merchant_id"]["S"], _seconds(until))

    def _idle(self, minute: float) -> None:
        """Keep the mark that the last call of the idle minutes until this one has kept."""
        minute = next((begins for begins, ends in self._without if begins <= minute <= ends), minute)
        if minute > max(self._called, self._marked):
            self._mark(minute)

    def _mark(self, moment: float) -> None:
        self._marked = moment
        until = text(datetime.fromtimestamp(moment, UTC))
        self._aws.tables.tables[FIGURES].items[MARK,] = {"id": {"S": MARK}, "until": {"S": until}}

    def _plan(self, due: float) -> None:
        moment = max(due, self._clock.now)
        moment = next((ends for begins, ends in self._without if begins <= moment < ends), moment)
        minute = (moment // MINUTE_SECONDS + 1) * MINUTE_SECONDS
        if minute not in self._minutes:
            self._minutes.add(minute)
            self._agenda.at(minute + self._lab.seconds(LATE_SECONDS), lambda: self._call(minute))

    def _call(self, minute: float) -> None:
        self._minutes.discard(minute)
        self._on_call()
        self._idle(minute - MINUTE_SECONDS)
        due = [(merchant, at) for merchant, at in self.waiting() if _seconds(at) <= self._clock.now]
        if not due:
            return
        for one in due:
            self._tries[one] = self._tries.get(one, 0) + 1
            if self._tries[one] > TRIES_MAX:
                self._lab.violated(f"still due after {TRIES_MAX} calls of {FUNCTION}: {one}")
                return
        for _ in range(2 if self._lab.perhaps(0.1) else 1):
            self._called = minute
            self.calls.append(self._lab.start(FUNCTION, _event(minute), lambda _: None))
        self._plan(self._clock.now)


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _event(minute: float) -> dict[str, object]:
    """Return EventBridge's event of a schedule."""
    time = datetime.fromtimestamp(minute, UTC).isoformat().replace("+00:00", "Z")
    return {
        "version": "0",
        "id": f"{minute:.0f}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": time,
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/post-due"],
        "detail": {},
    }

"""One run: AWS in memory, the functions on it, a story, and faults; it ends when everything has drained."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from tests.simulator import product, readers
from tests.simulator.aws import CREDITS, FIGURES, TRANSACTIONS, Aws
from tests.simulator.clients import answering
from tests.simulator.faults import AwsRequest, Calm, Fault, Point
from tests.simulator.letters import Letter
from tests.simulator.mappings import Lab, QueuePoller, StreamPoller, at_once, declared
from tests.simulator.queues import Message
from tests.simulator.releases import NEWER, THIS, run_as
from tests.simulator.running import START, Agenda, Call, Clock, Container, Killed, Runs
from tests.simulator.stories import DAY_SECONDS, AdminCall, Posted, Story
from tests.simulator.sweeping import FUNCTION as SWEEP
from tests.simulator.sweeping import Schedule
from tests.simulator.tables import SHARDS
from tests.simulator.times import ABOUT_SECONDS, Read

INBOX = "http://aws.invalid/inbox"
WAITING = "http://aws.invalid/waiting"
DEAD_LETTERS = "http://aws.invalid/dead-letters"
STREAM_DEAD_LETTERS = "http://aws.invalid/stream-dead-letters"

LATENCY_SECONDS = (0.002, 0.03)
SKEW_SECONDS_MAX = 1.5
ROUGH_SECONDS = 15.0
"""How long AWS may misbehave after the last event has arrived; in the sweep's scenarios it does not."""
SKEWS_SECONDS = (0.0, 0.0, -SKEW_SECONDS_MAX, 0.4)
"""The errors of containers' clocks."""
AGAIN_SECONDS = (0.5, 5.0)
"""After how many seconds an admin without an answer asks again."""
DRAINED_WITHIN_SECONDS = 4 * 3600.0
"""How long after the last fault or event everything may take to drain: the wait for missing ground and a margin."""
STEPS_MAX = 200_000
ASKED_MAX = 120
"""The most times that an admin asks while the answer is to retry later."""
LATER = frozenset({"account_behind", "contended", "unavailable", "internal"})


@dataclass
class Answered:
    """The final answer to an admin, and the calls that asked."""

    asked: AdminCall
    calls: list[str] = field(default_factory=list)
    answer: Mapping[str, Any] | None = None


class World:
    """A run of a story. After `play` it holds everything that a judge needs."""

    def __init__(self, story: Story, seed: int, weather: Calm | None = None) -> None:
        self.story = story
        self.clock = Clock()
        self.calls: dict[str, Call] = {}
        self.letters: dict[str, Letter] = {posted.body: posted.letter for posted in story.posted}
        self.answered: list[Answered] = []
        self.statuses: list[readers.Answered] = []
        self.requests: list[tuple[str, str, str]] = []
        self.violations: list[str] = []
        self.output = ""
        self._seed = seed
        self._random = Random(f"world {seed}")
        self.weather = weather or Calm()
        self._rough_until = START + (story.seconds and story.seconds + ROUGH_SECONDS)
        self._limit = 0.0
        self._agenda = Agenda(self.clock, Random(f"agenda {seed}"))
        self._runs = Runs(self.clock, self._agenda)
        self.aws = Aws(clock=self.clock.read, stale=lambda: self._random.random() < 0.5)
        self._idle: dict[tuple[str, int], list[Container]] = {}
        self._share = 0.0
        self._releases = Random(f"whose turn {seed}")
        self._environment: Mapping[str, str] = product.environment(**story.environments[0][1])
        self.home = Container(self._environment)
        self._open: set[int] = set()

    def play(self, judge: Callable[["World"], None]) -> "World":
        """Play the story until everything has drained, and then call `judge`."""
        with ExitStack() as stack:
            stack.enter_context(self.clock)
            stack.enter_context(answering(self._answer))
            output = stack.enter_context(product.under(self.clock, self._runs, self._seed, self.home))
            self._set_up()
            try:
                self._drain()
                if self.story.replayed and not self.violations:
                    self._replay()
                self.output = output.getvalue()
                run_as(self.release)
                if not self.violations:
                    judge(self)
            finally:
                self._runs.abandon()
                run_as(THIS)
                for containers in self._idle.values():
                    for container in containers:
                        container.leave()
                self.home.leave()
        return self

    def environment_of(self, call: str) -> Mapping[str, str]:
        """Return the settings that a call ran under."""
        return self.calls[call].container.environment

    @property
    def release(self) -> int:
        """The release that has the calls now."""
        return NEWER if self._share else THIS

    def violated(self, sentence: str) -> None:
        """Record a violation."""
        self.violations.append(sentence)

    def _set_up(self) -> None:
        for name, logical_id in ((CREDITS, "CreditsTable"), (TRANSACTIONS, "TransactionsTable")):
            self._create_table(name, logical_id)
        self._create_table(FIGURES, "FiguresTable")
        visibility = declared()["InboxQueue"]["Properties"]["VisibilityTimeout"]
        self.aws.queues.create(INBOX, visibility_seconds=visibility)
        self.aws.queues.create(WAITING, visibility_seconds=visibility)
        self.aws.queues.create(DEAD_LETTERS)
        self.aws.queues.create(STREAM_DEAD_LETTERS)
        self._lab = Lab(self._start, self._agenda.after, self._random, self._rough, self.violated)
        self.inbox = QueuePoller(self._lab, self.aws.queues, INBOX, at_once=at_once("InboxQueue"))
        self.waiting = QueuePoller(self._lab, self.aws.queues, WAITING, at_once=at_once("WaitingQueue"))
        self._streams = self._opened_streams()
        self.schedule = Schedule(
            self._lab,
            self.aws,
            self.clock,
            self._agenda,
            without=self.story.without_sweep,
            on_call=self._swept,
            on_grace=self._graced,
        )
        for read in self.story.reads:
            self._agenda.after(read.after, partial(self._read, read))
        for after, environment in self.story.environments[1:]:
            self._agenda.after(after, partial(self._deploy, environment))
        for after, share in self.story.shares:
            self._agenda.after(after, partial(self._shift, share))
        for posted in self.story.posted:
            self._agenda.after(posted.after, partial(self._arrive, posted))
        for number, asked in enumerate(self.story.admin_calls):
            self._open.add(number)
            self.answered.append(Answered(asked))
            # One admin at a time sets a shop's threshold, so that the last to ask is the last to be answered.
            if not any(self._same_turn(earlier.asked, asked) for earlier in self.answered[:-1]):
                self._agenda.after(asked.after, partial(self._ask, number))
        self.inbox.poll()
        self.waiting.poll()

    def _opened_streams(self) -> list[StreamPoller]:
        tables = self.aws.tables.tables
        return [
            StreamPoller(self._lab, function, tables[name], shard)
            for function, name in (
                ("publish_threshold_events", CREDITS),
                ("roll_up", CREDITS),
                ("publish_transaction_events", TRANSACTIONS),
            )
            for shard in range(SHARDS)
        ]

    def _create_table(self, name: str, logical_id: str) -> None:
        properties = declared()[logical_id]["Properties"]
        wanted = {part: properties[part] for part in ("KeySchema", "GlobalSecondaryIndexes") if part in properties}
        streams = {"StreamSpecification": {"StreamEnabled": "StreamSpecification" in properties}}
        self.aws.answer("dynamodb", "CreateTable", {"TableName": name, **wanted, **streams})

    def _rough(self) -> bool:
        return self.clock.now < self._rough_until

    def _lively(self) -> None:
        """Let AWS misbehave for a while, where a story of months goes on."""
        if self.story.later:
            self._rough_until = max(self._rough_until, self.clock.now + ROUGH_SECONDS)

    def _swept(self) -> None:
        self._limit = max(self._limit, self.clock.now + DRAINED_WITHIN_SECONDS)
        self._lively()

    def _graced(self, merchant: str, until: float) -> None:
        """Let plugins ask about the end of a grace."""
        random = Random(f"grace {self._seed} {until}")
        for _ in range(random.choice([0, 2, 4])):
            read = Read(0.0, merchant)
            self._agenda.at(max(self.clock.now, until + random.choice(ABOUT_SECONDS)), partial(self._read, read))

    def _read(self, read: Read) -> None:
        self._swept()
        call = self._start(readers.FUNCTION, {"merchant_id": read.merchant}, lambda _: None)
        self.statuses.append(readers.Answered(read.merchant, call))

    def _arrive(self, posted: Posted) -> None:
        self._lively()
        subject = self.letters[posted.body].subject
        named = {"origin": "nats", "subject": subject} if subject else {}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in named.items()}
        self.aws.queues.send(INBOX, posted.body, attributes)
        self.inbox.wake()

    def _deploy(self, environment: Mapping[str, str]) -> None:
        self._environment = product.environment(**environment)
        for containers in self._idle.values():
            while containers:
                containers.pop().leave()

    def _shift(self, share: float) -> None:
        """Send this share of all calls to the newer release."""
        self._share = share

    def come_again(self, prepare: Callable[[], None]) -> None:
        """Call `prepare` while nobody writes, and then send all events again.

        Containers are new, and so are the tables' streams. Admins repeat the requests that no event carries: their
        adjustments.
        """
        self._deploy(self._environment)
        for name in (CREDITS, TRANSACTIONS):
            self.aws.tables.tables[name].shards = [[] for _ in range(SHARDS)]
        self._streams = self._opened_streams()
        prepare()
        if self.violations:
            return
        self.schedule.watch_all()
        again = [Answered(one.asked) for one in self.answered if one.asked.function == "adjust_credits"]
        for number, answered in enumerate(again, start=len(self.answered)):
            self._open.add(number)
            self._agenda.after(answered.asked.after, partial(self._ask, number))
        self.answered += again
        self._post_again()

    def _replay(self) -> None:
        """A day later all events are sent again, to new containers."""
        self._deploy(self._environment)
        self._agenda.at(self.clock.now + DAY_SECONDS, lambda: None)
        while self._agenda.next():
            pass
        self._post_again()

    def _post_again(self) -> None:
        self._poll_streams()
        self._rough_until = self.clock.now + self.story.seconds + ROUGH_SECONDS
        for posted in self.story.posted:
            self._agenda.after(posted.after, partial(self._arrive, posted))
        self._drain()

    def _drain(self) -> None:
        self._limit = max(self._rough_until, self.clock.now + self.story.ends) + DRAINED_WITHIN_SECONDS
        for _ in range(STEPS_MAX):
            if self.violations:
                return
            if not self._agenda.next():
                waiting = [stream for stream in self._streams if not stream.done]
                if not waiting and not self._open and not self._undelivered():
                    return
                self.violated(f"nothing happens any more, and {self._left()}")
                return
            if self.clock.now > self._limit:
                break
        self.violated(f"not drained in time: {self._left()}")

    def _undelivered(self) -> list[Message]:
        return [message for url in (INBOX, WAITING) for message in self.aws.queues.queues[url].values()]

    def _left(self) -> str:
        inbox = [message.body for message in self._undelivered()]
        streams = [stream.function for stream in self._streams if not stream.done]
        admins = [self.answered[number].asked for number in sorted(self._open)]
        return f"left over: messages {inbox[:3]} ({len(inbox)}), streams {streams}, admins {admins[:3]}"

    def _start(self, function: str, event: Any, ended: Callable[[Call], None]) -> Call:
        release = NEWER if self._share and self._releases.random() < self._share else THIS
        idle = self._idle.setdefault((function, release), [])
        container = (
            idle.pop()
            if idle
            else Container(self._environment, skew=self._random.choice(SKEWS_SECONDS), release=release)
        )
        call = Call(
            name=f"{function} {len(self.calls)}",
            function=function,
            handler=product.handler(function),
            event=json.loads(json.dumps(event)),
            container=container,
            deadline=self.clock.now + product.timeout_seconds(function),
            started=self.clock.now,
        )
        self.calls[call.name] = call
        self._runs.start(call, lambda over: self._ended(over, ended))
        return call

    def _ended(self, call: Call, ended: Callable[[Call], None]) -> None:
        if call.killed or call.container.environment is not self._environment:
            call.container.leave()
        else:
            self._idle[call.function, call.container.release].append(call.container)
        # A schedule's call may fail where AWS does: the next one goes on.
        if call.error is not None and not (call.function == SWEEP and call.disturbed):
            self.violated(f"{call.name} raised {call.error!r}")
        ended(call)
        for stream in self._streams:
            stream.poll()

    def _ask(self, number: int) -> None:
        answered = self.answered[number]

        def ended(call: Call) -> None:
            answered.calls.append(call.name)
            again = call.killed or call.error is not None
            if not again:
                answered.answer = call.answer
                again = call.answer.get("error", {}).get("code") in LATER
            if again and len(answered.calls) < ASKED_MAX:
                self._agenda.after(self._random.uniform(*AGAIN_SECONDS), lambda: self._ask(number))
                return
            if again:
                self.violated(f"asked {ASKED_MAX} times, never answered: {answered.asked}, last {call.answer}")
            self._open.discard(number)
            self._next_turn(number)

        self._start(answered.asked.function, answered.asked.request, ended)

    def _next_turn(self, number: int) -> None:
        asked = self.answered[number].asked
        for later, other in enumerate(self.answered[number + 1 :], start=number + 1):
            if self._same_turn(asked, other.asked):
                self._agenda.at(max(self.clock.now, START + other.asked.after), partial(self._ask, later))
                return

    @staticmethod
    def _same_turn(one: AdminCall, other: AdminCall) -> bool:
        same = one.request["merchant_id"] == other.request["merchant_id"]
        return same and one.function == other.function == "set_threshold"

    def _answer(self, service: str, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        call = self._runs.current
        if call is None:
            return self.aws.answer(service, operation, request)
        place = Point(len(self.requests), call.function, service, operation, self.clock.now)
        self.requests.append((call.function, service, operation))
        fault = self.weather.fault(place)
        self._runs.pause(self._random.uniform(*LATENCY_SECONDS))
        if fault is None:
            return self._effect(call, service, operation, request)
        call.disturbed = True
        return self._disturbed(call, fault, service, operation, request)

    def _effect(self, call: Call, service: str, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.aws.answer(service, operation, request, by=call.name)
        self.schedule.watch()
        if operation == "SendMessageBatch":
            self._agenda.after(self._random.uniform(*LATENCY_SECONDS), self.waiting.wake)
        # Pollers of the streams may have new records.
        self._agenda.after(self._random.uniform(*LATENCY_SECONDS), self._poll_streams)
        return answer

    def _poll_streams(self) -> None:
        for stream in self._streams:
            stream.poll()

    def _disturbed(
        self, call: Call, fault: Fault, service: str, operation: str, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        def effect() -> Mapping[str, Any]:
            return self._effect(call, service, operation, request)

        try:
            return fault.deed(
                AwsRequest(
                    service=service,
                    operation=operation,
                    request=request,
                    effect=effect,
                    reasons=lambda: self.aws.tables.reasons(request),
                    wait=self._runs.pause,
                    random=self._random,
                )
            )
        except Killed:
            call.killed = True
            raise

"""A batch of messages: reads them, posts their movements, and ends each as `usecases.ending` decides."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.queues import Delayed
from chalicelib.contracts.inbound.events import Event, read_event
from chalicelib.contracts.inbound.messages import Message
from chalicelib.domain.errors import Code, NewerForm, Rejected, RetryLater
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.ports import CallTime
from chalicelib.settings import Settings
from chalicelib.telemetry import add_up, logger, processed, sample, waited
from chalicelib.usecases.ending import IGNORED, GroundRetry, Parked, PutOff, SentOn, ending
from chalicelib.usecases.posting import MARGIN_SECONDS
from chalicelib.usecases.work import internal
from chalicelib.wiring import for_posting

if TYPE_CHECKING:
    from chalicelib.contracts.sources.raw import RawWebhook
    from chalicelib.handlers.parking import RefusedMessage

WAITING_DELAY_SECONDS_MAX = 900
"""The longest delay that SQS gives to a message that is sent."""

_INTERNAL_ERROR = "internal error while a message was handled"

_DUPLICATES, _ORDERS_CHANGED, _LOST_RACES = (
    sample(f"credits_{name}_total") for name in ("duplicates", "orders_changed", "lost_races")
)


class Batch:
    """The messages of one call. Call each method once, in the order of their definition."""

    def __init__(self, messages: Sequence[Message], configured: Settings, call: CallTime) -> None:
        self.coming_back: list[str] = []
        self._messages = messages
        self._call = call
        self._ground_retry = GroundRetry(
            shortest_seconds=configured.ground_retry_seconds_min,
            longest_seconds=configured.ground_retry_seconds_max,
            total_seconds=configured.ground_retry_seconds_total,
        )
        # Read first, so that a missing setting fails the first call and not the first poison message.
        self._dead_letter_queue_url = configured.queues.dead_letters
        self._inbox_queue_url = configured.queues.inbox
        self._waiting_queue_url = configured.queues.waiting
        self._posting = for_posting.posting()
        self._terms = for_posting.terms(configured)
        self._configured = configured
        self._webhooks: list[tuple[Message, RawWebhook]] = []
        self._ignored: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._requests: list[tuple[Message, Event]] = []
        self._without_movements: list[tuple[Message, Event]] = []
        self._parked: list[RefusedMessage] = []
        self._repeated = 0
        self._delayed: list[tuple[Message, int]] = []
        self._leaving: list[tuple[Message, int]] = []
        self._sent_on = 0
        self._posted = 0
        self._duplicates = 0
        self._orders_changed = 0
        self._seconds = 0.0

    def read(self) -> None:
        """Read every body; what cannot be read is poison."""
        for message in self._messages:
            now = datetime.now(UTC)
            try:
                if message.may_hold_webhook and self._held(message):
                    continue
                event = read_event(
                    message.body, self._terms, now=now, subject=message.bound_to(), headers=message.headers()
                )
            except Exception as error:  # noqa: BLE001 - a bug that one message meets must not fail its neighbours
                from chalicelib.contracts.sources.raw import body_to_park

                self._fail(replace(message, body=body_to_park(message)), error)
            else:
                self._take(message, event)
        if self._webhooks:
            self._read_webhooks()

    def post(self) -> None:
        """Post all movements, write links, and end each message by the result."""
        if self._requests:
            self._post_requests()
        for message, event in self._without_movements:
            self._end(message, event, self._write_rest(event, ()))

    def _post_requests(self) -> None:
        requests = [request for _, event in self._requests for request in event.requests]
        started = time.perf_counter()
        outcomes = self._posting.post(requests, time=self._call)
        self._seconds = time.perf_counter() - started
        answers = iter(outcomes)
        for message, event in self._requests:
            of_message = next(answers)
            secondary = [next(answers)[0] for _ in event.secondary] if event.secondary else []
            for movement, outcome in zip((*event.movements, *event.secondary), (*of_message, *secondary), strict=True):
                self._count(movement, outcome)
            self._end(message, event, [*of_message, *self._write_rest(event, of_message)], secondary)

    def park(self) -> None:
        """Park what was rejected; a message that the dead-letter queue does not confirm in time comes back."""
        if not self._parked:
            return
        # Imported here, because most batches park nothing.
        from chalicelib.handlers.parking import park

        repeated, coming_back = park(self._parked, queue_url=self._dead_letter_queue_url, call=self._call)
        self._ignored += repeated
        self._repeated = repeated.total()
        self.coming_back += coming_back

    def send_on(self) -> None:
        """Move messages that have waited long for their ground to the waiting queue, where they block no others.

        What that queue does not confirm in time stays where it is. A call that dies in between leaves the message in
        both queues, and the ledger records it once.
        """
        if not self._leaving:
            return
        confirmed: set[int] = set()
        if self._call.remaining_seconds() >= MARGIN_SECONDS:
            messages = [
                Delayed(
                    message.body, message.waiting_attributes(), min(delay, WAITING_DELAY_SECONDS_MAX), message.group
                )
                for message, delay in self._leaving
            ]
            try:
                # One by one: what was confirmed before an error has left the inbox.
                confirmed.update(for_posting.queues().send_later(self._waiting_queue_url, messages))
            except (ClientError, BotoCoreError):
                logger.exception("the waiting queue did not confirm", messages=len(messages) - len(confirmed))
        self._sent_on = len(confirmed)
        self._delayed += [left for place, left in enumerate(self._leaving) if place not in confirmed]

    def put_off(self) -> None:
        """Delay the redelivery of each message that waits."""
        if not self._delayed:
            return
        self.coming_back += [message.message_id for message, _ in self._delayed]
        if self._call.remaining_seconds() < MARGIN_SECONDS:
            return  # They come back all the same, after the queue's own visibility timeout.
        delays = [(message.receipt_handle, seconds) for message, seconds in self._delayed]
        try:
            # A call has messages of one queue.
            waiting = self._messages[0].queue == self._waiting_queue_url.rpartition("/")[2]
            for_posting.queues().put_off(self._waiting_queue_url if waiting else self._inbox_queue_url, delays)
        except (ClientError, BotoCoreError):
            logger.exception("the queue did not take the delays", messages=len(delays))

    def report(self) -> None:
        """Write the one line of this call, and its counters."""
        logger.info(
            "ingested",
            messages=len(self._messages),
            posted=self._posted,
            duplicates=self._duplicates,
            parked=len(self._parked) - self._repeated,
            coming_back=len(self.coming_back),
            sent_on=self._sent_on,
            ignored=self._ignored.total(),
            dropped=dict(self._dropped),
        )
        for reason, ignored in self._ignored.items():
            add_up(sample("credits_events_ignored_total", {"reason": reason}), ignored)
        for field, dropped in self._dropped.items():
            add_up(sample("credits_fields_dropped_total", {"field": field}), dropped)
        add_up(_DUPLICATES, self._duplicates)
        add_up(_ORDERS_CHANGED, self._orders_changed)
        add_up(_LOST_RACES, self._posting.take_lost_races())
        processed(self._seconds, self._posted)
        now = datetime.now(UTC)
        waited((now - min((message.sent_at for message in self._messages), default=now)).total_seconds())

    def _held(self, message: Message) -> bool:
        """Return whether the message holds a webhook, which is read after all events."""
        # Most batches hold none: the module that reads one is imported with the first.
        from chalicelib.contracts.sources.raw import held_webhook

        if (webhook := held_webhook(message)) is None:
            return False
        # From here on it is cut to the fields that decide: in this form it waits or is parked.
        self._webhooks.append((replace(message, body=webhook.message()), webhook))
        return True

    def _read_webhooks(self) -> None:
        from chalicelib.handlers.raw_webhooks import RawWebhooks

        webhooks = RawWebhooks(self._configured, self._terms)
        for message, webhook in self._webhooks:
            try:
                webhooks.read(message, webhook)
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(message, error)
        for message, asked in webhooks.events(now=datetime.now(UTC)):
            if isinstance(asked, Event):
                self._take(message, asked)
            else:
                self._fail(message, asked)

    def _take(self, message: Message, event: Event) -> None:
        if event.movements:
            self._requests.append((message, event))
        else:
            self._without_movements.append((message, event))

    def _fail(self, message: Message, error: Exception) -> None:
        """End a message that could not be read, or not yet."""
        self._end(
            message, None, [error if isinstance(error, Rejected | RetryLater) else internal(error, _INTERNAL_ERROR)]
        )

    def _write_rest(self, event: Event, outcomes: Sequence[Outcome]) -> list[Rejected | RetryLater]:
        """Write what an event reports besides its movements: names, and that the shop removed the app or is back.

        `outcomes` are those of its movements. Returns what was not written, and why.
        """
        try:
            return self._links_and_closure(event, outcomes)
        except Exception as error:  # noqa: BLE001 - as in `read`
            return [internal(error, _INTERNAL_ERROR)]

    def _links_and_closure(self, event: Event, outcomes: Sequence[Outcome]) -> list[Rejected | RetryLater]:
        faults: list[Rejected | RetryLater] = []
        if event.links or event.payment_names or event.paid:
            write = for_posting.linking().write
            faults += write(event.links, event.payment_names, event.merchant_id, paid=event.paid)
        try:
            if event.opens or event.closes:
                self._close_or_reopen(event, outcomes)
        except RetryLater as error:
            faults.append(error)
        return faults

    def _close_or_reopen(self, event: Event, outcomes: Sequence[Outcome]) -> None:
        from chalicelib.usecases.overriding import closure_reports, set_closed

        gone = event.merchant_id if event.closes else None
        for report in closure_reports(event.movements, outcomes, opens=event.opens, gone=gone, at=event.occurred_at):
            account = set_closed(for_posting.ledger(), report, time=self._call)
            state = "closed" if account.closed else "open"
            logger.info(state, merchant_id=account.merchant_id, version=account.version)

    def _settled(self, event: Event, secondary: Sequence[Outcome]) -> None:
        """Count what an event dropped, ignored, and ignored of `secondary`, whose message does not come back."""
        self._dropped.update(event.dropped)
        for one in (*event.ignored, *event.refused(secondary)) if event.secondary else event.ignored:
            from chalicelib.contracts.sources.webhooks import PRIVACY

            self._ignored[one.reason] += 1
            note = {"note": "ids alone are kept, and nothing personal"} if one.reason in PRIVACY else {}
            said: dict[str, Any] = {"merchant_id": one.merchant_id, "reference_id": one.reference_id, **note}
            logger.info("ignored", reason=one.reason, **said)

    def _count(self, movement: Movement, outcome: Outcome) -> None:
        if isinstance(outcome, Posted):
            self._posted += 1
        elif isinstance(outcome, Duplicate):
            self._duplicates += 1
            if outcome.order_changed:
                self._orders_changed += 1
                logger.warning("order_changed", merchant_id=movement.merchant_id, key=movement.key)

    def _end(
        self, message: Message, event: Event | None, outcomes: Sequence[Outcome], secondary: Sequence[Outcome] = ()
    ) -> None:
        """Decide how the message ends; `event` is None if it could not be read."""
        since, deliveries, retry = datetime.now(UTC) - message.first_seen, message.deliveries, self._ground_retry
        end = ending(
            outcomes, secondary=secondary, deliveries=deliveries, waited_seconds=since.total_seconds(), retry=retry
        )
        if isinstance(end, PutOff | SentOn):
            self._log_waiting(message, end.error, end.seconds)
            (self._leaving if isinstance(end, SentOn) else self._delayed).append((message, end.seconds))
            return
        if event is not None and event.moot and isinstance(end, Parked) and end.error.code is Code.ORDER_MISSING:
            event, end = event.as_ignored(), IGNORED
        if event is not None:
            self._settled(event, secondary)
        if isinstance(end, Parked):
            facts = event.facts(end.error, outcomes, secondary) if event else ()
            self._parked.append((message, end.error, facts))

    def _log_waiting(self, message: Message, error: RetryLater, seconds: int) -> None:
        if error.code in (Code.INTERNAL, Code.ACCOUNT_BEHIND):
            logger.error(error.message, message_id=message.message_id, exc_info=error.__cause__)
        logger.info(
            "waits",
            code=error.code,
            newer_form=isinstance(error, NewerForm),
            message_id=message.message_id,
            deliveries=message.deliveries,
            seconds=seconds,
        )

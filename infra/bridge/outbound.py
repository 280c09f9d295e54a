"""Queue to NATS: one batch of outbox messages, each deleted only after JetStream has confirmed its event."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import nats.errors

from infra.bridge.envelopes import UnpublishableError, publication
from infra.bridge.parking import Publish
from infra.bridge.queues import Queue, QueueError, Received
from infra.bridge.reports import BatchReport
from infra.bridge.settings import Settings
from infra.bridge.telemetry import Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    message: Received
    outcome: Outcome
    reason: str | None = None


class Publisher:
    """Publishes the events of the outbox queue to NATS."""

    def __init__(self, queue: Queue, publish: Publish, settings: Settings) -> None:
        """Take from `queue` and hand to `publish`."""
        self._queue = queue
        self._publish = publish
        self._settings = settings

    async def publish(self, messages: Sequence[Received]) -> BatchReport:
        """Settle every one of `messages`, at most ten, and return a report.

        A message is deleted when JetStream confirmed its event; in every other case it becomes
        visible again, later each time. One that can never be published stays in the queue, whose
        redrive moves it to the outbox's dead-letter queue. Raises `QueueError` when the queue cannot be reached: then
        the messages become visible again, and JetStream drops the repeats.
        """
        results = await asyncio.gather(*(self._publish_one(message) for message in messages))
        report = BatchReport()
        for result in results:
            report.count(result.outcome, result.reason)
            if result.outcome is Outcome.RETRIED:
                report.unavailable = result.reason
        await self._settle(results)
        return report

    async def _publish_one(self, message: Received) -> _Result:
        try:
            event = publication(message.body)
            stored = await self._publish(event.subject, event.payload, event.headers)
        except UnpublishableError as error:
            return _Result(message=message, outcome=Outcome.UNPUBLISHABLE, reason=f"{message.identity}: {error}")
        except nats.errors.MaxPayloadError:
            reason = f"{message.identity}: it is larger than NATS takes"
            return _Result(message=message, outcome=Outcome.UNPUBLISHABLE, reason=reason)
        except (nats.errors.Error, TimeoutError) as error:
            return _Result(message=message, outcome=Outcome.RETRIED, reason=str(error) or type(error).__name__)
        return _Result(message=message, outcome=Outcome.REPEATED if stored.repeated else Outcome.PUBLISHED)

    async def _settle(self, results: Sequence[_Result]) -> None:
        """Delete published messages and release the rest; the second is tried even when the first fails."""
        done = [result.message for result in results if result.outcome in {Outcome.PUBLISHED, Outcome.REPEATED}]
        left = [result.message for result in results if result.message not in done]
        failed = {message: self._settings.retry_delay(message.receives) for message in left}
        failure: QueueError | None = None
        try:
            if done and await self._queue.delete(done) < len(done):
                log.warning("outbox: not every published event could be deleted; they are redelivered and then dropped")
        except QueueError as error:
            failure = error
        if failed:
            await self._queue.postpone(failed)
        if failure is not None:
            raise failure

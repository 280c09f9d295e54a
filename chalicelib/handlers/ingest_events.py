"""Ingests events from the queue: a batch of messages becomes one write a merchant (contract, section 4)."""

from chalice.app import Blueprint, SQSEvent

from chalicelib.wiring import for_figures

blueprint = Blueprint(__name__)


@blueprint.on_sqs_message(
    # The real queue and its options are merged in by infra/template.yaml.
    queue_arn="arn:aws:sqs:::set-by-infra-template",
    batch_size=100,
    maximum_batching_window_in_seconds=1,
    maximum_concurrency=5,
    name="ingest_events",
)
def ingest_events(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Post the movements of a batch of messages, and return the messages to be redelivered."""
    # Heavy imports wait for the first call (decision 0009).
    from chalicelib.contracts.inbound.messages import Message
    from chalicelib.handlers.batch import Batch
    from chalicelib.settings import settings
    from chalicelib.wiring import for_posting

    messages = [Message.from_record(record) for record in event.to_dict()["Records"]]
    batch = Batch(messages, settings(), for_posting.call_time(event.context))
    batch.read()
    batch.post()
    batch.park()
    batch.send_on()
    batch.put_off()
    batch.report()
    for_figures.counter_writer().write()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in batch.coming_back]}

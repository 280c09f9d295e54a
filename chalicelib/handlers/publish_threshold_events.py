"""Threshold events out, from the stream of the credits table: the crossings that the ledger committed."""

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.handlers.stream_records import Failures, crossing_events, publish

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(
    # The real stream and its options are merged in by infra/template.yaml.
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="publish_threshold_events",
)
def publish_threshold_events(event: DynamoDBEvent) -> Failures:
    """Publish the crossings that writes to the credits table carry, and return the records to be tried again."""
    return publish(event, crossing_events, function="publish_threshold_events")

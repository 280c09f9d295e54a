"""Publishes the threshold events of committed crossings, from the stream of the credits table."""

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.handlers.stream_records import Failures, crossing_events, publish

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(
    # The real stream and its options are merged in by infra/template.yaml.
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="publish_threshold_events",
)
def publish_threshold_events(event: DynamoDBEvent) -> Failures:
    """Publish the crossings of writes to the credits table, and return the records to be retried."""
    return publish(event, crossing_events, function="publish_threshold_events")

"""Builds what the comparison of shops' own lists of orders needs, once a container and on first use."""

from functools import cache

from chalicelib.adapters import sdk
from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.adapters.letter_looks import DeadLetterQueue
from chalicelib.adapters.order_feed import OrderFeed
from chalicelib.adapters.parked_orders import ParkedOrders
from chalicelib.contracts.letters import Parking
from chalicelib.ports import CallTime
from chalicelib.settings import settings
from chalicelib.usecases.comparing import Comparing
from chalicelib.wiring import for_api, for_figures, for_posting

READ_SECONDS = 10.0
"""How long S3 or a queue is waited for, at each of three tries."""
LETTERS_SECONDS = 60.0
"""How long parked events are looked through."""


@cache
def feed() -> OrderFeed | None:
    """Return the feed of orders, None where no bucket is set."""
    if not settings().feed.bucket:
        return None
    config = sdk.client_config(connect_seconds=2.0, read_seconds=READ_SECONDS, tries=3)
    return OrderFeed(sdk.client("s3", config), bucket=settings().feed.bucket, prefix=settings().feed.prefix)


def comparing(feed: OrderFeed, time: CallTime) -> Comparing:
    """Return what compares the files of a feed with the ledger within a call."""
    return Comparing(
        feed=feed,
        links=for_api.links(),
        ledger=for_posting.ledger(),
        spans=for_api.history(),
        reader=for_figures.ledger_reader(),
        parked=lambda: ParkedOrders(_parked(), seconds=LETTERS_SECONDS).holds,
        time=time,
    )


@cache
def _parked() -> DeadLetters:
    queues = settings().queues
    config = sdk.client_config(connect_seconds=2.0, read_seconds=READ_SECONDS, tries=3)
    queue = DeadLetterQueue(parking=Parking.INBOX, queue_url=queues.dead_letters, back_to_url=queues.inbox)
    return DeadLetters(sdk.client("sqs", config), sdk.client("lambda", config), queues=(queue,), functions={})

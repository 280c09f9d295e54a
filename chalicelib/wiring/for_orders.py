"""Builds what the comparison of shops' own lists of orders needs, once a container and on first use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.adapters.order_feed import OrderFeed
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant
from chalicelib.domain.transactions import Transaction
from chalicelib.settings import settings
from chalicelib.usecases.matching import AROUND
from chalicelib.wiring import for_api, for_figures, for_posting

if TYPE_CHECKING:
    from chalicelib.adapters.dead_letters import DeadLetters

READ_SECONDS = 10.0
"""How long S3 or a queue is waited for, at each of three tries."""
LETTERS_SECONDS = 60.0
"""How long parked events are looked through."""


@cache
def feed() -> OrderFeed | None:
    """Return the feed of orders, None where no bucket is set."""
    if not settings().feed.bucket:
        return None
    from chalicelib.adapters import sdk

    config = sdk.client_config(connect_seconds=2.0, read_seconds=READ_SECONDS, tries=3)
    return OrderFeed(sdk.client("s3", config), bucket=settings().feed.bucket, prefix=settings().feed.prefix)


def linked(domain: str) -> MerchantId | None:
    """Return the merchant to whom a shop's domain is linked, None if to nobody."""
    from chalicelib.domain.links import LinkKind, link_name_of

    try:
        name = link_name_of(f"{LinkKind.SHOPIFY}:{domain}")
    except ValueError:
        return None
    return for_api.links().read([name]).get(name)


def transactions(wanted: Sequence[TransactionId]) -> Mapping[TransactionId, Transaction]:
    """Return the transactions that there are, by the id asked for, which may be that of another name."""
    return for_posting.ledger().read([], wanted).named(wanted)


def transactions_between(
    merchant: MerchantId, first: Instant, last: Instant, after: int
) -> Iterator[Sequence[Transaction | UnreadableTransaction]]:
    """Yield a merchant's transactions around two times, those after a sequence, page by page in their order."""
    account = for_api.history().account(merchant)
    if account is None:
        return
    begins, ends = (instant(datetime.fromisoformat(time) + by) for time, by in ((first, -AROUND), (last, AROUND)))
    lowest, highest = for_api.history().span(account, begins, ends)
    lowest = max(lowest, after + 1)
    if lowest <= highest:
        yield from for_figures.ledger_reader().transactions(merchant, lowest, highest)


def look_at_parked(seen: Callable[[Letter], bool]) -> None:
    """Pass every parked inbound event to `seen`."""
    _parked().listing(wanted=1, parkings=[Parking.INBOX], matching=seen, seconds=LETTERS_SECONDS)


@cache
def _parked() -> "DeadLetters":
    from chalicelib.adapters import sdk
    from chalicelib.adapters.dead_letters import DeadLetters
    from chalicelib.adapters.letter_looks import DeadLetterQueue

    queues = settings().queues
    config = sdk.client_config(connect_seconds=2.0, read_seconds=READ_SECONDS, tries=3)
    queue = DeadLetterQueue(parking=Parking.INBOX, queue_url=queues.dead_letters, back_to_url=queues.inbox)
    return DeadLetters(sdk.client("sqs", config), sdk.client("lambda", config), queues=(queue,), functions={})

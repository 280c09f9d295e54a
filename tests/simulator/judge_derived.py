"""Events derived from the ledger, by `credits republish` and by a plugin's story, equal the published ones."""

from chalicelib.adapters.dynamodb.items import account_from, transaction_from
from chalicelib.contracts.api.story import story_of
from chalicelib.contracts.outbound.derived import derived_events
from chalicelib.domain.derivation import Excerpt
from chalicelib.domain.ledger import CrossingType
from chalicelib.domain.transactions import Transaction
from tests.simulator.aws import CREDITS, TRANSACTIONS
from tests.simulator.world import World


def judge_derived(world: World) -> None:
    """Report to the world every event that is derived differently than it was published."""
    heard = {
        event["detail"]["event_id"]: event["detail"]["event_type"]
        for event in world.aws.heard
        if event["detail"]["payload"]["transaction_id"] is not None
    }
    crossed = {event_id for event_id, event_type in heard.items() if event_type.endswith(tuple(CrossingType))}
    told: set[str] = set()
    for item in world.aws.tables.tables[CREDITS].items.values():
        account = account_from(item)
        transactions = _transactions(world, account.merchant_id)
        for before, transaction in zip([None, *transactions], transactions, strict=False):
            if derived_events(transaction, before=before).doubtful:
                world.violated(f"what a transaction crossed is in doubt: {transaction}")
        told |= {
            said.event_id
            for chapter in story_of(account, Excerpt(transactions, complete=True)).chapters
            for said in chapter.events
            if said.event_id is not None
        }
    for name, found_ids, wanted in (
        ("republish", derived_again(world), set(heard)),
        ("the story", told & crossed, crossed),
    ):
        if found_ids != wanted:
            world.violated(
                f"{name} leaves out {[heard[one] for one in wanted - found_ids]}, invents {found_ids - wanted}"
            )
    if invented := told - set(heard):
        world.violated(f"the story invents {invented}")


def derived_again(world: World) -> set[str]:
    """Return the ids of all events that are derived from the current transactions."""
    found: set[str] = set()
    for item in world.aws.tables.tables[CREDITS].items.values():
        transactions = _transactions(world, account_from(item).merchant_id)
        for before, transaction in zip([None, *transactions], transactions, strict=False):
            events = derived_events(transaction, before=before)
            found |= {event.event_id for event in (*events.of_transaction, *events.of_crossings)}
    return found


def _transactions(world: World, merchant: str) -> list[Transaction]:
    items = world.aws.tables.tables[TRANSACTIONS].items.values()
    transactions = [
        transaction_from(one) for one in items if one["merchant_id"]["S"] == merchant and "names" not in one
    ]
    return sorted(transactions, key=lambda transaction: transaction.sequence)

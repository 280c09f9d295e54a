"""What the writes leave in the tables themselves, for streams, indexes and those who read items."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.adapters.dynamodb.account_attributes import LEVEL_SHARDS
from chalicelib.adapters.dynamodb.items import account_item, crossings_from
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Commit, CrossingType
from chalicelib.domain.movements import Movement
from chalicelib.domain.terms import Outdated
from chalicelib.ports import Committed
from tests.support.builders import LATER, NOON, SHOP, adjustment, merchant, order, payment, trial
from tests.support.fakes import decide
from tests.support.largest import EVERYTHING, LARGEST
from tests.support.stores import DYNAMODB_LOCAL_URL, NO_SECOND_OPINION, Tables

THRESHOLD = 20
OUTDATED = Outdated(threshold=THRESHOLD, replaced_at=NOON)


def write(tables: Tables, *movements: Movement, default_threshold: int = THRESHOLD) -> Commit:
    store = tables.ledger()
    commit = decide(store, movements, now=NOON, default_threshold=default_threshold).commit
    assert commit is not None
    assert store.commit(commit) == Committed()
    return commit


def listed(tables: Tables, level: str) -> set[str]:
    """Return the merchants that the sparse index lists at a level (`zero` or `low`)."""
    found: Sequence[str] = [
        item["merchant_id"]["S"]
        for shard in range(LEVEL_SHARDS)
        for item in tables.client.query(
            TableName=tables.credits,
            IndexName="by_level",
            KeyConditionExpression="#level=:level",
            ExpressionAttributeNames={"#level": "level"},
            ExpressionAttributeValues={":level": {"S": f"{level}#{shard}"}},
        )["Items"]
    ]
    assert len(found) == len(set(found))
    return set(found)


def history(tables: Tables, merchant_id: MerchantId) -> list[tuple[int, str]]:
    """Return the sequences and ids of a merchant's transactions, as the index of the history gives them."""
    answer = tables.client.query(
        TableName=tables.transactions,
        IndexName="by_merchant",
        KeyConditionExpression="merchant_id=:merchant",
        ExpressionAttributeValues={":merchant": {"S": merchant_id}},
    )
    return [(int(item["sequence"]["N"]), item["transaction_id"]["S"]) for item in answer["Items"]]


@pytest.mark.skipif(DYNAMODB_LOCAL_URL is None, reason=NO_SECOND_OPINION)
def test_awss_own_engine_is_among_those_asked(request: pytest.FixtureRequest) -> None:
    # Where it is not asked, this one test says so for all of them.
    assert any("DynamoDB Local" in item.nodeid for item in request.session.items)


def test_the_sparse_index_lists_the_accounts_that_are_low_or_at_zero_and_no_other(tables: Tables) -> None:
    plenty, low, zero = merchant("plenty"), merchant("low"), merchant("zero")
    for shop, credits_given in ((plenty, 21), (low, 20), (zero, 1)):
        write(tables, trial(credits_given, of=shop))
    write(tables, order(of=zero))

    assert listed(tables, "low") == {low}
    assert listed(tables, "zero") == {zero}


def test_an_account_enters_and_leaves_the_sparse_index_with_its_balance(tables: Tables) -> None:
    lists = []
    for movement in (trial(21), order(), adjustment("a1", -20), payment("p1", 20), payment("p2", 1)):
        write(tables, movement)
        lists.append((listed(tables, "low"), listed(tables, "zero")))

    assert lists == [(set(), set()), ({SHOP}, set()), (set(), {SHOP}), ({SHOP}, set()), (set(), set())]
    assert "level" not in tables.account_item(SHOP)


def test_crossings_stand_on_the_account_only_until_its_next_write(tables: Tables) -> None:
    write(tables, trial(21))
    assert "crossings" not in tables.account_item(SHOP)

    crossed = write(tables, order("1"), adjustment("a1", -20))
    assert crossings_from(tables.account_item(SHOP)) == crossed.crossings
    assert [(crossing.type, crossing.sequence, crossing.balance) for crossing in crossed.crossings] == [
        (CrossingType.LOW_BALANCE_REACHED, 2, 20),
        (CrossingType.BALANCE_EXHAUSTED, 3, 0),
        (CrossingType.PLUGIN_STATUS_CHANGED, 3, 0),
    ]

    write(tables, order("2"))
    assert "crossings" not in tables.account_item(SHOP)


def test_a_write_removes_all_that_the_account_no_longer_has(tables: Tables) -> None:
    opened = write(tables, trial(5))
    filled = decide(tables.ledger(), [order()], now=NOON, default_threshold=THRESHOLD).commit
    assert filled is not None
    # An account stays closed or opened again: all else may go.
    everything = {name: value for name, value in EVERYTHING.items() if name != "closure"}
    filled = replace(filled, after=replace(LARGEST, **everything, debt=1, outdated=OUTDATED, version=2))
    assert tables.ledger().commit(filled) == Committed()
    assert {"counters", "lots", "debt"} <= tables.account_item(SHOP).keys()

    emptied = replace(filled, before=filled.after, after=replace(opened.after, version=3), transactions=())

    assert tables.ledger().commit(emptied) == Committed()
    assert tables.account_item(SHOP) == account_item(emptied.after)


def test_a_write_that_was_refused_takes_no_crossing_away(tables: Tables) -> None:
    write(tables, trial(21))
    store = tables.ledger()
    late = decide(store, [payment()], now=LATER).commit
    assert late is not None
    crossed = write(tables, order())

    store.commit(late)

    assert crossings_from(tables.account_item(SHOP)) == crossed.crossings


def test_an_override_and_a_shortfall_stay_on_the_account_through_later_writes(tables: Tables) -> None:
    write(tables, trial(1), order("1"))
    tables.client.update_item(
        TableName=tables.credits,
        Key={"merchant_id": {"S": SHOP}},
        UpdateExpression="SET low_balance_threshold=:five",
        ExpressionAttributeValues={":five": {"N": "5"}},
    )

    write(tables, order("2"), payment("p1", 5))

    account = tables.ledger().read([SHOP], []).accounts[SHOP]
    assert (account.low_balance_threshold, account.threshold, account.total_shortfall) == (5, 5, 1)
    assert listed(tables, "low") == {SHOP}


def test_the_index_of_the_history_follows_the_sequence(tables: Tables) -> None:
    movements = [trial(), *(order(str(number)) for number in range(12))]
    for movement in movements:
        write(tables, movement)

    expected = [(place, movement.transaction_id) for place, movement in enumerate(movements, start=1)]
    assert history(tables, SHOP) == expected
    assert history(tables, merchant("nobody")) == []


def test_the_same_account_is_written_whether_it_is_put_or_updated(tables: Tables) -> None:
    # The opening puts the item and every later write updates it: both must leave the very same attributes.
    write(tables, trial(21), order())
    put = tables.account_item(SHOP)
    tables.client.delete_item(TableName=tables.credits, Key={"merchant_id": {"S": SHOP}})
    for movement in (trial(21), order()):
        tables.client.delete_item(TableName=tables.transactions, Key={"transaction_id": {"S": movement.transaction_id}})
    write(tables, trial(21))
    write(tables, order())

    updated = tables.account_item(SHOP)

    assert set(updated) == set(put)
    differing = {name for name in put if updated[name] != put[name]}
    assert differing == {"version"}

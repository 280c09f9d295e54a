"""Accounts and transactions as items: nothing is lost, the models read the same, and each stays one write unit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.dynamodb.account_attributes import LEVELS_OF, level, totals_map
from chalicelib.adapters.dynamodb.items import (
    Item,
    account_from,
    account_item,
    crossings_attribute,
    crossings_from,
    transaction_from,
    transaction_item,
)
from chalicelib.adapters.dynamodb.models import AccountRow, TransactionRow
from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.domain.alerts import Alerts, Watched
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.grace import End, Grace
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant
from chalicelib.domain.ledger import Account, Crossing, CrossingType
from chalicelib.domain.lots import Lot
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import CREDITS_MAX, Edits, Tally
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.reversals import PaymentTally
from chalicelib.domain.runway import MILLI, ORDERS_MIN, Use
from chalicelib.domain.terms import HOURS_MAX, GraceTerms, Level, Outdated, Unit
from chalicelib.domain.transactions import Total, Transaction
from tests.support.builders import NOON, SHOP, account_of, merchant
from tests.support.largest import (
    COUNTERS,
    CREDITS_LARGE,
    EIGHT_LOTS,
    ENDED_GRACE,
    EVERYTHING,
    FREEZE,
    LARGEST,
    LONGEST_LEVELS,
    ORDERS_MAX,
    TERMS,
    own_levels,
)
from tests.support.plugin_states import LISTS, STATES

WRITE_UNIT_BYTES = 1024

ids = st.uuids().map(lambda uuid: TransactionId(str(uuid)))
merchants = st.uuids().map(lambda uuid: MerchantId(str(uuid)))
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
instants = st.datetimes().map(lambda moment: Instant(f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"))
credit_sums = st.integers(0, 10**15)
EXACT = Decimal("1234567890123456.1234567890123456")
"""The longest money there may be, which no float can hold."""
money = st.decimals(0, 10**15, places=2) | st.sampled_from([Decimal("1E+3"), Decimal("0.000"), EXACT])
# DynamoDB's texts are UTF-8, which has no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=64)

ends = st.integers(1_800_000_000_000, 9_000_000_000_000).map(
    lambda number: instant(datetime.fromtimestamp(number / 1000, UTC))
)
lots = st.dictionaries(ends, st.integers(1, 10**12), max_size=8).map(
    lambda held: tuple(Lot(expires_at=at, credits=left) for at, left in sorted(held.items()))
)
totals = st.dictionaries(st.sampled_from(Kind), st.builds(Total, count=st.integers(1, ORDERS_MAX), credits=credit_sums))
levels = st.builds(
    Level,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,23}", fullmatch=True),
    at=st.integers(0, CREDITS_MAX),
    unit=st.sampled_from(Unit),
)
alerts = st.builds(
    Alerts,
    watched=st.lists(st.builds(Watched, level=levels, below=st.booleans()), max_size=5).map(tuple),
    own=st.booleans(),
    full=st.none() | credit_sums,
    look_at=st.none() | instants,
    outdated=st.none() | st.builds(Outdated, threshold=st.integers(0, 2**32), replaced_at=instants),
)
graces = st.builds(
    Grace,
    started_at=instants,
    until=st.none() | instants,
    credits=credit_sums,
    used=credit_sums,
    over=st.none() | st.tuples(instants, st.sampled_from(End)),
)
accounts = st.builds(
    Account,
    merchant_id=merchants,
    balance=credit_sums,
    sequence=st.integers(0, 10**12),
    version=st.integers(0, 10**12),
    totals=totals,
    total_shortfall=credit_sums,
    hash=hashes,
    last_transaction_id=st.none() | ids,
    last_transaction_at=st.none() | instants,
    threshold=credit_sums,
    low_balance_threshold=st.none() | credit_sums,
    status_changed_at=instants,
    status_transaction_id=st.none() | ids,
    created_at=instants,
    updated_at=instants,
    outdated=st.none() | st.builds(Outdated, threshold=credit_sums, replaced_at=instants),
    debt=credit_sums,
    use=st.none()
    | st.builds(Use, weighted=credit_sums, since=st.integers(0, 10**8), orders=st.integers(1, ORDERS_MIN))
    | st.builds(Use, weighted=credit_sums, since=st.none(), orders=st.just(ORDERS_MIN)),
    alerts=st.none() | alerts,
    grace=st.none() | graces,
    grace_terms=st.none() | st.builds(GraceTerms, hours=st.integers(0, HOURS_MAX), credits=credit_sums),
    freeze=st.none()
    | st.builds(Freeze, since=instants, transaction_id=ids, reason=texts, admin_id=texts, until=st.none() | instants),
    lots=lots,
    due_at=st.none() | ends,
)
edits = st.builds(
    Edits,
    updated_at=st.none() | instants,
    charged=credit_sums,
    taken=st.integers(-CREDITS_MAX, CREDITS_MAX),
    total=st.none() | money,
)
payment_tallies = st.builds(
    PaymentTally,
    count=st.integers(1, 1000),
    credits=credit_sums,
    money=money,
    total=st.none() | money,
    whole=credit_sums,
    seen=money,
    disputes=st.integers(0, 3),
    disputed=credit_sums,
    held=credit_sums,
)
tallies = (
    payment_tallies
    | st.builds(Tally, edits=edits)
    | st.builds(
        Tally,
        count=st.integers(1, 1000),
        credits=credit_sums,
        money=money,
        total=st.none() | money,
        full=st.booleans(),
        edits=st.none() | edits,
    )
)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    tally = draw(st.none() | tallies)
    transaction = draw(
        st.builds(
            Transaction,
            transaction_id=ids,
            merchant_id=merchants,
            sequence=st.integers(1, 10**12),
            kind=st.sampled_from(Kind),
            amount=st.integers(-CREDITS_MAX, CREDITS_MAX),
            requested=credit_sums,
            shortfall=credit_sums,
            threshold=credit_sums,
            balance_before=credit_sums,
            balance_after=credit_sums,
            idempotency_key=texts,
            reference_id=texts,
            metadata=st.dictionaries(texts, texts | st.integers(-(10**18), 10**18), max_size=8),
            correlation_id=st.none() | texts,
            occurred_at=st.none() | instants,
            created_at=instants,
            previous_hash=hashes,
            hash=hashes,
            drawn=lots,
        )
    )
    return transaction if tally is None else replace(transaction, tally=tally, refunded_at=draw(instants))


crossings = st.builds(
    Crossing,
    type=st.sampled_from(CrossingType),
    transaction_id=st.none() | ids,
    sequence=st.integers(0, 10**12),
    balance=credit_sums,
    threshold=credit_sums,
    time=instants,
    correlation_id=st.none() | texts,
    details=st.dictionaries(texts, texts | credit_sums, max_size=3),
)


@settings(deadline=None)
@given(accounts)
def test_an_account_comes_back_from_its_item_as_it_was(account: Account) -> None:
    assert account_from(account_item(account)) == account


@settings(deadline=None)
@given(transactions())
def test_a_record_comes_back_from_its_item_as_it_was(transaction: Transaction) -> None:
    assert transaction_from(transaction_item(transaction)) == transaction


def test_items_of_a_newer_release_are_left_to_its_workers() -> None:
    account = account_item(account_of(5))
    order = transaction_item(order_of("1", correlation_id="c", metadata_bytes=10))
    for read, item in ((account_from, account), (transaction_from, order)):
        newer = {**item, "schema_version": {"N": "3"}}
        with pytest.raises(RetryLater, match="newer release"):
            read(newer)


def test_an_account_from_before_its_form_was_said_is_of_the_first_form() -> None:
    item = account_item(account_of(5))
    del item["schema_version"]
    assert account_from(item) == account_of(5)


@given(st.lists(crossings, max_size=4))
def test_crossings_come_back_from_their_attribute_as_they_were(written: list[Crossing]) -> None:
    assert crossings_from({"crossings": crossings_attribute(written)}) == tuple(written)


def test_an_item_without_crossings_has_none() -> None:
    assert crossings_from(account_item(account_of(5))) == ()


@pytest.mark.parametrize(
    ("balance", "beginning"), [(0, "zero#"), (1, "low#"), (20, "low#"), (21, None)], ids=["zero", "one", "T", "above"]
)
def test_the_level_says_where_the_sparse_index_lists_an_account(balance: int, beginning: str | None) -> None:
    partition = level(account_of(balance))

    assert (partition is None) if beginning is None else str(partition).startswith(beginning)


@pytest.mark.parametrize("name", STATES)
def test_the_levels_of_a_list_have_every_account_that_belongs_to_it(name: str) -> None:
    place = (level(STATES[name]) or "none").partition("#")[0]

    assert {one for one, names in LISTS.items() if name in names} <= {one for one in LISTS if place in LEVELS_OF[one]}


def test_levels_are_spread_over_their_shards() -> None:
    partitions = {level(account_of(0, of=merchant(f"shop {number}"))) for number in range(200)}

    assert partitions == {f"zero#{shard}" for shard in range(8)}


@given(accounts)
def test_the_model_of_an_account_reads_and_writes_the_same_item(account: Account) -> None:
    item = account_item(account)

    row = AccountRow.from_raw_data(item)

    assert row.serialize() == item
    read = {name: row.attribute_values.get(name) for name in AccountRow.get_attributes() if name != "totals"}
    assert {name: value for name, value in read.items() if value is not None} == {
        name: plain(value) for name, value in item.items() if name != "totals"
    }


@given(transactions())
def test_the_model_of_a_record_reads_and_writes_the_same_item(transaction: Transaction) -> None:
    item = transaction_item(transaction)

    row = TransactionRow.from_raw_data(item)

    assert row.serialize() == item
    read = {name: row.attribute_values.get(name) for name in TransactionRow.get_attributes()}
    del read["extra_metadata"]
    assert {name: value for name, value in read.items() if value is not None} == {
        name: plain(value) for name, value in item.items() if name != "extra_metadata"
    }


@pytest.mark.parametrize(
    "threshold",
    [
        {"low_balance_threshold": CREDITS_LARGE},
        # An account with a threshold of its own has no default that could be outdated.
        {"outdated": Outdated(threshold=CREDITS_MAX, replaced_at=NOON)},
    ],
    ids=str,
)
def test_the_largest_account_is_one_write_unit(threshold: dict[str, Any]) -> None:
    busy = replace(
        account_of(0),
        balance=CREDITS_LARGE,
        sequence=ORDERS_MAX,
        version=ORDERS_MAX,
        # An account is opened once: by a trial or, which takes more, by an import. None of its credits ever lapsed.
        totals={
            kind: Total(count=ORDERS_MAX, credits=CREDITS_LARGE)
            for kind in Kind
            if kind not in (Kind.TRIAL, Kind.EXPIRY)
        },
        total_shortfall=CREDITS_LARGE,
        debt=CREDITS_LARGE,
        threshold=CREDITS_LARGE,
        status_transaction_id=TransactionId(SHOP),
        use=Use(weighted=CREDITS_LARGE * MILLI, since=None, orders=ORDERS_MIN),
        **threshold,
    )

    item = account_item(busy)

    assert item["level"]
    assert item_bytes(item) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize("kinds", range(len(COUNTERS) + 1))
def test_the_largest_account_with_eight_lots_is_one_write_unit(kinds: int) -> None:
    """Whatever its counters are: their number decides in which form they are kept."""
    account = replace(LARGEST, totals=dict(list(LARGEST.totals.items())[:kinds]))

    item = account_item(account)

    assert item["level"]
    assert item_bytes(item) <= WRITE_UNIT_BYTES
    assert account_from(item) == account


def test_a_large_shops_account_with_all_that_an_account_may_have_is_one_write_unit() -> None:
    """A million orders and ten years of renewals and top-ups; levels, own limits, and a shop that came back."""
    counts = dict.fromkeys(COUNTERS, 999) | {Kind.ORDER_USED: 999_999, Kind.REFUND_RETURNED: 99_999}
    shop = replace(
        LARGEST,
        sequence=1_199_999,
        version=1_199_999,
        totals={kind: Total(count=count, credits=99_999_999) for kind, count in counts.items()},
        total_shortfall=9_999,
        threshold=99_999,
        low_balance_threshold=99_999,
        lots=EIGHT_LOTS,
        alerts=replace(own_levels("few", "half"), look_at=None),
        grace_terms=GraceTerms(hours=48, credits=100),
        closure=Closure(closed=False, at=NOON, back_at=NOON),
    )

    assert item_bytes(account_item(shop)) <= WRITE_UNIT_BYTES


def test_counters_stay_a_map_that_every_release_reads_while_the_item_is_within_a_write_unit() -> None:
    few = account_item(replace(LARGEST, totals=dict(list(LARGEST.totals.items())[:6])))
    many = account_item(LARGEST)

    assert "counters" not in few
    assert many["totals"] == {"M": {}}


def test_a_larger_account_that_was_written_with_a_map_of_counters_is_read_as_it_was() -> None:
    written = account_item(LARGEST) | {"totals": {"M": totals_map(LARGEST.totals)}}
    del written["counters"]

    assert item_bytes(written) > WRITE_UNIT_BYTES
    assert account_from(written) == LARGEST


@pytest.mark.parametrize(
    ("more", "units"),
    [
        ({"grace": ENDED_GRACE, "grace_terms": TERMS}, 2),
        ({"alerts": LONGEST_LEVELS}, 2),
        ({"freeze": FREEZE}, 2),
        (EVERYTHING, 2),
        (EVERYTHING | {"closure": Closure(closed=False, at=NOON, back_at=NOON)}, 3),
        (EVERYTHING | {"freeze": replace(FREEZE, reason="𐍈" * REASON_LENGTH_MAX)}, 4),
    ],
    ids=["grace", "levels", "freeze", "everything", "a shop that came back", "a reason of wide letters"],
)
def test_the_largest_account_takes_so_many_write_units(more: dict[str, Any], units: int) -> None:
    account = replace(LARGEST, **more)

    item = account_item(account)

    assert ceil(item_bytes(item) / WRITE_UNIT_BYTES) == units
    assert account_from(item) == account


def test_an_account_on_which_time_does_not_act_keeps_the_form_that_every_release_writes() -> None:
    item = account_item(account_of(5))

    assert item["schema_version"] == {"N": "1"}
    assert not {"lots", "due_at", "due_shard"} & item.keys()


@pytest.mark.parametrize(
    "timed",
    [
        {"lots": EIGHT_LOTS, "due_at": EIGHT_LOTS[0].expires_at},
        {"due_at": NOON},
        # An earlier release would leave this total out of its next write.
        {"totals": {Kind.EXPIRY: Total(count=1, credits=5)}},
    ],
    ids=["lots", "due", "lapsed"],
)
def test_an_account_on_which_time_acts_is_left_alone_by_earlier_releases(timed: dict[str, Any]) -> None:
    account = replace(account_of(CREDITS_LARGE), **timed)
    item = account_item(account)

    assert item["schema_version"] == {"N": "2"}
    assert account_from(item) == account


def order_of(order_id: str, *, correlation_id: str, metadata_bytes: int) -> Transaction:
    return Transaction(
        transaction_id=TransactionId(SHOP),
        merchant_id=SHOP,
        sequence=ORDERS_MAX,
        kind=Kind.ORDER_USED,
        amount=-CREDITS_LARGE,
        requested=CREDITS_LARGE,
        shortfall=CREDITS_LARGE,
        threshold=CREDITS_LARGE,
        balance_before=CREDITS_LARGE,
        balance_after=CREDITS_LARGE,
        idempotency_key=f"SHOPIFY_ORDER_{order_id}",
        reference_id=order_id,
        # A map counts 3 bytes, each member 1, and the name one letter.
        metadata={"m": "m" * (metadata_bytes - 5)},
        correlation_id=correlation_id,
        occurred_at=NOON,
        created_at=NOON,
        previous_hash="f" * 64,
        hash="f" * 64,
    )


def test_the_largest_order_is_one_write_unit() -> None:
    largest = order_of("9" * 64, correlation_id="c" * 64, metadata_bytes=200)

    assert item_bytes(transaction_item(largest)) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize(
    "edits",
    [None, Edits(updated_at=NOON, charged=CREDITS_LARGE, taken=-CREDITS_LARGE, total=Decimal("99999999.99"))],
    ids=["refunded", "edited too"],
)
def test_a_shops_order_stays_one_write_unit_when_it_is_refunded(edits: Edits | None) -> None:
    order = order_of("5678901234567", correlation_id=SHOP, metadata_bytes=200)
    money = Decimal("99999999.99")
    tally = Tally(count=99, credits=CREDITS_LARGE, money=money, total=money, full=True, edits=edits)

    assert item_bytes(transaction_item(replace(order, tally=tally, refunded_at=NOON))) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"S": "é"}, 2),
        ({"N": "0"}, 2),
        ({"N": "7"}, 2),
        ({"N": "27"}, 2),
        ({"N": "461"}, 3),
        ({"N": "-461"}, 4),
        ({"N": "1000"}, 2),
        ({"BOOL": True}, 1),
        ({"M": {}}, 3),
        ({"M": {"a": {"S": "b"}}}, 6),
    ],
)
def test_bytes_are_counted_as_dynamodb_says(attribute: Mapping[str, Any], expected: int) -> None:
    assert attribute_bytes(attribute) == expected


def item_bytes(item: Item) -> int:
    """Return the size of an item by DynamoDB's published rules ("DynamoDB item sizes and formats")."""
    return sum(len(name.encode()) + attribute_bytes(value) for name, value in item.items())


def attribute_bytes(attribute: Mapping[str, Any]) -> int:
    kind, value = only(attribute)
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        # One byte for two significant digits and one more, and one for a sign.
        digits = value.lstrip("-").strip("0") or "0"
        return (len(digits) + 1) // 2 + 1 + len(value) - len(value.lstrip("-"))
    if kind == "BOOL":
        return 1
    assert kind == "M", kind
    return 3 + sum(1 + len(name.encode()) + attribute_bytes(member) for name, member in value.items())


def plain(attribute: Mapping[str, Any]) -> Any:
    """Return what an attribute that is no map holds, as Python's own value."""
    kind, value = only(attribute)
    return int(value) if kind == "N" else value


def only(attribute: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the one type and value of an attribute."""
    [member] = attribute.items()
    return member

"""Posting over DynamoDB that times out, throttles, cancels and forgets: the ledger and every outcome stay true."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib.adapters.dynamodb.batch_read import READ_ROUNDS_MAX
from chalicelib.adapters.dynamodb.items import transaction_item
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Refused
from chalicelib.usecases.posting import ATTEMPTS_MAX, LOST_RACES_MAX, Posting
from tests.oracles.published_chain import broken_links
from tests.support.builders import NOON, SHOP, adjustment, merchant, order, payment, refund_of, trial
from tests.support.calls import FakeCall
from tests.support.fakes import decide, settle
from tests.support.stores import Tables, tables_in_process
from tests.support.wires import Fault, Wire, answered, cancelled, lost, refused

TRIES = 3
"""Requests that botocore itself makes of one call."""
WRITE = "TransactWriteItems"
READ = "BatchGetItem"
URL = "https://dynamodb.test"

BAD_REQUEST = HTTPStatus.BAD_REQUEST
TIMEOUT = ReadTimeoutError(endpoint_url=URL)
CLOSED = ConnectionClosedError(endpoint_url=URL)
NO_CONNECTION = ConnectTimeoutError(endpoint_url=URL)
INTERNAL = HTTPStatus.INTERNAL_SERVER_ERROR
UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE
CONFLICT = cancelled("TransactionConflict", "None")
IN_PROGRESS = refused(BAD_REQUEST, "TransactionInProgressException")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """Tables that hold a shop with 100 credits and its order `old` of 10 euros."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
    with tables_in_process() as tables:
        settle(tables.ledger(), [trial(101), order("old", total="10")], now=NOON)
        yield tables


@pytest.fixture
def wire(tables: Tables) -> Wire:
    return Wire(tables.client)


def post(tables: Tables, *movements: Movement, seconds: float = 600) -> list[Outcome]:
    """Return the outcomes of one message in a new container."""
    posting = Posting(tables.ledger(sleep=lambda _seconds: None), default_threshold=20)
    return posting.post([movements], time=FakeCall(seconds=seconds).time)[0]


def history(tables: Tables) -> list[Transaction]:
    """Return the shop's transactions, whose chain and sum must be the account's."""
    items = tables.client.scan(TableName=tables.transactions, ConsistentRead=True)["Items"]
    ids = [TransactionId(item["transaction_id"]["S"]) for item in items]
    known = tables.ledger().read([SHOP], ids)
    transactions = sorted(known.transactions.values(), key=lambda transaction: transaction.sequence)
    account = known.accounts[SHOP]
    assert broken_links(transactions) == []
    assert (account.balance, account.sequence) == (
        sum(transaction.amount for transaction in transactions),
        len(transactions),
    )
    return transactions


def references(tables: Tables) -> list[str]:
    return [transaction.reference_id for transaction in history(tables)][2:]


@pytest.mark.parametrize(
    ("faults", "writes_max"),
    [
        pytest.param([lost(TIMEOUT, took_effect=False)], 2, id="time limit before the effect"),
        pytest.param([lost(TIMEOUT, took_effect=True)], 2, id="time limit after the effect"),
        pytest.param([lost(NO_CONNECTION, took_effect=False)] * TRIES, 4, id="no connection"),
        pytest.param([lost(CLOSED, took_effect=False)], 2, id="closed before the effect"),
        pytest.param([lost(CLOSED, took_effect=True)], 2, id="closed after the effect"),
        pytest.param([lost(TIMEOUT, took_effect=False)] * TRIES, 4, id="time limits beyond botocore's tries"),
        pytest.param([lost(TIMEOUT, took_effect=True)] * TRIES, 4, id="answers lost beyond botocore's tries"),
        pytest.param([lost(TIMEOUT, took_effect=True)] * 3 * TRIES, 10, id="answers lost for long"),
        pytest.param([refused(INTERNAL, "InternalServerError")], 2, id="500 before the effect"),
        pytest.param([refused(INTERNAL, "InternalServerError", took_effect=True)], 2, id="500 after the effect"),
        pytest.param([refused(INTERNAL, "InternalServerError", took_effect=True)] * TRIES, 4, id="500s after it"),
        pytest.param([refused(UNAVAILABLE, "ServiceUnavailable")] * TRIES, 4, id="503s"),
        pytest.param([refused(BAD_REQUEST, "ThrottlingException")] * TRIES, 4, id="throttled"),
        pytest.param([refused(BAD_REQUEST, "ProvisionedThroughputExceededException")] * TRIES, 4, id="over capacity"),
        pytest.param([refused(BAD_REQUEST, "RequestLimitExceeded")] * TRIES, 4, id="over the request limit"),
        pytest.param([CONFLICT], 2, id="conflict on the account"),
        pytest.param([cancelled("None", "TransactionConflict")], 2, id="conflict on the transaction"),
        pytest.param([refused(BAD_REQUEST, "TransactionConflictException")], 2, id="conflict as an error of its own"),
        pytest.param([IN_PROGRESS] * TRIES, 4, id="in progress"),
        pytest.param([cancelled("ThrottlingError", "None")], 2, id="cancelled by a throttle"),
        pytest.param([cancelled("None", "ProvisionedThroughputExceeded")], 2, id="cancelled by the capacity"),
    ],
)
def test_a_fault_that_passes_leaves_one_transaction_and_says_posted(
    tables: Tables, wire: Wire, faults: Sequence[Fault], writes_max: int
) -> None:
    wire.faults.extend([None, *faults])

    [outcome] = post(tables, payment())

    assert isinstance(outcome, Posted)
    assert len(wire.bodies(READ)) == 1
    assert len(wire.bodies(WRITE)) == writes_max
    assert history(tables)[2:] == [outcome.transaction]


def test_races_lost_in_a_row_are_decided_on_the_account_read_again(tables: Tables, wire: Wire) -> None:
    conflicts = 5
    wire.disturbed = WRITE
    wire.faults.extend([cancelled("None", "TransactionConflict")] * conflicts)

    [outcome] = post(tables, payment())

    assert isinstance(outcome, Posted)
    assert [transaction.transaction_id for transaction in history(tables)][-1] == outcome.transaction.transaction_id
    assert len(wire.bodies(WRITE)) == conflicts + 1
    # The first read, one before each write from the second loss in a row on, and this test's own.
    assert len(wire.bodies(READ)) == 1 + conflicts - LOST_RACES_MAX + 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lost(TIMEOUT, took_effect=False), Code.UNAVAILABLE),
        (refused(INTERNAL, "InternalServerError"), Code.UNAVAILABLE),
        (refused(BAD_REQUEST, "ThrottlingException"), Code.UNAVAILABLE),
        (cancelled("ThrottlingError", "None"), Code.UNAVAILABLE),
        (CONFLICT, Code.CONTENDED),
        (IN_PROGRESS, Code.CONTENDED),
    ],
    ids=["time limit", "500", "throttled", "cancelled by a throttle", "conflict", "in progress"],
)
def test_a_fault_that_stays_gives_the_movement_back_after_a_bounded_number_of_writes(
    tables: Tables, wire: Wire, fault: Fault, code: Code
) -> None:
    wire.disturbed = WRITE
    wire.faults.extend([fault] * 1000)

    [outcome] = post(tables, payment())
    wire.faults.clear()

    assert isinstance(outcome, RetryLater)
    assert outcome.code is code
    assert len(wire.bodies(WRITE)) <= ATTEMPTS_MAX * TRIES
    assert references(tables) == []


def test_a_write_that_took_effect_unheard_is_a_duplicate_at_the_next_delivery(tables: Tables, wire: Wire) -> None:
    wire.faults.extend([None, *[lost(TIMEOUT, took_effect=True)] * 1000])
    [first] = post(tables, payment())
    wire.faults.clear()

    [second] = post(tables, payment())

    assert isinstance(first, RetryLater)
    assert second == Duplicate(history(tables)[-1])
    assert references(tables) == ["p1"]


def test_the_repeats_of_one_call_carry_the_same_client_token(tables: Tables, wire: Wire) -> None:
    wire.faults.extend([None, lost(TIMEOUT, took_effect=False), refused(INTERNAL, "InternalServerError")])

    post(tables, payment())

    tokens = {body["ClientRequestToken"] for body in wire.bodies(WRITE)}
    assert len(wire.bodies(WRITE)) == TRIES
    assert len(tokens) == 1


def test_the_conflict_of_a_write_that_is_still_under_way_does_not_make_it_anothers(tables: Tables, wire: Wire) -> None:
    # The answer is lost, the repeats find the first request in progress, and then its transaction stands.
    wire.faults.extend([None, lost(TIMEOUT, took_effect=True), IN_PROGRESS, IN_PROGRESS])

    [outcome] = post(tables, payment())

    assert references(tables) == ["p1"]
    assert isinstance(outcome, Posted)


def test_each_reason_of_a_mixed_cancellation_is_read_for_what_it_says(tables: Tables, wire: Wire) -> None:
    stands = {"Code": "ConditionalCheckFailed", "Item": tables.transaction_item(order("old").transaction_id)}
    mixed = cancelled("TransactionConflict", stands, "None", "ThrottlingError")
    wire.faults.extend([None, mixed])

    outcomes = post(tables, order("old"), order("2"), payment())

    assert [type(outcome) for outcome in outcomes] == [Duplicate, Posted, Posted]
    assert references(tables) == ["2", "p1"]
    # What was found to stand is not sent again.
    assert [len(body["TransactItems"]) for body in wire.bodies(WRITE)] == [4, 3]


@pytest.mark.parametrize(
    ("beside", "contended"),
    [("None", False), ("TransactionConflict", True), ("ThrottlingError", True)],
)
def test_beside_a_recorded_transaction_only_a_conflict_or_throttle_is_contention(
    tables: Tables, wire: Wire, beside: str, contended: bool
) -> None:
    there = {"Code": "ConditionalCheckFailed", "Item": tables.transaction_item(order("old").transaction_id)}
    commit = decide(tables.ledger(), [payment()], now=NOON).commit
    assert commit is not None
    wire.faults.append(cancelled(beside, there))

    answer = tables.ledger().commit(commit)

    assert isinstance(answer, Refused)
    assert ([one.reference_id for one in answer.transactions], answer.contended) == (["old"], contended)


def test_a_failed_condition_without_its_item_proves_no_duplicate(tables: Tables, wire: Wire) -> None:
    wire.faults.extend([None, cancelled("None", {"Code": "ConditionalCheckFailed"})])

    [outcome] = post(tables, payment())

    assert isinstance(outcome, Posted)
    assert references(tables) == ["p1"]


def test_a_lost_answer_of_a_refund_counts_the_refund_once(tables: Tables, wire: Wire) -> None:
    wire.faults.extend([None, *[lost(TIMEOUT, took_effect=True)] * TRIES])

    [outcome] = post(tables, refund_of("old", "r1", amount="10"))

    assert isinstance(outcome, Posted)
    tally = history(tables)[1].tally
    assert tally is not None
    assert (tally.count, tally.credits) == (1, 1)


def test_a_lost_answer_of_an_opening_opens_once(tables: Tables, wire: Wire) -> None:
    other = merchant("other")
    wire.faults.extend([None, *[lost(TIMEOUT, took_effect=True)] * TRIES])

    outcomes = post(tables, trial(7, of=other), order("1", of=other))

    assert [type(outcome) for outcome in outcomes] == [Posted, Posted]
    account = tables.ledger().read([other], []).accounts[other]
    assert (account.balance, account.sequence, account.version) == (6, 2, 1)


def test_keys_left_unprocessed_are_asked_for_again_and_only_they(tables: Tables, wire: Wire) -> None:
    account, old = tables.account_item(SHOP), tables.transaction_item(order("old").transaction_id)
    wire.sent.clear()

    def nothing(body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        return HTTPStatus.OK, {"Responses": {}, "UnprocessedKeys": body["RequestItems"]}

    def the_account(body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        rest = {name: keys for name, keys in body["RequestItems"].items() if name != tables.credits}
        return HTTPStatus.OK, {"Responses": {tables.credits: [account]}, "UnprocessedKeys": rest}

    wire.faults.extend([answered(nothing), answered(nothing), answered(the_account), answered(nothing)])

    waits: list[float] = []
    known = tables.ledger(sleep=waits.append).read([SHOP], [order("old").transaction_id])

    assert set(known.accounts) == {SHOP}
    assert [transaction_item(transaction) for transaction in known.transactions.values()] == [old]
    assert waits == sorted(set(waits))
    assert len(waits) == 4
    asked = [set(body["RequestItems"]) for body in wire.bodies(READ)]
    assert asked == [{tables.credits, tables.transactions}] * 3 + [{tables.transactions}] * 2
    assert all(keys["ConsistentRead"] for body in wire.bodies(READ) for keys in body["RequestItems"].values())


def test_keys_that_stay_unprocessed_give_the_movement_back(tables: Tables, wire: Wire) -> None:
    unprocessed = answered(lambda body: (HTTPStatus.OK, {"Responses": {}, "UnprocessedKeys": body["RequestItems"]}))
    wire.faults.extend([unprocessed] * 1000)

    [outcome] = post(tables, payment())
    wire.faults.clear()

    assert isinstance(outcome, RetryLater)
    assert (len(wire.bodies(READ)), len(wire.bodies(WRITE))) == (READ_ROUNDS_MAX, 0)
    assert references(tables) == []


@pytest.mark.parametrize("fault", [lost(TIMEOUT, took_effect=False), refused(BAD_REQUEST, "ThrottlingException")])
def test_a_read_that_fails_once_is_made_again(tables: Tables, wire: Wire, fault: Fault) -> None:
    wire.faults.append(fault)

    assert isinstance(post(tables, payment())[0], Posted)
    assert len(wire.bodies(READ)) == 2


def test_a_read_that_fails_for_good_gives_the_movement_back(tables: Tables, wire: Wire) -> None:
    wire.faults.extend([lost(TIMEOUT, took_effect=False)] * TRIES)

    [outcome] = post(tables, payment())

    assert isinstance(outcome, RetryLater)
    assert outcome.code is Code.UNAVAILABLE
    assert [name for name, _ in wire.sent] == [READ] * TRIES


@pytest.mark.parametrize("repeats", [0, 1, 2])
def test_a_refusal_tells_whether_the_write_was_sent_more_than_once(tables: Tables, wire: Wire, repeats: int) -> None:
    commit = decide(tables.ledger(), [payment()], now=NOON).commit
    assert commit is not None
    wire.faults.extend([lost(TIMEOUT, took_effect=False)] * repeats + [CONFLICT])

    assert tables.ledger().commit(commit) == Refused(account=commit.before, contended=True, repeated=repeats > 0)


@pytest.mark.parametrize("reason", ["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"])
def test_a_write_that_is_itself_at_fault_is_an_error_and_no_lost_race(tables: Tables, wire: Wire, reason: str) -> None:
    commit = decide(tables.ledger(), [payment()], now=NOON).commit
    assert commit is not None
    wire.faults.append(cancelled("ConditionalCheckFailed", reason))

    with pytest.raises(RuntimeError, match=reason):
        tables.ledger().commit(commit)


@pytest.mark.parametrize(
    "fault",
    [cancelled("ValidationError", "None"), refused(BAD_REQUEST, "ValidationException")],
    ids=["reason", "error"],
)
def test_a_bug_in_the_write_is_reported_with_its_cause_and_never_swallowed(
    tables: Tables, wire: Wire, fault: Fault
) -> None:
    wire.faults.extend([None, fault])

    [outcome] = post(tables, payment())

    assert isinstance(outcome, RetryLater)
    assert outcome.code is Code.INTERNAL
    assert isinstance(outcome.__cause__, RuntimeError | ClientError)
    assert len(wire.bodies(WRITE)) == 1
    assert references(tables) == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refused(BAD_REQUEST, "AccessDeniedException"), ClientError),
        (lost(NoCredentialsError(), took_effect=False), NoCredentialsError),
    ],
    ids=["no right", "no keys"],
)
def test_a_missing_right_is_an_error_as_it_is(tables: Tables, wire: Wire, fault: Fault, error: type[Exception]) -> None:
    wire.faults.append(fault)

    with pytest.raises(error):
        tables.ledger().read([SHOP], [])
    assert len(wire.sent) == 1


def test_a_declined_decrease_is_declined_on_what_the_table_says(tables: Tables, wire: Wire) -> None:
    assert isinstance(post(tables, adjustment("a1", -60))[0], Posted)

    [again, more] = post(tables, adjustment("a1", -60), adjustment("a2", -41))

    assert isinstance(again, Duplicate)
    assert getattr(more, "code", None) is Code.INSUFFICIENT_CREDITS
    assert references(tables) == ["a1"]
    assert len(wire.bodies(WRITE)) == 1

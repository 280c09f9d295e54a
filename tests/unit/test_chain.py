"""The hash chain, held against the published form (contract, "Hash") and against literals."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Tally
from chalicelib.domain.transactions import GENESIS_HASH, Transaction, canonical, transaction_hash
from tests.oracles.published_chain import broken_links, published_form
from tests.support.builders import LATER, NOON, SHOP, adjustment, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle

TRANSACTION = Transaction(
    transaction_id=TransactionId("db4c88bf-b638-5118-b313-f31803ae5997"),
    merchant_id=MerchantId("0f8fad5b-d9cb-469f-a165-70867728950e"),
    sequence=2,
    kind=Kind.ORDER_USED,
    amount=-30,
    requested=30,
    shortfall=0,
    threshold=20,
    balance_before=100,
    balance_after=70,
    idempotency_key="SHOPIFY_ORDER_5",
    reference_id="5",
    metadata={"total": "99.90", "policy": "DECREASE item 10", "lines": 3, "currency": "EUR"},
    correlation_id="c-1",
    occurred_at=Instant("2025-06-01T11:59:58.123Z"),
    created_at=NOON,
    previous_hash="a" * 64,
    hash="",
)
FORM = (
    '{"amount":-30,"balance_after":70,"balance_before":100,"correlation_id":"c-1",'
    '"created_at":"2025-06-01T12:00:00.000Z",'
    '"extra_metadata":{"currency":"EUR","lines":3,"policy":"DECREASE item 10","total":"99.90"},'
    '"idempotency_key":"SHOPIFY_ORDER_5","merchant_id":"0f8fad5b-d9cb-469f-a165-70867728950e",'
    '"occurred_at":"2025-06-01T11:59:58.123Z","operation_type":"DECREASE","reference_id":"5","requested":30,'
    '"schema_version":1,"sequence":2,"shortfall":0,"threshold":20,'
    '"transaction_id":"db4c88bf-b638-5118-b313-f31803ae5997","transaction_type":"ORDER_PAID"}'
)


def test_the_canonical_form_is_the_published_one_to_the_letter() -> None:
    assert canonical(TRANSACTION) == FORM
    assert transaction_hash(TRANSACTION) == "046f938953f8d238cc35d84eab4a395c363d623f6241317a1e17bbef8104d77b"


def test_what_is_not_known_is_left_out_of_the_canonical_form() -> None:
    bare = replace(TRANSACTION, correlation_id=None, occurred_at=None)
    assert "null" not in canonical(bare)
    assert transaction_hash(bare) == "b3d9135389e0461f69293ecca71d6b896816bdcca4fcef40f85f7951db6479f8"


def test_the_canonical_form_is_utf_8_and_escapes_no_letter() -> None:
    spoken = replace(TRANSACTION, metadata={"reason": 'Grüße "€" 😀'})
    assert '"reason":"Grüße \\"€\\" 😀"' in canonical(spoken)
    assert canonical(spoken) == published_form(spoken)


def change(**fields: object) -> Callable[[Transaction], Transaction]:
    return lambda transaction: replace(transaction, **fields)  # type: ignore[arg-type] # Each field is given its own type below.


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(change(transaction_id=TransactionId("0" * 36)), id="transaction_id"),
        pytest.param(change(merchant_id=SHOP), id="merchant_id"),
        pytest.param(change(sequence=3), id="sequence"),
        pytest.param(change(kind=Kind.ORDER_EARNED), id="operation_type"),
        pytest.param(change(kind=Kind.MANUAL_REMOVED), id="transaction_type"),
        pytest.param(change(amount=-29), id="amount"),
        pytest.param(change(requested=31), id="requested"),
        pytest.param(change(shortfall=1), id="shortfall"),
        pytest.param(change(threshold=21), id="threshold"),
        pytest.param(change(balance_before=101), id="balance_before"),
        pytest.param(change(balance_after=71), id="balance_after"),
        pytest.param(change(idempotency_key="SHOPIFY_ORDER_6"), id="idempotency_key"),
        pytest.param(change(reference_id="6"), id="reference_id"),
        pytest.param(change(metadata={**TRANSACTION.metadata, "total": "99.9"}), id="extra_metadata"),
        pytest.param(change(correlation_id=None), id="correlation_id"),
        pytest.param(change(occurred_at=NOON), id="occurred_at"),
        pytest.param(change(created_at=LATER), id="created_at"),
        pytest.param(change(previous_hash="b" * 64), id="previous_hash"),
        pytest.param(change(schema_version=2), id="schema_version"),
    ],
)
def test_every_field_that_never_changes_is_sealed(forged: Callable[[Transaction], Transaction]) -> None:
    assert transaction_hash(forged(TRANSACTION)) != transaction_hash(TRANSACTION)


def test_the_tally_of_an_order_is_outside_the_seal() -> None:
    refunded = replace(TRANSACTION, tally=Tally(count=1, credits=30, full=True), refunded_at=LATER)
    assert transaction_hash(refunded) == transaction_hash(TRANSACTION)


@pytest.fixture(scope="module")
def ledger() -> FakeLedger:
    """Return a ledger of one merchant, written in two writes."""
    store = FakeLedger()
    settle(store, [trial(), order("1"), order("2"), payment()], now=NOON)
    settle(store, [refund_of("1"), adjustment("a1", -3), order("3")], now=LATER)
    return store


def test_the_chain_starts_at_zeros_and_the_account_holds_its_end(ledger: FakeLedger) -> None:
    history = ledger.history(SHOP)
    assert history[0].previous_hash == GENESIS_HASH == "0" * 64
    assert [transaction.previous_hash for transaction in history[1:]] == [
        transaction.hash for transaction in history[:-1]
    ]
    assert ledger.accounts[SHOP].hash == history[-1].hash
    assert broken_links(history) == []


@pytest.mark.parametrize("place", [1, 3, 5])
def test_a_changed_a_removed_and_an_inserted_record_are_found(ledger: FakeLedger, place: int) -> None:
    history = ledger.history(SHOP)
    transaction = history[place]
    resealed = replace(transaction, amount=transaction.amount + 1)
    resealed = replace(resealed, hash=transaction_hash(resealed))
    changed = [*history[:place], resealed, *history[place + 1 :]]
    removed = history[:place] + history[place + 1 :]
    inserted = [*history[:place], transaction, *history[place:]]
    for tampered in (changed, removed, inserted):
        assert broken_links(tampered)

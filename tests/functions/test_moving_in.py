"""Moving in, rehearsed: a real PostgreSQL of the old service's schema, its tables imported, its events sent again."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import pytest

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Policy
from chalicelib.domain.outcomes import Duplicate
from chalicelib.usecases.posting import Posting
from infra.commands import importing
from infra.packaging.dependencies import ROOT
from tests.support.calls import FakeCall
from tests.support.command_line import said
from tests.support.fakes import FakeLedger
from tests.support.postgresql import PostgreSQL, postgresql, programs

MERCHANTS, OF_THE_BUSY_ONE = 10_000, 250
BATCH = 500
NO_POSTGRESQL = "PostgreSQL is not installed: apt-get install postgresql"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(programs() is None, reason=NO_POSTGRESQL)]

HISTORY = r"""
INSERT INTO credits (id, merchant_id, balance)
SELECT gen_random_uuid(), gen_random_uuid(), n % 50 FROM generate_series(1, :merchants) n;

INSERT INTO credit_transactions
SELECT gen_random_uuid(), c.id, c.merchant_id, k.operation, k.type, 1, 0, c.balance, k.key, k.reference,
       '{"note": "one, \"two\"\nthree"}', '2024-01-01'
FROM credits c, LATERAL (VALUES
    ('INCREASE', 'TRIAL', 'TRIAL_MERCHANT', c.merchant_id::text),
    ('DECREASE', 'ORDER_PAID', 'SHOPIFY_ORDER_' || left(c.id::text, 8), left(c.id::text, 8)),
    ('INCREASE', 'PAYMENT', 'BILLING_PAYMENT_in_' || left(c.id::text, 8), 'in_' || left(c.id::text, 8)),
    ('INCREASE', 'SUBSCRIPTION', 'SUBSCRIPTION_RENEWAL_sub_1_2024-01-01T00:00:00Z', 'sub_1'),
    ('DECREASE', 'MANUAL', NULL, NULL)
) k (operation, type, key, reference);

INSERT INTO credit_transactions
SELECT gen_random_uuid(), c.id, c.merchant_id, 'DECREASE', 'ORDER_PAID', 1, 0, c.balance, 'SHOPIFY_ORDER_busy-' || n,
       'busy-' || n, NULL, '2024-01-02'
FROM (SELECT * FROM credits ORDER BY id LIMIT 1) c, generate_series(1, :busy) n;
"""

EVENTS = """
SELECT json_build_object('event_type', e.type, 'payload', e.payload || jsonb_build_object('merchant_id', t.merchant_id))
FROM credit_transactions t, LATERAL (SELECT CASE t.transaction_type
    WHEN 'TRIAL' THEN 'evt.merchant.created'
    WHEN 'ORDER_PAID' THEN 'evt.shopify.webhook.order_paid'
    WHEN 'PAYMENT' THEN 'evt.billing.payment_succeeded'
    WHEN 'SUBSCRIPTION' THEN 'evt.subscription.renewed' END AS type, CASE t.transaction_type
    WHEN 'TRIAL' THEN '{}'::jsonb
    WHEN 'ORDER_PAID' THEN jsonb_build_object('order_id', t.reference_id, 'total', '9.90')
    WHEN 'PAYMENT' THEN jsonb_build_object('payment_id', t.reference_id, 'credits', 50)
    WHEN 'SUBSCRIPTION' THEN '{"subscription_id": "sub_1", "period_start": 1704067200, "credits_used": 5}'::jsonb
    END AS payload) e
WHERE t.idempotency_key IS NOT NULL
"""


@pytest.fixture
def old_service() -> Iterator[PostgreSQL]:
    folder = programs()
    assert folder is not None
    with postgresql(folder) as server:
        yield server


def of_the_guide(beginning: str) -> str:
    """Return the statements of the guide that begin so."""
    blocks = re.findall(
        r"^ *```sql\n(.*?)^ *```", (ROOT / "infra/docs/moving-in.md").read_text(), re.DOTALL | re.MULTILINE
    )
    [found] = [block for block in blocks if block.strip().startswith(beginning)]
    return str(found)


def test_ten_thousand_merchants_move_in_and_no_old_event_counts_again(
    old_service: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_service.run(of_the_guide("CREATE TABLE"))
    old_service.run(f"\\set merchants {MERCHANTS}\n\\set busy {OF_THE_BUSY_ONE}\n{HISTORY}")
    old_service.run(of_the_guide("BEGIN"))
    ledger = FakeLedger()
    monkeypatch.setattr(importing, "find", lambda *_: _Stage())
    monkeypatch.setattr(importing, "ledger_of", lambda _: ledger)
    monkeypatch.setattr(importing, "default_threshold", lambda _: 20)
    files = [old_service.folder / name for name in ("accounts.csv", "transactions.csv")]

    told = said("import", *files, "--yes", "--json").json

    balance = int(old_service.run("SELECT sum(balance) FROM credits"))
    keys = MERCHANTS * 3 + OF_THE_BUSY_ONE
    assert (told["opened"], told["credits"], told["without_key"]) == (MERCHANTS, balance, MERCHANTS)
    assert told["guards"] == len(ledger.guards) == keys + MERCHANTS  # A renewal is known by both spellings.
    opened = dict(ledger.accounts)

    events = old_service.run(EVENTS).splitlines()
    assert len(events) == keys + MERCHANTS
    assert _posted(ledger, events) == {Duplicate}
    assert ledger.accounts == opened
    assert {transaction.kind for transaction in ledger.transactions.values()} == {Kind.OPENING}
    assert sum(account.balance for account in opened.values()) == balance

    again = said("import", *files, "--yes", "--json").json
    assert (again["opened"], again["guards"], again["opened_before"]) == (0, 0, MERCHANTS)


class _Stage:
    """A deployed stage, of which nothing is asked."""

    stage, local = "rehearsal", None


def _posted(ledger: FakeLedger, events: list[str]) -> set[type]:
    """Post the events as the service does, in batches, and return the kinds of their outcomes."""
    posting, call, remaining = Posting(ledger, default_threshold=20), FakeCall(seconds=10**6), iter(events)
    terms, outcomes = Terms(trial_credits=100, policy=Policy()), set[type]()
    while some := list(islice(remaining, BATCH)):
        requests = [read_event(body, terms, now=datetime.now(UTC)).movements for body in some]
        outcomes |= {type(outcome) for of_request in posting.post(requests, time=call.time) for outcome in of_request}
    return outcomes

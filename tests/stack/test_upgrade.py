"""The release before this one serves; this one is deployed over it in mid-traffic, and taken back again.

Old and new workers then meet each other's items and events, in both directions, and nobody outside may notice.
"""

import http.client
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from infra.build import package
from infra.deployment import api_address, deploy
from infra.local.tokens import ADMIN_SCOPE, ALGORITHM, AUDIENCE, ISSUER, Signer, new_signer
from infra.region import REGION
from tests.engines import FAKE_AWS_ENVIRONMENT, ministack
from tests.marketplace import happened
from tests.published_chain import broken_links_in_answers
from tests.recount import Event, facts
from tests.releases import package_of, previous_release
from tests.running_stack import until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("upgrade")]

STACK = "credits-upgrade"
SHOPS, EVENTS, PAYMENTS = 6, 5000, 300
OPENED_WITH = 10_000
PATIENCE_SECONDS = "20"
"""After which a message comes again whose worker the emulator killed; AWS lets a worker finish."""
SETTLED_SECONDS = 600.0
POLL_SECONDS = 0.1


def client(endpoint: str, service: Any) -> Any:
    session = boto3.Session(
        aws_access_key_id=FAKE_AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=FAKE_AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    return session.client(service, endpoint_url=endpoint)


@dataclass(kw_only=True)
class Service:
    """A deployed service in an emulator of its own, of whichever release it is now."""

    endpoint: str
    signer: Signer
    outputs: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def deploy(self, release: Path) -> None:
        """Deploy `release` over what is there."""
        ssm = client(self.endpoint, "ssm")
        public = jwt.algorithms.ECAlgorithm.from_jwk(json.dumps(dict(self.signer.public_keys["keys"][0])))
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        if not self.outputs:
            ssm.put_parameter(Name="/upgrade/jwt", Value=pem.decode(), Type="String")
            ssm.put_parameter(Name="/upgrade/cursor", Value=secrets.token_urlsafe(32), Type="SecureString")
        settings = {"JwtAlgorithm": ALGORITHM, "JwtIssuer": ISSUER, "JwtAudience": AUDIENCE}
        settings |= {"JwtKeyParameter": "/upgrade/jwt", "CursorKeyParameter": "/upgrade/cursor"}
        before = self.outputs
        self.outputs = deploy(self.endpoint, "dev", STACK, settings, package=release)
        # Whatever holds something is the same one as before.
        kept = ("CreditsTableName", "TransactionsTableName", "FiguresTableName", "InboxQueueUrl", "OutboxQueueUrl")
        assert all(before.get(name, self.outputs[name]) == self.outputs[name] for name in (*kept, "RestAPIId"))
        queues = client(self.endpoint, "sqs")
        patience = {"VisibilityTimeout": PATIENCE_SECONDS}
        queues.set_queue_attributes(QueueUrl=self.outputs["InboxQueueUrl"], Attributes=patience)

    def send(self, events: Sequence[Event]) -> None:
        """Put the events into the inbox."""
        queues = client(self.endpoint, "sqs")
        for start in range(0, len(events), 10):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(event)}
                for number, event in enumerate(events[start : start + 10])
            ]
            answer = queues.send_message_batch(QueueUrl=self.outputs["InboxQueueUrl"], Entries=entries)
            assert len(answer["Successful"]) == len(entries)

    def ask(self, path: str) -> tuple[int, Any]:
        """Return status and body of the API's answer to an admin."""
        address = urlsplit(api_address(self.endpoint, "dev", self.outputs))
        token = self.signer.token(subject="upgrade", scope=ADMIN_SCOPE)
        with closing(http.client.HTTPConnection(address.netloc, timeout=60)) as connection:
            connection.request("GET", f"{address.path}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def ledger(self, shop: str) -> list[dict[str, Any]]:
        """Return the shop's transactions, oldest first."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            status, body = self.ask(f"/credits/transactions?merchant_id={shop}&limit=100{cursor}")
            assert status == 200, body
            rows += body["data"]
            if body["pagination"]["next_cursor"] is None:
                return rows[::-1]
            cursor = f"&cursor={body['pagination']['next_cursor']}"

    @contextmanager
    def visited(self, shops: Sequence[str]) -> Iterator[None]:
        """Have plugins, owners and admins ask all the time, and count what they are answered."""
        over = threading.Event()

        def visit() -> None:
            paths = [path for shop in shops for path in (f"/credits/plugin-status/{shop}", f"/credits/accounts/{shop}")]
            while not over.is_set():
                for path in paths:
                    self.statuses[self.ask(path)[0]] += 1
                    if over.wait(POLL_SECONDS):
                        return

        with ThreadPoolExecutor(1) as visitors:
            visitor = visitors.submit(visit)
            try:
                yield
            finally:
                over.set()
            visitor.result()

    def is_empty(self, queue: str) -> bool:
        """Return whether nothing is in the queue of this output and nobody holds anything of it."""
        answer = client(self.endpoint, "sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])
        state = answer["Attributes"]
        return state["ApproximateNumberOfMessages"] == state["ApproximateNumberOfMessagesNotVisible"] == "0"

    def told(self) -> list[Any]:
        """Return and take everything that waits in the outbox."""
        queues, url, events = client(self.endpoint, "sqs"), self.outputs["OutboxQueueUrl"], []
        while batch := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                events.append(json.loads(message["Body"])["detail"])
                queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return events


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    commit = previous_release()
    if commit is None:
        pytest.skip("no earlier release is in this clone's history, so no upgrade was rehearsed: fetch all of it")
    return package_of(commit, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ministack(tmp_path) as endpoint:
        yield Service(endpoint=endpoint, signer=new_signer(tmp_path))


def traffic(shops: Sequence[str]) -> list[Event]:
    """Return orders and payments of the shops in turn, all different."""
    orders = [
        happened("evt.shopify.webhook.order_paid", shops[number % SHOPS], order_id=number, total="10.00")
        for number in range(EVENTS - PAYMENTS)
    ]
    payments = [
        happened("evt.billing.payment_succeeded", shops[number % SHOPS], payment_id=number, credits=5)
        for number in range(PAYMENTS)
    ]
    step = len(orders) // PAYMENTS
    for number, payment in enumerate(payments):
        orders.insert(number * (step + 1), payment)
    return orders


def test_two_deployments_in_mid_traffic_are_seen_by_nobody(previous: Path, service: Service) -> None:
    shops = [str(uuid4()) for _ in range(SHOPS)]
    openings = [happened("evt.account.created", shop, trial_id="t", credits_to_use=OPENED_WITH) for shop in shops]
    events = traffic(shops)
    thirds = [events[start::3] for start in range(3)]
    service.deploy(previous)
    service.send(openings)
    until("the accounts", lambda: all(service.ask(f"/credits/accounts/{shop}")[0] == 200 for shop in shops), 120)

    with service.visited(shops), ThreadPoolExecutor(1) as senders:
        for third, release in zip(thirds, (None, package("dev"), previous), strict=True):
            # Each deployment meets a full inbox, and what the release before it recorded comes again.
            sent = senders.submit(service.send, [*third, *thirds[0][::5]])
            if release is not None:
                time.sleep(2)
                service.deploy(release)
            sent.result()
        until("the inbox to be drained", lambda: service.is_empty("InboxQueueUrl"), SETTLED_SECONDS)

    assert service.is_empty("DeadLetterQueueUrl")
    assert {status // 100 for status in service.statuses} <= {2, 4}, service.statuses
    for shop in shops:
        mine = [event for event in (*openings, *events) if event["payload"]["merchant_id"] == shop]
        ledger = service.ledger(shop)
        expected = Counter(fact.transaction_id for event in mine for fact in facts(event))
        assert Counter(row["id"] for row in ledger) == expected
        assert broken_links_in_answers(ledger) == []
        paid = sum(event["event_type"] == "evt.billing.payment_succeeded" for event in mine)
        assert ledger[-1]["balance_after"] == OPENED_WITH + 5 * paid - (len(mine) - paid - 1)
    told: list[Any] = []

    def all_told() -> bool:
        told.extend(service.told())
        return len({event["event_id"] for event in told}) >= SHOPS + PAYMENTS

    until("every event out", all_told, SETTLED_SECONDS)
    kinds = Counter(event["event_type"] for event in {event["event_id"]: event for event in told}.values())
    assert kinds == {"evt.credits.account.created": SHOPS, "evt.credits.recharged": PAYMENTS}
    assert {event["metadata"]["schema_version"] for event in told} == {1}

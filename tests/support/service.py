"""A service that a test deploys into an emulator, of any release and under any name."""

import http.client
import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization

from infra.deploying.emulator import api_address, deploy, emulator_client
from infra.local.tokens import ADMIN_SCOPE, ALGORITHM, AUDIENCE, ISSUER, Signer
from tests.oracles.recount import Event

PATIENCE_SECONDS = "20"
"""Seconds until a message is redelivered whose worker the emulator killed; AWS lets a worker finish."""
POLL_SECONDS = 0.1
UNANSWERED = 0


@dataclass(kw_only=True)
class Service:
    """A deployed service in its own emulator, of the release deployed last."""

    endpoint: str
    signer: Signer
    name: str
    outputs: dict[str, str] = field(default_factory=dict)
    deploying: bool = False
    statuses: Counter[tuple[int, bool]] = field(default_factory=Counter)
    """The answers to visitors, and whether a deployment was under way."""

    def deploy(self, release: Path) -> None:
        """Deploy `release` over the existing stack."""
        ssm = emulator_client(self.endpoint, "ssm")
        private = serialization.load_pem_private_key(self.signer.private_key_path.read_bytes(), password=None)
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if not self.outputs:
            ssm.put_parameter(Name=f"/{self.name}/jwt", Value=pem.decode(), Type="String")
            ssm.put_parameter(Name=f"/{self.name}/cursor", Value=secrets.token_urlsafe(32), Type="SecureString")
        settings = {"JwtAlgorithm": ALGORITHM, "JwtIssuer": ISSUER, "JwtAudience": AUDIENCE}
        settings |= {"JwtKeyParameter": f"/{self.name}/jwt", "CursorKeyParameter": f"/{self.name}/cursor"}
        before = self.outputs
        self.deploying = True
        self.outputs = deploy(self.endpoint, "dev", self.name, settings, package=release)
        self.deploying = False
        # Every stateful resource is the same one as before. (Only the emulator makes the API anew if its definition has
        # changed: AWS updates it.)
        kept = ("CreditsTableName", "TransactionsTableName", "FiguresTableName", "InboxQueueUrl", "OutboxQueueUrl")
        assert not before or {name: before[name] for name in kept} == {name: self.outputs[name] for name in kept}
        queues = emulator_client(self.endpoint, "sqs")
        patience = {"VisibilityTimeout": PATIENCE_SECONDS}
        queues.set_queue_attributes(QueueUrl=self.outputs["InboxQueueUrl"], Attributes=patience)

    def send(self, events: Sequence[Event]) -> None:
        """Put the events into the inbox."""
        queues = emulator_client(self.endpoint, "sqs")
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
        token = self.signer.token(subject="test", scope=ADMIN_SCOPE)
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
        """Send requests of plugins, owners and admins all the time, and count the answers."""
        over = threading.Event()

        def visit() -> None:
            paths = [path for shop in shops for path in (f"/credits/plugin-status/{shop}", f"/credits/accounts/{shop}")]
            while not over.is_set():
                for path in paths:
                    before = self.deploying
                    try:
                        status, _ = self.ask(path)
                    except (OSError, http.client.HTTPException):
                        status = UNANSWERED
                    self.statuses[status, before or self.deploying] += 1
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
        """Return whether the queue of this output is empty, with no message in flight."""
        answer = emulator_client(self.endpoint, "sqs").get_queue_attributes(
            QueueUrl=self.outputs[queue], AttributeNames=["All"]
        )
        state = answer["Attributes"]
        return {state["ApproximateNumberOfMessages"], state["ApproximateNumberOfMessagesNotVisible"]} == {"0"}

    def told(self) -> list[Any]:
        """Return and delete everything in the outbox."""
        queues, url, events = emulator_client(self.endpoint, "sqs"), self.outputs["OutboxQueueUrl"], []
        while batch := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                events.append(json.loads(message["Body"])["detail"])
                queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return events

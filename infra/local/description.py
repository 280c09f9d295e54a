"""stack.json: where everything of a running local stack is, for tests, tools and the curious (contract, section 9)."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.deploying.emulator import ROOT
from infra.local.tokens import ADMIN_SCOPE, ALGORITHM, AUDIENCE, ISSUER, OPS_SCOPE, Signer
from infra.packaging.region import REGION

FILE_NAME = "stack.json"
OPS_TOKEN_FILE = "ops-token"  # noqa: S105 - the name of a file
PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """How the tokens of this stack are signed, so that a caller can sign more of them."""

    algorithm: str
    private_key_path: str
    issuer: str
    audience: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A running stack.

    `functions` gives the deployed name of each function by its name in app.py, `pids` the process of
    each program.
    """

    api_url: str
    aws_endpoint: str
    aws_region: str
    nats_url: str
    bridge_health_url: str
    stage: str
    credits_table: str
    transactions_table: str
    figures_table: str
    event_bus: str
    inbox_queue_url: str
    waiting_queue_url: str
    dead_letter_queue_url: str
    outbox_queue_url: str
    outbox_dead_letter_queue_url: str
    stream_dead_letter_queue_url: str
    functions: Mapping[str, str]
    jwt: Jwt
    admin_token: str
    ops_token: str
    pids: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the parts of a stack listen."""

    api_url: str
    aws_endpoint: str
    nats_url: str
    bridge_health_url: str


def local_directory(environment: Mapping[str, str]) -> Path:
    """Return the folder of this stack's files: `LOCAL_DIR`, or .local at the repository's root."""
    return Path(environment.get("LOCAL_DIR") or ROOT / ".local").absolute()


def describe(
    addresses: Addresses, stage: str, outputs: Mapping[str, str], signer: Signer, pids: Mapping[str, int]
) -> Description:
    """Return the description of a stack that was deployed with these outputs."""
    return Description(
        **asdict(addresses),
        aws_region=REGION,
        stage=stage,
        credits_table=outputs["CreditsTableName"],
        transactions_table=outputs["TransactionsTableName"],
        figures_table=outputs["FiguresTableName"],
        event_bus=outputs["EventBusName"],
        inbox_queue_url=outputs["InboxQueueUrl"],
        waiting_queue_url=outputs["WaitingQueueUrl"],
        dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
        outbox_queue_url=outputs["OutboxQueueUrl"],
        outbox_dead_letter_queue_url=outputs["OutboxDeadLetterQueueUrl"],
        stream_dead_letter_queue_url=outputs["StreamDeadLetterQueueUrl"],
        functions=function_names(outputs),
        jwt=Jwt(
            algorithm=ALGORITHM,
            private_key_path=str(signer.private_key_path),
            issuer=ISSUER,
            audience=AUDIENCE,
            key_id=signer.key_id,
        ),
        admin_token=signer.token(subject="local-admin", scope=ADMIN_SCOPE),
        ops_token=signer.token(subject="local-ops", scope=OPS_SCOPE),
        pids=pids,
    )


_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def function_names(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the deployed names of the functions, from outputs such as `IngestEventsName`.

    Each stands under its logical id in the template (`IngestEvents`) and its name in app.py (`ingest_events`).
    """
    names = {
        output.removesuffix("Name"): value
        for output, value in outputs.items()
        if output.endswith("Name") and not output.endswith(("TableName", "BusName"))
    }
    return {**names, **{_BETWEEN_WORDS.sub("_", name).lower(): value for name, value in names.items()}}


def write(description: Description, directory: Path) -> Path:
    """Write stack.json, whole or not at all, readable by its owner only since it holds tokens; return its path.

    Beside it lies the token by which Prometheus may read the metrics, in a file of its own.
    """
    _write_privately(directory / OPS_TOKEN_FILE, description.ops_token)
    path = directory / FILE_NAME
    _write_privately(path, json.dumps(asdict(description), indent=2))
    return path


def _write_privately(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "w") as file:
        file.write(text)
    unfinished.replace(path)


def read(directory: Path) -> Description:
    """Return what stack.json in `directory` says; raises FileNotFoundError when no stack runs there."""
    content = json.loads((directory / FILE_NAME).read_text())
    return Description(**{**content, "jwt": Jwt(**content["jwt"])})

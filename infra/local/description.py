"""stack.json: where everything of a running local stack is, for tests, tools and the curious (contract, section 9)."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.deploying.emulator import ROOT, public_api_address
from infra.deploying.outputs import Deployed, function_names, parts
from infra.local.tokens import ADMIN_SCOPE, ALGORITHM, AUDIENCE, ISSUER, OPS_SCOPE, Signer, write_privately
from infra.packaging.region import REGION

FILE_NAME = "stack.json"
OPS_TOKEN_FILE = "ops-token"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """How the tokens of this stack are signed, so that a caller can sign more of them."""

    algorithm: str = ALGORITHM
    private_key_path: str
    issuer: str = ISSUER
    audience: str = AUDIENCE
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description(Deployed):
    """A running stack; `pids` gives the process of each program. `public_api_url` is empty without an HTTP API.

    `webhook_secrets` are those with which Shopify (`shopify`) and Stripe (`stripe`) would sign webhooks.
    """

    aws_endpoint: str
    aws_region: str
    public_api_url: str
    nats_url: str
    bridge_health_url: str
    jwt: Jwt
    admin_token: str
    ops_token: str
    webhook_secrets: Mapping[str, str]
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


def command_prefix(environment: Mapping[str, str]) -> str:
    """Return what a shell needs before a command that is to find this stack: its `LOCAL_DIR`, or nothing for .local."""
    directory = local_directory(environment)
    return "" if directory == ROOT / ".local" else f"LOCAL_DIR={shlex.quote(short(directory))} "


def short(path: Path) -> str:
    """Return `path` relative to the repository if it is inside it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def describe(
    addresses: Addresses,
    stage: str,
    outputs: Mapping[str, str],
    signer: Signer,
    webhook_secrets: Mapping[str, str],
    pids: Mapping[str, int],
) -> Description:
    """Return the description of a stack that was deployed with these outputs."""
    return Description(
        **asdict(addresses),
        public_api_url=public_api_address(addresses.aws_endpoint, outputs),
        aws_region=REGION,
        stage=stage,
        **parts(outputs),
        functions=function_names(outputs),
        jwt=Jwt(private_key_path=str(signer.private_key_path), key_id=signer.key_id),
        admin_token=signer.token(subject="local-admin", scope=ADMIN_SCOPE),
        ops_token=signer.token(subject="local-ops", scope=OPS_SCOPE),
        webhook_secrets=dict(webhook_secrets),
        pids=pids,
    )


def write(description: Description, directory: Path) -> Path:
    """Write stack.json, whole or not at all, readable by its owner only since it holds tokens; return its path.

    A second file beside it holds the token with which Prometheus may read the metrics.
    """
    write_privately(directory / OPS_TOKEN_FILE, description.ops_token.encode())
    path = directory / FILE_NAME
    write_privately(path, json.dumps(asdict(description), indent=2).encode())
    return path


def read(directory: Path) -> Description:
    """Return the content of stack.json in `directory`; raises FileNotFoundError when no stack runs there."""
    content = json.loads((directory / FILE_NAME).read_text())
    return Description(**{**content, "jwt": Jwt(**content["jwt"])})

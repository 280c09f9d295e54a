"""The system that a command works on: the local stack, found by its stack.json, or a deployed stage, by its outputs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ProfileNotFound

from infra.commands.output import unable
from infra.deploying.aws_session import aws_session
from infra.deploying.names import stack_name
from infra.deploying.versions import ALIAS
from infra.local.description import Description, function_names, local_directory, read
from infra.local.engines import FAKE_AWS_ENVIRONMENT
from infra.packaging.region import REGION

READ_SECONDS = 60
CONNECT_SECONDS = 5
ATTEMPTS = 3

_QUEUES_AND_TABLES = {
    "credits_table": "CreditsTableName",
    "transactions_table": "TransactionsTableName",
    "figures_table": "FiguresTableName",
    "event_bus": "EventBusName",
    "inbox_queue_url": "InboxQueueUrl",
    "waiting_queue_url": "WaitingQueueUrl",
    "dead_letter_queue_url": "DeadLetterQueueUrl",
    "outbox_queue_url": "OutboxQueueUrl",
    "outbox_dead_letter_queue_url": "OutboxDeadLetterQueueUrl",
    "stream_dead_letter_queue_url": "StreamDeadLetterQueueUrl",
}
"""The fields of a target by the stack's outputs that fill them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running system: its names, and clients that reach it.

    `functions` gives the deployed name of a function by its name in app.py. `local` is the description of the
    local stack, None for a deployed stage; `endpoint` is where its AWS emulator listens.
    """

    stage: str
    api_url: str
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
    session: boto3.Session
    endpoint: str | None = None
    local: Description | None = None

    def client(self, service: str) -> Any:
        """Return a client of an AWS service, which reaches the emulator where this is the local stack."""
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            proxies={} if self.local else None,
        )
        return self.session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]

    def in_use(self, function: str) -> str:
        """Return what to invoke of a function, by its name in app.py: the version that callers get, not the newest."""
        return f"{self.functions[function]}:{ALIAS}"


def find(stage: str | None = None, profile: str | None = None) -> Target:
    """Return the deployed stage, or the local stack where none is named.

    Ends the command with a sentence on what to do where there is no such system.
    """
    return local_target() if stage is None else _deployed(stage, profile)


def local_target() -> Target:
    """Return the local stack; ends the command where none runs."""
    directory = local_directory(os.environ)
    try:
        stack = read(directory)
    except FileNotFoundError:
        raise unable(
            f"No stack runs in {directory}: start one with `make run`, name its folder by LOCAL_DIR, "
            "or name a deployed stage with --stage."
        ) from None
    session = boto3.Session(
        aws_access_key_id=FAKE_AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=FAKE_AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=stack.aws_region or REGION,
    )
    return Target(
        stage=stack.stage,
        api_url=stack.api_url,
        **{name: getattr(stack, name) for name in _QUEUES_AND_TABLES},
        functions=stack.functions,
        session=session,
        endpoint=stack.aws_endpoint,
        local=stack,
    )


def _deployed(stage: str, profile: str | None) -> Target:
    try:
        session = aws_session(profile)
    except ProfileNotFound as error:
        raise unable(f"{error}. `aws configure list-profiles` names those that there are.") from None
    if session.region_name is None:
        raise unable(f"No region for stage {stage}: set AWS_REGION, or the region of the profile.")
    outputs = _outputs(session, stage)
    missing = [output for output in ("ApiUrl", *_QUEUES_AND_TABLES.values()) if output not in outputs]
    if missing:
        raise unable(f"The stack {stack_name(stage)} lacks the outputs {', '.join(missing)}: deploy this release.")
    names: dict[str, Any] = {name: outputs[output] for name, output in _QUEUES_AND_TABLES.items()}
    return Target(
        stage=stage,
        api_url=outputs["ApiUrl"],
        **names,
        functions=function_names(outputs),
        session=session,
    )


def _outputs(session: boto3.Session, stage: str) -> dict[str, str]:
    name = stack_name(stage)
    cloudformation = session.client("cloudformation", config=Config(connect_timeout=CONNECT_SECONDS))
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise unable(
                f"There is no stack {name} in {session.region_name}: `make deploy STAGE={stage}` makes it, "
                "AWS_REGION names another region."
            ) from None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}

"""The system that a command works on: the local stack, found by its stack.json, or a deployed stage, by its outputs."""

import os
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from chalicelib.settings import Settings
from infra.commands.output import unable
from infra.deploying.aws_session import aws_session
from infra.deploying.emulator import emulator_session
from infra.deploying.names import stack_name
from infra.deploying.outputs import PARTS, Deployed, described, function_names, outputs_of, parts
from infra.deploying.versions import ALIAS
from infra.local.description import Description, local_directory, read
from infra.packaging.region import REGION

READ_SECONDS = 60
CONNECT_SECONDS = 5
ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Deployed):
    """A running system: its names, and clients that reach it.

    `local` is the description of the local stack, None for a deployed stage; `endpoint` is where its AWS emulator
    listens.
    """

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


def settings_of(target: Target) -> Settings:
    """Return the settings with which the target's service runs."""
    found = target.client("lambda").get_function_configuration(FunctionName=target.in_use("ingest_events"))
    return Settings.read(found.get("Environment", {}).get("Variables", {}))


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
    return Target(
        stage=stack.stage,
        api_url=stack.api_url,
        **{name: getattr(stack, name) for name in PARTS},
        functions=stack.functions,
        session=emulator_session(stack.aws_region or REGION),
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
    name = stack_name(stage)
    stack = described(session.client("cloudformation", config=Config(connect_timeout=CONNECT_SECONDS)), name)
    if stack is None:
        raise unable(
            f"There is no stack {name} in {session.region_name}: `make deploy STAGE={stage}` makes it, "
            "AWS_REGION names another region."
        )
    outputs = outputs_of(stack)
    missing = [output for output in ("ApiUrl", *PARTS.values()) if output not in outputs]
    if missing:
        raise unable(f"The stack {name} lacks the outputs {', '.join(missing)}: deploy this release.")
    return Target(
        stage=stage, api_url=outputs["ApiUrl"], **parts(outputs), functions=function_names(outputs), session=session
    )

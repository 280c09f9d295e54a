"""Deploys the packaged application into an AWS emulator: the very zip and template that AWS would get.

`make run` and the tests of the stack share this module. It never reaches a real account: its
credentials are made up, and an endpoint must be named.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.session import get_session

from infra.deploying.artifacts import CODE_PLACEHOLDER
from infra.deploying.outputs import described, outputs_of
from infra.packaging.region import REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[2]
MADE_UP = "test"
"""Both halves of the key with which an emulator is reached: no real account has it."""
BUCKET = "credits-artifacts"
POLL_SECONDS = 0.1
WAIT_SECONDS = 300.0
EVENTS_SHOWN = 5
STACK, CANCELLED = "AWS::CloudFormation::Stack", " cancelled"
BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "UPDATE_IN_PROGRESS"})
"""Where a change of a stack begins; a rollback belongs to the change before it."""
UNKNOWN_TO_EMULATOR = {"AlarmsOnSums": "false", "ArchiveDays": "0", "BusLogLevel": "OFF"}
"""Parameters that leave out what ministack 1.5.33 does not know: archives, alarms on several metrics, and the delivery
of logs. It has no CodeDeploy either, which nothing but `make deploy STAGE=prod` asks for."""
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
_making = Lock()


class _Loader(Loader):
    """Lists every folder of descriptions as a service; botocore's loader looks into all 400 for each kind of file."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's own name
        return [each.name for path in self.search_paths for each in Path(path).glob("*")]


class DeploymentFailedError(RuntimeError):
    """Raised when the stack did not come up; its text names each resource that failed, with the reason."""


def package_directory(stage: str) -> Path:
    """Return where `make package STAGE=...` leaves sam.yaml and deployment.zip of `stage`."""
    return ROOT / "build" / stage


def deploy(
    endpoint_url: str, stage: str, stack_name: str, parameters: Mapping[str, str], *, package: Path | None = None
) -> dict[str, str]:
    """Create the stack, or update it to the package of `stage`, and return its outputs by name.

    `parameters` are template parameters by name; those left out take the template's defaults. When
    the call returns every resource is up; when nothing has changed it returns at once. Another
    folder than the stage's own can be given as `package` (an earlier release, say).

    Raises:
        DeploymentFailedError: The stack ended in any other state than complete.
        FileNotFoundError: The stage has not been packaged.
    """
    folder = package or package_directory(stage)
    declared = parsed(folder / "sam.yaml")["Parameters"]
    chosen = {**{name: value for name, value in UNKNOWN_TO_EMULATOR.items() if name in declared}, **parameters}
    template_key = _upload(emulator_client(endpoint_url, "s3"), folder, chosen)
    request: dict[str, Any] = {
        "StackName": stack_name,
        "TemplateURL": f"{endpoint_url}/{BUCKET}/{template_key}",
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(chosen.items())],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    cloudformation: CloudFormationClient = emulator_client(endpoint_url, "cloudformation")
    changed = _create_or_update(cloudformation, request)
    outputs = _finished_outputs(cloudformation, stack_name)
    if changed:
        _put_gateway_responses(emulator_client(endpoint_url, "apigateway"), outputs["RestAPIId"], stage, folder)
    return outputs


def release(packaged: str, parameters: Mapping[str, str]) -> str:
    """Return the release that `parameters` make of a packaged one: the same if and only if nothing has changed."""
    return hashlib.sha256(f"{packaged} {sorted(parameters.items())}".encode()).hexdigest()[: len(packaged)]


def api_address(endpoint_url: str, stage: str, outputs: Mapping[str, str]) -> str:
    """Return the address under which the emulator serves the stack's API, without a slash at the end."""
    return f"{endpoint_url}/_aws/execute-api/{outputs['RestAPIId']}/{stage}"


def parsed(template: Path) -> Mapping[str, Any]:
    """Return a template's content, which is parsed once for each text: that takes half a second."""
    content: Mapping[str, Any] = _parsed(template.read_text())
    return content


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    from infra.packaging.yaml_text import yaml_parse  # noqa: PLC0415 - no command needs it

    return yaml_parse(text)


def public_api_address(endpoint_url: str, outputs: Mapping[str, str]) -> str:
    """Return where the emulator serves the stack's HTTP API, without a slash at the end; empty where there is none."""
    return f"{endpoint_url}/_aws/execute-api/{outputs['PublicApiId']}/$default" if "PublicApiId" in outputs else ""


@cache
def emulator_session(region: str = REGION) -> boto3.Session:
    """Return a session whose clients never reach a real account: one per region, so descriptions are read once."""
    core = get_session()
    core.register_component("data_loader", _Loader())
    return boto3.Session(
        botocore_session=core, aws_access_key_id=MADE_UP, aws_secret_access_key=MADE_UP, region_name=region
    )


def emulator_client(endpoint_url: str | None, service: str, **settings: Any) -> Any:
    """Return a client of the emulator, which is never behind a proxy; `settings` are those of botocore's Config."""
    config = Config(**{"retries": {"total_max_attempts": 3}, "proxies": {}, **settings})
    # Clients may be used by any thread, but a session can make only one at a time.
    with _making:
        return emulator_session().client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]


def _upload(s3: "S3Client", folder: Path, parameters: Mapping[str, str]) -> str:
    """Upload code and template under names made of their content; return the template's key.

    A new name for new code is what makes CloudFormation see that a function has changed. A new release is what makes
    SAM publish its next version; the emulator shows SAM the defaults of parameters and never their values. The
    template goes as JSON: the emulator takes more than a second to read it as YAML.
    """
    code = (folder / "deployment.zip").read_bytes()
    code_key = f"{hashlib.sha256(code).hexdigest()}.zip"
    content = parsed(folder / "sam.yaml")
    # A date, such as a policy's version, is a text.
    template = json.dumps(content, default=str).replace(CODE_PLACEHOLDER, f"s3://{BUCKET}/{code_key}")
    packaged = content["Parameters"].get("Release", {}).get("Default", "")
    if packaged:
        template = template.replace(packaged, release(packaged, parameters))
    template_key = f"{hashlib.sha256(template.encode()).hexdigest()}.json"
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=code_key, Body=code)
    s3.put_object(Bucket=BUCKET, Key=template_key, Body=template.encode())
    return template_key


def _create_or_update(cloudformation: "CloudFormationClient", request: Mapping[str, Any]) -> bool:
    """Ask for the stack as `request` describes it; return whether there is anything to do."""
    stack = described(cloudformation, request["StackName"])
    try:
        if stack is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return False
        raise DeploymentFailedError(str(error)) from error
    return True


def _finished_outputs(cloudformation: "CloudFormationClient", stack_name: str) -> dict[str, str]:
    """Wait until nothing of the stack is in progress, and return its outputs when that went well."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        stack = described(cloudformation, stack_name)
        if stack is None or "FAILED" in stack["StackStatus"] or "ROLLBACK" in stack["StackStatus"]:
            raise DeploymentFailedError(failures(cloudformation, stack_name))
        if stack["StackStatus"].endswith("_COMPLETE"):
            return outputs_of(stack)
        time.sleep(POLL_SECONDS)
    raise DeploymentFailedError(f"the stack {stack_name} is still in progress after {WAIT_SECONDS:.0f} s")


def _put_gateway_responses(gateway: Any, api_id: str, stage: str, folder: Path) -> None:
    """Give the emulator's gateway the problem bodies of the template.

    AWS takes them from the API's definition; ministack 1.5.33 knows them, but only by this call, and without a time.
    """
    definition = parsed(folder / "sam.yaml")["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for response_type, response in definition.get(GATEWAY_RESPONSES, {}).items():
        templates = {kind: without_time(text) for kind, text in response["responseTemplates"].items()}
        known = {**response, "responseTemplates": templates}
        gateway.put_gateway_response(restApiId=api_id, responseType=response_type, **known)
    gateway.create_deployment(restApiId=api_id, stageName=stage)


def without_time(text: str) -> str:
    """Return a problem's template without the time that it names."""
    problem = json.loads(text)
    problem["meta"].pop("timestamp", None)
    return json.dumps(problem)


def failures(cloudformation: "CloudFormationClient", stack_name: str) -> str:
    """Return one line for each of the first resources that failed in the stack's last change, oldest first.

    What was cancelled for another's failure is left out.
    """
    failed = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in _last_change(cloudformation, stack_name)
        if event["ResourceStatus"].endswith("FAILED") and not event.get("ResourceStatusReason", "").endswith(CANCELLED)
    ]
    return "\n".join([f"the stack {stack_name} did not come up", *failed[::-1][:EVENTS_SHOWN]])


def _last_change(cloudformation: "CloudFormationClient", stack_name: str) -> "Iterator[StackEventTypeDef]":
    """Yield the events of the stack's last change, newest first: AWS keeps those of 90 days, a page at a time."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_name):
        for event in page["StackEvents"]:
            yield event
            if event.get("ResourceType") == STACK and event["ResourceStatus"] in BEGINNINGS:
                return

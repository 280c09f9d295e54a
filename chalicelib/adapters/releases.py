"""Calls new versions of the functions before any other caller, and reports the result to CodeDeploy."""

import base64
import binascii
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.ids import MerchantId
from chalicelib.usecases.smoke_test import Ingested, VersionFailedError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

STALE = "stale"
_ROUTE = "/api/v1/credits/plugin-status/{merchant_id}"
_OK = 200


class LambdaVersions:
    """Calls new versions as API Gateway, admins and the inbox do. `api`, `adjust` and `ingest` are their ARNs."""

    def __init__(self, client: "LambdaClient", *, api: str, adjust: str, ingest: str) -> None:
        self._client = client
        self._api = api
        self._adjust = adjust
        self._ingest = ingest

    def reason(self, merchant_id: MerchantId) -> str:
        """Return the reason that the API gives for a merchant's status, `stale` where it could not read the table."""
        answer, _ = self._invoke(self._api, _request(merchant_id))
        if answer.get("statusCode") != _OK:
            raise VersionFailedError(f"the API answered {answer.get('statusCode')}")
        try:
            status = json.loads(answer["body"])["data"]
            return STALE if status["stale"] else str(status["reason"])
        except (KeyError, TypeError, ValueError) as error:
            raise VersionFailedError("the API's answer has no status") from error

    def refusal(self, merchant_id: MerchantId, credits_less: int) -> str | None:
        """Return the code with which a decrease is declined, None where it was made."""
        asked = {
            "merchant_id": merchant_id,
            "operation_type": "DECREASE",
            "credits": credits_less,
            "reason": "smoke test of a release",
            "admin_id": "release",
            "adjustment_id": "release",
        }
        answer, _ = self._invoke(self._adjust, asked)
        refused = answer.get("error")
        return str(refused.get("code")) if isinstance(refused, dict) else None

    def ingest(self, bodies: Sequence[str]) -> Ingested:
        """Return the result of messages with these bodies; the log has the last 4 KB of the call."""
        answer, log = self._invoke(self._ingest, {"Records": [_record(body) for body in bodies]})
        failed = answer.get("batchItemFailures")
        if not isinstance(failed, list):
            raise VersionFailedError("the answer does not say which messages return")
        lines = list(_lines(log))
        counted = [line.get("duplicates") for line in lines if line.get("message") == "ingested"]
        return Ingested(
            coming_back=len(failed),
            duplicates=counted[-1] if counted else None,
            parked=any(line.get("message") == "parked" for line in lines),
        )

    def _invoke(self, version: str, event: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        try:
            answered = self._client.invoke(FunctionName=version, LogType="Tail", Payload=json.dumps(event).encode())
            answer = json.loads(answered["Payload"].read())
        except (ClientError, BotoCoreError, ValueError) as error:
            raise VersionFailedError(f"it could not be called: {error}") from error
        if "FunctionError" in answered:
            raise VersionFailedError(f"it failed: {answered['FunctionError']}")
        if not isinstance(answer, dict):
            raise VersionFailedError("its answer is not an object")
        return answer, answered.get("LogResult", "")


class CodeDeploy:
    """Reports to CodeDeploy whether a deployment may go on."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def report(self, deployment_id: str, execution_id: str, *, passed: bool) -> None:
        """Report the result of a deployment's hook; the deployment waits for it.

        Raises:
            ClientError, BotoCoreError: CodeDeploy did not accept it.
        """
        self._client.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment_id,
            lifecycleEventHookExecutionId=execution_id,
            status="Succeeded" if passed else "Failed",
        )


def _request(merchant_id: MerchantId) -> dict[str, Any]:
    path = _ROUTE.format(merchant_id=merchant_id)
    return {
        "resource": _ROUTE,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"merchant_id": merchant_id},
        "stageVariables": None,
        "requestContext": {"requestId": str(uuid4()), "resourcePath": _ROUTE, "httpMethod": "GET", "path": path},
        "body": None,
        "isBase64Encoded": False,
    }


def _record(body: str) -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "none: this message is in no queue",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(time.time_ns() // 1_000_000)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "",
    }


def _lines(log: str) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of a log in base64 that are JSON objects; its first line may be cut."""
    try:
        text = base64.b64decode(log).decode(errors="replace")
    except binascii.Error:
        return
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found

"""Payload format 1.0 for the emulator's HTTP APIs, as AWS documents it; ministack 1.5.33 always sends 2.0."""

from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

from ministack.services import apigateway

_OLD_FORMAT: ContextVar[bool] = ContextVar("old_format", default=False)
_invoke_by_http_api, _run = apigateway._invoke_lambda_proxy, apigateway.run_reentrant  # noqa: SLF001 - no other place


def install() -> None:
    """Let HTTP APIs whose integration asks for payload format 1.0 send it."""
    apigateway._invoke_lambda_proxy = invoke_by_http_api  # noqa: SLF001 - the emulator offers no other place
    apigateway.run_reentrant = run


async def invoke_by_http_api(integration: dict[str, Any], *arguments: Any, **scope: Any) -> Any:
    """Return the function's answer, asked in the payload format of the integration."""
    token = _OLD_FORMAT.set(integration.get("payloadFormatVersion") == "1.0")
    try:
        return await _invoke_by_http_api(integration, *arguments, **scope)
    finally:
        _OLD_FORMAT.reset(token)


async def run(execute: Any, record: Any, event: dict[str, Any], **options: Any) -> Any:
    """Run a function for an HTTP API, with its event in the format that `invoke_by_http_api` has found."""
    return await _run(execute, record, in_format_1(event) if _OLD_FORMAT.get() else event, **options)


def in_format_1(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event of payload format 2.0 in format 1.0 (API Gateway's guide, "AWS Lambda proxy integrations")."""
    context, http = event["requestContext"], event["requestContext"]["http"]
    resource = event["routeKey"].partition(" ")[2]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(event["rawQueryString"], keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return {
        "version": "1.0",
        "resource": resource,
        "path": event["rawPath"],
        "httpMethod": http["method"],
        "headers": event["headers"],
        "multiValueHeaders": {name: [value] for name, value in event["headers"].items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": context["accountId"],
            "apiId": context["apiId"],
            # As AWS sends it, also where a route has no authorizer.
            "authorizer": {"claims": None, "scopes": None},
            "domainName": context["domainName"],
            "httpMethod": http["method"],
            "identity": {"sourceIp": http["sourceIp"], "userAgent": http["userAgent"]},
            "path": event["rawPath"],
            "protocol": http["protocol"],
            "requestId": context["requestId"],
            "requestTime": context["time"],
            "requestTimeEpoch": context["timeEpoch"],
            "resourceId": None,
            "resourcePath": resource,
            "stage": context["stage"],
        },
        "pathParameters": event["pathParameters"],
        "stageVariables": None,
        "body": event.get("body"),
        "isBase64Encoded": event["isBase64Encoded"],
    }

"""The API's front: limits, logs, and refusals that look like the functions' own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.wiring.for_api import INVOKE_CONNECT_SECONDS, INVOKE_READ_SECONDS

GATEWAY_SECONDS = 29
"""The longest that API Gateway waits for an integration (its quotas)."""
OWN_START_SECONDS = 5
Resources = dict[str, dict[str, Any]]


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


GATEWAY_STATUSES = {
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "UNAUTHORIZED": 401,
    "ACCESS_DENIED": 401,
    "WAF_FILTERED": 403,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "RESOURCE_NOT_FOUND": 404,
    "DEFAULT_4XX": 404,
    "REQUEST_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "THROTTLED": 429,
    "QUOTA_EXCEEDED": 429,
    "AUTHORIZER_FAILURE": 503,
    "AUTHORIZER_CONFIGURATION_ERROR": 503,
    "API_CONFIGURATION_ERROR": 500,
    "DEFAULT_5XX": 500,
    "INTEGRATION_FAILURE": 503,
    "INTEGRATION_TIMEOUT": 503,
}


@pytest.mark.parametrize(("response_type", "status"), GATEWAY_STATUSES.items())
def test_the_gateway_refuses_with_a_problem_that_any_page_may_read(
    resources: Resources, response_type: str, status: int
) -> None:
    response = properties(resources, "RestAPI")["DefinitionBody"]["x-amazon-apigateway-gateway-responses"][
        response_type
    ]
    headers = response["responseParameters"]
    problem = json.loads(response["responseTemplates"]["application/json"])

    assert response["statusCode"] == str(status)
    assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
    assert headers["gatewayresponse.header.Access-Control-Expose-Headers"] == (
        "'Retry-After, X-Correlation-ID, X-Request-Id'"
    )
    assert headers["gatewayresponse.header.Cache-Control"] == "'no-store'"
    assert headers["gatewayresponse.header.X-Correlation-ID"] == "method.request.header.X-Correlation-ID"
    assert headers["gatewayresponse.header.X-Request-Id"] == "context.requestId"
    assert problem["status"] == status
    assert problem["detail"] == problem["error"]["message"]
    assert {"type", "title", "instance"} < set(problem)
    assert problem["meta"] == {
        "request_id": "$context.requestId",
        "correlation_id": "$context.requestId",
        "timestamp": "$context.requestTimeEpoch",
    }


@pytest.mark.parametrize(
    ("status", "header", "value"), [(401, "WWW-Authenticate", "'Bearer'"), (429, "Retry-After", "'1'")]
)
def test_a_refusal_says_what_to_do_about_it(resources: Resources, status: int, header: str, value: str) -> None:
    definition = properties(resources, "RestAPI")["DefinitionBody"]
    for response_type, of_type in GATEWAY_STATUSES.items():
        headers = definition["x-amazon-apigateway-gateway-responses"][response_type]["responseParameters"]
        assert of_type != status or headers[f"gatewayresponse.header.{header}"] == value


def test_what_is_unavailable_may_be_asked_for_again(resources: Resources) -> None:
    responses = properties(resources, "RestAPI")["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]

    for response_type in (name for name, status in GATEWAY_STATUSES.items() if status == 503):
        assert responses[response_type]["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"


def test_the_api_answers_before_the_gateway_does_and_after_the_function_that_it_waits_for(resources: Resources) -> None:
    """A slow function is a 503 of the API's own, with its words; the gateway waits 29 seconds."""
    waits = INVOKE_CONNECT_SECONDS + INVOKE_READ_SECONDS
    for function in ("AdjustCredits", "SetThreshold"):
        assert properties(resources, function)["Timeout"] < INVOKE_READ_SECONDS
    assert waits + OWN_START_SECONDS < properties(resources, "APIHandler")["Timeout"] < GATEWAY_SECONDS


def test_the_api_is_regional_and_throttled(resources: Resources) -> None:
    api = properties(resources, "RestAPI")
    (settings,) = api["MethodSettings"]

    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Ref": "ApiRateLimit"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ApiBurstLimit"}
    assert settings["MetricsEnabled"] is True
    # It would log whole requests, tokens and bodies too.
    assert settings["LoggingLevel"] == "OFF"


def test_every_request_leaves_a_line_that_names_nobody(resources: Resources) -> None:
    access = properties(resources, "RestAPI")["AccessLogSetting"]
    line = json.loads(access["Format"])

    assert access["DestinationArn"] == {"Fn::GetAtt": ["ApiAccessLogGroup", "Arn"]}
    assert {"request_id", "route", "status", "milliseconds", "function_milliseconds", "error"} <= set(line)
    assert not {"ip", "identity", "authorizer", "principal", "userAgent"} & set(access["Format"].split())
    assert "$context.identity" not in access["Format"]
    assert "$context.authorizer" not in access["Format"]


def test_the_log_of_requests_is_kept_as_long_as_the_stage_says(resources: Resources) -> None:
    group = resources["ApiAccessLogGroup"]

    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/apigateway/${AWS::StackName}"}
    assert group["DeletionPolicy"] == group["UpdateReplacePolicy"] == "Delete"


def test_the_gateway_may_write_logs_before_the_stage_is_made_and_after_the_stack_is_gone(
    resources: Resources,
) -> None:
    for name in ("GatewayAccount", "GatewayAccountRole"):
        assert resources[name]["Condition"] == "ManagesGatewayAccount"
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"
    role = properties(resources, "GatewayAccountRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    (policy,) = role["ManagedPolicyArns"]

    assert properties(resources, "GatewayAccount") == {
        "CloudWatchRoleArn": {"Fn::GetAtt": ["GatewayAccountRole", "Arn"]}
    }
    assert (trust["Effect"], trust["Principal"], trust["Action"]) == (
        "Allow",
        {"Service": "apigateway.amazonaws.com"},
        "sts:AssumeRole",
    )
    assert policy["Fn::Sub"].endswith(":policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    assert properties(resources, "RestAPI")["Tags"]["logs"] == {
        "Fn::If": ["ManagesGatewayAccount", {"Ref": "GatewayAccount"}, "allowed elsewhere"]
    }


def test_the_gateways_metrics_carry_the_name_of_the_stack(resources: Resources) -> None:
    api = properties(resources, "RestAPI")

    assert api["Name"] == api["DefinitionBody"]["info"]["title"] == {"Ref": "AWS::StackName"}
    assert api["StageName"] == {"Ref": "Stage"}


def test_the_apis_function_runs_at_most_as_often_as_the_stage_says(resources: Resources) -> None:
    assert properties(resources, "APIHandler")["ReservedConcurrentExecutions"] == {
        "Fn::If": ["HasApiConcurrency", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]
    }


def addresses(definition: Any) -> Iterator[str]:
    """Yield the address of every function that the gateway calls."""
    if isinstance(definition, dict):
        for key, value in definition.items():
            if key in ("uri", "authorizerUri"):
                yield value["Fn::Sub"]
            else:
                yield from addresses(value)
    elif isinstance(definition, list):
        for value in definition:
            yield from addresses(value)


def test_the_gateway_calls_aliases_and_nothing_else(resources: Resources) -> None:
    called = set(addresses(properties(resources, "RestAPI")["DefinitionBody"]))
    prefix = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"

    assert called == {f"{prefix}${{{name}.Arn}}:live/invocations" for name in ("APIHandler", "Authorize")}


def test_the_gateway_may_call_those_aliases_which_are_there_before_it(resources: Resources) -> None:
    permissions = {
        name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::Lambda::Permission"
    }

    assert {name: one["FunctionName"] for name, one in permissions.items()} == {
        "APIHandlerInvokePermission": {"Ref": "APIHandler.Alias"},
        "AuthorizeInvokePermission": {"Ref": "Authorize.Alias"},
        "PublicInvokePermission": {"Ref": "APIHandler.Alias"},
    }
    assert {one["Principal"] for one in permissions.values()} == {"apigateway.amazonaws.com"}
    assert set(resources["RestAPI"]["DependsOn"]) == {"APIHandlerAliaslive", "AuthorizeAliaslive"}

"""The HTTP API beside the REST API, and the edge before it: the same function, its own limits, log and alarms."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from chalicelib.api import merchants, widget
from chalicelib.api.access import Access
from infra.interfaces.routes import ROUTES as DOCUMENTED
from infra.packaging.refusals.http_apis import ERRORS_KEPT
from infra.packaging.refusals.resolved import resources as in_effect

Resources = dict[str, dict[str, Any]]

OF_THE_API = {
    *("PublicHttpApi", "PublicIntegration", "PublicStage", "PublicInvokePermission", "PublicAccessLogGroup"),
    *("StatusRoute", "StatusByOldNameRoute", "StatusesRoute", "WidgetRoute", "WidgetWithDaysRoute"),
    *("PublicApiErrorsAlarm", "PublicApiLatencyAlarm"),
}
OF_THE_EDGE = {"EdgeDistribution", "EdgeCachePolicy"}
ROUTES = ("StatusRoute", "StatusByOldNameRoute", "StatusesRoute", "WidgetRoute", "WidgetWithDaysRoute")
TAGS = {"service": {"Ref": "ServiceName"}, "stage": {"Ref": "Stage"}}
LISTED_TAGS = [{"Key": key, "Value": value} for key, value in TAGS.items()]
API = {"Ref": "PublicHttpApi"}


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def present(template: dict[str, Any], **given: str) -> set[str]:
    found = in_effect(template, {"Stage": "dev", **given})
    return {name for name in found if name in OF_THE_API | OF_THE_EDGE | {"EdgeLimit"}}


def test_the_api_is_there_unless_a_stage_says_no_and_the_edge_only_where_one_says_yes(template: dict[str, Any]) -> None:
    assert present(template) == OF_THE_API
    assert present(template, PublicApi="false", Edge="on", EdgeRequestsPerAddress="500") == set()
    assert present(template, AlarmsOnSums="false") == OF_THE_API - {"PublicApiErrorsAlarm"}
    assert present(template, Edge="on") == OF_THE_API | OF_THE_EDGE
    assert present(template, Edge="on", EdgeRequestsPerAddress="500") == OF_THE_API | OF_THE_EDGE | {"EdgeLimit"}
    assert present(template, EdgeRequestsPerAddress="500") == OF_THE_API


def test_its_routes_are_what_anybody_asks_and_the_batch_of_the_same(resources: Resources) -> None:
    declared = [*merchants.routes.declared, *widget.routes.declared]
    asked = {
        path
        for one in declared
        for path in one.paths
        if (one.access is Access.ANYONE and "health" not in path) or path.endswith("/plugin-status/batch")
    }

    assert {properties(resources, name)["RouteKey"] for name in ROUTES} == {f"ANY {path}" for path in asked}
    for name in ROUTES:
        assert properties(resources, name)["ApiId"] == API
        assert properties(resources, name)["Target"] == {"Fn::Sub": "integrations/${PublicIntegration}"}


def test_it_calls_the_alias_of_the_api_with_the_event_of_a_rest_api(resources: Resources) -> None:
    integration = resources["PublicIntegration"]
    uri = integration["Properties"]["IntegrationUri"]["Fn::Sub"]
    permission = properties(resources, "PublicInvokePermission")

    assert integration["DependsOn"] == "APIHandlerAliaslive"
    assert integration["Properties"] | {"IntegrationUri": ""} == {
        "ApiId": API,
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": "",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 29000,
    }
    assert uri.endswith("/functions/${APIHandler.Arn}:live/invocations")
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["FunctionName"] == {"Ref": "APIHandler.Alias"}
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${PublicHttpApi}/*")


def test_it_is_named_tagged_and_leaves_the_answers_to_browsers_to_the_function(resources: Resources) -> None:
    api = properties(resources, "PublicHttpApi")

    assert (api["Name"], api["ProtocolType"]) == ({"Fn::Sub": "${AWS::StackName}-public"}, "HTTP")
    assert "CorsConfiguration" not in api
    assert api["Tags"] == properties(resources, "PublicStage")["Tags"] == TAGS


def test_it_has_limits_and_a_log_of_its_own_that_names_nobody(resources: Resources) -> None:
    stage, group = properties(resources, "PublicStage"), resources["PublicAccessLogGroup"]
    line = stage["AccessLogSettings"]["Format"]

    assert (stage["ApiId"], stage["StageName"], stage["AutoDeploy"]) == (API, "$default", True)
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "PublicRateLimit"},
        "ThrottlingBurstLimit": {"Ref": "PublicBurstLimit"},
    }
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["PublicAccessLogGroup", "Arn"]}
    assert {"request_id", "route", "status", "milliseconds", "function_milliseconds", "error"} <= set(json.loads(line))
    assert not [word for word in ("$context.identity", "$context.authorizer") if word in line]
    assert group["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/apigateway/${AWS::StackName}-public"}
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["DeletionPolicy"] == group["UpdateReplacePolicy"] == "Delete"
    assert group["Properties"]["Tags"] == LISTED_TAGS


def edge(resources: Resources) -> dict[str, Any]:
    config: dict[str, Any] = properties(resources, "EdgeDistribution")["DistributionConfig"]
    return config


def test_the_edge_asks_the_http_api_and_nobody_else(resources: Resources) -> None:
    config = edge(resources)
    (origin,) = config["Origins"]

    assert origin["DomainName"] == {"Fn::Sub": "${PublicHttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert origin["CustomOriginConfig"] == {
        "OriginProtocolPolicy": "https-only",
        "OriginSSLProtocols": ["TLSv1.2"],
        "HTTPSPort": 443,
    }
    assert (config["Enabled"], config["IPV6Enabled"], config["HttpVersion"]) == (True, True, "http2and3")
    assert (config["Comment"], config["PriceClass"]) == ({"Ref": "AWS::StackName"}, "PriceClass_100")
    for behaviour in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]):
        assert behaviour["TargetOriginId"] == origin["Id"]
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
        assert behaviour["Compress"] is True
    assert properties(resources, "EdgeDistribution")["Tags"] == LISTED_TAGS


def test_the_edge_keeps_statuses_and_the_widget_and_never_a_batch(resources: Resources) -> None:
    config = edge(resources)
    batch, *kept = config["CacheBehaviors"]

    # AWS's own policies CachingDisabled and AllViewerExceptHostHeader.
    for behaviour in (config["DefaultCacheBehavior"], batch):
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
        assert "POST" in behaviour["AllowedMethods"]
    assert batch["PathPattern"] == "/api/v1/credits/plugin-status/batch"
    assert [one["PathPattern"] for one in kept] == [
        "/api/v1/plugin-status/*",
        "/api/v1/credits/plugin-status/*",
        "/widget-*.js",
    ]
    for behaviour in kept:
        assert behaviour["CachePolicyId"] == {"Ref": "EdgeCachePolicy"}
        assert behaviour["AllowedMethods"] == ["GET", "HEAD", "OPTIONS"]
        assert "OriginRequestPolicyId" not in behaviour


def test_the_edge_keeps_an_answer_as_long_as_its_headers_say(resources: Resources) -> None:
    policy = properties(resources, "EdgeCachePolicy")["CachePolicyConfig"]

    assert policy["Name"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}-public"}
    assert (policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]) == (0, 0, 31_536_000)
    assert policy["ParametersInCacheKeyAndForwardedToOrigin"] == {
        "EnableAcceptEncodingGzip": True,
        "EnableAcceptEncodingBrotli": True,
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        # What the second widget asks for; without it here, no request behind the edge would have it.
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": ["days_left"]},
    }
    assert edge(resources)["CustomErrorResponses"] == [
        {"ErrorCode": code, "ErrorCachingMinTTL": 0} for code in ERRORS_KEPT
    ]


def test_the_edge_passes_on_every_parameter_on_which_a_kept_answer_depends(resources: Resources) -> None:
    _, *kept = edge(resources)["CacheBehaviors"]
    policy = properties(resources, "EdgeCachePolicy")["CachePolicyConfig"]
    asked = {
        one["name"]
        for route in DOCUMENTED
        for path in route.declared.paths
        if any(fnmatchcase(path, behaviour["PathPattern"]) for behaviour in kept)
        for one in route.parameters
        if one["in"] == "query"
    }

    assert asked
    assert set(policy["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"]["QueryStrings"]) == asked


def test_one_address_may_be_limited_at_the_edge(resources: Resources) -> None:
    acl, own = properties(resources, "EdgeLimit"), {"Fn::Sub": "${AWS::StackName}-edge"}
    (rule,) = acl["Rules"]

    assert edge(resources)["WebACLId"]["Fn::If"][:2] == ["HasEdgeLimit", {"Fn::GetAtt": ["EdgeLimit", "Arn"]}]
    assert edge(resources)["WebACLId"]["Fn::If"][2] == {
        "Fn::If": ["HasEdgeWebAcl", {"Ref": "EdgeWebAclArn"}, {"Ref": "AWS::NoValue"}]
    }
    assert (acl["Name"], acl["Scope"], acl["DefaultAction"]) == (own, "CLOUDFRONT", {"Allow": {}})
    assert rule["Statement"]["RateBasedStatement"] == {
        "Limit": {"Ref": "EdgeRequestsPerAddress"},
        "EvaluationWindowSec": 300,
        "AggregateKeyType": "IP",
    }
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
    for seen in (acl["VisibilityConfig"], rule["VisibilityConfig"]):
        # Samples would hold addresses.
        assert (seen["CloudWatchMetricsEnabled"], seen["SampledRequestsEnabled"]) == (True, False)
        assert seen["MetricName"]["Fn::Sub"].startswith("${AWS::StackName}-edge")
    assert acl["Tags"] == LISTED_TAGS


@pytest.mark.parametrize(("given", "used"), [("", False), ("arn:x", True)])
def test_a_web_acl_of_ones_own_may_stand_before_the_edge(template: dict[str, Any], given: str, *, used: bool) -> None:
    found = in_effect(template, {"Stage": "dev", "Edge": "on", "EdgeWebAclArn": given})

    assert (found["EdgeDistribution"]["Properties"]["DistributionConfig"].get("WebACLId") == given) is used


@pytest.mark.parametrize(
    ("public", "key", "reads"), [("true", "/k", True), ("true", "", False), ("false", "/k", False)]
)
def test_the_function_reads_the_key_of_tokens_only_where_it_checks_them(
    template: dict[str, Any], public: str, key: str, *, reads: bool
) -> None:
    found = in_effect(template, {"Stage": "dev", "PublicApi": public, "JwtKeyParameter": key})
    (policy,) = found["ApiHandlerRole"]["Properties"]["Policies"]

    assert ("TokenKeyParameter" in json.dumps(policy)) is reads


def test_the_outputs_name_both_addresses(template: dict[str, Any]) -> None:
    outputs = template["Outputs"]

    assert outputs["PublicApiUrl"]["Condition"] == outputs["PublicApiId"]["Condition"] == "HasPublicApi"
    assert outputs["PublicApiUrl"]["Value"]["Fn::Sub"].startswith("https://${PublicHttpApi}.execute-api.")
    assert outputs["EdgeUrl"] == {
        "Condition": "HasEdge",
        "Value": {"Fn::Sub": "https://${EdgeDistribution.DomainName}"},
    }

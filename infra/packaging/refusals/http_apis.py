"""HTTP APIs that refuse, or answer otherwise than their function, and edges that keep what they should not."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from infra.packaging.refusals.resolved import Resources, named, of_type

API, ROUTE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route"
INTEGRATION, PERMISSION = "AWS::ApiGatewayV2::Integration", "AWS::Lambda::Permission"
DISTRIBUTION, CACHE_POLICY = "AWS::CloudFront::Distribution", "AWS::CloudFront::CachePolicy"
FORMATS = ("1.0", "2.0")
TIMEOUT_MILLISECONDS = range(50, 30_001)
REQUESTS = range(10, 2_000_000_001)
ERRORS_KEPT = (400, 403, 404, 405, 414, 500, 501, 502, 503, 504)
"""Errors that CloudFront keeps for ten seconds by default, also those that say `no-store`."""
METHODS = (("GET", "HEAD"), ("GET", "HEAD", "OPTIONS"), ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
"""The sets of methods that a behaviour can allow."""
_ROUTE_KEY = re.compile(r"(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /\S*|\$default")


def http_apis(found: Resources) -> Iterator[str]:
    """Yield HTTP APIs that may not call their function, and routes and integrations that are refused."""
    permissions = json.dumps([one["SourceArn"] for _, one in of_type(found, PERMISSION) if "SourceArn" in one])
    for name, api in of_type(found, API):
        if f"${{{name}}}" not in permissions and f'"Ref": "{name}"' not in permissions:
            yield f"{name}: it may not call its function, and would answer 500"
        if "CorsConfiguration" in api:
            yield f"{name}: with CorsConfiguration it answers OPTIONS itself and drops the function's own headers"
    for name, one in of_type(found, INTEGRATION):
        if one["IntegrationType"] == "AWS_PROXY" and one.get("PayloadFormatVersion") not in FORMATS:
            yield f"{name}: a function needs PayloadFormatVersion {' or '.join(FORMATS)}"
        if int(one.get("TimeoutInMillis", 30_000)) not in TIMEOUT_MILLISECONDS:
            yield f"{name}: TimeoutInMillis of {one['TimeoutInMillis']}, 50 to 30000 are allowed"
    keys: dict[tuple[str, str], str] = {}
    for name, route in of_type(found, ROUTE):
        key = route["RouteKey"]
        if not _ROUTE_KEY.fullmatch(key):
            yield f"{name}: {key!r} is no method with a path"
        other = keys.setdefault((named(route["ApiId"]), key), name)
        if other != name:
            yield f"{name}: {other} has the key {key!r} already"


def edges(found: Resources) -> Iterator[str]:
    """Yield distributions and policies that are refused, or that keep answers against what these say."""
    for name, policy in of_type(found, CACHE_POLICY):
        times = [int(policy["CachePolicyConfig"][one]) for one in ("MinTTL", "DefaultTTL", "MaxTTL")]
        if times != sorted(times):
            yield f"{name}: MinTTL, DefaultTTL and MaxTTL must not fall: {times}"
        if times[0] or times[1]:
            yield f"{name}: it keeps answers that say `no-store`, or nothing"
    for name, distribution in of_type(found, DISTRIBUTION):
        yield from _distribution(name, distribution["DistributionConfig"])
    for name, acl in of_type(found, "AWS::WAFv2::WebACL"):
        for rule in acl["Rules"]:
            limit = int(rule["Statement"].get("RateBasedStatement", {}).get("Limit", REQUESTS[0]))
            if limit not in REQUESTS:
                yield f"{name}: {rule['Name']} has a limit of {limit}, {REQUESTS[0]} to {REQUESTS[-1]} are allowed"


def _distribution(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    before: list[str] = []
    for behaviour in (*config.get("CacheBehaviors", []), {**config["DefaultCacheBehavior"], "PathPattern": ""}):
        pattern = behaviour["PathPattern"]
        if tuple(sorted(behaviour.get("AllowedMethods", METHODS[0]))) not in METHODS:
            yield f"{name}: {pattern or 'the default'} allows a set of methods that CloudFront does not know"
        if pattern and (wider := [one for one in before if fnmatchcase(pattern, one)]):
            yield f"{name}: {pattern} is never reached, {wider[0]} fits before"
        before.append(pattern)
    quick = {int(one["ErrorCode"]) for one in config.get("CustomErrorResponses", []) if one["ErrorCachingMinTTL"] == 0}
    if kept := [str(code) for code in ERRORS_KEPT if code not in quick]:
        yield f"{name}: it keeps errors for ten seconds: {', '.join(kept)}"

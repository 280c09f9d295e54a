"""Decides which files of the installed dependencies ship, and which parts. Anything more makes a cold start longer.

Measured on 2026-11-21: a zip of 30.1 MB before, 15.5 of them botocore's descriptions of services that are never called
here. On 2026-11-25: without the documentation in those descriptions, which is not used at run time, and without other
services' addresses, the first client is made in half the time.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

DEVELOPMENT_PACKAGES = frozenset(
    {
        "_distutils_hack",
        "_yaml",
        "bin",
        "blessed",
        "cffi",
        "click",
        "editor",
        "inquirer",
        "jinxed",
        "packaging",
        "pip",
        "pycparser",
        "readchar",
        "runs",
        "setuptools",
        "wcwidth",
        "wheel",
        "xmod",
        "yaml",
    }
)
"""Dependencies of Chalice's command line, which a function never imports; the handlers' import test proves that."""

CHALICE = "chalice"
"""Chalice puts its own run-time modules, two files, beside the application."""

ENDPOINTS = frozenset(
    {"codedeploy", "dynamodb", "events", "lambda", "monitoring", "s3", "secretsmanager", "sqs", "ssm", "sts"}
)
"""botocore's names of these services in its list of addresses, and of the service that issues credentials."""

CALLED_SERVICES = frozenset(
    {"cloudwatch", "codedeploy", "dynamodb", "events", "lambda", "s3", "secretsmanager", "sqs", "ssm"}
)
"""The services whose descriptions botocore must keep: those that a function calls."""

CALLED_OPERATIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "dynamodb": frozenset(
            {
                *("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "TransactWriteItems"),
                "UpdateItem",
            }
        ),
        "lambda": frozenset({"Invoke"}),
    }
)
"""The operations that functions call of services with many: a client reads and builds those that are described."""

BOTOCORE_DATA = PurePosixPath("botocore/data")
UNUSED_FOLDERS = (
    PurePosixPath("aws_lambda_powertools/event_handler"),
    PurePosixPath("aws_lambda_powertools/middleware_factory"),
    *(
        PurePosixPath("aws_lambda_powertools/utilities") / name
        for name in (
            "auth_alpha",
            "batch",
            "circuit_breaker",
            "data_classes",
            "data_masking",
            "feature_flags",
            "idempotency",
            "kafka",
            "metadata",
            "parameters",
            "parser",
            "streaming",
            "validation",
        )
    ),
    # Functions make botocore's clients (decision 0021); Powertools' parameters alone would need these.
    PurePosixPath("boto3"),
    PurePosixPath("s3transfer"),
    # Databases on top of Redis, and clients that choose among servers: nothing imports them by default.
    *(PurePosixPath("redis/commands") / name for name in ("bf", "json", "search", "timeseries", "vectorset")),
    *(PurePosixPath("redis") / name for name in ("asyncio/http", "asyncio/multidb", "http", "multidb")),
)
UNUSED_FOLDER_NAMES = frozenset({"__pycache__", "tests"})
UNUSED_SUFFIXES = frozenset({".dist-info", ".pth", ".pyc", ".pyi"})


def ships(path: PurePosixPath) -> bool:
    """Return whether the file at `path`, relative to where the dependencies are installed, is needed."""
    top = path.parts[0]
    if top in DEVELOPMENT_PACKAGES or top == CHALICE:
        return False
    if UNUSED_FOLDER_NAMES.intersection(path.parts):
        return False
    if PurePosixPath(top).suffix in UNUSED_SUFFIXES or path.suffix in UNUSED_SUFFIXES:
        return False
    if any(path.is_relative_to(folder) for folder in UNUSED_FOLDERS):
        return False
    return _botocore_needs(path) if path.is_relative_to(BOTOCORE_DATA) else True


def _botocore_needs(path: PurePosixPath) -> bool:
    """Return whether a file of botocore's data is shared by all services, or belongs to a service that is called."""
    below = path.relative_to(BOTOCORE_DATA).parts
    of_all_services = len(below) == 1
    return of_all_services or (below[0] in CALLED_SERVICES and not below[-1].startswith("examples-"))


def shipped(path: PurePosixPath, content: bytes) -> bytes:
    """Return the shipped content of a file: of botocore's data only the parts used at run time, else everything."""
    if path == BOTOCORE_DATA / "endpoints.json":
        listed = json.loads(content)
        for partition in listed["partitions"]:
            partition["services"] = {
                name: service for name, service in partition["services"].items() if name in ENDPOINTS
            }
        return json.dumps(listed, separators=(",", ":")).encode()
    if path.is_relative_to(BOTOCORE_DATA) and path.name == "service-2.json.gz":
        whole = json.loads(gzip.decompress(content))
        described = _without_words(whole)
        if (settings := whole.get("clientContextParams")) is not None:
            # botocore reads the words of these, S3's among them.
            described["clientContextParams"] = settings
        if (called := CALLED_OPERATIONS.get(path.relative_to(BOTOCORE_DATA).parts[0])) is not None:
            described = _of_operations(described, called)
        return gzip.compress(json.dumps(described, separators=(",", ":")).encode(), mtime=0)
    return content


def _of_operations(described: dict[str, Any], called: frozenset[str]) -> dict[str, Any]:
    """Return a service's description with these operations alone, and the shapes that they reach."""
    operations = {name: each for name, each in described["operations"].items() if name in called}
    reached: set[str] = set()
    waiting = [operations]
    while waiting:
        found = set(_shapes(waiting.pop())) & described["shapes"].keys() - reached
        reached |= found
        waiting += [described["shapes"][name] for name in found]
    shapes = {name: shape for name, shape in described["shapes"].items() if name in reached}
    return {**described, "operations": operations, "shapes": shapes}


def _shapes(described: Any) -> Iterator[str]:
    """Yield the shapes that a part of a description names."""
    if isinstance(described, dict):
        if isinstance(name := described.get("shape"), str):
            yield name
        for each in described.values():
            yield from _shapes(each)
    elif isinstance(described, list):
        for each in described:
            yield from _shapes(each)


def _without_words(described: Any) -> Any:
    if isinstance(described, list):
        return [_without_words(each) for each in described]
    if not isinstance(described, dict):
        return described
    return {
        name: _without_words(each)
        for name, each in described.items()
        # A member may have this name too: an object describes it.
        if not (name == "documentation" and isinstance(each, str))
    }

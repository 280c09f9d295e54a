"""Old versions of functions go after a good release; what the alias names, and the last ones before it, stay."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from infra.deploying.versions import prune


@dataclass
class FakeLambda:
    versions: list[str]
    live: str
    weights: dict[str, float] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def get_alias(self, **request: Any) -> dict[str, Any]:
        assert request == {"FunctionName": "ingest", "Name": "live"}
        routing = {"RoutingConfig": {"AdditionalVersionWeights": self.weights}} if self.weights else {}
        return {"FunctionVersion": self.live, **routing}

    def get_paginator(self, operation: str) -> "FakeLambda":
        assert operation == "list_versions_by_function"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        del request
        for version in self.versions:
            yield {"Versions": [{"Version": version}]}

    def delete_function(self, **request: Any) -> None:
        self.deleted.append(request["Qualifier"])


@pytest.mark.parametrize(
    ("versions", "live", "weights", "deleted"),
    [
        (["$LATEST", "1", "2", "3", "4", "5", "6"], "6", {}, ["1", "2"]),
        (["$LATEST", "1", "2", "3", "10", "11", "12"], "12", {}, ["1", "2"]),
        (["$LATEST", "1", "2", "3"], "3", {}, []),
        (["$LATEST", "1", "2", "3", "4", "5", "6"], "5", {"6": 0.1}, ["1"]),
        (["$LATEST", "1", "2", "3", "4", "5", "6"], "6", {"5": 0.9}, ["1"]),
        (["$LATEST", "1", "2", "3", "4", "5", "6"], "2", {}, []),
        (["$LATEST", "1", "2", "3", "4", "5"], "$LATEST", {}, []),
    ],
    ids=["older ones", "by number", "few", "shifting on", "shifting back", "rolled back by hand", "no version in use"],
)
def test_only_what_is_older_than_the_last_three_before_the_one_in_use_goes(
    versions: list[str], live: str, weights: dict[str, float], deleted: list[str]
) -> None:
    fake = FakeLambda(versions, live, weights)

    assert prune(cast("Any", fake), ["ingest"]) == len(deleted)
    assert fake.deleted == deleted

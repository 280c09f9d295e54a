"""What a new container loads for its first answer, counted: whoever adds an import to a path that people wait on fails.

The times are measured by `make bench PARTS=imports`; the number of modules is the same on every machine.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from chalicelib.api import door
from infra.bench.imports import Taken, aws, first_answers, taken

HEAVY = {"pydantic", "pynamodb", "boto3", "aws_lambda_powertools", "jwt", "cryptography", "prometheus_client", "redis"}
MODULES_MAX = {"status": 209, "authorizer": 82, "ingest": 282}
"""Modules of ours and of libraries; the standard library's differ from one Python to the next."""
ALLOWED = {
    "status": {"aws_lambda_powertools"},
    "authorizer": {"jwt", "cryptography"},
    "ingest": {"aws_lambda_powertools", "pydantic"},
}
NEVER_BEFORE_A_STATUS = {
    "app",
    "chalicelib.api.admin",
    "chalicelib.domain.ledger",
    "chalicelib.domain.fold",
    "chalicelib.ports",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with aws() as served:
        yield served


@pytest.fixture(scope="module")
def loaded(code: Path, address: str) -> dict[str, Taken]:
    return {name: taken(code, first_answers()[name], address) for name in MODULES_MAX}


@pytest.mark.parametrize("name", MODULES_MAX)
def test_a_first_answer_loads_no_more_modules_than_it_needs(loaded: dict[str, Taken], name: str) -> None:
    tops = [module.partition(".")[0] for module in loaded[name].modules]

    assert len([top for top in tops if top not in sys.stdlib_module_names]) <= MODULES_MAX[name]
    assert HEAVY.intersection(tops) == ALLOWED[name]


def test_a_status_is_answered_without_the_ledger_and_the_other_routes(loaded: dict[str, Taken]) -> None:
    assert not NEVER_BEFORE_A_STATUS.intersection(loaded["status"].modules)


def test_a_route_of_somebody_else_starts_every_route_and_no_other_function(code: Path, address: str) -> None:
    modules = taken(code, first_answers()["widget, with the whole API"], address).modules

    assert {"chalicelib.api.widget", "chalicelib.api.admin"} <= set(modules)
    assert "chalicelib.handlers.ingest_events" not in modules


def test_the_door_leads_to_the_one_application() -> None:
    assert app.app is door.application

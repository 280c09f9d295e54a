"""Problem bodies: one table, no internals, the platform's members."""

import json
from http import HTTPStatus

import pytest

from chalicelib.contracts.api import problem as models
from chalicelib.contracts.api.problems import (
    STATUS,
    Problem,
    Refusal,
    bad_request,
    forbidden,
    from_error,
    internal_error,
    not_found,
    unauthorized,
)
from chalicelib.domain.errors import Code, Rejected, RetryLater

META = {"request_id": "r", "correlation_id": "c", "timestamp": "2025-06-01T12:00:00.000Z"}


def test_every_code_has_a_status_that_is_an_error() -> None:
    assert set(STATUS) == set(Refusal) | set(Code)
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize(
    "problem",
    [
        bad_request("limit", "too much"),
        forbidden("credits:read"),
        not_found("account"),
        unauthorized("no"),
        internal_error(),
        from_error(Rejected(Code.KEY_REUSED, "another content", field="credits")),
    ],
    ids=lambda problem: problem.code,
)
def test_a_body_is_what_the_document_says_a_problem_is(problem: Problem) -> None:
    body = problem.body(instance="/api/v1/x", meta=META)

    assert models.Problem.model_validate_json(json.dumps(body)).status == problem.status
    assert body["error"]["message"] == body["detail"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.KEY_REUSED, 409),
        (Code.INSUFFICIENT_CREDITS, 422),
        (Code.CREDITS_INVALID, 400),
        (Code.TOO_LARGE, 413),
        (Code.ACCOUNT_MISSING, 404),
    ],
)
def test_a_rejection_is_said_with_its_words_and_its_status(code: Code, status: int) -> None:
    problem = from_error(Rejected(code, "in so many words", field="the_field"))

    body = problem.body(instance="/", meta=META)

    assert body["status"] == status
    assert body["error"] == {
        "code": code.upper(),
        "message": "in so many words",
        "details": {"field": "the_field"},
    }


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.CONTENDED])
def test_a_store_that_does_not_answer_is_503_with_a_time_to_retry_and_no_internals(code: Code) -> None:
    problem = from_error(RetryLater(code, "table arn:aws:dynamodb:eu-west-1:1:table/credits does not answer"))

    assert problem.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert problem.headers["Retry-After"] == "1"
    assert "arn" not in json.dumps(problem.body(instance="/", meta=META))


def test_a_path_of_any_length_is_repeated_in_part() -> None:
    assert len(not_found("account").body(instance="/" + "a" * 5000, meta=META)["instance"]) == 256


def test_a_refused_token_says_which_kind_is_asked_for() -> None:
    assert unauthorized("no").headers["WWW-Authenticate"] == "Bearer"
    assert 'scope="credits:read"' in forbidden("credits:read").headers["WWW-Authenticate"]

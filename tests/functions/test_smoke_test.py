"""CodeDeploy's hook on the real functions: it passes a sound release, stops a bad one, and changes nothing."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

import app
from chalicelib.adapters.releases import CodeDeploy, LambdaVersions
from chalicelib.contracts.canary import CANARY, bodies
from chalicelib.domain.errors import Code
from chalicelib.settings import settings
from chalicelib.wiring import for_api, for_releases
from tests.support.events import Context
from tests.support.system import System, refusal

HOOK = {"DeploymentId": "d-7", "LifecycleEventHookExecutionId": "e-7"}
Call = Callable[[Any], Any]


@dataclass(slots=True)
class Lambda:
    """Calls functions here and now, and returns what they log as Lambda does; `bad` ones in place of the real ones."""

    system: System
    bad: dict[str, Call] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    log: bool = True

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["LogType"] == "Tail"
        name, _, version = request["FunctionName"].partition(":")
        assert version == "2"
        if name in self.fails:
            raise refusal("Invoke", "ResourceNotFoundException", 404)
        before = len(self.system.log.getvalue())
        event = json.loads(request["Payload"])
        try:
            answer = self.bad[name](event) if name in self.bad else getattr(app, name)(event, Context())
        except ZeroDivisionError:
            return {"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorType": "ZeroDivisionError"}')}
        # Its first line is cut, and one of Lambda's own lines follows.
        log = "t\n" + self.system.log.getvalue()[before:] + "REPORT RequestId: 8d3b Duration: 3 ms\n"
        said = {"LogResult": base64.b64encode(log.encode()).decode()} if self.log else {}
        return {"Payload": BytesIO(json.dumps(answer).encode()), **said}


@dataclass(slots=True)
class Deployments:
    """Takes reports as CodeDeploy does."""

    reports: list[tuple[str, str, str]] = field(default_factory=list)

    def put_lifecycle_event_hook_execution_status(self, **report: str) -> None:
        assert report["status"] in ("Succeeded", "Failed")
        self.reports.append((report["deploymentId"], report["lifecycleEventHookExecutionId"], report["status"]))


@pytest.fixture
def functions(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    versions = {"API_VERSION": "app:2", "ADJUST_VERSION": "adjust_credits:2", "INGEST_VERSION": "ingest_events:2"}
    system.configure(**versions)
    stand_in = Lambda(system)
    clients = LambdaVersions(stand_in, api="app:2", adjust="adjust_credits:2", ingest="ingest_events:2")  # type: ignore[arg-type]
    monkeypatch.setattr(for_releases, "versions", lambda: clients)
    yield stand_in
    for_api.plugin_statuses.cache_clear()
    settings.cache_clear()


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> Deployments:
    stand_in = Deployments()
    monkeypatch.setattr(for_releases, "codedeploy", lambda: CodeDeploy(stand_in))
    return stand_in


def tried(event: Any = HOOK) -> list[str]:
    answer = app.smoke_test(event, Context())
    assert answer["passed"] is not bool(answer["faults"])
    found: list[str] = answer["faults"]
    return found


def test_a_sound_release_may_go_on_and_nothing_has_changed(
    system: System, functions: Lambda, deployments: Deployments
) -> None:
    system.ingest(*bodies())
    before = system.everything()

    assert tried() == []
    assert deployments.reports == [("d-7", "e-7", "Succeeded")]
    assert system.everything() == before
    assert system.account(CANARY).balance == 1001
    assert not system.parked()
    assert not system.heard()
    assert functions.log


def test_the_duplicates_reach_the_condition_of_the_write(system: System, functions: Lambda) -> None:
    system.ingest(*bodies())
    system.requests.clear()

    assert tried({}) == []
    assert "TransactWriteItems" in system.requests
    assert functions.system is system


def test_before_the_canary_was_opened_nothing_is_ingested(
    system: System, functions: Lambda, deployments: Deployments
) -> None:
    del functions

    assert tried() == []
    assert deployments.reports == [("d-7", "e-7", "Succeeded")]
    assert system.everything() == [[], []]


def test_without_its_log_the_answer_alone_counts(system: System, functions: Lambda) -> None:
    system.ingest(*bodies())
    functions.log = False

    assert tried({}) == []


def failing(_: Any) -> Any:
    raise ZeroDivisionError


BAD: dict[str, tuple[str, Call, str]] = {
    "the API raises": ("app", failing, "plugin status: it failed: Unhandled"),
    "the API answers 500": ("app", lambda _: {"statusCode": 500, "body": ""}, "plugin status: the API answered 500"),
    "the API answers no status": ("app", lambda _: {"statusCode": 200, "body": "{}"}, "has no status"),
    "the API answers a list": ("app", lambda _: [], "its answer is not an object"),
    "declines fail": (
        "adjust_credits",
        lambda _: {"error": {"code": Code.INTERNAL, "message": "", "details": {}}},
        "adjust_credits: a decrease that is too large was answered with internal",
    ),
    "declines are made": ("adjust_credits", lambda _: {"id": "a"}, "answered with None"),
    "messages return": (
        "ingest_events",
        lambda event: {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event["Records"]]},
        "ingest_events: 2 of 2 duplicates would return",
    ),
    "no answer for messages": ("ingest_events", lambda _: {}, "does not say which messages return"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_version_of_any_function_stops_the_release(
    system: System, functions: Lambda, deployments: Deployments, case: str
) -> None:
    name, bad, fault = BAD[case]
    system.ingest(*bodies())
    functions.bad[name] = bad

    (said,) = tried()

    assert fault in said
    assert deployments.reports == [("d-7", "e-7", "Failed")]


def test_a_version_that_posts_again_is_found_out_although_it_answers_well(system: System, functions: Lambda) -> None:
    system.ingest(*bodies())

    def posting_twice(_: Any) -> Any:
        payment = json.loads(bodies()[1])
        payment["payload"]["payment_id"] = "another name of the same"
        system.ingest(json.dumps(payment))
        return {"batchItemFailures": []}

    functions.bad["ingest_events"] = posting_twice

    assert any("the canary account has changed" in one for one in tried({}))


def test_a_version_that_parks_duplicates_is_found_out(system: System, functions: Lambda) -> None:
    system.ingest(*bodies())
    functions.bad["ingest_events"] = lambda _: app.ingest_events(
        {"Records": [{"messageId": "1", "body": "no JSON", "attributes": {}, "eventSource": "aws:sqs"}]}, Context()
    )

    found = tried({})

    assert any("a duplicate was parked" in one for one in found)
    assert any("0 of 2 duplicates were recognized" in one for one in found)


def test_a_version_that_cannot_be_called_stops_the_release(
    system: System, functions: Lambda, deployments: Deployments
) -> None:
    system.ingest(*bodies())
    functions.fails = {"adjust_credits"}

    (said,) = tried()

    assert said.startswith("adjust_credits: it could not be called")
    assert deployments.reports == [("d-7", "e-7", "Failed")]


def test_a_failure_of_the_test_itself_is_reported_and_not_waited_out(
    system: System, functions: Lambda, deployments: Deployments
) -> None:
    del functions
    system.fail("BatchGetItem", *[refusal("BatchGetItem")] * 9)

    (said,) = tried()

    assert said.startswith("the smoke test itself failed")
    assert deployments.reports == [("d-7", "e-7", "Failed")]


def test_a_report_that_codedeploy_does_not_take_is_an_error(
    system: System, functions: Lambda, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    del system, functions, deployments

    class Refusing:
        def put_lifecycle_event_hook_execution_status(self, **_: str) -> None:
            raise refusal("PutLifecycleEventHookExecutionStatus", "InvalidDeploymentIdException", 400)

    monkeypatch.setattr(for_releases, "codedeploy", lambda: CodeDeploy(Refusing()))

    with pytest.raises(ClientError):
        tried()

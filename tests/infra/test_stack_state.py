"""A stack in a bad state is mended before it is deployed to, after a question; one that is busy is left alone."""

from collections import deque
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console

from infra.deploying import stack_state
from infra.deploying.emulator import DeploymentFailedError
from infra.deploying.stack_state import NEVER_MADE, StackBusyError, follow, mended
from tests.support.fake_account import EVENTS_A_PAGE, FakeCloudFormation

FAILED = {
    "LogicalResourceId": "CreditsArchive",
    "ResourceStatus": "CREATE_FAILED",
    "ResourceStatusReason": "no archives",
}


def event(name: str, status: str, reason: str = "", kind: str = "AWS::SQS::Queue") -> dict[str, str]:
    return {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason, "ResourceType": kind}


def of_stack(status: str, reason: str = "") -> dict[str, str]:
    return event("credits-prod", status, reason, "AWS::CloudFormation::Stack")


COMPENSATING = [event(f"Queue{number}", "DELETE_COMPLETE") for number in range(2 * EVENTS_A_PAGE)]
LAST_WEEK = [
    of_stack("UPDATE_ROLLBACK_COMPLETE"),
    event("Dashboard", "UPDATE_FAILED", "a fault of last week"),
    of_stack("UPDATE_IN_PROGRESS", "User Initiated"),
]


class SaidNoError(Exception):
    pass


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_state, "POLL_SECONDS", 0)


def mend(fake: FakeCloudFormation, *, yes: bool = True, replacing: bool = False) -> tuple[Any, list[str], str]:
    """Return the stack afterwards, the questions, and what was printed."""
    questions: list[str] = []

    def ask(question: str) -> None:
        questions.append(question)
        if not yes:
            raise SaidNoError

    screen = StringIO()
    role = {"RoleARN": "arn:role"}
    console = Console(file=screen, width=200)
    stack = mended(cast("Any", fake), "credits-prod", ask, role, console, replacing=replacing)
    return stack, questions, screen.getvalue()


@pytest.mark.parametrize("state", sorted(NEVER_MADE))
def test_what_is_left_of_a_failed_creation_is_deleted_after_a_question(state: str) -> None:
    fake = FakeCloudFormation(deque([state, "DELETE_IN_PROGRESS", None]), events=[FAILED])

    stack, questions, said = mend(fake)

    assert stack is None
    assert fake.calls == ["delete credits-prod arn:role"]
    assert [state in one and "can only be deleted" in one for one in questions] == [True]
    assert "CreditsArchive: no archives" in said


def test_what_is_left_of_a_deleted_stack_is_deleted_only_where_empty_tables_are_meant() -> None:
    states = ["DELETE_FAILED", "DELETE_IN_PROGRESS", None]
    untouched = FakeCloudFormation(deque(states), events=[FAILED])

    with pytest.raises(DeploymentFailedError, match=r"deletion failed.*REPLACE_DATA=1") as refused:
        mend(untouched)
    assert "CreditsArchive: no archives" in str(refused.value)
    assert untouched.calls == []

    deleted = FakeCloudFormation(deque(states), events=[FAILED])
    assert mend(deleted, replacing=True)[:1] == (None,)
    assert deleted.calls == ["delete credits-prod arn:role"]


def test_an_update_that_could_not_go_back_is_taken_back_further_after_a_question() -> None:
    states = ["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    fake = FakeCloudFormation(deque(states), events=[FAILED])

    stack, questions, _ = mend(fake)

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert fake.calls == ["continue credits-prod arn:role"]
    assert len(questions) == 1


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_whoever_says_no_finds_everything_as_it_was(state: str) -> None:
    fake = FakeCloudFormation(deque([state]))

    with pytest.raises(SaidNoError):
        mend(fake, yes=False)
    assert fake.calls == []


def test_going_back_that_fails_again_names_what_does_not_yield() -> None:
    fake = FakeCloudFormation(deque(["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"]), events=[FAILED])

    with pytest.raises(DeploymentFailedError, match="CreditsArchive: no archives"):
        mend(fake)


def test_the_failures_of_the_last_change_are_named_however_many_events_follow_and_none_of_an_earlier_one() -> None:
    events = [
        of_stack("UPDATE_ROLLBACK_COMPLETE"),
        *COMPENSATING,
        of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update"),
        event("OutboxQueue", "UPDATE_FAILED", "Resource update cancelled"),
        event("InboxQueue", "UPDATE_FAILED", "no such timeout"),
        of_stack("UPDATE_IN_PROGRESS", "User Initiated"),
        *LAST_WEEK,
    ]
    fake = FakeCloudFormation(deque(["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]), events=events)

    with pytest.raises(DeploymentFailedError) as failed:
        follow(cast("Any", fake), "credits-prod", Console(file=StringIO()), "Deploying")

    assert str(failed.value).splitlines()[1:] == ["InboxQueue: no such timeout"]


@pytest.mark.parametrize("state", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"])
def test_a_stack_in_order_is_left_as_it_is(state: str) -> None:
    stack, questions, _ = mend(FakeCloudFormation(deque([state])))

    assert (stack["StackStatus"], questions) == (state, [])


@pytest.mark.parametrize("state", ["REVIEW_IN_PROGRESS", None])
def test_a_stack_that_was_only_proposed_is_none(state: str | None) -> None:
    assert mend(FakeCloudFormation(deque([state])))[0] is None


def test_nobody_deploys_into_a_deployment() -> None:
    with pytest.raises(StackBusyError, match="UPDATE_IN_PROGRESS"):
        mend(FakeCloudFormation(deque(["UPDATE_IN_PROGRESS"])))


def test_a_change_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_state, "WAIT_SECONDS", 0.01)
    fake = FakeCloudFormation(deque(["UPDATE_IN_PROGRESS"]))

    with pytest.raises(DeploymentFailedError, match="still in progress"):
        follow(cast("Any", fake), "credits-prod", Console(file=StringIO()), "Deploying")

"""An AWS account in memory, as far as a deployment reads it: canned answers, and a stack with states."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

Answer = Mapping[str, Any] | Sequence[Mapping[str, Any]] | ClientError
"""One answer, or several pages for whoever asks for all of them; others get the first."""


def refused(code: str, text: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, "Any")


@dataclass
class FakeAccount:
    """Returns the entry of `answers` for each `service.operation`, and records the requests."""

    answers: dict[str, Answer]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return _Client(self, service)


@dataclass
class _Client:
    account: FakeAccount
    service: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._pages(operation, request)[0]

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: self._pages(operation, request))

    def get_waiter(self, name: str) -> Any:
        return SimpleNamespace(wait=lambda **request: self._pages(name, request))

    def _pages(self, operation: str, request: dict[str, Any]) -> Sequence[Any]:
        name = f"{self.service}.{operation}"
        self.account.asked.append((name, request))
        answer = self.account.answers[name]
        if isinstance(answer, ClientError):
            raise answer
        return [answer] if isinstance(answer, Mapping) else answer


EVENTS_A_PAGE = 3
"""AWS gives about a hundred, fewer than one deployment has."""


@dataclass
class FakeCloudFormation:
    """A stack that is in each of `states` once, and remains in the last; None means that it does not exist.

    Its `events` are the newest first.
    """

    states: deque[str | None]
    calls: list[str] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        state = self.states.popleft() if len(self.states) > 1 else self.states[0]
        if state is None:
            raise refused("ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": [{"StackStatus": state, "StackId": f"arn:{StackName}", "StackName": StackName}]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_stack_events"
        pages = [self.events[start : start + EVENTS_A_PAGE] for start in range(0, len(self.events), EVENTS_A_PAGE)]
        return SimpleNamespace(paginate=lambda **_: ({"StackEvents": page} for page in pages))

    def delete_stack(self, **request: Any) -> None:
        self.calls.append(f"delete {request['StackName']} {request.get('RoleARN', '')}".strip())

    def continue_update_rollback(self, **request: Any) -> None:
        self.calls.append(f"continue {request['StackName']} {request.get('RoleARN', '')}".strip())

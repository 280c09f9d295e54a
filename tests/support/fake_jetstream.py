"""JetStream's API in memory: streams with sequences and times, consumers, and refusals on demand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CREATED: Final = "2026-01-01T00:00:00Z"
NOT_FOUND: Final = {"error": {"code": 404, "description": "not found"}}


@dataclass(kw_only=True)
class FakeJetStream:
    """The API that `infra.bridge.looks` uses. `refuse` maps the beginning of a call to its failure: a text, or an
    exception.

    `states` and `consumers` are JetStream's reports on streams and on our consumer; tests change both.
    """

    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    consumers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: Mapping[str, str | Exception] = field(default_factory=dict)
    stored: dict[str, tuple[int, str]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    created: dict[str, str] = field(default_factory=dict)

    @classmethod
    def with_streams(cls, **subjects: list[str]) -> "FakeJetStream":
        """Return a server whose streams have these subjects."""
        return cls(streams={name: {"name": name, "subjects": list(bound)} for name, bound in subjects.items()})

    async def __call__(self, subject: str, payload: bytes, _: float, /) -> bytes:
        """Return the answer to one call."""
        call = subject.removeprefix("$JS.API.")
        for part, reason in self.refuse.items():
            if f"{call}.".startswith(f"{part}."):
                if isinstance(reason, Exception):
                    raise reason
                return json.dumps({"error": {"code": 400, "description": reason}}).encode()
        return json.dumps(self._answer(call, json.loads(payload or b"{}"))).encode()

    def _answer(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        name = call.split(".")[2] if call.count(".") > 1 else ""
        if call == "STREAM.LIST":
            page = list(self.streams)[body["offset"] :][:2]
            return {"total": len(self.streams), "streams": [self._described(one) for one in page]}
        if call.startswith(("STREAM.CREATE", "STREAM.UPDATE")):
            self.changes.append(call)
            self.streams[name] = body
            return self._described(name)
        if call.startswith("CONSUMER.DURABLE.CREATE"):
            self.changes.append(call)
            stream = call.split(".")[3]
            self.consumers[stream] = {**self.consumers.get(stream, {}), "config": body["config"]}
            return self.consumers[stream]
        if call.startswith("CONSUMER.INFO"):
            return self.consumers.get(name, NOT_FOUND)
        assert call.startswith("STREAM.MSG.GET"), call
        if body["next_by_subj"] not in self.stored:
            return NOT_FOUND
        sequence, time = self.stored[body["next_by_subj"]]
        return {"message": {"seq": sequence, "time": time}} if sequence >= body["seq"] else NOT_FOUND

    def _described(self, name: str) -> dict[str, Any]:
        state = self.states.get(name, {"first_seq": 0, "last_seq": 0})
        return {"config": self.streams[name], "created": self.created.get(name, CREATED), "state": state}

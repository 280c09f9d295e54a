"""botocore's own clients on the engine in memory: whatever goes wrong is answered by the real thing.

So botocore's own behaviour (retries, client tokens, its retry quota, its parsing of errors) is real, not simulated. A
client's requests go to the handler set with `answering`; nothing ever leaves the process. A request that succeeds at
once is answered without HTTP's text around it, which would take a third of a run's time and decides nothing; a first
attempt that fails is handed to botocore, which sees it and makes all the others.
"""

import json
import marshal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any, cast

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.handlers import generate_idempotent_uuid
from botocore.parsers import BaseJSONParser
from botocore.retries import quota

from tests.simulator.tables import AwsError

REGION = "eu-west-1"
_AT_ONCE = ("dynamodb", "sqs", "events")
"""The services whose requests have the form on the wire, but for the times of events, and whose answers have it."""
_REGAINED = 1
"""What a request without a retry gives back to botocore's quota of retries."""
Answering = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
"""From service, operation and request to the answer; raises `AwsError`, or what botocore raises without one."""

# One session reads botocore's models once.
_SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
_answering: list[Answering] = []


@contextmanager
def answering(answer: Answering) -> Iterator[None]:
    """Let `answer` answer all clients of this module."""
    _answering.append(answer)
    try:
        yield
    finally:
        _answering.pop()


class Client:
    """A botocore client of the engine that can be reset: it then forgets earlier retries."""

    def __init__(self, service: str, config: Config | None) -> None:
        made: list[Any] = []
        real = quota.RetryQuota

        def recorded(*args: Any, **kwargs: Any) -> Any:
            made.append(real(*args, **kwargs))
            return made[-1]

        # botocore does not expose the retry quota: it is captured where it is made.
        setattr(quota, "RetryQuota", recorded)  # noqa: B010 - a type, as far as mypy knows
        try:
            unsigned = Config(signature_version=UNSIGNED)
            self.client: Any = _SESSION.client(
                cast("Any", service),
                config=config.merge(unsigned) if config else unsigned,
                endpoint_url="http://aws.invalid",
            )
        finally:
            setattr(quota, "RetryQuota", real)  # noqa: B010 - the same
        # Half of a request's time goes into signing and endpoints, which nobody examines here.
        self.client._user_agent_creator.to_string = lambda: "simulator"
        self.client._ruleset_resolver = None
        self.client._endpoint.prepare_request = _prepared
        self._quotas = made
        self._service = service
        self._failed: list[AwsError | BotoCoreError] = []
        self._by_botocore = self.client._make_api_call
        if service in _AT_ONCE:
            self.client._make_api_call = self._call
        self.client.meta.events.register_first("before-send", self._answer)

    def renew(self) -> Any:
        """Return the client with a full quota of retries, as a new container has it."""
        for found in self._quotas:
            found._available_capacity = found._max_capacity
        return self.client

    def _call(self, operation: str, params: dict[str, Any]) -> Mapping[str, Any]:
        # The token of a first attempt has to be that of the others.
        generate_idempotent_uuid(params, self.client.meta.service_model.operation_model(operation))
        try:
            content = _answering[-1](self._service, operation, _copied(params))
        except (AwsError, BotoCoreError) as error:
            self._failed.append(error)
            answer: Mapping[str, Any] = self._by_botocore(operation, params)
            return answer
        for quota_of_retries in self._quotas:
            quota_of_retries.release(_REGAINED)
        return {**_copied(content), "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0}}

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        assert isinstance(request.body, bytes)
        operation = event_name.rsplit(".", 1)[-1]
        try:
            if self._failed:
                raise self._failed.pop()
            content, status = _answering[-1](self._service, operation, json.loads(request.body)), 200
        except AwsError as error:
            content, status = error.content, error.status
        headers = HTTPHeaders()
        headers["Content-Type"] = "application/x-amz-json-1.0"
        return AWSResponse(request.url, status, headers, _Raw(json.dumps(content).encode()))


def _copied(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content as it comes out of a request or an answer: nothing of it is shared."""
    try:
        # A third of JSON's time, but it knows no subclasses, such as those of texts.
        copied: dict[str, Any] = marshal.loads(marshal.dumps(cast("Any", content)))  # noqa: S302 - our own bytes
    except ValueError:
        copied = json.loads(json.dumps(content, default=_on_the_wire))
    return copied


def _on_the_wire(moment: object) -> float:
    assert isinstance(moment, datetime)
    return moment.timestamp()


def _prepared(request: Any) -> AWSPreparedRequest:
    # Headers are for the network, where nothing goes.
    return AWSPreparedRequest(request.method, request.url, request.headers, request.data, False)


def _parsed(parser: Any, shape: Any, value: Any) -> Any:
    # botocore looks for each of the ten types that an attribute may have, where a value has one.
    if shape.name == "AttributeValue":
        return {name: parser._parse_shape(shape.members[name], part) for name, part in value.items()}
    return _parsed_by_botocore(parser, shape, value)


_parsed_by_botocore: Callable[..., Any] = vars(BaseJSONParser)["_handle_structure"]
setattr(BaseJSONParser, "_handle_structure", _parsed)  # noqa: B010 - a method, as far as mypy knows


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk

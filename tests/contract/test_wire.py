"""Atomic writes sent as built: the same request as botocore's own serializer makes of them."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger
from chalicelib.domain.fold import fold
from chalicelib.domain.ledger import Commit
from tests.support.builders import NOON, SHOP, by_id, order, refund_of, trial
from tests.support.stores import client_at

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class NoBody:
    """The body of an answer that says nothing."""

    def stream(self) -> Iterator[bytes]:
        yield b"{}"


def sent(client: "DynamoDBClient", commit: Commit) -> tuple[bytes, int]:
    """Return the body of the request by which the store writes `commit`, and the length that its header says."""
    requests: list[tuple[bytes, int]] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        requests.append((cast("bytes", request.body), int(request.headers["Content-Length"])))
        return AWSResponse(request.url, 200, HTTPHeaders(), NoBody())

    client.meta.events.register_first("before-send", answer)  # type: ignore[arg-type]
    DynamoDBLedger(client, credits_table="credits", transactions_table="transactions").commit(commit)
    [request] = requests
    return request


def test_a_write_sent_as_built_is_the_request_that_botocore_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = fold(SHOP, None, [trial(), order("é")], stored={}, default_threshold=20, now=NOON).commit
    assert opening is not None
    later = fold(
        SHOP,
        opening.after,
        [order("2"), refund_of("é")],
        stored=by_id(opening.transactions),
        default_threshold=20,
        now=NOON,
    ).commit
    assert later is not None

    with closing(client_at("http://127.0.0.1:1")) as as_built:
        ours, length = sent(as_built, later)
    monkeypatch.setattr("tests.support.stores.send_as_built", lambda _client: None)
    with closing(client_at("http://127.0.0.1:1")) as serializing:
        theirs, _ = sent(serializing, later)

    own, of_botocore = json.loads(ours), json.loads(theirs)
    assert len(own.pop("ClientRequestToken")) == len(of_botocore.pop("ClientRequestToken"))
    assert own == of_botocore
    assert len(ours) < len(theirs)
    assert length == len(ours)

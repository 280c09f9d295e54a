"""The widget as the gateway gets it: small, to be kept for ever, and loadable from every shop's page."""

import gzip
from hashlib import sha256

import pytest

from tests.functions.test_http_documents import raw
from tests.support.api import Aws

PUBLISHED = {
    "/widget-1.js": "8441219499c8bacb472d1e13ce36caa2c527b73a20cab84008f01bebf1c4c704",
    "/widget-2.js": "84b29a4f0bf61e503aa8a9e2e95ede4a308fa83c7308cb788acf558a44ec675e",
}
"""What was served once stays as it is: a change is a new file with a new version, and a new line here."""


def test_a_widget_that_was_served_once_never_changes(aws: Aws) -> None:
    served = {path: sha256(raw(path)["body"].encode()).hexdigest() for path in PUBLISHED}

    assert served == PUBLISHED


@pytest.mark.parametrize("path", PUBLISHED)
def test_the_widget_is_kept_for_a_year_and_may_be_loaded_from_anywhere(aws: Aws, path: str) -> None:
    headers = raw(path, headers={"Origin": "https://shop.example"})["headers"]

    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("path", PUBLISHED)
def test_the_widget_is_under_a_kilobyte_and_reads_nothing(aws: Aws, path: str) -> None:
    body = raw(path)["body"].encode()

    assert len(gzip.compress(body)) < 1000
    assert aws.calls == []

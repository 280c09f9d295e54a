"""One running stack for all flows, and a second one whose shops pay by the item and whose patience is short."""

from collections.abc import Iterator

import pytest

from tests.support.running_stack import Stack, running_stack

# Orders wait for their account for as long as a test can take, and try again often.
PATIENCE = {"GROUND_RETRY_SECONDS_MIN": "1", "GROUND_RETRY_SECONDS_MAX": "2", "GROUND_RETRY_SECONDS_TOTAL": "240"}


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {**PATIENCE, "PLUGIN_STATUS_CACHE_TTL": "1"}
    with running_stack(tmp_path_factory.mktemp("flows"), settings) as stack:
        yield stack


# Two modules have a test for it: another start costs less than a stack that is there until the end.
@pytest.fixture(scope="module")
def by_item(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"ORDER_CREDIT_BASIS": "item", "GROUND_RETRY_SECONDS_MIN": "1", "GROUND_RETRY_SECONDS_TOTAL": "2"}
    with running_stack(tmp_path_factory.mktemp("by-item"), settings) as stack:
        yield stack

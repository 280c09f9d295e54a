"""Every implementation of the store, one after another."""

from collections.abc import Iterator

import pytest

from chalicelib.ports import LedgerStore
from tests.support import examples  # noqa: F401 - its profile of Hypothesis is what is wanted
from tests.support.engines import ministack
from tests.support.fakes import FakeLedger
from tests.support.stores import DYNAMODB_LOCAL_URL, Tables, tables_at, tables_in_process, tables_simulated

FAKE, MOTO, MINISTACK, DYNAMODB_LOCAL = "fake", "moto", "ministack", "DynamoDB Local"
SIMULATED = "the simulator's engine"
ENGINES = [
    pytest.param(SIMULATED),
    pytest.param(MOTO),
    pytest.param(MINISTACK, marks=[pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("store on ministack")]),
]
if DYNAMODB_LOCAL_URL is not None:
    ENGINES.append(pytest.param(DYNAMODB_LOCAL))


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


def _tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param in (MOTO, SIMULATED):
        with (tables_in_process if request.param == MOTO else tables_simulated)() as tables:
            yield tables
        return
    url = DYNAMODB_LOCAL_URL if request.param == DYNAMODB_LOCAL else request.getfixturevalue("ministack_url")
    assert url is not None
    with tables_at(url) as tables:
        yield tables


@pytest.fixture(params=ENGINES)
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    """New tables, on every engine of DynamoDB."""
    yield from _tables(request)


@pytest.fixture(params=[pytest.param(FAKE), *ENGINES])
def store(request: pytest.FixtureRequest) -> Iterator[LedgerStore]:
    """An empty store, of every implementation of the port."""
    if request.param == FAKE:
        yield FakeLedger()
        return
    for tables in _tables(request):
        yield tables.ledger()

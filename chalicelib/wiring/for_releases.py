"""Builds what tries a release, once a container and on first use."""

from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config

from chalicelib.adapters import sdk
from chalicelib.settings import settings
from chalicelib.usecases.smoke_test import Canary
from chalicelib.wiring import for_posting

if TYPE_CHECKING:
    from chalicelib.adapters.releases import CodeDeploy, LambdaVersions

_CLIENT = Config(
    # A version that was called twice has answered the same question twice.
    retries={"mode": "standard", "total_max_attempts": 2},
    connect_timeout=2,
    # The longest timeout of the functions that are tried is 30 s.
    read_timeout=35,
)


@cache
def versions() -> "LambdaVersions":
    """Return the new versions of the functions."""
    from chalicelib.adapters.releases import LambdaVersions

    named = settings().versions
    client = sdk.client("lambda", _CLIENT)
    return LambdaVersions(client, api=named.api, adjust=named.adjust, ingest=named.ingest)


@cache
def codedeploy() -> "CodeDeploy":
    """Return the reporter to CodeDeploy."""
    from chalicelib.adapters.releases import CodeDeploy

    return CodeDeploy(sdk.client("codedeploy", _CLIENT))


def canary() -> Canary:
    """Return the canary account as it is now."""
    from chalicelib.contracts.canary import CANARY, transaction_ids

    transactions = transaction_ids()
    known = for_posting.ledger().read([CANARY], transactions)
    account = known.account(CANARY)
    known.require(*transactions)
    return Canary(account=account, complete=account is not None and known.transactions.keys() >= set(transactions))

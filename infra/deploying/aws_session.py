"""AWS sessions whose region comes from `AWS_REGION` too, which other tools read and botocore does not."""

import os
from collections.abc import Callable, Mapping
from typing import Any, cast

import boto3


def region_of(environment: Mapping[str, str]) -> str | None:
    """Return the region that the environment names; None leaves it to the profile.

    botocore reads `AWS_DEFAULT_REGION`; AWS's command line, its other SDKs and CI set `AWS_REGION`, which wins where
    both are set, as it does for them.
    """
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def aws_session(profile: str | None = None, region: str | None = None) -> boto3.Session:
    """Return a session of the profile in `region`, or else the environment's, or else the profile's.

    Raises:
        ProfileNotFound: there is no such profile.
    """
    return boto3.Session(profile_name=profile, region_name=region or region_of(os.environ))


def clients(session: boto3.Session) -> Callable[[str], Any]:
    """Return what makes a client of a service by its name."""
    # The type of `client` has one overload a service, of which a name is none.
    return cast("Callable[[str], Any]", session.client)

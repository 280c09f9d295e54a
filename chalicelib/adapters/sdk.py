"""Clients of AWS: botocore's own, from one session a container.

boto3 would create the same clients and import a fifth more: resources, and transfers to S3.
"""

import os
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.session import Session, get_session


def client(service: str, config: Config) -> Any:
    """Return a client of a service, with the container's credentials and region."""
    return _session().create_client(service, config=config)


def client_config(*, connect_seconds: float, read_seconds: float, tries: int) -> Config:
    """Return a client's timeouts and retries, for calls that somebody waits for."""
    return Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": tries},
        parameter_validation=False,
        tcp_keepalive=True,
    )


@cache
def _session() -> Session:
    # The next client need not read the same descriptions of services again.
    session = get_session()
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        # Lambda puts a function's credentials into its environment. By default botocore also prepares to look into
        # files, processes and metadata over HTTP, which takes time.
        session.register_component("credential_provider", CredentialResolver(providers=[EnvProvider()]))
    return session

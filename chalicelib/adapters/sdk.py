"""Clients of AWS: botocore's own, from one session a container.

boto3 would make the same clients and import a fifth more: resources, and transfers to S3.
"""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session


def client(service: str, config: Config) -> Any:
    """Return a client of a service, with the container's credentials and region."""
    return _session().create_client(service, config=config)


@cache
def _session() -> Session:
    # The next client need not read the same descriptions of services again.
    return get_session()

"""`python -m infra.bridge.probe`: exit status 0 when the bridge of this container reports itself healthy, else 1.

With `--alive` it is enough that the bridge answers, whatever the state of NATS and the queues. A scheduler that
replaces dead containers should use that, since a new bridge would reach no more than this one. It needs no program that
a small image lacks, and reads the same setting as the bridge.
"""

import http.client
import os
import sys
from contextlib import closing
from http import HTTPStatus

from infra.bridge.settings import DEFAULT_HEALTH_PORT, LOOPBACK

ANSWER_SECONDS = 4


ALIVE = "--alive"


def main() -> int:
    """Query the bridge, and return the exit status."""
    wanted = {HTTPStatus.OK}
    if ALIVE in sys.argv[1:]:
        wanted.add(HTTPStatus.SERVICE_UNAVAILABLE)
    port = int(os.environ.get("BRIDGE_HEALTH_PORT") or DEFAULT_HEALTH_PORT)
    try:
        with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)) as connection:
            connection.request("GET", "/health")
            return int(connection.getresponse().status not in wanted)
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())

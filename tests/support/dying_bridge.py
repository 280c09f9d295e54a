"""`python -m tests.support.dying_bridge STEP`: the bridge kills itself with SIGKILL at the step of that name.

Nothing runs after that, so the moment is exact: no finally, no flush, no acknowledgement.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from infra.bridge import connection, inbound, streams
from infra.bridge.__main__ import main
from infra.bridge.inbound import Forwarder
from infra.bridge.outbound import Publisher
from infra.bridge.queues import SqsQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The call of `owner.name` (counted from 1) at which the bridge dies.

    It dies before that call, or `after` it has taken effect and returned something.
    """

    owner: Any
    name: str
    call: int = 1
    after: bool = False


STEPS: Mapping[str, Step] = {
    "streams half made": Step(owner=streams, name="ask", call=5),
    "streams made": Step(owner=connection, name="look", after=True),
    "batch fetched": Step(owner=JetStreamContext.PullSubscription, name="fetch", after=True),
    "queue took the batch": Step(owner=SqsQueue, name="send", after=True),
    "half acknowledged": Step(owner=Msg, name="ack", call=4),
    "all acknowledged": Step(owner=Forwarder, name="forward", after=True),
    "half parked": Step(owner=connection.Link, name="publish", call=2),
    "parked, not settled": Step(owner=inbound, name="park", after=True),
    "event received": Step(owner=SqsQueue, name="receive", after=True),
    "event published": Step(owner=SqsQueue, name="delete"),
    "event deleted": Step(owner=Publisher, name="publish", after=True),
}


def arrange(step: Step) -> None:
    """Kill the process at `step`."""
    original: Callable[..., Awaitable[Any]] = getattr(step.owner, step.name)
    calls = 0

    async def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == step.call and not step.after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = await original(*arguments, **named)
        # An empty fetch or receive does not count as the step.
        if step.after and found not in ((), []):
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(step.owner, step.name, dying)


if __name__ == "__main__":
    arrange(STEPS[sys.argv[1]])
    sys.exit(main())

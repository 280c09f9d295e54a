"""The AWS emulator, with the partner event buses that it lacks: `python -m infra.local.emulator`.

Shopify and Stripe put their events with PutPartnerEvents; on AWS they appear on the bus with their source's name.
ministack 1.5.33 takes them and drops them. From anybody else it refuses a source that begins with `aws.`, as AWS does.
"""

import sys
from typing import Any

from ministack import app
from ministack.services import eventbridge


def put_partner_events(request: dict[str, Any]) -> Any:
    """Return the answer to PutPartnerEvents, after each event went to the bus of its source's name."""
    entries = [{**entry, "EventBusName": entry["Source"]} for entry in request.get("Entries", [])]
    return eventbridge._put_events({"Entries": entries}, allow_aws_source=True)  # noqa: SLF001 - as its own emitters do


if __name__ == "__main__":
    eventbridge._put_partner_events = put_partner_events  # noqa: SLF001 - the emulator offers no other place
    sys.exit(app.main())

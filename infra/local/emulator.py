"""The AWS emulator, and what it lacks of partner event buses: `python -m infra.local.emulator`.

Shopify and Stripe put their events with PutPartnerEvents, and they come out of the bus that has their source's name.
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

"""The one region of the local stack, of packaging and of the template's checks."""

from typing import Final

REGION: Final = "us-east-1"
"""The emulator keeps its regions apart as AWS does; this is the one that clients fall back on."""

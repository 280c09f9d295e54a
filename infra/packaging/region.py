"""The one region of the local stack, of packaging and of the template's checks."""

from typing import Final

REGION: Final = "us-east-1"
"""The emulator separates regions as AWS does; this is the clients' default."""

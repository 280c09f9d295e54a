"""Every route of the API, as its document tells it (contract, section 6).

A test compares it with what is registered.
"""

from infra.interfaces.operations import Route
from infra.interfaces.routes_admin import ADMIN, MANY
from infra.interfaces.routes_operating import DESK, LINKS, PEOPLE
from infra.interfaces.routes_reading import READING
from infra.interfaces.routes_service import SERVICE, WEBHOOKS

ROUTES: tuple[Route, ...] = (*READING, *ADMIN, *MANY, *LINKS, *DESK, *PEOPLE, *WEBHOOKS, *SERVICE)

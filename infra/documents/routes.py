"""Every route of the API, as its document tells it (spec, section 6). A test compares it with what is registered."""

from infra.documents.operations import Route
from infra.documents.routes_admin import ADMIN
from infra.documents.routes_desk import DESK
from infra.documents.routes_reading import READING
from infra.documents.routes_service import SERVICE

ROUTES: tuple[Route, ...] = (*READING, *ADMIN, *DESK, *SERVICE)

"""The routes about the service itself: health, figures, and this document."""

from dataclasses import replace

from chalicelib.api.console_files import CHART, SCRIPT
from chalicelib.contracts.api.health import Health
from infra.interfaces import samples
from infra.interfaces.operations import IF_NONE_MATCH, STORE_ERRORS, TEXT, Route, Success, Tag, answered, parameter

_HEALTH = Route(
    view="health",
    tag=Tag.OPERATIONS,
    description="Nothing is read for it.",
    answers=answered("It is.", {"alive": Health(status="ok", service="credit-service", stage="prod")}),
    errors=(500,),
)

_DETAILED = Route(
    view="health_detailed",
    tag=Tag.OPERATIONS,
    description="Each table, the bridge by its heartbeat, and the shared cache if there is one, all checked now.",
    answers=answered("Their states; `degraded` if one of them fails.", {"the bridge is down": samples.health()}),
    errors=(401, 403, 500),
)

_WITHOUT_SLASH = Success(description="The page is at this address without the slash at its end.", headers=("Location",))
_KEPT = {304: Success(description="The caller holds it already.", headers=("ETag", "Cache-Control"))}
_SCRIPT = Success(description="The script.", media_type="text/javascript", schema=TEXT, headers=("Cache-Control",))

_OPENAPI = Route(
    view="openapi",
    tag=Tag.DOCUMENTS,
    description="OpenAPI 3.1, generated from the models that validate and answer. Any origin may read it.",
    parameters=(IF_NONE_MATCH,),
    answers={
        200: Success(
            description="The document.",
            schema={"type": "object", "required": ["openapi", "info", "paths"]},
            headers=("ETag", "Cache-Control"),
        ),
        **_KEPT,
    },
    errors=(500,),
)


def _page(view: str, description: str) -> Route:
    """Return the description of a page for people."""
    return Route(
        view=view,
        tag=Tag.DOCUMENTS,
        description=description,
        parameters=(IF_NONE_MATCH,),
        answers={
            200: Success(
                description="The page.",
                media_type="text/html",
                schema=TEXT,
                headers=("ETag", "Cache-Control", "Content-Security-Policy"),
            ),
            **_KEPT,
            308: _WITHOUT_SLASH,
        },
        errors=(500,),
    )


_DOCS = _page("docs", "One page that loads nothing from any other host.")

_CONSOLE = _page(
    "console",
    "One page that calls this API with its user's token, and loads nothing from other hosts.",
)

_WIDGET = Route(
    view="widget",
    tag=Tag.STATUS,
    description="A script under 1 KB for a shop's theme. It reads the plugin status with a time limit, keeps it for "
    "the session, bridges a short outage, and sets `data-credits` on the page; no cookies. Its name contains "
    "its version, and a served version never changes.",
    answers={200: _SCRIPT},
    errors=(500,),
)

_WIDGET_WITH_DAYS = replace(
    _WIDGET,
    view="widget_with_days",
    description="The same script, which also sets `data-credits-days-left` on the page: only where the page asks for "
    "it (`data-days-left`) and the setting `WIDGET_DAYS_LEFT` allows it.",
)

_CONSOLE_FILE = Route(
    view="console_file",
    tag=Tag.DOCUMENTS,
    description="To be cached for a year: a new version has a new address, which the page names.",
    parameters=(
        parameter(
            "version",
            "path",
            {**TEXT, "minLength": 1},
            "The version that the page names; under another version the file is returned too, but not to be cached.",
            example="0123456789ab",
        ),
        parameter("name", "path", {**TEXT, "enum": [SCRIPT, CHART]}, "The script's name."),
    ),
    answers={200: _SCRIPT},
    errors=(404, 500),
)

_FLEET = Route(
    view="plugin_status_metrics",
    tag=Tag.OPERATIONS,
    description="Exact: computed from every change of every account, also if changes are delivered twice.",
    answers=answered("The figures.", {"a small fleet": samples.fleet()}),
    errors=(401, 403, *STORE_ERRORS),
)

_METRICS = Route(
    view="metrics",
    tag=Tag.OPERATIONS,
    description="The fleet's figures and the counters of all containers, summed up.",
    answers={200: Success(description="Prometheus text, version 0.0.4.", media_type="text/plain", schema=TEXT)},
    errors=(401, 403, *STORE_ERRORS),
)

SERVICE = (_HEALTH, _DETAILED, _FLEET, _METRICS, _OPENAPI, _DOCS, _CONSOLE, _CONSOLE_FILE, _WIDGET, _WIDGET_WITH_DAYS)

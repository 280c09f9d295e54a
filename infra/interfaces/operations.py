"""What the API's document says of one route, and the parameters and answers that routes share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from pydantic import BaseModel, TypeAdapter

from chalicelib.api import merchants
from chalicelib.api.access import ADMIN_SCOPE, OPS_SCOPE, READ_SCOPE, Access
from chalicelib.api.door import other_modules
from chalicelib.api.requests import IDEMPOTENCY_KEY_LENGTH_MAX
from chalicelib.api.routing import Declared
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.model import Model
from chalicelib.contracts.api.pages import LIMIT_DEFAULT, LIMIT_MAX, PAGE_MAX
from chalicelib.contracts.values import REASON_LENGTH_MAX, Merchant
from chalicelib.domain.ids import ID_LENGTH_MAX
from chalicelib.domain.ledger import Account
from chalicelib.domain.orders import Direction
from infra.interfaces import samples
from infra.interfaces.story import MERCHANT
from infra.interfaces.words import TYPES

API = "/api/v1"
STORE_ERRORS = (500, 503)
LIST_ERRORS = (400, 401, 403, *STORE_ERRORS)
READ_ERRORS = (404, *LIST_ERRORS)
BODY_ERRORS = (413, 415)


class Tag(Enum):
    """The groups of routes, with what each is for."""

    STATUS = ("Plugin status", "Whether a shop's plugin is on: the route that every shop calls, cheap and cacheable.")
    ACCOUNTS = ("Accounts", "A merchant's current credits.")
    TRANSACTIONS = ("Transactions", "The history of an account: every change, recorded once, in a chain of hashes.")
    ADMIN = ("Admin", "Corrections, thresholds, and the accounts that need attention.")
    WEBHOOKS = ("Webhooks", "Webhooks in the form in which Shopify and Stripe send them.")
    OPERATIONS = ("Operations", "Health and figures of the service.")
    DOCUMENTS = ("Documents", "This document, for programs and for people.")

    def __init__(self, title: str, description: str) -> None:
        self.title = title
        self.description = description


WHO: Mapping[Access, str] = {
    Access.NOBODY: "Nobody may call it.",
    Access.ANYONE: "Anyone may call it, without a token.",
    Access.SIGNER: "For senders that sign with a secret of the service; no token is needed.",
    Access.TOKEN: "Any valid token is accepted.",
    Access.OWNER: (
        f"For the merchant's own token (claim `merchant_id`) with the scope `{READ_SCOPE}`, and for "
        f"`{ADMIN_SCOPE}`. A foreign merchant's data answers 404, as if it did not exist."
    ),
    Access.ADMIN: f"For tokens with the scope `{ADMIN_SCOPE}`.",
    Access.OPS: f"For tokens with the scope `{OPS_SCOPE}`.",
}
"""Who may call a route, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body in JSON: its model and examples by name.

    If `members` are given, the schema has only these members of the model, all required and not null, and `optional`,
    which the caller may leave out; path, key and token state the others. `name` is the schema's name, if it is not the
    model's.
    """

    model: type[BaseModel]
    name: str = ""
    members: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    examples: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """A good answer: a model in JSON with examples, or a text of another media type, or nothing.

    `texts` are the media types in which it comes as a text where `Accept` prefers one.
    """

    description: str
    model: type[BaseModel] | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)
    media_type: str = "application/json"
    schema: Mapping[str, Any] | None = None
    texts: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the document says of a route beside what the route itself declares; `view` is the name of its function."""

    view: str
    tag: Tag = Tag.ADMIN
    description: str = ""
    parameters: tuple[Mapping[str, Any], ...] = ()
    body: Body | None = None
    answers: Mapping[int, Success]
    errors: tuple[int, ...] = ()

    @property
    def declared(self) -> Declared:
        """The route as it is registered: method, paths, access and summary."""
        return _DECLARED[self.view]


_DECLARED: Mapping[str, Declared] = {
    declared.view: declared for module in (merchants, *other_modules()) for declared in module.routes.declared
}


def answered(description: str, examples: Mapping[str, Model], *, texts: tuple[str, ...] = ()) -> dict[int, Success]:
    """Return the good answer of a route about one thing: its model is that of the examples."""
    (model,) = {type(example) for example in examples.values()}
    shown = {name: samples.answer(example) for name, example in examples.items()}
    answer: type[BaseModel] = answers.Answer[model]  # type: ignore[valid-type]
    return {200: Success(description=description, model=answer, examples=shown, texts=texts)}


def listed(
    description: str, row: type[Model], example: Any, *, name: str = "one", envelope: Any = answers.Listing
) -> dict[int, Success]:
    """Return the good answer of a route that lists rows of a model, in the generic model `envelope`."""
    listing: type[BaseModel] = envelope[row]
    return {200: Success(description=description, model=listing, examples={name: example}, headers=("Link",))}


def accounts_listed(account: Account, name: str) -> dict[int, Success]:
    """Return the good answer of an admin's list of accounts, which is called so in its path."""
    page = samples.level_listing([samples.account(account)], name)
    return listed("A page of accounts.", answers.Account, page)


def whole(minimum: int, maximum: int, **more: int) -> dict[str, Any]:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def _parameter(place: str, name: str, schema: Mapping[str, Any], description: str, **more: Any) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "description": description, **required, "schema": dict(schema), **more}


query, in_path, in_header = (partial(_parameter, place) for place in ("query", "path", "header"))
"""Return a parameter with a name, a schema and a description; one in the path is always required."""


TEXT: Mapping[str, Any] = {"type": "string"}
UUID_SCHEMA = TypeAdapter(Merchant).json_schema()
MERCHANT_IN_PATH = in_path(
    "merchant_id", UUID_SCHEMA, "The merchant: a UUID, with or without hyphens, in any case.", example=MERCHANT
)
MERCHANT_IN_QUERY = query("merchant_id", UUID_SCHEMA, "The merchant: a UUID.", required=True, example=MERCHANT)
LIMIT = query("limit", whole(1, LIMIT_MAX, default=LIMIT_DEFAULT), "The most rows of a page.")
PAGE = query(
    "page",
    whole(1, PAGE_MAX, default=1),
    "The page's number. Page 10,000 costs what page 1 costs. Not together with `cursor`.",
)
CURSOR = query(
    "cursor",
    {**TEXT, "pattern": "^[A-Za-z0-9_-]*$", "maxLength": 43},
    "`next_cursor` of the page before, with the same filters: signed, so one that was made or bent is refused.",
)
DIRECTION = {**TEXT, "enum": list(Direction)}
OPERATION_TYPE = query("operation_type", DIRECTION, "Only this direction.")
TRANSACTION_TYPE = query("transaction_type", {**TEXT, "enum": TYPES}, "Only this type.")
NOTHING = {**TEXT, "maxLength": 0}
_MOMENT = {"anyOf": [{**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, NOTHING]}
START_DATE = query("start_date", _MOMENT, "Recorded at or after this time; a day means its first millisecond (UTC).")
END_DATE = query("end_date", _MOMENT, "Recorded at or before this time; a day means its last millisecond (UTC).")
AT = query(
    "at",
    _MOMENT,
    "The balance at this time instead, after the last transaction up to it; a day means its last millisecond (UTC).",
)
MONTH_IN_PATH = in_path(
    "month", {**TEXT, "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}, "The month, in UTC.", example="2026-11"
)
ACCEPT_ROWS = in_header("Accept", TEXT, "`text/csv` or `application/x-ndjson` for rows alone; else JSON.")
ACCEPT_PAGE = in_header("Accept", TEXT, "`text/html` for a page that prints; else JSON.")
REASON = query("reason", {**TEXT, "minLength": 1, "maxLength": REASON_LENGTH_MAX}, "Why; kept with the transaction.")
ORDER_ID = query(
    "order_id",
    {**TEXT, "maxLength": ID_LENGTH_MAX, "pattern": "^[ -~]*$"},
    "Only the transaction of this order, found by its key with one read. `gid://shopify/Order/5` is 5.",
)
IDEMPOTENCY_KEY = in_header(
    "Idempotency-Key",
    {**TEXT, "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "The adjustment's id, chosen by the caller: the same one for a repeat, a new one for a new adjustment.",
    required=True,
    example="adj-42",
)
IF_NONE_MATCH = in_header(
    "If-None-Match", TEXT, "The `ETag` of an answer that the caller has: 304 if it is still current."
)
CORRELATION_ID = in_header(
    "X-Correlation-ID",
    TEXT,
    "Returned in the answer and written to the logs, if it is 1 to 255 printable ASCII characters; else the request's "
    "id is.",
)
REQUEST_ID = in_header("X-Request-ID", TEXT, "The request's id, by the same rule; without it a new one is generated.")
DATES = (START_DATE, END_DATE)
FILTERS = (OPERATION_TYPE, TRANSACTION_TYPE, *DATES, ORDER_ID)
PAGES = (PAGE, LIMIT, CURSOR)

HEADERS: Mapping[str, Mapping[str, Any]] = {
    name: {"description": description, "schema": schema}
    for name, description, schema in (
        ("X-Correlation-ID", "The correlation id that `meta` names.", TEXT),
        ("X-Request-Id", "The request id that `meta` names.", TEXT),
        ("Cache-Control", "How long the answer may be cached.", TEXT),
        ("ETag", "The answer's version: sent in `If-None-Match`, the answer is 304 while nothing has changed.", TEXT),
        ("Link", "`self`, `next`, `prev`, `first` and `last` of the list (RFC 8288).", TEXT),
        ("X-Next-Cursor", "`next_cursor` of a page of rows; not there on the last one.", TEXT),
        ("Retry-After", "Seconds after which to try again.", {"type": "integer", "minimum": 0}),
        ("WWW-Authenticate", "Which token is required (RFC 6750).", TEXT),
        ("Location", "Where it is instead.", {**TEXT, "format": "uri-reference"}),
        ("Content-Security-Policy", "What the page may load: nothing else.", TEXT),
    )
}

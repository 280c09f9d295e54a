"""The routes behind lists and charts: merchants, days, and who did what."""

from chalicelib.api.people import DAYS_DEFAULT
from chalicelib.contracts.api.people import Action
from chalicelib.domain.days import DAYS_MAX
from chalicelib.domain.searching import SEARCH_LENGTH_MAX
from infra.interfaces import samples, samples_people
from infra.interfaces.operations import (
    CURSOR,
    LIMIT,
    LIST_ERRORS,
    MERCHANT_IN_PATH,
    NOTHING,
    READ_ERRORS,
    TEXT,
    UUID_SCHEMA,
    Route,
    Tag,
    accounts_listed,
    answered,
    listed,
    parameter,
    whole,
)

_DAYS = parameter("days", "query", whole(1, DAYS_MAX, default=DAYS_DEFAULT), "How many days, today included.")

_MERCHANTS = Route(
    view="merchants",
    tag=Tag.ADMIN,
    description=(
        "By cursor, from a list in the order of ids, never a scan. A new account is in it within seconds. A search "
        "finds labels first, in any case and without accents, then domains, customers and ids; each merchant once. "
        "With `status`, the accounts come from an index, in no particular order; a page may then be short, even empty, "
        "and still have a next one. `total` and `pages` are null."
    ),
    parameters=(
        LIMIT,
        CURSOR,
        parameter(
            "search",
            "query",
            {**TEXT, "maxLength": SEARCH_LENGTH_MAX},
            "Only merchants with a label, a word in it, a domain, a customer's id or an own id that begins with this "
            "text.",
        ),
        parameter(
            "status",
            "query",
            {"type": "string", "enum": ["disabled"]},
            "Only merchants whose plugin is off: without credits and in no grace, closed or frozen. Not with `search`.",
        ),
    ),
    answers=accounts_listed(samples.EMPTIED.account, "merchants"),
    errors=LIST_ERRORS,
)

_ACTIONS = Route(
    view="actions",
    tag=Tag.ADMIN,
    description=(
        "Adjustments, thresholds, levels, grace, freezes, links, and dead letters that were put back or discarded: who "
        "did it and when, newest first, by cursor. Adjustments that came as events are only in the merchant's "
        "transactions."
    ),
    parameters=(
        LIMIT,
        CURSOR,
        parameter(
            "merchant_id", "query", {"anyOf": [UUID_SCHEMA, NOTHING]}, "Only actions that concern this merchant."
        ),
    ),
    answers=listed("What admins did.", Action, samples_people.actions(), name="a threshold"),
    errors=LIST_ERRORS,
)

_ACCOUNT_DAYS = Route(
    view="account_days",
    tag=Tag.ACCOUNTS,
    description=(
        "Oldest first, in UTC; none before the account was opened. A day without a movement has the balance of the day "
        "before. `used` is what orders used, less what their edits and refunds gave back."
    ),
    parameters=(MERCHANT_IN_PATH, _DAYS),
    answers=answered("The days.", {"two days": samples_people.account_days()}),
    errors=READ_ERRORS,
)

_FLEET_DAYS = Route(
    view="fleet_days",
    tag=Tag.ADMIN,
    description=(
        "Oldest first, in UTC; none before the fleet's figures were first kept. Today's are at most a minute old while "
        "anything changes."
    ),
    parameters=(_DAYS,),
    answers=answered("The days.", {"a small fleet": samples_people.fleet_days()}),
    errors=LIST_ERRORS,
)

PEOPLE = (_MERCHANTS, _ACTIONS, _ACCOUNT_DAYS, _FLEET_DAYS)

"""Builds what the API and its authorizer read with, once a container and on first use.

Apart from `for_posting`, because the authorizer needs neither boto3 nor the ledger, and the status route neither
pydantic nor PynamoDB: each function imports what it builds (decision 0009).
"""

from functools import cache
from typing import TYPE_CHECKING

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.settings import settings

if TYPE_CHECKING:
    from chalicelib.adapters.components import Components
    from chalicelib.adapters.dead_letters import DeadLetters
    from chalicelib.adapters.dynamodb.balance_lists import BalanceLists
    from chalicelib.adapters.dynamodb.history import History
    from chalicelib.adapters.dynamodb.links import DynamoDBLinks
    from chalicelib.adapters.functions import LedgerFunctions
    from chalicelib.adapters.parameters import Parameter
    from chalicelib.adapters.queues import Queues
    from chalicelib.adapters.redis.statuses import RedisStatuses
    from chalicelib.adapters.tokens import TokenVerifier
    from chalicelib.usecases.looking_back import LookingBack
    from chalicelib.usecases.plugin_status import PluginStatuses

STATUS_CONNECT_SECONDS = 1.0
STATUS_READ_SECONDS = 1.0
STATUS_TRIES = 2
"""The plugin waits for its status: after about four seconds it gets the last known one."""

INVOKE_CONNECT_SECONDS = 1.0
INVOKE_READ_SECONDS = 16.0
"""An admin waits for a function, cold start and all, until it must have ended: after its own 15 seconds."""
WEBHOOK_SECONDS = 1.0
"""How long the inbox is waited for with a webhook, at each of two tries."""
DESK_READ_SECONDS = 8.0
"""How long the dead letters' queues are waited for, each."""


@cache
def plugin_statuses() -> "PluginStatuses":
    """Return the plugin statuses that this container knows and reads.

    Raises:
        SettingError: CREDITS_TABLE is missing, or REDIS_URL is not an address.
    """
    # It connects beside what follows.
    shared = shared_statuses()
    from chalicelib.adapters import sdk
    from chalicelib.adapters.dynamodb.status_table import DynamoDBStatusTable
    from chalicelib.usecases.plugin_status import PluginStatuses

    config = sdk.client_config(
        connect_seconds=STATUS_CONNECT_SECONDS, read_seconds=STATUS_READ_SECONDS, tries=STATUS_TRIES
    )
    return PluginStatuses(
        DynamoDBStatusTable(sdk.client("dynamodb", config), table=settings().tables.credits),
        cache_seconds=settings().plugin_status_cache_ttl,
        stale_seconds=settings().plugin_status_stale_seconds,
        shared=shared,
    )


@cache
def shared_statuses() -> "RedisStatuses | None":
    """Return the statuses that containers share, None if no Redis is set: then nothing of it is imported.

    Raises:
        SettingError: CREDITS_TABLE is missing, or REDIS_URL (or what its parameter holds) is no address.
    """
    url = _redis_url()
    if not url:
        return None
    from chalicelib.adapters.redis.connection import RedisConnection
    from chalicelib.adapters.redis.statuses import RedisStatuses

    table = settings().tables.credits
    return RedisStatuses(RedisConnection(url), prefix=table, stale_seconds=settings().plugin_status_stale_seconds)


def _redis_url() -> str:
    """Return REDIS_URL, or what the parameter or secret REDIS_URL_PARAMETER holds; empty where that cannot be read."""
    name = settings().redis_url_parameter
    if settings().redis_url or not name:
        return settings().redis_url
    from chalicelib.adapters.parameters import Parameter, ParameterError
    from chalicelib.telemetry import logger

    try:
        return Parameter(name).text()
    except ParameterError as error:
        # Statuses then come from the table, as when Redis fails.
        logger.warning("no shared statuses", reason=str(error))
        return ""


@cache
def history() -> "History":
    """Return the reader of accounts and transactions."""
    from chalicelib.adapters.dynamodb.history import History

    return History(
        credits_table=settings().tables.credits,
        transactions_table=settings().tables.transactions,
    )


def past() -> "LookingBack":
    """Return what looks back at merchants' accounts."""
    from chalicelib.usecases.looking_back import LookingBack
    from chalicelib.wiring import for_figures

    return LookingBack(history=history(), ends=for_figures.month_ends())


@cache
def balance_lists() -> "BalanceLists":
    """Return the lists of accounts at zero and of low ones."""
    from chalicelib.adapters.dynamodb.balance_lists import BalanceLists
    from chalicelib.wiring import for_figures

    return BalanceLists(credits_table=settings().tables.credits, pending=lambda: for_figures.pending().merchants())


@cache
def ledger_functions() -> "LedgerFunctions":
    """Return the functions that write to the ledger for the API."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.functions import LedgerFunctions

    config = sdk.client_config(connect_seconds=INVOKE_CONNECT_SECONDS, read_seconds=INVOKE_READ_SECONDS, tries=1)
    return LedgerFunctions(
        sdk.client("lambda", config),
        adjust=settings().functions.adjust,
        set_threshold=settings().functions.threshold,
    )


@cache
def dead_letters() -> "DeadLetters":
    """Return the parked messages of all three dead-letter queues."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.dead_letters import DeadLetters
    from chalicelib.adapters.letter_looks import DeadLetterQueue
    from chalicelib.contracts.letters import Parking

    queues, functions = settings().queues, settings().functions
    config = sdk.client_config(connect_seconds=INVOKE_CONNECT_SECONDS, read_seconds=DESK_READ_SECONDS, tries=1)
    return DeadLetters(
        sdk.client("sqs", config),
        sdk.client("lambda", config),
        queues=(
            DeadLetterQueue(parking=Parking.INBOX, queue_url=queues.dead_letters, back_to_url=queues.inbox),
            DeadLetterQueue(parking=Parking.OUTBOX, queue_url=queues.outbox_dead_letters, back_to_url=queues.outbox),
            DeadLetterQueue(parking=Parking.STREAM, queue_url=queues.stream_dead_letters, back_to_url=None),
        ),
        functions={
            "publish_threshold_events": functions.threshold_events,
            "publish_transaction_events": functions.transaction_events,
            "roll_up": functions.roll_up,
        },
    )


@cache
def components() -> "Components":
    """Return the components that the service depends on, for health checks."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.components import Components

    return Components(
        sdk.client("dynamodb", sdk.client_config(connect_seconds=1.0, read_seconds=2.0, tries=1)),
        credits_table=settings().tables.credits,
        transactions_table=settings().tables.transactions,
        figures_table=settings().tables.figures,
        links_table=settings().tables.links,
        desk_table=settings().tables.desk,
        shared=shared_statuses(),
    )


def dead_letter_urls() -> tuple[str, ...]:
    """Return the addresses of all three dead-letter queues."""
    queues = settings().queues
    return queues.dead_letters, queues.outbox_dead_letters, queues.stream_dead_letters


@cache
def queues() -> "Queues":
    """Return the queues, whose messages are to be counted."""
    from botocore.config import Config

    from chalicelib.adapters import sdk
    from chalicelib.adapters.queues import Queues

    config = Config(connect_timeout=1.0, read_timeout=2.0, retries={"total_max_attempts": 2})
    return Queues(sdk.client("sqs", config))


@cache
def links() -> "DynamoDBLinks":
    """Return the links of shops and customers."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.dynamodb.links import DynamoDBLinks

    config = sdk.client_config(connect_seconds=STATUS_CONNECT_SECONDS, read_seconds=WEBHOOK_SECONDS, tries=STATUS_TRIES)
    return DynamoDBLinks(sdk.client("dynamodb", config), table=settings().tables.links)


@cache
def webhook_queue() -> "Queues":
    """Return the queues for a webhook, whose sender waits for five seconds at most (Shopify)."""
    from chalicelib.adapters import sdk
    from chalicelib.adapters.queues import Queues

    config = sdk.client_config(connect_seconds=WEBHOOK_SECONDS, read_seconds=WEBHOOK_SECONDS, tries=2)
    return Queues(sdk.client("sqs", config))


def webhook_secrets(name: str) -> tuple[str, ...]:
    """Return the secrets of a parameter, one per line, any of which may sign; None if no parameter is named.

    Raises:
        RetryLater: they cannot be read. SettingError: a line is no secret.
    """
    from chalicelib.adapters.parameters import ParameterError, signing_secrets

    if not name:
        return ()
    try:
        return signing_secrets(_parameter(name).text(), name)
    except ParameterError as error:
        raise RetryLater(Code.UNAVAILABLE, str(error)) from error


def cursor_key() -> str | None:
    """Return the key that signs cursors, None where none is set: there are no cursors then.

    It may be several, a line each: the first signs, each of them verifies (contracts/api/cursors.py).

    Raises:
        SettingError: a key is too short to be one.
    """
    from chalicelib.adapters.parameters import cursor_keys

    name = settings().cursor_key_parameter
    return cursor_keys(_parameter(name).text()) if name else None


@cache
def token_verifier() -> "TokenVerifier | None":
    """Return the verifier of bearer tokens, None where nothing of it is set: every token is refused then.

    Raises:
        SettingError: only a part of the JWT settings is set, or they contradict each other.
    """
    jwt = settings().jwt.checked()
    if jwt is None:
        return None
    from chalicelib.adapters.key_set import KeySet
    from chalicelib.adapters.tokens import ClaimNames, ParameterKeys, TokenVerifier

    parameter = jwt.key_parameter
    return TokenVerifier(
        ParameterKeys(_parameter(parameter), jwt.algorithm) if parameter else KeySet(jwt.jwks_url, jwt.algorithm),
        algorithm=jwt.algorithm,
        issuer=jwt.issuer,
        audience=jwt.audience,
        names=ClaimNames(scope=jwt.scope_claim, merchant=jwt.merchant_claim, audience=jwt.audience_claim),
    )


@cache
def _parameter(name: str) -> "Parameter":
    from chalicelib.adapters.parameters import Parameter

    return Parameter(name)

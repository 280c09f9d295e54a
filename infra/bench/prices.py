"""What AWS charges, and what a call takes: the constants that the costs are reckoned with."""

MILLION = 1_000_000

# AWS's published prices for us-east-1 on demand, without free tiers, in dollars (aws.amazon.com/…/pricing, 2026-11).
WRITE_UNIT = 0.625 / MILLION  # dynamodb/pricing/on-demand
READ_UNIT = 0.125 / MILLION  # the same; Lambda's reads of a stream are free
STORED_GB_MONTH = 0.25 + 0.20  # the same: the table, and its point-in-time recovery
LAMBDA_CALL = 0.20 / MILLION  # lambda/pricing
LAMBDA_GB_SECOND = 0.0000166667  # the same, x86
QUEUE_REQUEST = 0.40 / MILLION  # sqs/pricing, standard queues
BUS_EVENT = 1.00 / MILLION  # eventbridge/pricing, custom events
GATEWAY_REQUEST = 3.50 / MILLION  # api-gateway/pricing, REST
HTTP_API_REQUEST = 1.00 / MILLION  # the same, HTTP APIs, the first 300 million a month
LOG_GB = 0.50  # cloudwatch/pricing
EDGE_REQUEST = 1.00 / MILLION  # cloudfront/pricing, HTTPS, without transfer
REDIS_NODE_HOUR = 0.016  # elasticache/pricing, cache.t4g.micro
HOURS_A_MONTH = 730

INGEST_GB, STREAM_GB, API_GB = 1.0, 0.5, 1.0
"""Memory of the functions (.chalice/config.json)."""
CALL_SECONDS = 0.030
"""A write or a read and all around it: some 10 ms at DynamoDB, and the CPU of `make bench`."""
READ_SECONDS = 0.015
"""A read of one item and all around it: some 5 ms at DynamoDB, and the CPU of `make bench`."""
FOLD_SECONDS = 0.100
"""A call that writes 99 orders of one merchant, or counts a hundred merchants."""
CACHED_SECONDS = 0.002
LINE_BYTES = 400
"""A call's log line; Lambda writes one of its own about a call that failed only (`SystemLogLevel`)."""
LINE = LINE_BYTES / 10**9 * LOG_GB
ACCESS_LINE_BYTES = 350
"""The gateway's own line of a request."""
POLLERS, LONG_POLL_SECONDS = 5, 20
"""Lambda's pollers of an idle queue, each with one long poll after another (SQS as an event source)."""
QUEUES_POLLED = 2
RECEIVED_AT_ONCE = 10
STATUS_ASKED_SECONDS, STATUS_KEPT_SECONDS, VISITORS = 5, 15, 5
"""A visitor sees a page every five seconds, and browsers and the edge keep an answer for fifteen: one check in three
leaves the browser. Of those of five visitors of a shop at a time, one in five passes the edge."""
BATCH = 100
FOLD = 99
WINDOW_SECONDS, COUNTED_SECONDS = 1.0, 60.0
"""How long the inbox and the stream of accounts collect (infra/template.yaml)."""


def call(gigabytes: float, seconds: float = CALL_SECONDS) -> float:
    """Return the dollars of a call, without its log line."""
    return LAMBDA_CALL + gigabytes * seconds * LAMBDA_GB_SECOND


def polls() -> float:
    """Return the dollars that Lambda's polls of idle queues cost in a month."""
    return POLLERS * QUEUES_POLLED * HOURS_A_MONTH * 3600 / LONG_POLL_SECONDS * QUEUE_REQUEST

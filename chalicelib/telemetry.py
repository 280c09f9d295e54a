"""Log lines and metrics: one line a call, and one for each message that did not simply go through.

No payload, token or name of a person is ever logged: keys, merchants, codes and counts are.
"""

import os
from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from chalicelib.settings import LOG_LEVELS

NAMESPACE = "credits"

_LEVEL = os.environ.get("LOG_LEVEL", "").strip().upper()

# A bad level is `settings`' to name, at the first call: here it would fail the import without saying why.
logger = Logger(
    service=os.environ.get("SERVICE_NAME") or "credit-service", level=_LEVEL if _LEVEL in LOG_LEVELS else "INFO"
)


def count(name: str, value: int, dimensions: Mapping[str, str] | None = None) -> None:
    """Add `value` to a counter of spec section 7, in CloudWatch by way of the log; nothing for 0."""
    if not value:
        return
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in (dimensions or {}).items():
            metric.add_dimension(name=dimension, value=text)

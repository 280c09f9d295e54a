"""Log lines and metrics: one line a call, and one for each message that did not simply go through.

No payload, token or name of a person is ever logged: keys, merchants, codes and counts are. A counter goes to
CloudWatch by way of the log, and to /metrics by way of the container's counters (`wiring_figures`).
"""

import os
from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from chalicelib.counters import Counters, Sample, name_and_labels, sample
from chalicelib.settings import LOG_LEVELS

NAMESPACE = "credits"
PROCESSING_SECONDS = "credits_transaction_processing_seconds"

_LEVEL = os.environ.get("LOG_LEVEL", "").strip().upper()

# A bad level is `settings`' to name, at the first call: here it would fail the import without saying why.
logger = Logger(
    service=os.environ.get("SERVICE_NAME") or "credit-service", level=_LEVEL if _LEVEL in LOG_LEVELS else "INFO"
)
counters = Counters()
"""What this container has counted since it started."""

_unsaid: dict[Sample, int] = {}


def count(name: str, value: int, dimensions: Mapping[str, str] | None = None) -> None:
    """Add `value` to a counter of spec section 7; nothing for 0."""
    if not value:
        return
    counters.add(sample(name, dimensions), value)
    _say(name, value, MetricUnit.Count, dimensions or {})


def count_one(key: Sample) -> None:
    """Add 1 to a counter where a log line would cost more than the call: CloudWatch hears of it in sums."""
    counters.add(key)
    _unsaid[key] = _unsaid.get(key, 0) + 1


def say_counted() -> None:
    """Tell CloudWatch what `count_one` has counted since it was told last."""
    for key, value in _unsaid.items():
        name, labels = name_and_labels(key)
        _say(name, value, MetricUnit.Count, labels)
    _unsaid.clear()


def processed(seconds: float, transactions: int) -> None:
    """Take down how long a call took to post its transactions, once for each of them."""
    if not transactions:
        return
    counters.observe(PROCESSING_SECONDS, seconds, transactions)
    _say(PROCESSING_SECONDS, seconds, MetricUnit.Seconds, {})


def gauge(name: str, value: float, dimensions: Mapping[str, str] | None = None) -> None:
    """Tell CloudWatch how much there is of something now."""
    _say(name, value, MetricUnit.NoUnit, dimensions or {})


def _say(name: str, value: float, unit: MetricUnit, dimensions: Mapping[str, str]) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)

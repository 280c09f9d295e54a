"""What this container has counted since it started: cumulative, in memory, at the price of a dict's entry.

Nothing here is answered to anybody: each container lays its counters down in the figures table, and whoever
asks gets the sum over all of them (hard-cases.md, "Figures").
"""

from collections.abc import Mapping
from typing import NewType

Sample = NewType("Sample", str)
"""A counter's name and labels, `name|label=value|…`: a key of the counters, in memory and in the table."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a duration's buckets; longer ones are in `+Inf`."""
INFINITE = "+Inf"
BUCKET, SUM, COUNT = "_bucket", "_sum", "_count"


def sample(name: str, labels: Mapping[str, str] | None = None) -> Sample:
    """Return the key of a counter; labels are words of the contract, without `|` and `=`."""
    return Sample("|".join([name, *(f"{label}={value}" for label, value in (labels or {}).items())]))


def name_and_labels(key: str) -> tuple[str, dict[str, str]]:
    """Return what `sample` made a key of."""
    name, *labels = key.split("|")
    return name, dict(label.split("=", 1) for label in labels)


class Counters:
    """Counters that only grow. While `pressing`, the table must have them before the call answers."""

    def __init__(self) -> None:
        self.pressing = False
        self._values: dict[str, float] = {}

    def add(self, key: Sample, value: float = 1) -> None:
        """Add to one counter."""
        self._values[key] = self._values.get(key, 0) + value

    def observe(self, name: str, seconds: float, times: int) -> None:
        """Add a duration, `times` over, to its bucket, its sum and its count."""
        bound = next((str(bound) for bound in SECONDS if seconds <= bound), INFINITE)
        self.add(sample(name + BUCKET, {"le": bound}), times)
        self.add(sample(name + SUM), seconds * times)
        self.add(sample(name + COUNT), times)

    def values(self) -> dict[str, float]:
        """Return all counters as they stand."""
        return dict(self._values)

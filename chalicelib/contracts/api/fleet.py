"""The answer of `GET /credits/plugin-status/metrics` (contract, section 6)."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain.figures import Figures


class FleetStatus(Model):
    """The fleet in figures. A percentage and an average are no credits: they have two decimals."""

    total_merchants: int
    enabled_count: int
    disabled_count: int
    enabled_percentage: float
    average_balance: float
    zero_balance_count: int
    low_balance_count: int

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """Return the answer's `data`; an empty fleet has 0 throughout."""
        merchants = max(figures.merchants, 1)
        return cls(
            total_merchants=figures.merchants,
            enabled_count=figures.enabled,
            disabled_count=figures.disabled,
            enabled_percentage=round(100 * figures.enabled / merchants, 2),
            average_balance=round(figures.balance / merchants, 2),
            zero_balance_count=figures.zero,
            low_balance_count=figures.low,
        )

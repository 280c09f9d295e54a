"""Credits that lapse, as the API answers them (contract, section 16)."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain.lots import Lots


class Lot(Model):
    """Credits that lapse together."""

    expires_at: str
    credits: int

    @classmethod
    def of(cls, lots: Lots) -> list[Self]:
        """Return the answer about an account's lots."""
        return [cls(expires_at=lot.expires_at, credits=lot.credits) for lot in lots]

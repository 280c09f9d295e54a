"""Credits that lapse, in answers (contract, section 16)."""

from chalicelib.contracts.api.model import Model


class Lot(Model):
    """Credits that lapse together."""

    expires_at: str
    credits: int

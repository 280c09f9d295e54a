"""What a webhook's sender is answered (contract, section 15)."""

from chalicelib.contracts.api.model import Model


class Queued(Model):
    """The inbox has confirmed the webhook: `status` is `queued`."""

    status: str

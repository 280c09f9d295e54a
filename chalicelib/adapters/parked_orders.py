"""The orders that parked inbound events name, looked for once and only if it is needed."""

from functools import cached_property

from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.contracts.order_events import orders_named


class ParkedOrders:
    """The orders of the inbox's dead letters, which are looked through for so many `seconds` at the most."""

    def __init__(self, letters: DeadLetters, *, seconds: float = float("inf")) -> None:
        self._letters = letters
        self._seconds = seconds

    def holds(self, merchant: str, order_id: str) -> bool:
        """Return whether a parked event of the merchant names this order."""
        return order_id in self._orders.get(merchant, ())

    @cached_property
    def _orders(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}

        def seen(letter: Letter) -> bool:
            if letter.merchant_id is not None:
                found.setdefault(letter.merchant_id, set()).update(orders_named(letter.body))
            return False

        self._letters.listing(wanted=1, parkings=[Parking.INBOX], matching=seen, seconds=self._seconds)
        return found

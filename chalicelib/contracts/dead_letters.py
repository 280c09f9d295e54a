"""A parked message as the API answers it (spec, section 6)."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from chalicelib.contracts.letters import ORIGIN_BRIDGE, Letter

BODY_LENGTH_MAX = 16_384
"""Characters of a body that are answered: a hundred letters have to fit into one answer."""


class DeadLetter(BaseModel):
    """A parked message: why it is there, where it came from, and what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    parking: str
    code: str
    reason: str
    field: str | None
    origin: str | None
    function: str | None
    redriven: int
    first_seen: str | None
    parked_at: str
    event_type: str | None
    merchant_id: str | None
    redrivable: bool
    body: str
    body_length: int

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """Return what is said of `letter`; of a long body the beginning."""
        return cls(
            id=letter.letter_id,
            parking=letter.parking,
            code=letter.code,
            reason=letter.reason,
            field=letter.field,
            # A stream's address names an account and a table.
            origin="stream" if (letter.origin or "").startswith("arn:") else letter.origin,
            function=letter.function,
            redriven=letter.redriven,
            first_seen=letter.first_seen,
            parked_at=letter.parked_at,
            event_type=letter.event_type,
            merchant_id=letter.merchant_id,
            # One that points to records of a stream or to a body in NATS holds nothing that could be put back.
            redrivable=letter.pointer is None and letter.origin != ORIGIN_BRIDGE,
            body=letter.body[:BODY_LENGTH_MAX],
            body_length=len(letter.body),
        )

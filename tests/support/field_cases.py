"""Cases from the field: what real senders send, and what is right of it. Each is played as steps of messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_FILE = Path(__file__).resolve().parents[1] / "functions/field_cases.json"

PENDING = frozenset(
    {
        "a payment is refunded, another disputed and won",
        "bought, spent, charged back, bought again",
        "cumulative refunds of a payment",
    }
)
"""What the service cannot do yet. One that it can must leave this list: its test says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What is right at the end of a case: the records as type and amount, the codes parked, what was ignored."""

    balance: int
    records: tuple[tuple[str, int], ...]
    parked: tuple[str, ...]
    ignored: int
    debt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case: the settings, one merchant, and steps of messages, each step after the one before has been applied."""

    name: str
    settings: Mapping[str, str]
    merchant_id: str
    steps: Sequence[Sequence[Mapping[str, Any]]]
    right: Right

    @classmethod
    def of(cls, read: Mapping[str, Any]) -> Self:
        """Return the case of an entry of the file."""
        right = read["right"]
        return cls(
            name=read["name"],
            settings=read["settings"],
            merchant_id=read["merchant_id"],
            steps=read["steps"],
            right=Right(
                balance=right["balance"],
                records=tuple((kind, amount) for kind, amount in right["records"]),
                parked=tuple(right["parked"]),
                ignored=right["ignored"],
                debt=right.get("debt"),
            ),
        )


CASES = tuple(Case.of(read) for read in json.loads(_FILE.read_text()))

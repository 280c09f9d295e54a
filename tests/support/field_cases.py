"""Cases from the field: what real senders send, and what is right of it. Each is played as steps of messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_FILE = Path(__file__).resolve().parents[1] / "functions/field_cases.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What is right at the end of a case: the transactions as type and amount, the codes parked, what was ignored."""

    balance: int
    transactions: tuple[tuple[str, int], ...]
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
                transactions=tuple((kind, amount) for kind, amount in right["records"]),
                parked=tuple(right["parked"]),
                ignored=right["ignored"],
                debt=right.get("debt"),
            ),
        )


CASES = tuple(Case.of(read) for read in json.loads(_FILE.read_text()))

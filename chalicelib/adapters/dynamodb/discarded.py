"""Discarded dead letters, each in an item of the figures table: its content, and who discarded it, when and why.

DynamoDB deletes an item when its time `expires_at` is over.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.figures import FiguresTable
from chalicelib.contracts.api.dead_letters import DeadLetter, Discarded
from chalicelib.contracts.letters import Letter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

BODY_BYTES_MAX: Final = 350_000
"""Bytes of a body, as an answer has it, that fit into an item: DynamoDB takes 400 KB."""

_DISCARDED: Final = "discarded#"


class DiscardedLetters(FiguresTable):
    """Keeps and finds discarded letters by id. Every method may raise `RetryLater`."""

    def keep(self, letter: Letter, why: Discarded, *, days: int) -> None:
        """Keep a letter unchanged for this many days, with who discarded it, when and why; a second call replaces it.

        Only a body that does not fit into an item is cut, and marked as cut.
        """
        kept = DeadLetter.of(letter, most=None, discarded=why).cut_to(BODY_BYTES_MAX)
        self.keep_item(f"{_DISCARDED}{kept.id}", {"letter": {"S": kept.model_dump_json()}, **_until(why.time, days)})

    def find(self, letter_id: str) -> DeadLetter | None:
        """Return the letter that was discarded under this id, None if there is none."""
        item = self.item(f"{_DISCARDED}{letter_id}")
        return DeadLetter.model_validate_json(item["letter"]["S"]) if "letter" in item else None

    def forget(self, letter: Letter) -> None:
        """Delete the record that a letter was discarded, if there is one."""
        key = f"{_DISCARDED}{letter.letter_id}"
        emptied = {"id": {"S": key}, **_until(letter.parked_at, days=0)}
        with transient_faults("the figures"), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(TableName=self._table, Item=emptied, ConditionExpression="attribute_exists(id)")


def _until(time: str, days: int) -> dict[str, "AttributeValueTypeDef"]:
    ends = datetime.fromisoformat(time) + timedelta(days=days)
    return {"expires_at": {"N": str(int(ends.timestamp()))}}

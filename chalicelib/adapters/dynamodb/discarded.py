"""Discarded dead letters, each in an item of the figures table: its content, and who discarded it, when and why."""

from typing import TYPE_CHECKING, Final

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.contracts.api.dead_letters import DeadLetter, Discarded
from chalicelib.contracts.letters import Letter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BODY_BYTES_MAX: Final = 350_000
"""Bytes of a body, as an answer has it, that fit into an item: DynamoDB takes 400 KB."""

_DISCARDED: Final = "discarded#"


class DiscardedLetters:
    """Keeps and finds discarded letters by id, for ever. Both may raise `RetryLater`."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, letter: Letter, why: Discarded) -> None:
        """Keep a letter as it was, with who discarded it, when and why; again under the same id replaces it.

        Only a body that no item can hold is cut, and marked so.
        """
        kept = DeadLetter.of(letter, most=None, discarded=why).cut_to(BODY_BYTES_MAX)
        item = {"id": {"S": f"{_DISCARDED}{kept.id}"}, "letter": {"S": kept.model_dump_json()}}
        with transient_faults("the figures"):
            self._client.put_item(TableName=self._table, Item=item)

    def find(self, letter_id: str) -> DeadLetter | None:
        """Return the letter that was discarded under this id, None if there is none."""
        key = {"id": {"S": f"{_DISCARDED}{letter_id}"}}
        with transient_faults("the figures"):
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return DeadLetter.model_validate_json(item["letter"]["S"]) if item else None

"""BatchGetItem on one table: a hundred keys per request; unprocessed keys are requested again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chalicelib.domain.errors import Code, RetryLater

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]

KEYS_MAX = 100
"""Keys that DynamoDB takes in one BatchGetItem."""
READ_ROUNDS_MAX = 8
"""How often the keys of a request are asked for that DynamoDB leaves unprocessed."""


def batch_read(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[Item],
    *,
    rounds: int = READ_ROUNDS_MAX,
    component: str = "the ledger",
    **options: Any,
) -> Iterator[tuple[Sequence[Item], Sequence[Item]]]:
    """Yield the keys that a request processed, and the items that exist under them; the keys must be distinct.

    Raises:
        RetryLater: after this many rounds, `component` has left keys unprocessed.
    """
    for start in range(0, len(keys), KEYS_MAX):
        asked = keys[start : start + KEYS_MAX]
        for _ in range(rounds):
            wanted: Any = {table: {"Keys": asked, **options}}
            answer: Any = client.batch_get_item(RequestItems=wanted)
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            yield [key for key in asked if key not in left], answer["Responses"].get(table, [])
            asked = left
            if not left:
                break
        else:
            raise RetryLater(Code.UNAVAILABLE, f"{component} did not answer for all keys of a batch read")

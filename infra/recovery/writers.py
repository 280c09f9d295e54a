"""Stops and starts the writers to a stack's ledger: two stacks must never write at once."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

OF_THE_QUEUE: Final = "IngestEventsName"
BY_CALL: Final = ("AdjustCreditsName", "SetThresholdName")
"""The outputs that name the functions that write: one for the inbox, two for admins' requests."""


def stop(client: "LambdaClient", outputs: Mapping[str, str]) -> None:
    """Keep the functions of the stack with these `outputs` from writing; calls to them fail or wait.

    Batches under way finish first: wait for the timeout of the function, 30 seconds, before relying on it.
    """
    for mapping in _mappings(client, outputs):
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for name in BY_CALL:
        client.put_function_concurrency(FunctionName=outputs[name], ReservedConcurrentExecutions=0)


def let_go(client: "LambdaClient", outputs: Mapping[str, str]) -> None:
    """Let the functions write again; their concurrency is unlimited until the next deployment."""
    for name in BY_CALL:
        client.delete_function_concurrency(FunctionName=outputs[name])
    for mapping in _mappings(client, outputs):
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def _mappings(client: "LambdaClient", outputs: Mapping[str, str]) -> Iterator[Any]:
    # Found by the queue, since a mapping may point at an alias of the function, which its name would not find.
    function = outputs[OF_THE_QUEUE]
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            named = mapping["FunctionArn"].split(":function:")[1].split(":")[0]
            if named == function:
                yield mapping

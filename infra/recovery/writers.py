"""Everybody who writes to the ledger of a stack, stopped or let go: there must never be two stacks that write."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

OF_THE_QUEUE: Final = "IngestEventsName"
BY_CALL: Final = ("AdjustCreditsName", "SetThresholdName")
"""The outputs that name the functions which write: one for what is in the inbox, two for what admins ask."""


def stop(client: "LambdaClient", outputs: Mapping[str, str]) -> None:
    """Keep the functions of the stack with these `outputs` from writing; what is asked of them fails or waits.

    Batches under way finish first: wait for the timeout of the function, 30 seconds, before relying on it.
    """
    for mapping in _mappings(client, outputs):
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for name in BY_CALL:
        client.put_function_concurrency(FunctionName=outputs[name], ReservedConcurrentExecutions=0)


def let_go(client: "LambdaClient", outputs: Mapping[str, str]) -> None:
    """Let the functions write again; their concurrency is unlimited until the next deployment says otherwise."""
    for name in BY_CALL:
        client.delete_function_concurrency(FunctionName=outputs[name])
    for mapping in _mappings(client, outputs):
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def _mappings(client: "LambdaClient", outputs: Mapping[str, str]) -> Iterator[Any]:
    # By the queue, since a mapping may point at an alias of the function and would not be found by its name.
    function = outputs[OF_THE_QUEUE]
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            named = mapping["FunctionArn"].split(":function:")[1].split(":")[0]
            if named == function:
                yield mapping

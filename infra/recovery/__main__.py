"""`python -m infra.recovery`: the steps of README.md beside this file, one command each."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploying.aws_session import aws_session
from infra.deploying.outputs import outputs_of, resources_of
from infra.recovery import adoption, again, agreement, writers
from infra.recovery.tables import KINDS, Tables, tables_of
from infra.recovery.tables import restore as restore_tables

application = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)

Stack = Annotated[str, typer.Option(help="The CloudFormation stack.")]
Region = Annotated[str | None, typer.Option(help="The region, where it is not the profile's.")]
Moment = Annotated[datetime, typer.Argument(formats=["%Y-%m-%dT%H:%M:%S%z"])]


@application.command()
def restore(
    stack: Stack,
    prefix: Annotated[str, typer.Option(help="How the new tables' names begin.")],
    at: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="None: the latest.")] = None,
    region: Region = None,
    into: Annotated[str | None, typer.Option(help="Another region, for the new tables.")] = None,
) -> None:
    """Restore a stack's tables as they were, beside the old ones; print the moment for `agree`, and their names.

    The names: of credits, transactions, links and desk. If it is interrupted, run it again: it continues.
    """
    started = datetime.now(UTC)
    sources = tables_of(_outputs(stack, region))
    arns = None
    if into is not None:
        old = _client("dynamodb", region)
        names = {kind: getattr(sources, kind) for kind in KINDS.values()}
        arns = Tables(**{kind: old.describe_table(TableName=one)["Table"]["TableArn"] for kind, one in names.items()})
    client = _client("dynamodb", into or region)
    restored = restore_tables(client, sources, prefix, at=at, arns=arns, tell=_tell)
    typer.echo(f"{at or restored.moment or started:%Y-%m-%dT%H:%M:%S%z}")
    for name in restored.tables.by_logical_id.values():
        typer.echo(name)


@application.command()
def agree(
    credits_table: Annotated[str, typer.Option()],
    transactions_table: Annotated[str, typer.Option()],
    at: Annotated[datetime, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="The moment that `restore` printed.")],
    region: Region = None,
) -> None:
    """Remove the remains of torn writes from restored tables, and name the merchants for `credits rebuild`."""
    tables = agreement.Ledger(credits=credits_table, transactions=transactions_table)
    client = _client("dynamodb", region)
    for torn in agreement.agree(client, tables, at=at):
        if not torn.kept:
            typer.echo(f"# {torn.merchant_id}: no transaction is left; the replay opens it anew")
            continue
        own = torn.low_balance_threshold
        afterwards = "" if own is None else f"   and afterwards: credits threshold {torn.merchant_id} {own}"
        typer.echo(f"credits rebuild {torn.merchant_id} --yes{afterwards}")


@application.command()
def adopt(
    stack: Stack,
    credits_table: Annotated[str, typer.Option()],
    transactions_table: Annotated[str, typer.Option()],
    links_table: Annotated[str, typer.Option()],
    desk_table: Annotated[str, typer.Option()],
    stage: Annotated[str, typer.Option(help="Whose package describes the tables.")] = "prod",
    region: Region = None,
) -> None:
    """Make a new stack around the tables; deploy the stage's package over it afterwards. Safe to repeat."""
    client = _client("cloudformation", region)
    tables = Tables(credits=credits_table, transactions=transactions_table, links=links_table, desk=desk_table)
    adoption.adopt(client, stack, Path("build") / stage, tables)


@application.command(name="stop-writers")
def stop_writers(stack: Stack, region: Region = None) -> None:
    """Keep the stack's functions from writing, and its tables of links and of the desk from being written."""
    _change_writers(writers.stop, stack, region)


@application.command(name="let-writers-go")
def let_writers_go(stack: Stack, region: Region = None) -> None:
    """Let them write again."""
    _change_writers(writers.let_go, stack, region)


def _change_writers(change: Callable[..., None], stack: str, region: str | None) -> None:
    change(_client("lambda", region), _client("dynamodb", region), _outputs(stack, region))


@application.command()
def replay(since: Moment, until: Moment, stack: Stack, region: Region = None) -> None:
    """Replay the inbound events that passed the stack's buses between the two times, and wait until all are delivered.

    UNTIL must be ten minutes ago, or earlier. If it is interrupted, run it again with the same times: it waits on.
    """
    resources = resources_of(_client("cloudformation", region), stack)
    span = again.Span(since=since, until=until)
    for arn in again.replay(_client("events", region), stack, resources, span, now=datetime.now(UTC), tell=_tell):
        typer.echo(arn)


@application.command()
def move(
    stack: Stack,
    to: Annotated[str, typer.Option(help="The stack whose inbox gets the messages.")],
    region: Region = None,
    into: Annotated[str | None, typer.Option(help="That stack's region.")] = None,
) -> None:
    """Move the messages that wait in the stack's inbox and in its waiting queue into another stack's inbox.

    Messages of the waiting queue come in parts, as their delays end: within 15 minutes, so move until nothing is left.
    """
    outputs, target = _outputs(stack, region), _outputs(to, into or region)["InboxQueueUrl"]
    clients = _client("sqs", region), _client("sqs", into or region)
    sources = [outputs[name] for name in ("InboxQueueUrl", "WaitingQueueUrl") if name in outputs]
    moved = sum(again.move(clients[0], source, clients[1], target) for source in sources)
    typer.echo(f"{moved} messages moved")


def _tell(sentence: str) -> None:
    """Report progress beside the output, which a script reads."""
    typer.echo(sentence, err=True)


def _client(service: str, region: str | None) -> Any:
    return aws_session(region=region).client(service)  # type: ignore[call-overload]


def _outputs(stack: str, region: str | None) -> dict[str, Any]:
    (found,) = _client("cloudformation", region).describe_stacks(StackName=stack)["Stacks"]
    return outputs_of(found)


def main() -> None:
    """Run the command; end with a sentence and 1 where it cannot be done, 2 where AWS refuses or does not answer."""
    try:
        application()
    except (adoption.OtherStackError, again.ReplayError, writers.WritersError) as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except (BotoCoreError, ClientError) as error:
        typer.echo(f"✗ {error}\nThe command can be repeated: it goes on where it was.", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""Options and arguments that many commands take, and what they must look like."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.statements import Month, month_after, month_of
from infra.commands.naming import merchant_named
from infra.commands.output import unable
from infra.commands.target import Target

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Stage = Annotated[
    str | None,
    # Known before a merchant's name is looked up there, wherever it is written.
    typer.Option(
        envvar="CREDITS_STAGE", is_eager=True, help="A deployed stage, such as prod; without one, the local stack."
    ),
]
Profile = Annotated[
    str | None, typer.Option(is_eager=True, help="The AWS profile for the stage; AWS_PROFILE does the same.")
]
Admin = Annotated[str | None, typer.Option(help="Who is responsible for it; by default, you.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a deployed stage is changed.")]


def confirm(target: Target, question: str, *, yes: bool) -> None:
    """Ask before a deployed stage is changed, unless --yes was given; ends the command where the answer is no."""
    if target.local is None and not yes:
        typer.confirm(f"Stage {target.stage}: {question} Continue?", abort=True, err=True)


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")]
InLocalTime = Annotated[bool, typer.Option("--local", help="Show times in this machine's zone, not in UTC.")]


def _time(text: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time, such as 2026-11-28 or 2026-11-28T10:30:00Z.") from None
    return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


Since = Annotated[str | None, typer.Option(parser=_time, metavar="TIME", help="From this time on, UTC: 2026-11-01.")]


def _month(text: str) -> Month:
    try:
        return month_of(instant(datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a month, such as 2026-11.") from None


OfMonth = Annotated[
    str | None, typer.Option("--month", parser=_month, metavar="MONTH", help="Of this month, UTC: 2026-11.")
]


def period(since: str | None, until: str | None, month: str | None) -> tuple[Instant | None, Instant | None]:
    """Return the first and the last moment that --since, --until and --month ask for, None where they leave it open."""
    if month is None:
        if since and until and since > until:
            raise unable("--since is after --until, or the same time: nothing is between them.")
        return Instant(since) if since else None, Instant(until) if until else None
    if since or until:
        raise unable("Give either --month, or --since and --until.")
    return _time(f"{month}-01"), _before(f"{month_after(Month(month))}-01")


def _before(text: str) -> Instant:
    """Return the last millisecond before a time: so a month that ends where the next begins has nothing of that."""
    return instant(datetime.fromisoformat(_time(text)) - timedelta(milliseconds=1))


Until = Annotated[str | None, typer.Option(parser=_before, metavar="TIME", help="Before this time, UTC: 2026-12-01.")]


def one_merchant(context: typer.Context, text: str | None) -> str | None:
    """Return the id of the merchant that an argument names, None if there is none; ends the command if it is unknown.

    Names nobody while a shell only completes what was typed.
    """
    return text if text is None or context.resilient_parsing else merchant_named(context, text)


def _merchants(context: typer.Context, texts: list[str] | None) -> list[str] | None:
    return texts if context.resilient_parsing else [merchant_named(context, text) for text in texts or ()]


BY_NAME = "id, its name, or its shop's domain"
Merchant = Annotated[str, typer.Argument(metavar="MERCHANT", help=f"The merchant's {BY_NAME}.", callback=one_merchant)]
OneMerchant = Annotated[
    str | None, typer.Argument(metavar="[MERCHANT]", help=f"A merchant's {BY_NAME}.", callback=one_merchant)
]
SomeMerchants = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MERCHANT]...", help=f"Each one's {BY_NAME}; all, without any.", callback=_merchants),
]
MerchantOption = Annotated[
    str | None, typer.Option(metavar="MERCHANT", help=f"A merchant's {BY_NAME}.", callback=one_merchant)
]
MerchantOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--merchant", metavar="MERCHANT", help=f"A merchant's {BY_NAME}; may be repeated.", callback=_merchants
    ),
]

"""Options and arguments that many commands take, and what they must look like."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from chalicelib.domain.ids import Instant, MerchantId, instant, merchant_id

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Stage = Annotated[
    str | None,
    typer.Option(envvar="CREDITS_STAGE", help="A deployed stage, such as prod; without one, the local stack."),
]
Profile = Annotated[str | None, typer.Option(help="The AWS profile for the stage; AWS_PROFILE does the same.")]
Admin = Annotated[
    str | None, typer.Option(help="Who is responsible for it; you, if nobody is named.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a deployed stage is changed.")]
InLocalTime = Annotated[bool, typer.Option("--local", help="Show times in this machine's zone, not in UTC.")]


def _time(text: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time, such as 2026-11-28 or 2026-11-28T10:30:00Z.") from None
    return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


Since = Annotated[
    str | None,
    typer.Option(parser=_time, metavar="TIME", help="From this time on, UTC: 2026-11-01.", show_default=False),
]


def _before(text: str) -> Instant:
    """Return the last millisecond before a time: so a month that ends where the next begins has nothing of that."""
    return instant(datetime.fromisoformat(_time(text)) - timedelta(milliseconds=1))


Until = Annotated[
    str | None,
    typer.Option(parser=_before, metavar="TIME", help="Before this time, UTC: 2026-12-01.", show_default=False),
]


def _merchant(text: str) -> MerchantId:
    try:
        return merchant_id(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}, such as 0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d.") from None


Merchant = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="The merchant's id, a UUID.", parser=_merchant, show_default=False)
]
OneMerchant = Annotated[
    str | None, typer.Argument(metavar="[MERCHANT]", help="A merchant's id.", parser=_merchant, show_default=False)
]
MerchantOption = Annotated[str | None, typer.Option(parser=_merchant, metavar="MERCHANT", help="A merchant's id.")]

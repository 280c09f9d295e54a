"""The result of `credits republish`, for a person or a program."""

from collections import Counter
from dataclasses import dataclass, field

from chalicelib.domain.ids import MerchantId
from infra.commands.output import counted, print_json, say


@dataclass(slots=True)
class Republished:
    """The result: events by type, refusals of the bus, and transactions whose low or restored cannot be derived.

    `unreadable` names accounts and transactions that cannot be read, `missing` counts what a letter points to and was
    not found.
    """

    transactions: int = 0
    published: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    doubtful: list[str] = field(default_factory=list)
    recounted: int = 0
    unreadable: list[str] = field(default_factory=list)
    missing: int = 0

    @property
    def whole(self) -> bool:
        """Whether everything was published."""
        return not (self.refused or self.unreadable or self.missing)

    def unread(self, merchant: MerchantId, why: str, *, sequence: int | None = None) -> None:
        """Add an account that cannot be read, or its first transaction that cannot."""
        place = merchant if sequence is None else f"{merchant} #{sequence}"
        self.unreadable.append(f"{place}: {why}")


def report(outcome: Republished, *, dry_run: bool, as_json: bool) -> None:
    """Print the result, for a person or a program."""
    if as_json:
        print_json(
            {
                "records": outcome.transactions,
                "events": outcome.published,
                "refused": outcome.refused,
                "doubtful": outcome.doubtful,
                "recounted": outcome.recounted,
                "unreadable": outcome.unreadable,
                "missing": outcome.missing,
                "dry_run": dry_run,
            }
        )
        return
    for event_type, number in sorted(outcome.published.items()):
        say(f"{number:>6}  {event_type}")
    for place in outcome.doubtful:
        say(f"{place}: the threshold was changed before it; low or restored is left out.", style="yellow")
    for place in outcome.unreadable:
        say(f"{place}. `credits verify` shows more.", style="red")
    if outcome.missing:
        say(f"{outcome.missing} fewer than the dead letter points to: it stays parked.", style="red")
    if outcome.recounted:
        say(f"{counted(outcome.recounted, 'account')} counted again.")
    verb = "would be published" if dry_run else "published"
    events = counted(outcome.published.total() - outcome.refused, "event")
    say(f"{counted(outcome.transactions, 'transaction')}, {events} {verb}, {outcome.refused} refused.")

"""`credits status`, `balance`, `history` and `why`: one merchant, looked at."""

from typing import Annotated

import typer
from rich.markup import escape

from chalicelib.contracts.api import answers
from chalicelib.contracts.api.story import Story, gathered, tell
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account, Transaction
from infra.commands import api
from infra.commands.ledger import LedgerReader
from infra.commands.options import AsJson, Merchant, Profile, Stage
from infra.commands.output import FOUND, print_json, print_table, say, screen, unable
from infra.commands.target import find

HISTORY_MAX = 1000
SHORT = 26
SECOND = 19
"""Characters of a time down to its second."""


def status(merchant: Merchant, *, stage: Stage = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Say whether a shop's plugin is on, as its storefront hears it; exit status 1 where it is off.

    Asks the public route, so no rights are needed on a local stack. An answer may be kept for 15 seconds.
    """
    found = api.data(find(stage, profile), f"/api/v1/credits/plugin-status/{merchant}")
    if as_json:
        print_json(found)
    else:
        enabled = found["status"] == "enabled"
        stale = " (the last known: the table does not answer)" if found["stale"] else ""
        reason = found["reason"].replace("_", " ")
        say(f"{found['status']}: {reason}, as of {seconds(found['as_of'])}{stale}", style="green" if enabled else "red")
        if found["reason"] == "account_not_found":
            say("Nobody has opened this account: is the id right?")
    if found["status"] != "enabled":
        raise typer.Exit(FOUND)


def balance(merchant: Merchant, *, stage: Stage = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Say how many credits a merchant has left, and since when the plugin is on or off."""
    account = LedgerReader(find(stage, profile)).account_or_refuse(MerchantId(merchant))
    if as_json:
        print_json(answers.Account.of(account).model_dump(mode="json"))
        return
    transactions = "1 transaction" if account.sequence == 1 else f"{account.sequence:,} transactions"
    own = "its own" if account.low_balance_threshold is not None else "the default"
    state = f"plugin {'on' if account.enabled else 'off'} since {seconds(account.status_changed_at)}"
    say(f"{counted(account.balance)} left, {state}", style=_style(account))
    say(
        f"low-balance threshold {account.threshold} ({own}), {transactions}, the last at "
        f"{seconds(account.last_transaction_at or account.created_at)}"
    )
    if account.debt:
        say(f"{counted(account.debt)} owed for reversed payments: the next credits pay them first", style="red")
    if account.total_shortfall:
        say(f"{counted(account.total_shortfall)} short in all: orders and reversals that found too few")


def history(
    merchant: Merchant,
    *,
    limit: Annotated[int, typer.Option(min=1, max=HISTORY_MAX, help="How many, the newest of them.")] = 20,
    before: Annotated[int | None, typer.Option(min=2, help="Only those before this sequence: the next page.")] = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List a merchant's transactions, newest first."""
    reader = LedgerReader(find(stage, profile))
    account = reader.account_or_refuse(MerchantId(merchant))
    highest = min(account.sequence, account.sequence if before is None else before - 1)
    lowest = max(1, highest - limit + 1)
    found = reader.records(account.merchant_id, lowest, highest)
    if as_json:
        print_json([answers.Transaction.of(one).model_dump(mode="json") for one in found])
        return
    print_table(
        [_row(one) for one in found],
        headings=("#", "time (UTC)", "type", "reference", "credits", "left", "transaction"),
        right=("#", "credits", "left"),
    )
    if lowest > 1:
        say(f"{len(found)} of {account.sequence}; go on with --before {lowest}", style="dim")


def why(merchant: Merchant, *, stage: Stage = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Tell why a shop's plugin is off, or on: since when, which transaction, and what was published.

    The story in order, from the ledger alone. The last line of it says what would switch the plugin on again.
    """
    reader = LedgerReader(find(stage, profile))
    account = reader.account_or_refuse(MerchantId(merchant))
    decided = reader.transaction(account.status_transaction_id) if account.status_transaction_id else None
    if decided is None and account.status_transaction_id:
        raise unable(
            f"Transaction {account.status_transaction_id}, which decided it, is not in the ledger: "
            f"`credits verify {merchant}` checks the whole of it."
        )
    story = tell(account, gathered(account, decided, reader.records))
    if as_json:
        print_json(story.model_dump(mode="json"))
    else:
        _tell(story)


def seconds(time: str | Instant) -> str:
    """Return a time as a person reads it: UTC, to the second."""
    return time[:SECOND].replace("T", " ")


def counted(number: int) -> str:
    """Return a number of credits in words."""
    return "1 credit" if number == 1 else f"{number:,} credits"


def _tell(story: Story) -> None:
    console = screen()
    on = story.status == "enabled"
    word = "[bold green]on[/]" if on else "[bold red]off[/]"
    console.print(f"The plugin is {word} since {seconds(story.since)} UTC: {escape(story.because)}", soft_wrap=True)
    for sentence in (story.since_then, story.remedy):
        if sentence:
            console.print(escape(sentence), soft_wrap=True)
    console.print()
    for chapter in story.chapters:
        number = f"#{chapter.sequence}" if chapter.sequence else ""
        console.print(f"[dim]{seconds(chapter.time)}[/]  {number:>6}  {escape(chapter.sentence)}", soft_wrap=True)
        for line in (
            f"transaction {chapter.transaction_id}" if chapter.transaction_id else "",
            f"published {', '.join(said.event_type for said in chapter.events)}" if chapter.events else "",
        ):
            if line:
                console.print(f"{'':<{SECOND + 10}}[dim]{line}[/]", soft_wrap=True)
    console.print(f"\n[dim]{escape(story.source)}{'' if story.complete else ' Older records are left out.'}[/]")


def _row(record: Transaction) -> tuple[str, ...]:
    reference = record.reference_id if len(record.reference_id) <= SHORT else f"{record.reference_id[: SHORT - 1]}…"
    short = f" ({record.shortfall} short)" if record.shortfall else ""
    return (
        str(record.sequence),
        seconds(record.created_at),
        record.kind.transaction_type,
        escape(reference),
        f"{record.amount:+d}{short}" if record.amount else f"0{short}",
        str(record.balance_after),
        record.transaction_id,
    )


def _style(account: Account) -> str:
    if not account.enabled:
        return "red"
    return "yellow" if account.low else "green"

"""`credits status`, `balance` and `why`: read one merchant."""

import typer
from rich.text import Text

from chalicelib.contracts.api import answers
from chalicelib.contracts.api.sentences import frozen_sentence
from chalicelib.contracts.api.story import Story, story_of
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account, runway_of
from chalicelib.domain.runway import DAYS_MAX, MILLI, Runway
from chalicelib.domain.status import deciding_transaction, status_since
from chalicelib.usecases.explaining import excerpt_of
from infra.commands import api
from infra.commands.ledger import TargetLedger
from infra.commands.options import AsJson, InLocalTime, Merchant, Profile, Stage
from infra.commands.output import FOUND, counted, print_json, say, say_beside, unable
from infra.commands.target import find
from infra.commands.times import now, shown, zone


def status(
    merchant: Merchant,
    *,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Print whether a shop's plugin is on, as its storefront gets it; exit status 1 if it is off.

    Asks the public route, so no rights are needed on a local stack. An answer may be cached for 15 seconds.
    """
    found = api.data(find(stage, profile), f"/api/v1/credits/plugin-status/{merchant}")
    if as_json:
        print_json(found)
    else:
        enabled = found["status"] == "enabled"
        stale = " (the last known: the table does not answer)" if found["stale"] else ""
        reason = found["reason"].replace("_", " ")
        as_of = shown(found["as_of"], local=local)
        say(f"{found['status']}: {reason}, as of {as_of}{stale}", style="green" if enabled else "red")
        if found["reason"] == "account_not_found":
            say("This account does not exist: is the id right?")
    if found["status"] != "enabled":
        raise typer.Exit(FOUND)


def balance(
    merchant: Merchant,
    *,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Print a merchant's balance, since when the plugin is on or off, and which credits lapse when, soonest first."""
    found, at = TargetLedger(find(stage, profile)).account_or_refuse(MerchantId(merchant)), now()
    if as_json:
        print_json(answers.Account.of(found, now=at).model_dump(mode="json"))
        return
    account = as_of(found, at)
    own = "its own" if account.low_balance_threshold is not None else "the default"
    gone = ", closed" if account.closed else ", frozen" if account.freeze else ""
    kept = ", kept on by a grace" if account.enabled and account.in_grace else ""
    state = f"plugin {'on' if account.enabled else 'off'} since {shown(status_since(account), local=local)}{gone}{kept}"
    say(f"{counted(account.balance)} left, {state}", style=_style(account))
    say(
        f"low-balance threshold {account.threshold} ({own}), {counted(found.sequence, 'transaction')}, the last at "
        f"{shown(found.last_transaction_at or account.created_at, local=local)}"
    )
    if account.freeze is not None:
        say(frozen_sentence(account.freeze.admin_id, account.freeze.reason, account.freeze.until), style="red")
    for lot in account.lots:
        lapse = "lapses" if lot.credits == 1 else "lapse"
        say(f"{counted(lot.credits)} {lapse} at {shown(lot.expires_at, local=local)}")
    if account.balance and (lasts := runway_of(account, now=at)) is not None:
        say(_lasting(lasts))
    if account.debt:
        say(f"{counted(account.debt)} owed: the next credits pay them first", style="red")
    if account.total_shortfall:
        say(f"{counted(account.total_shortfall)} short in all: orders and reversals that found too few")


def _lasting(lasts: Runway) -> str:
    """Return how long the credits last, in a line."""
    if lasts.days_left is None:
        until = f"more than {DAYS_MAX:,} days"
    else:
        whole = counted(lasts.days_left, "day") if lasts.days_left else "less than a day"
        until = f"{whole}, until {lasts.empty_on}"
    return f"orders use {lasts.per_day / MILLI:,.1f} a day: the credits last {until}"


def why(
    merchant: Merchant,
    *,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Explain why a shop's plugin is off, or on: since when, by which transaction, and what was published.

    The story in order, from the ledger alone. Its last line names what would switch the plugin on again.
    """
    reader = TargetLedger(find(stage, profile))
    account = reader.account_or_refuse(MerchantId(merchant))
    deciding = deciding_transaction(account)
    decided = reader.transaction(deciding) if deciding else None
    if decided is None and deciding:
        raise unable(
            f"Transaction {deciding}, which decided it, is not in the ledger: "
            f"`credits verify {merchant}` checks the whole of it."
        )
    story = story_of(account, excerpt_of(account, decided, reader.history))
    if as_json:
        print_json(story.model_dump(mode="json"))
    else:
        _tell(story, local=local)


def _tell(story: Story, *, local: bool) -> None:
    on = story.status == "enabled"
    word = Text("on", style="bold green") if on else Text("off", style="bold red")
    say_beside(
        Text("The plugin is ") + word, f" since {shown(story.since, local=local)} {zone(local=local)}: {story.because}"
    )
    for sentence in (story.since_then, story.remedy):
        if sentence:
            say(sentence)
    say("")
    for chapter in story.chapters:
        number = f"#{chapter.sequence}" if chapter.sequence else ""
        lead = Text(shown(chapter.time, local=local), style="dim") + Text(f"  {number:>6}  ")
        say_beside(lead, chapter.sentence)
        for line in (
            f"transaction {chapter.transaction_id}" if chapter.transaction_id else "",
            f"published {', '.join(said.event_type for said in chapter.events)}" if chapter.events else "",
        ):
            if line:
                say_beside(Text(" " * lead.cell_len), line, style="dim")
    say("")
    say(f"{story.source}{'' if story.complete else ' Older transactions are left out.'}", style="dim")


def _style(account: Account) -> str:
    if not account.enabled:
        return "red"
    return "yellow" if account.low else "green"

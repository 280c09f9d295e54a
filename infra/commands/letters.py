"""`credits dead-letters`: what is parked and why; puts it back once the cause is gone, or discards it (section 9)."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from chalicelib.adapters.dead_letters import DeadLetters, NotRedrivable
from chalicelib.adapters.dynamodb.discarded import DiscardedLetters
from chalicelib.adapters.letter_looks import DeadLetterQueue
from chalicelib.contracts.api.dead_letters import DeadLetter, Discarded, discard_reason
from chalicelib.contracts.api.problems import Refusal
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.actions import ActionType
from chalicelib.domain.errors import Rejected, RetryLater
from chalicelib.domain.ids import MerchantId
from infra.commands.letter_lines import NOT_FOUND, none_like, outcome, print_groups, readable, say_block, summary
from infra.commands.naming import names_of
from infra.commands.noting import Trail, responsible
from infra.commands.options import Admin, AsJson, InLocalTime, MerchantOption, Profile, Stage, Yes, confirm
from infra.commands.output import FOUND, counted, print_json, print_list, print_text, refused, say, say_beside, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find, settings_of
from infra.commands.times import now, shown

STREAM_FUNCTIONS = ("publish_threshold_events", "publish_transaction_events", "roll_up")
SEARCH_SECONDS = 600.0
"""How long a letter is looked for by its id."""

application = typer.Typer(no_args_is_help=True, help="List, show, put back and discard what was parked.")

Queue = Annotated[
    list[Parking] | None,
    typer.Option("--queue", help="Only this dead-letter queue: of events in, of events out, or of the streams."),
]
Code = Annotated[list[str] | None, typer.Option("--code", help="Only letters with this code; may be repeated.")]
LetterIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of dead letters.")]
All = Annotated[bool, typer.Option("--all", help="All dead letters, or those of --code, --merchant and --queue.")]
LetterId = Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id, as `list` prints it.")]


@application.command(name="list")
def listing(
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="Only letters whose message has this text, such as an order's number."),
    ] = None,
    *,
    code: Code = None,
    merchant: MerchantOption = None,
    queue: Queue = None,
    group: Annotated[bool, typer.Option("--group", help="Count them by code and merchant.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most this many, the newest first.")] = 100,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List what is parked, newest first. Nothing is taken out of a queue."""
    target, parkings, like = find(stage, profile), queue or tuple(Parking), _like(code, merchant, text)
    desk = dead_letters(target)
    if group:
        found_groups = desk.groups(parkings=parkings, matching=like, seconds=SEARCH_SECONDS).groups
        names = {} if as_json else names_of(target, (one.merchant_id for one in found_groups))
        if found_groups or as_json:
            print_groups(found_groups, names, local=local, as_json=as_json)
            return
    found = desk.listing(wanted=limit, parkings=parkings, matching=like)
    total = found.matched if code or merchant or text else max(found.counted, len(found.letters))
    if as_json:
        items = [DeadLetter.of(letter).model_dump(mode="json") for letter in found.letters]
        print_list(items, total=total)
        return
    names = names_of(target, (letter.merchant_id for letter in found.letters))
    for letter in found.letters:
        say_block(letter, names, local=local)
    if found.letters or total:
        _say_count(len(found.letters), total)
    else:
        say(none_like(found.counted, code, merchant, text))
    if found.letters:
        say("`credits dead-letters redrive ID` retries one, `show ID` prints its message.", style="dim")


def _say_count(listed: int, total: int) -> None:
    if total > listed:
        say(f"{listed} of {total:,} dead letters: --limit shows more, unless somebody else is looking at the others.")
    else:
        say(f"{counted(listed, 'dead letter')}.")


@application.command()
def show(
    letter: LetterId,
    *,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a whole dead letter: why it is parked, where it came from, and its unchanged body."""
    target = find(stage, profile)
    parked = dead_letters(target).find(letter, seconds=SEARCH_SECONDS)
    found = DeadLetter.of(parked, most=None) if parked else discarded_letters(target).find(letter)
    if found is None:
        raise refused(_unknown(letter), Refusal.NOT_FOUND)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    members = found.model_dump(mode="json", exclude={"discarded"})
    for merchant, name in names_of(target, map(MerchantId, filter(None, [found.merchant_id]))).items():
        members["merchant_id"] = f"{merchant} ({name})"
    if found.discarded is not None:
        why = found.discarded
        members["discarded"] = f"{shown(why.time, local=local)} by {why.admin_id}: {why.reason}"
    for name, value in members.items():
        if value is not None and not name.startswith("body"):
            said = shown(value, local=local) if name in ("first_seen", "parked_at") else str(value)
            say_beside(Text(f"{name.replace('_', ' '):<13} "), said)
    say("")
    print_text(readable(found.body))


@application.command()
def redrive(
    context: typer.Context,
    letters: LetterIds = None,
    *,
    everything: All = False,
    code: Code = None,
    merchant: MerchantOption = None,
    queue: Queue = None,
    admin: Admin = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Retry dead letters: put them back where they came from; exit status 1 if one of them stays parked.

    Safe any number of times: what was applied before is a duplicate. A message that is still bad is parked again.
    """
    if bool(letters) == everything:
        raise unable("Give either the ids of dead letters, or --all.")
    target = find(stage, profile)
    trail = Trail(target, admin)
    stayed = 0
    told: list[dict[str, Any]] = []
    unknown: list[str] = []
    with repeatable(context):
        for letter_id, letter, why in _put_back(target, letters or [], _like(code, merchant), queue):
            stayed += why is not None
            if letter is not None and why is None:
                trail.letter(ActionType.LETTER_RETRIED, DeadLetter.of(letter), now())
            unknown += [letter_id] * (why == NOT_FOUND)
            told.append({"id": letter_id, "code": letter.code if letter else None, "put_back": why is None, "why": why})
            if not as_json:
                say(outcome(letter_id, letter, why), style="yellow" if why else None)
    if as_json:
        print_json({"put_back": len(told) - stayed, "stayed": stayed, "unknown": unknown, "letters": told})
    else:
        say(summary(len(told) - stayed, stayed - len(unknown), len(unknown)))
        if len(told) > stayed:
            say("They are tried again now; `credits dead-letters list` shows what is parked again.", style="dim")
    if stayed:
        raise typer.Exit(FOUND)


# What the console calls it, for those who type that.
application.command(name="retry", hidden=True)(redrive)


@application.command()
def discard(
    context: typer.Context,
    letters: LetterIds = None,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks for them later.")],
    everything: All = False,
    code: Code = None,
    merchant: MerchantOption = None,
    queue: Queue = None,
    admin: Admin = None,
    yes: Yes = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters from their queue; content, reason and who did it are kept (`show ID` prints them).

    Exit status 1 if one of them is not parked. What is discarded cannot be put back.
    """
    if bool(letters) == everything:
        raise unable("Give either the ids of dead letters, or --all.")
    target = find(stage, profile)
    discarded_at = now()
    why = Discarded(admin_id=responsible(admin), time=discarded_at, reason=_reason(reason))
    confirm(target, "what is discarded cannot be put back.", yes=yes)
    desk, kept, trail = dead_letters(target), discarded_letters(target), Trail(target, admin)
    days = settings_of(target).discarded_days

    def keep(letter: Letter) -> None:
        kept.keep(letter, why, days=days)

    gone: list[str] = []
    with repeatable(context):
        if everything:
            removed = desk.remove_all(_like(code, merchant), first=keep, parkings=queue or tuple(Parking))
            found: Iterator[DeadLetter] = (DeadLetter.of(letter, discarded=why) for letter in removed)
        else:
            found = _removed(desk, letters or [], keep, kept)
        for letter in found:
            gone.append(letter.id)
            trail.letter(ActionType.LETTER_DISCARDED, letter, discarded_at)
    unknown = [letter_id for letter_id in letters or [] if letter_id not in gone]
    if as_json:
        print_json({"discarded": gone, "unknown": unknown})
    else:
        say(f"{len(gone)} discarded." if gone or not unknown else "Nothing was discarded.")
    if unknown:
        raise refused("".join(map(_unknown, unknown)), Refusal.NOT_FOUND)


def dead_letters(target: Target) -> DeadLetters:
    """Return what is parked in the target's three queues."""
    return DeadLetters(
        target.client("sqs"),
        target.client("lambda"),
        queues=(
            DeadLetterQueue(
                parking=Parking.INBOX, queue_url=target.dead_letter_queue_url, back_to_url=target.inbox_queue_url
            ),
            DeadLetterQueue(
                parking=Parking.OUTBOX,
                queue_url=target.outbox_dead_letter_queue_url,
                back_to_url=target.outbox_queue_url,
            ),
            DeadLetterQueue(parking=Parking.STREAM, queue_url=target.stream_dead_letter_queue_url, back_to_url=None),
        ),
        functions={name: target.in_use(name) for name in STREAM_FUNCTIONS if name in target.functions},
    )


def discarded_letters(target: Target) -> DiscardedLetters:
    """Return where letters that were discarded are kept."""
    return DiscardedLetters(target.client("dynamodb"), table=target.figures_table)


def _removed(
    desk: DeadLetters, wanted: list[str], keep: Callable[[Letter], None], kept: DiscardedLetters
) -> Iterator[DeadLetter]:
    """Remove the letters with these ids, and yield each that is discarded now, also by an earlier call."""
    for letter_id in wanted:
        desk.remove(letter_id, seconds=SEARCH_SECONDS, first=keep)
        found = kept.find(letter_id)
        if found is not None:
            yield found


def _put_back(
    target: Target, wanted: list[str], like: Callable[[Letter], bool], queue: list[Parking] | None
) -> Iterator[tuple[str, Letter | None, str | None]]:
    """Yield each letter's id, the letter if there is one, and why it stays parked."""
    desk, discarded = dead_letters(target), discarded_letters(target)
    if not wanted:
        for letter, why in desk.redrive_all(like, parkings=queue or tuple(Parking), first=discarded.forget):
            yield letter.letter_id, letter, why
    for letter_id in wanted:
        try:
            found = desk.redrive(letter_id, seconds=SEARCH_SECONDS, first=discarded.forget)
        except (NotRedrivable, RetryLater) as error:
            yield letter_id, None, str(error)
        else:
            yield letter_id, found, None if found else NOT_FOUND


def _like(codes: list[str] | None, merchant: str | None, text: str | None = None) -> Callable[[Letter], bool]:
    """Return whether a letter is one of those that the options ask for."""
    return lambda letter: (
        (not codes or letter.code in codes)
        and merchant in (None, letter.merchant_id)
        and (text is None or text in letter.body)
    )


def _reason(text: str) -> str:
    try:
        return discard_reason({"reason": text})
    except Rejected as error:
        raise unable(f"--reason: {error.message.partition(': ')[2] or error.message}.") from None


def _unknown(letter_id: str) -> str:
    return f"No letter {letter_id} is parked (any more): `credits dead-letters list` lists those that are."

"""`credits dead-letters`: what was parked, why, and back with it once the cause is gone (contract, section 9)."""

import json
from typing import Annotated, Any

import typer
from rich.text import Text

from chalicelib.adapters.dead_letters import DeadLetters, NotRedrivable
from chalicelib.adapters.letter_looks import DeadLetterQueue
from chalicelib.contracts.api.dead_letters import DeadLetter
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.errors import RetryLater
from infra.commands.options import AsJson, InLocalTime, Profile, Stage
from infra.commands.output import FOUND, print_json, print_list, print_text, refused, say, say_beside, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target, find
from infra.commands.times import shown, zone

STREAM_FUNCTIONS = ("publish_threshold_events", "publish_transaction_events", "roll_up")
SEARCH_SECONDS = 600.0
"""How long a letter is looked for by its id."""

application = typer.Typer(no_args_is_help=True, help="List, show and put back what was parked, with the reason.")

Queue = Annotated[
    list[Parking] | None,
    typer.Option("--queue", help="Only this dead-letter queue: of events in, of events out, or of the streams."),
]
LetterId = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `list` says it.", show_default=False)]


@application.command(name="list")
def listing(
    *,
    queue: Queue = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Letters of each queue at the most.")] = 100,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List what is parked, the newest first. Looking takes nothing out of a queue."""
    found = dead_letters(find(stage, profile)).listing(wanted=limit, parkings=queue or tuple(Parking))
    if as_json:
        items = [DeadLetter.of(letter).model_dump(mode="json") for letter in found.letters]
        print_list(items, total=max(found.counted, len(items)))
        return
    for letter in found.letters:
        _say_block(letter, local=local)
    more = found.counted - len(found.letters)
    if more > 0:
        say(f"{len(found.letters)} letters; the queues count {found.counted} (--limit; somebody else may be looking).")
    else:
        say(f"{len(found.letters)} letter{'s' * (len(found.letters) != 1)}." if found.letters else "Nothing is parked.")


@application.command()
def show(
    letter: LetterId,
    *,
    local: InLocalTime = False,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show a letter whole: why it is parked, where it came from, and its body as it came."""
    found = dead_letters(find(stage, profile)).find(letter, seconds=SEARCH_SECONDS)
    if found is None:
        raise refused(_unknown(letter))
    if as_json:
        print_json(DeadLetter.of(found, most=None).model_dump(mode="json"))
        return
    for name, value in DeadLetter.of(found, most=0).model_dump(mode="json").items():
        if value is not None and not name.startswith("body"):
            said = shown(value, local=local) if name in ("first_seen", "parked_at") else str(value)
            say_beside(Text(f"{name.replace('_', ' '):<13} "), said)
    say("")
    print_text(_readable(found.body))


@application.command()
def redrive(
    context: typer.Context,
    letters: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters by id.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every letter, or those of --code and --queue.")] = False,
    code: Annotated[list[str] | None, typer.Option(help="With --all: only letters with this code.")] = None,
    queue: Queue = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Put letters back to where they came from; exit status 1 where one of them stays parked.

    Safe any number of times: what was applied before is a duplicate. A message that is still bad is parked again.
    """
    if bool(letters) == everything:
        raise unable("Say either the ids of letters, or --all.")
    desk = dead_letters(find(stage, profile))
    stayed = 0
    told: list[dict[str, Any]] = []
    with repeatable(context):
        for letter_id, letter, why in _put_back(desk, letters or [], code, queue):
            stayed += why is not None
            told.append({"id": letter_id, "code": letter.code if letter else None, "put_back": why is None, "why": why})
            if not as_json:
                name = f"{letter_id}  {letter.code if letter else ''}".rstrip()
                say(f"{name}: stays parked, {why}" if why else f"{name}: put back", style="yellow" if why else None)
    if as_json:
        print_json({"put_back": len(told) - stayed, "stayed": stayed, "letters": told})
    else:
        say(f"{len(told) - stayed} put back, {stayed} stay parked.")
    if stayed:
        raise typer.Exit(FOUND)


def dead_letters(target: Target) -> DeadLetters:
    """Return what is parked in the target's three queues."""
    return DeadLetters(
        target.client("sqs"),
        target.client("lambda"),
        places=(
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


def _put_back(desk: DeadLetters, wanted: list[str], codes: list[str] | None, queue: list[Parking] | None) -> Any:
    """Yield each letter's id, the letter if there is one, and why it stays parked."""
    if not wanted:
        for letter, why in desk.redrive_all(
            lambda letter: not codes or letter.code in codes, parkings=queue or tuple(Parking)
        ):
            yield letter.letter_id, letter, why
    for letter_id in wanted:
        try:
            found = desk.redrive(letter_id, seconds=SEARCH_SECONDS)
        except (NotRedrivable, RetryLater) as error:
            yield letter_id, None, str(error)
        else:
            yield letter_id, found, None if found else "no such letter is parked"


def _say_block(letter: Letter, *, local: bool) -> None:
    again = f", put back {letter.redriven}×" if letter.redriven else ""
    lead = Text(" " * 4)
    say(f"{letter.letter_id}  {letter.code}{again}", style="bold")
    say_beside(lead, letter.reason)
    if of := " ".join(filter(None, (letter.event_type, letter.merchant_id))):
        say_beside(lead, of)
    parked_at, origin = shown(letter.parked_at, local=local), letter.origin or "an unknown origin"
    say_beside(lead, f"{letter.parking}, {parked_at} {zone(local=local)}, from {origin}", style="dim")


def _readable(body: str) -> str:
    """Return JSON indented, anything else as it is, and JSON too that would not be the same: a name twice, say."""
    try:
        content = json.loads(body)
        same = {_packed(json.dumps(content, ensure_ascii=ascii_only)) for ascii_only in (True, False)}
        return json.dumps(content, indent=2, ensure_ascii=False) if _packed(body) in same else body
    except (ValueError, RecursionError):
        return body


def _packed(text: str) -> str:
    return "".join(text.split())


def _unknown(letter_id: str) -> str:
    return f"No letter {letter_id} is parked (any more): `credits dead-letters list` lists those that are."

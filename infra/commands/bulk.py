"""`credits adjust --file`: many adjustments: a preview, each applied once, and their undo (section 17)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from chalicelib.contracts.adjustment_files import batch_of, read_rows
from chalicelib.domain.bulk import AdjustmentRow, Planned, State, moved
from chalicelib.domain.errors import Code, CreditsError, RetryLater
from chalicelib.domain.source_orders import BadRow, NotOrdersError
from chalicelib.usecases.planning import plan
from infra.commands.ledger import ledger_of
from infra.commands.options import confirm
from infra.commands.output import FOUND, aside, counted, print_json, progress_bar, refused, say, unable
from infra.commands.repeating import repeatable
from infra.commands.target import Target
from infra.commands.times import now

SHOWN_MAX = 20
KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """The admin, who else has confirmed it, and whether to go on without asking."""

    name: str
    confirmed_by: str | None
    yes: bool

    def asking(
        self, merchant_id: str, credits_moved: int, reason: str, adjustment_id: str, **more: Any
    ) -> dict[str, Any]:
        """Return the request for one adjustment, with whoever else has confirmed it; the credits are signed."""
        confirmed = {"confirmed_by": self.confirmed_by.strip()} if self.confirmed_by else {}
        return {
            "merchant_id": merchant_id,
            "operation_type": "INCREASE" if credits_moved > 0 else "DECREASE",
            "credits": abs(credits_moved),
            "reason": reason,
            "admin_id": self.name,
            "adjustment_id": adjustment_id,
            **more,
            **confirmed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    file: Path
    undo: bool
    partial: bool
    dry_run: bool


def adjust_file(
    context: typer.Context,
    target: Target,
    adjust: Callable[[Mapping[str, Any]], Any],
    asked: Asked,
    person: Person,
    *,
    as_json: bool,
) -> None:
    """Preview a file of adjustments, then apply or undo them; exit status 1 if a row is refused."""
    try:
        content = asked.file.read_bytes()
        batch, rows = batch_of(content), read_rows(content)
    except NotOrdersError as error:
        raise unable(f"{error}.") from error
    bad = [row for row in rows if isinstance(row, BadRow)]
    good = [row for row in rows if isinstance(row, AdjustmentRow)]
    planned = plan(ledger_of(target, answering=True), good, batch, undo=asked.undo, now=now())
    wrong = len(bad) + sum(one.state is State.REFUSED for one in planned)
    to_apply = [one for one in planned if one.state is State.APPLY]
    if not as_json:
        _preview(batch, planned, bad)
    held = wrong and not asked.partial
    if to_apply and not held and not asked.dry_run:
        confirm(target, f"apply {counted(len(to_apply), 'row')}.", yes=person.yes)
        with repeatable(context):
            _apply(adjust, to_apply, person, batch_credits=moved(planned), visible=not as_json)
    _end(batch, planned, bad, held=bool(held), as_json=as_json)


def _apply(
    adjust: Callable[[Mapping[str, Any]], Any],
    rows: Sequence[Planned],
    person: Person,
    *,
    batch_credits: int,
    visible: bool,
) -> None:
    with progress_bar(visible=visible) as progress:
        task = progress.add_task("applied", total=len(rows))
        for one in rows:
            request = person.asking(
                one.merchant_id, one.credits, one.reason, one.adjustment_id, batch_credits=batch_credits
            )
            try:
                transaction = adjust(request)["transaction"]
            except RetryLater:
                raise
            except CreditsError as error:
                needed = error.code is Code.CONFIRMATION_NEEDED
                one.state, one.why = State.WAITING if needed else State.REFUSED, error.message
            else:
                one.state = State.APPLIED
                one.before, one.after = transaction["balance_before"], transaction["balance_after"]
            progress.advance(task)


def _preview(batch: str, planned: Sequence[Planned], bad: Sequence[BadRow]) -> None:
    for one in planned[:SHOWN_MAX]:
        turns = f", the plugin goes {one.turns}" if one.turns else ""
        effect = one.why or f"{one.before} → {one.after}{turns}{', done before' if one.state is State.DONE else ''}"
        style = "red" if one.state is State.REFUSED else None
        say(f"line {one.line}, {one.merchant_id}: {one.credits:+d}: {effect}", style=style)
    if len(planned) > SHOWN_MAX:
        say(f"… and {len(planned) - SHOWN_MAX:,} more rows: --json has them.", style="dim")
    for row in bad[:SHOWN_MAX]:
        say(f"line {row.line}, {row.column}: {row.why}", style="red")
    switched = Counter(one.turns for one in planned if one.turns)
    moved = sum(one.credits for one in planned if one.state is State.APPLY)
    plugins = ", ".join(f"{counted(count, 'plugin')} to go {way}" for way, count in sorted(switched.items()))
    aside(
        f"{batch}: {counted(len(planned), 'row')}, {'+' if moved >= 0 else ''}{counted(moved)}"
        f"{', ' if plugins else ''}{plugins}"
    )


def _end(batch: str, planned: Sequence[Planned], bad: Sequence[BadRow], *, held: bool, as_json: bool) -> None:
    states = Counter(one.state for one in planned)
    if as_json:
        items = [{**asdict(one), "state": one.state.value} for one in planned[:KEPT_MAX]]
        told = {"batch": batch, "bad": [asdict(row) for row in bad], "applied": states[State.APPLIED]}
        print_json({"items": items, "total": len(planned), "next": None, **told})
    else:
        words = ", ".join(f"{count:,} {state.value}" for state, count in sorted(states.items()))
        say(f"Batch {batch}: {words or 'no rows'}{f', {len(bad):,} bad' if bad else ''}.")
        for one in planned:
            if one.state is State.REFUSED and states[State.APPLIED]:
                say(f"line {one.line}: refused: {one.why}", style="red")
    if held:
        raise refused("Nothing was applied: correct the rows that are refused or bad, or use --partial.")
    if waiting := states[State.WAITING]:
        why = next(one.why for one in planned if one.state is State.WAITING)
        raise refused(
            f"{counted(waiting, 'row')} {'waits' if waiting == 1 else 'wait'} for another admin (in the console or by "
            f"--confirmed-by): {why}."
        )
    if bad or states[State.REFUSED]:
        raise typer.Exit(FOUND)

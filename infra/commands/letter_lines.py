"""Dead letters as a person reads them."""

import json
from collections.abc import Mapping, Sequence

from rich.text import Text

from chalicelib.adapters.dead_letters import Group
from chalicelib.contracts.api.dead_letters import LetterGroup
from chalicelib.contracts.letters import Letter
from chalicelib.domain.ids import MerchantId
from infra.commands.output import print_list, say, say_beside
from infra.commands.tables import print_table
from infra.commands.times import shown, zone

NOT_FOUND = "no such letter is parked"
"""Why a letter was not put back that is not there."""


def say_block(letter: Letter, names: Mapping[MerchantId, str], *, local: bool) -> None:
    """Print a dead letter as a block: its id and code, why it is parked, whose it is (by name, if any), and when."""
    again = f", put back {letter.redriven}×" if letter.redriven else ""
    lead = Text(" " * 4)
    say(f"{letter.letter_id}  {letter.code}{again}", style="bold")
    say_beside(lead, letter.reason)
    if of := " ".join(filter(None, (letter.event_type, _called(letter.merchant_id, names)))):
        say_beside(lead, of)
    parked_at, origin = shown(letter.parked_at, local=local), letter.origin or "an unknown origin"
    say_beside(lead, f"{letter.parking}, {parked_at} {zone(local=local)}, from {origin}", style="dim")


def none_like(parked: int, codes: Sequence[str] | None, merchant: str | None, text: str | None) -> str:
    """Return that nothing is parked, or that none of so many letters is one of those that were asked for."""
    asked = [
        f"the code {' or '.join(codes)}" if codes else "",
        f"the merchant {merchant}" if merchant else "",
        f"{text!r} in its message" if text else "",
    ]
    if not parked or not any(asked):
        return "Nothing is parked."
    others = f"{parked:,} {'is' if parked == 1 else 'are'} parked"
    return f"No dead letter has {' and '.join(filter(None, asked))}; {others}."


def outcome(letter_id: str, letter: Letter | None, why: str | None) -> str:
    """Return what became of a letter that was to be put back."""
    if why == NOT_FOUND:
        return f"No letter {letter_id} is parked."
    name = f"{letter_id}  {letter.code if letter else ''}".rstrip()
    return f"{name}: stays parked, {why}" if why else f"{name}: put back"


def summary(put_back: int, stayed: int, unknown: int) -> str:
    """Return how many letters were put back, and how many were not."""
    stays = f"{stayed:,} {'stays' if stayed == 1 else 'stay'} parked"
    missing = f"{unknown:,} not found"
    return (
        f"{', '.join([f'{put_back:,} put back'] + [stays] * bool(stayed or not unknown) + [missing] * bool(unknown))}."
    )


def print_groups(groups: Sequence[Group], names: Mapping[MerchantId, str], *, local: bool, as_json: bool) -> None:
    """Print how many letters there are of each code and merchant, at least one."""
    if as_json:
        items = [LetterGroup.model_validate(group).model_dump(mode="json") for group in groups]
        print_list(items, total=len(items))
    else:
        rows = [
            (
                str(one.letters),
                one.code,
                shown(one.newest, local=local),
                _called(one.merchant_id, names) or "none named",
            )
            for one in groups
        ]
        headings = ("letters", "code", f"newest ({zone(local=local)})", "merchant")
        print_table(rows, headings=headings, right=("letters",))


def _called(merchant: MerchantId | None, names: Mapping[MerchantId, str]) -> str | None:
    return None if merchant is None else names.get(merchant, merchant)


def readable(body: str) -> str:
    """Return JSON indented, anything else as it is, and JSON too that would not be the same: a name twice, say."""
    try:
        content = json.loads(body)
        same = {_packed(json.dumps(content, ensure_ascii=ascii_only)) for ascii_only in (True, False)}
        return json.dumps(content, indent=2, ensure_ascii=False) if _packed(body) in same else body
    except (ValueError, RecursionError):
        return body


def _packed(text: str) -> str:
    return "".join(text.split())

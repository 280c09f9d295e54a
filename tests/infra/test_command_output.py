"""What a terminal would obey is shown to a person instead, wherever a command prints text that somebody else wrote."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.commands.output import print_json, print_text, refused, say, screen, visible
from infra.commands.tables import print_table

OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
HOSTILE = "".join(chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in OBEYED[:3])


def obeyed(text: str) -> set[str]:
    """Return the characters of a text that a terminal obeys, but for the end of a line."""
    return {sign for sign in text if unicodedata.category(sign) in OBEYED and sign != "\n"}


def test_every_character_that_a_terminal_obeys_is_escaped() -> None:
    assert {"\x1b", "\x7f", "\x9b", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\ud800"} <= obeyed(HOSTILE)
    assert obeyed(visible(HOSTILE)) == set()
    assert visible("a\x1b[2J\x9b31m\u202eb") == r"a\x1b[2J\x9b31m\u202eb"


@pytest.mark.parametrize("text", ["naïve 漢字 😀 שלום", "[red]not markup[/red] :bug:", r"C:\x1b", "a\u00a0b\u3000c"])
def test_what_only_looks_foreign_is_left_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(text)

    assert capsys.readouterr().out == f"{text}\n"


def test_no_way_of_printing_obeys_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say(HOSTILE, style="red")
    print_text(HOSTILE)
    print_table([[HOSTILE, "x"]], headings=("one", "two"))
    print_json({"reason": HOSTILE})
    screen().print(HOSTILE)
    refused(HOSTILE)

    printed = capsys.readouterr()
    assert obeyed(printed.out) - {"\t"} == set()
    assert obeyed(printed.err) == set()
    assert r"\u202e" in printed.out
    assert r"\u202e" in printed.err


def test_a_sentence_is_one_line_and_a_text_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\nanother")
    print_text("one\n\tanother\r\n")

    assert capsys.readouterr().out == "one\\nanother\none\n\tanother\\r\n\n"


@given(text=st.text(st.characters()))
def test_json_says_the_same_whatever_it_escapes(text: str) -> None:
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.commands.output.typer.echo", printed.append)
        print_json({text: text})

    assert json.loads(printed[0]) == {text: text}
    assert obeyed(printed[0]) == set()

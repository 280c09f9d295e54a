"""How texts are compared in a search, and under which names labels are listed (contract, "Merchants")."""

import pytest

from chalicelib.domain.searching import WORDS_MAX, folded, id_start, position_of, words_of

LINK = "shopify:lpb.example"


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("  Last   PENNY\tBooks ", "last penny books"),
        ("O’Hara's Café & Co.", "oharas cafe co"),
        ("Straße_7", "strasse 7"),
        ("紅茶の店", "紅茶の店"),
        ("🍵!", ""),
        ("a\x00b\ud800", "a b"),
    ],
)
def test_texts_are_compared_by_words_without_case_and_accents(text: str, compared: str) -> None:
    assert folded(text) == compared


def test_a_label_of_many_words_is_found_from_the_first_ones_only() -> None:
    listed = words_of("a b c d e f g h i j", LINK)

    assert len(listed) == WORDS_MAX
    assert position_of({LINK: "a b c d e f g h i j"}, "H I") is not None
    assert position_of({LINK: "a b c d e f g h i j"}, "i j") is None


@pytest.mark.parametrize(
    ("text", "start"),
    [("4F1C6f0e7c", "4f1c6f0e-7c"), ("4f1c", "4f1c"), ("-", None), ("tea", None), ("4f1c" * 10, None)],
)
def test_the_beginning_of_an_id_gets_its_hyphens(text: str, start: str | None) -> None:
    assert id_start(text) == start

"""Cursors: only what was signed, for the list that it was signed for."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.api import cursors
from chalicelib.contracts.api.problems import Problem, Refusal
from chalicelib.domain.ids import MerchantId

KEY = "k" * 32
SCOPE = ("merchant-a", "INCREASE", "", "")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.integers(min_value=0, max_value=2**63))
def test_a_cursor_leads_back_to_its_position(position: int) -> None:
    assert cursors.position(cursors.sign(position, scope=SCOPE, key=KEY), scope=SCOPE, key=KEY) == position


@pytest.mark.parametrize("place", range(32))
def test_a_cursor_with_any_character_changed_is_refused(place: int) -> None:
    cursor = cursors.sign(4711, scope=SCOPE, key=KEY)

    for character in ALPHABET.replace(cursor[place], ""):
        with pytest.raises(Problem):
            cursors.position(cursor[:place] + character + cursor[place + 1 :], scope=SCOPE, key=KEY)


@pytest.mark.parametrize(
    "bent",
    ["", "x", "A" * 32, "{cursor}A", "{cursor}=", "{cursor}\n", " {cursor}", "{start}", "{cursor}{cursor}", "é" * 32],
)
def test_a_cursor_cut_lengthened_or_made_up_is_refused(bent: str) -> None:
    cursor = cursors.sign(4711, scope=SCOPE, key=KEY)

    with pytest.raises(Problem) as refused:
        cursors.position(bent.format(cursor=cursor, start=cursor[:-1]), scope=SCOPE, key=KEY)

    assert refused.value.code is Refusal.CURSOR_INVALID


@pytest.mark.parametrize(
    "other",
    [
        ("merchant-b", "INCREASE", "", ""),
        ("merchant-a", "DECREASE", "", ""),
        ("merchant-a", "", "", ""),
        ("merchant-a", "INCREASE", "TRIAL", ""),
        ("merchant-a", "", "INCREASE", ""),
        ("merchant-aINCREASE", "", "", ""),
    ],
)
def test_a_cursor_of_another_merchant_or_filter_is_refused(other: tuple[str, ...]) -> None:
    with pytest.raises(Problem):
        cursors.position(cursors.sign(7, scope=SCOPE, key=KEY), scope=other, key=KEY)


def test_a_cursor_of_another_key_is_refused() -> None:
    with pytest.raises(Problem):
        cursors.position(cursors.sign(7, scope=SCOPE, key="o" * 32), scope=SCOPE, key=KEY)


@given(st.uuids())
def test_a_cursor_of_merchants_leads_back_behind_its_merchant(merchant: UUID) -> None:
    cursor = cursors.sign_merchant(MerchantId(str(merchant)), scope=SCOPE, key=KEY)

    assert cursors.merchant(cursor, scope=SCOPE, key=KEY) == str(merchant)


@pytest.mark.parametrize("place", range(43))
def test_a_cursor_of_merchants_with_any_character_changed_is_refused(place: int) -> None:
    cursor = cursors.sign_merchant(MerchantId(str(UUID(int=4711))), scope=SCOPE, key=KEY)

    assert len(cursor) == 43
    for character in ALPHABET.replace(cursor[place], ""):
        with pytest.raises(Problem):
            cursors.merchant(cursor[:place] + character + cursor[place + 1 :], scope=SCOPE, key=KEY)


def test_a_cursor_of_one_kind_of_list_is_none_of_another() -> None:
    merchants = cursors.sign_merchant(MerchantId(str(UUID(int=7))), scope=SCOPE, key=KEY)

    with pytest.raises(Problem):
        cursors.position(merchants, scope=SCOPE, key=KEY)
    with pytest.raises(Problem):
        cursors.merchant(cursors.sign(7, scope=SCOPE, key=KEY), scope=SCOPE, key=KEY)


def test_while_a_key_is_changed_cursors_of_both_are_read_and_the_first_one_signs() -> None:
    scope, old, new = ("history", "shop"), "o" * 32, "n" * 32
    before = cursors.sign(7, scope=scope, key=old)

    assert cursors.position(before, scope=scope, key=f"{new}\n{old}") == 7
    assert cursors.sign(7, scope=scope, key=f"{new}\n{old}") == cursors.sign(7, scope=scope, key=new) != before
    with pytest.raises(Problem):
        cursors.position(before, scope=scope, key=new)

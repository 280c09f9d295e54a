"""A search for any label finds it."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.links import LABEL_LENGTH_MAX
from chalicelib.domain.searching import folded, position_of, words_of

LINK = "shopify:lpb.example"
INDEX_KEY_BYTES_MAX = 1024
"""What DynamoDB takes as the sort key of an index."""


@given(st.text(min_size=1, max_size=LABEL_LENGTH_MAX))
def test_every_label_with_a_letter_or_digit_is_found_by_itself_and_fits_the_index(label: str) -> None:
    listed = words_of(label, "shopify:" + "x" * 255)

    assert all(len(name.encode()) <= INDEX_KEY_BYTES_MAX for name in listed)
    assert (position_of({LINK: label}, label) is not None) == bool(folded(label))

"""How merchants are found by name: the positions of their names in lists that are ordered by text.

A search is the beginning of a label, of a word in it, of a shop's domain, of a customer's id or of a merchant's id. So
every way to find a merchant is a position in a list, and a list is read from where the text begins: never a scan.
"""

import re
import unicodedata
from collections.abc import Mapping
from itertools import islice, pairwise
from typing import Final

from chalicelib.domain.links import LABEL_LENGTH_MAX, LinkKind

SEARCH_LENGTH_MAX = 255
"""Characters of what is searched for."""
WORDS_MAX = 8
"""Words of a label from which it is found: each is an item beside its link."""
WORD: Final = "word"
"""The list of labels, by each of their words; the other lists are the kinds of links."""

SearchPosition = tuple[int, str]
"""A list's number in the order of search, and a name in it."""

_LISTS: Final = (WORD, LinkKind.SHOPIFY, LinkKind.STRIPE)
_APOSTROPHES = re.compile(r"['’]")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_DOMAIN_START = re.compile(r"[a-z0-9.-]+")
_CUSTOMER_START = re.compile(r"[A-Za-z0-9_]+")
_ID_START = re.compile(r"[0-9a-f-]{1,36}", re.ASCII)
_HYPHENS = (8, 13, 18, 23)


def folded(text: str) -> str:
    """Return a text in the form in which texts are compared: lower case, no accents, single spaces between words."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return _BETWEEN_WORDS.sub(" ", _APOSTROPHES.sub("", plain.casefold())).strip()[:LABEL_LENGTH_MAX].strip()


def words_of(label: str | None, link: str) -> frozenset[str]:
    """Return the names under which a link's label is listed: its text from each of the first `WORDS_MAX` words on."""
    text = folded(label or "")
    starts = islice(re.finditer(r"\w+", text), WORDS_MAX)
    return frozenset(f"{WORD}:{text[start.start() :]}#{link}" for start in starts)


def prefixes(search: str) -> Mapping[int, tuple[str, str]]:
    """Return, by number and in order, each list that a search reads, with the beginning of the names it finds there."""
    text = search.strip()
    starts = (folded(text), _DOMAIN_START.fullmatch(text.lower()), _CUSTOMER_START.fullmatch(text))
    found = {}
    for number, (kind, start) in enumerate(zip(_LISTS, starts, strict=True)):
        if start:
            found[number] = (kind, f"{kind}:{start if isinstance(start, str) else start[0]}")
    return found


def position_of(names: Mapping[str, str | None], search: str) -> SearchPosition | None:
    """Return the first position at which a search finds a merchant with these names and labels, None if it does not."""
    places = []
    for number, (kind, start) in prefixes(search).items():
        if kind == WORD:
            listed = {word for name, label in names.items() for word in words_of(label, name)}
        else:
            listed = set(names)
        places += [(number, name) for name in listed if name.startswith(start)]
    return min(places, default=None)


def id_start(search: str) -> str | None:
    """Return a search as the beginning of a merchant's id, with the hyphens of a UUID; None if it cannot be one."""
    text = search.strip().lower()
    if _ID_START.fullmatch(text) is None or not (digits := text.replace("-", "")):
        return None
    places = (0, *(place - number for number, place in enumerate(_HYPHENS)), len(digits))
    parts = [digits[start:end] for start, end in pairwise(places)]
    return "-".join(part for part in parts if part)

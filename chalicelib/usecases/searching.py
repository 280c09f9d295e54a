"""Merchants found by label, domain or id, each once, page after page (contract, "Merchants")."""

from collections.abc import Mapping

from chalicelib.domain.ids import MerchantId
from chalicelib.domain.searching import SearchPosition, id_start, position_of, prefixes
from chalicelib.ports import LinkTable, MerchantList

BY_ID_ALONE: SearchPosition = (1_000, "")
"""The place of a merchant that is found by its id alone."""


def found_merchants(
    links: LinkTable, listed: MerchantList, search: str, *, after: MerchantId | None = None, wanted: int
) -> list[MerchantId]:
    """Return up to `wanted` merchants that a search finds, those after `after`: first by label, then by domain and id.

    Raises:
        ValueError: the search does not find `after`, or not any more. RetryLater: a table cannot answer.
    """
    place = _place(after, links.of_merchants([after]).get(after, {}), search) if after is not None else None
    # The last page may hold more than is still wanted.
    found = _by_name(links, search, after=place, wanted=wanted)
    if len(found) < wanted and (start := id_start(search)) is not None:
        last = after if place == BY_ID_ALONE else None
        found += _by_id(links, listed, search, start=start, after=last, wanted=wanted - len(found))
    return found[:wanted]


def _by_name(links: LinkTable, search: str, *, after: SearchPosition | None, wanted: int) -> list[MerchantId]:
    found: list[MerchantId] = []
    for number, (kind, start) in prefixes(search).items():
        last = after[1] if after is not None and after[0] == number else None
        more = after is None or number >= after[0]
        while more and len(found) < wanted:
            page = links.starting(kind, start, after=last, limit=wanted)
            names = links.of_merchants(merchant for _, merchant in page.names)
            # A merchant is listed where it is found first; the list may still hold what was taken out just now.
            found += [
                merchant
                for name, merchant in page.names
                if position_of(names.get(merchant, {}), search) == (number, name)
            ]
            last, more = page.last, page.last is not None
    return found


def _by_id(
    links: LinkTable, listed: MerchantList, search: str, *, start: str, after: MerchantId | None, wanted: int
) -> list[MerchantId]:
    found: list[MerchantId] = []
    last, more = after, True
    while more and len(found) < wanted:
        page = listed.merchants(starting=start, after=last, wanted=wanted)
        names = links.of_merchants(page)
        found += [merchant for merchant in page if position_of(names.get(merchant, {}), search) is None]
        last, more = page[-1] if page else None, len(page) == wanted
    return found


def _place(merchant: MerchantId, names: Mapping[str, str | None], search: str) -> SearchPosition:
    place, start = position_of(names, search), id_start(search)
    if place is None and (start is None or not merchant.startswith(start)):
        raise ValueError("the search does not find this merchant")
    return place or BY_ID_ALONE

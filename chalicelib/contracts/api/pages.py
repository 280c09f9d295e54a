"""Pages of a list: where each begins and ends, its neighbours, and the links between them.

Standard library only, so that every list can use it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

LIMIT_MAX = 100
LIMIT_DEFAULT = 20
PAGE_MAX = 1_000_000_000

Parameters = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The requested page: up to `limit` rows of a `page` counted from 1, or those after a `cursor`."""

    limit: int = LIMIT_DEFAULT
    page: int = 1
    cursor: str | None = None

    @property
    def skipped(self) -> int:
        """Rows before the page."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePosition:
    """A page's position in its list. `total` is None where counting would mean reading the list.

    `next_cursor` is None on the last page, and where cursors have no key (contract, section 10). A list that is not
    `numbered` has cursors only.
    """

    request: PageRequest
    total: int | None
    has_next: bool
    has_previous: bool
    next_cursor: str | None
    numbered: bool = True

    @classmethod
    def by_cursor(cls, request: PageRequest, *, more: bool, next_cursor: str | None) -> Self:
        """Return the position of a page in a list that nobody counts and that has cursors only."""
        return cls(
            request=request,
            total=None,
            has_next=more,
            has_previous=request.cursor is not None,
            next_cursor=next_cursor,
            numbered=False,
        )

    @classmethod
    def of_the_first(cls, request: PageRequest, *, total: int, shown: int) -> Self:
        """Return the position of a list's one page: the list is counted, and has neither numbered pages nor cursors."""
        return cls(
            request=request,
            total=total,
            has_next=total > shown,
            has_previous=False,
            next_cursor=None,
            numbered=False,
        )

    @property
    def pages(self) -> int | None:
        """The number of pages of this limit: 0 for an empty list."""
        return None if self.total is None else -(-self.total // self.request.limit)

    def pagination(self) -> dict[str, int | bool | str | None]:
        """Return the answer's `pagination`; a page reached by cursor has no number."""
        return {
            "page": self.request.page if self.numbered and self.request.cursor is None else None,
            "limit": self.request.limit,
            "total": self.total,
            "pages": self.pages,
            "has_next": self.has_next,
            "has_previous": self.has_previous,
            "next_cursor": self.next_cursor,
        }

    def links(self, path: str, parameters: Parameters) -> dict[str, str | None]:
        """Return the answer's `links` for the list at `path`; `parameters` excludes page and cursor."""
        request = self.request

        def link(**place: str | int) -> str:
            given = {name: value for name, value in parameters.items() if value is not None}
            return f"{path}?{urlencode({**given, 'limit': request.limit, **place})}"

        last = link(page=max(1, self.pages)) if self.pages is not None else None
        if request.cursor is not None or not self.numbered:
            first = link(page=1) if self.numbered else link()
            return {
                "self": link(cursor=request.cursor) if request.cursor is not None else first,
                "next": link(cursor=self.next_cursor) if self.next_cursor else None,
                "previous": None,
                "first": first,
                "last": last,
            }
        # From a page after the end, the previous page is the last one.
        previous = request.page - 1 if self.pages is None else min(request.page - 1, self.pages)
        return {
            "self": link(page=request.page),
            "next": link(page=request.page + 1) if self.has_next else None,
            "previous": link(page=previous) if self.has_previous else None,
            "first": link(page=1),
            "last": last,
        }


def link_header(links: Mapping[str, str | None]) -> str:
    """Return the links as a `Link` header (RFC 8288)."""
    relations = {"self": "self", "next": "next", "previous": "prev", "first": "first", "last": "last"}
    return ", ".join(f'<{url}>; rel="{relations[name]}"' for name, url in links.items() if url is not None)

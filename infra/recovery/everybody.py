"""Everybody in the ledger, a page at a time."""

from collections.abc import Iterator, Sequence

from chalicelib.domain.findings import UnreadableAccount
from chalicelib.domain.ids import MerchantId
from chalicelib.ports import LedgerReader, Snapshot


def account_pages(
    reader: LedgerReader, after: MerchantId | None = None
) -> Iterator[Sequence[Snapshot | UnreadableAccount]]:
    """Yield all accounts, readable or not, or those after the account of `after`."""
    while True:
        page = reader.accounts(after)
        yield page.accounts
        if page.last is None:
            return
        after = page.last


def with_accounts(reader: LedgerReader) -> Iterator[Sequence[MerchantId]]:
    """Yield every merchant that has an account, readable or not."""
    for page in account_pages(reader):
        yield [
            found.merchant_id if isinstance(found, UnreadableAccount) else found.account.merchant_id for found in page
        ]


def everybody(reader: LedgerReader) -> Iterator[Sequence[MerchantId]]:
    """Yield every merchant that has an account, and then those that have only transactions."""
    yield from with_accounts(reader)
    place, known = None, set[MerchantId]()
    while True:
        page = reader.merchants(place)
        without = [each for each in reader.without_account(page.merchants) if each not in known]
        known.update(without)
        yield without
        if page.last is None:
            return
        place = page.last

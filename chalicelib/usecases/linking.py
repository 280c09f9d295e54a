"""Which merchant a webhook belongs to, by links that are read once per batch and cached (contract, section 15)."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link, LinkKind, link_name, merchant_of_name
from chalicelib.ports import LinkTable

KEEP_SECONDS = 300
"""How long a link is used before it is read again: until then, a removed link may still be used."""
KNOWN_LINKS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookNames:
    """What identifies a webhook's merchant: its id, the shop or customer, or a payment; the first known one counts."""

    merchant_id: MerchantId | None = None
    name: str | None = None
    payment_names: Sequence[str] = ()

    @property
    def linked(self) -> tuple[str, ...]:
        """The names that links may know."""
        return (*((self.name,) if self.name else ()), *self.payment_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The merchant to whom a webhook belongs; `opens`: the webhook opens the account of its name first."""

    merchant_id: MerchantId
    opens: bool


class Linking:
    """Finds the merchants of names, and writes links. One per container: it remembers the links that it read."""

    def __init__(self, table: LinkTable) -> None:
        self._table = table
        self._known: dict[str, tuple[MerchantId, float]] = {}

    def merchants(self, webhooks: Sequence[WebhookNames]) -> list[MerchantId | None]:
        """Return the merchant of each webhook by its names, None if no link has it; one read for all.

        Raises:
            RetryLater: the links cannot be read.
        """
        unknown = [
            name
            for names in webhooks
            if names.merchant_id is None
            for name in names.linked
            if self._remembered(name) is None
        ]
        if unknown:
            for name, merchant in self._table.read(dict.fromkeys(unknown)).items():
                self._remember(name, merchant)
        return [self.known(names) for names in webhooks]

    def known(self, names: WebhookNames) -> MerchantId | None:
        """Return the merchant by the links read so far, None if none of them has one."""
        return names.merchant_id or next((found for name in names.linked if (found := self._remembered(name))), None)

    def invoices(self, payment_names: Iterable[str]) -> Mapping[str, str]:
        """Return the invoice that each payment paid, without the payments that paid none, or only a part of one.

        Raises:
            RetryLater: they cannot be read.
        """
        found = self._invoices(payment_names)
        # An invoice that is linked to itself was paid by several payments, none of which paid all of it.
        several = self._invoices(link_name(LinkKind.STRIPE, invoice) for invoice in found.values()).values()
        return {name: invoice for name, invoice in found.items() if invoice not in several}

    def _invoices(self, names: Iterable[str]) -> Mapping[str, str]:
        asked = list(dict.fromkeys(names))
        return self._table.invoices(asked) if asked else {}

    def write(
        self,
        links: Iterable[Link],
        payment_names: Iterable[str],
        merchant_id: MerchantId | None,
        *,
        paid: Mapping[str, str],
    ) -> list[Rejected | RetryLater]:
        """Write the links that an event names; return those that were not written, and why.

        A payment's name that belongs to another merchant stays with it, and that is no error. `paid` is the invoice
        that each payment paid, by the payment's name, whichever merchant's it is.
        """
        faults: list[Rejected | RetryLater] = []
        for link in links:
            try:
                self.link(link)
            except (Rejected, RetryLater) as error:
                faults.append(error)
        try:
            for name, invoice in paid.items():
                self._table.put_invoice(name, invoice)
            if merchant_id is not None:
                self._remember_payments(payment_names, merchant_id)
        except RetryLater as error:
            faults.append(error)
        return faults

    def sale(self, payment_name: str, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Add what a webhook says about a payment that is captured later; return all that is known about it.

        Raises:
            RetryLater: the table cannot answer.
        """
        return self._table.put_sale(payment_name, texts)

    def are_parked(self, facts: Sequence[str], message_id: str) -> bool:
        """Return whether another message is parked for every one of these facts; a fact without one gets this message.

        Raises:
            RetryLater: the table cannot answer.
        """
        # A list, because every fact without a message gets this one, not only the first.
        own = [self._table.put_letter(fact, message_id) for fact in facts]
        return not any(own)

    def link(self, link: Link) -> None:
        """Link a name to a merchant; nothing changes if it is linked to this merchant already.

        Raises:
            Rejected: it belongs to another merchant, and stays with it. RetryLater: the table cannot answer.
        """
        if link.label is None and self._remembered(link.name) == link.merchant_id:
            return
        owner = self._table.put(link)
        self._remember(link.name, owner)
        if owner != link.merchant_id:
            raise Rejected(
                Code.LINK_TAKEN,
                f"{link.name} belongs to merchant {owner}: remove that link first",
                field="links",
            )

    def owner(
        self,
        names: WebhookNames,
        found: MerchantId | None,
        *,
        unlinked_opens: bool,
        redelivered: bool,
        moves: bool,
        closes: bool,
        now: Instant,
    ) -> Owner | None:
        """Return whose a webhook is, None if nobody's and there is nothing to do (contract, section 15, point 8).

        `found` is its merchant by `merchants` or `known`. Where `unlinked_opens`, a shop or customer that is linked to
        nobody gets a new account if the webhook `moves` credits. `closes` says that it would close the account.

        Raises:
            RetryLater: its merchant is not known yet, or the links cannot be read or written.
        """
        # The link may be there although the write that was to open the account failed.
        merchant, may_open = found, redelivered
        if merchant is None:
            if not moves and (unlinked_opens or not closes):
                # Nobody has paid: a test order needs no link and opens no account, and there is none to close.
                return None
            if names.name is None or not unlinked_opens:
                raise unlinked(names)
            own = merchant_of_name(names.name)
            merchant, may_open = self._claim(Link(name=names.name, merchant_id=own, since=now))
        opens = may_open and unlinked_opens and merchant == merchant_of_name(names.name or "")
        return Owner(merchant_id=merchant, opens=opens)

    def _claim(self, link: Link) -> tuple[MerchantId, bool]:
        """Return the name's merchant (`link`'s, unless another writer was faster), and whether it was linked now."""
        before = self._table.read([link.name]).get(link.name)
        owner = before or self._table.put(link)
        self._remember(link.name, owner)
        return owner, before is None

    def _remember_payments(self, names: Iterable[str], merchant_id: MerchantId) -> None:
        for name in names:
            if self._remembered(name) is None:
                self._remember(name, self._table.put_payment(name, merchant_id))

    def _remembered(self, name: str) -> MerchantId | None:
        merchant, until = self._known.get(name, (None, 0.0))
        return merchant if time.monotonic() < until else None

    def _remember(self, name: str, merchant: MerchantId) -> None:
        self._known.pop(name, None)
        self._known[name] = (merchant, time.monotonic() + KEEP_SECONDS)
        if len(self._known) > KNOWN_LINKS_MAX:
            del self._known[next(iter(self._known))]


def unlinked(names: WebhookNames) -> RetryLater:
    """Return the outcome of a message whose merchant is not known yet."""
    who = ", ".join(names.linked)
    reason = f"no merchant is linked to {who}" if who else "the webhook names no shop, customer or payment"
    return RetryLater(Code.MERCHANT_UNLINKED, reason, field="links")


def shown(names: Mapping[str, str | None]) -> str:
    """Return the display name of a merchant with these names: a label, else a shop's name, else a customer's."""
    name, label = min(names.items(), key=lambda named: (named[1] is None, named[0]))
    return label or name.partition(":")[2]

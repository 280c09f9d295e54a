"""Links in memory: what the table on DynamoDB does, without one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chalicelib.domain.ids import MerchantId
from chalicelib.domain.links import Link, LinkKind
from chalicelib.domain.searching import WORD, words_of
from chalicelib.ports import LinksPage, NamesPage


@dataclass(slots=True)
class FakeLinks:
    """The links of shops and customers by their names, and whose payments are."""

    links: dict[str, Link] = field(default_factory=dict)
    payments: dict[str, MerchantId] = field(default_factory=dict)
    paid: dict[str, str] = field(default_factory=dict)
    sales: dict[str, dict[str, str]] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)
    reads: list[list[str]] = field(default_factory=list)

    def read(self, names: Iterable[str]) -> dict[str, MerchantId]:
        self.reads.append(list(names))
        owners = {**self.payments, **{name: link.merchant_id for name, link in self.links.items()}}
        return {name: owners[name] for name in self.reads[-1] if name in owners}

    def get(self, name: str) -> Link | None:
        return self.links.get(name)

    def put(self, link: Link) -> MerchantId:
        standing = self.links.get(link.name)
        if standing is None:
            self.links[link.name] = link
        elif standing.merchant_id == link.merchant_id and link.label is not None:
            self.links[link.name] = replace(standing, label=link.label)
        return self.links[link.name].merchant_id

    def put_payment(self, name: str, merchant_id: MerchantId) -> MerchantId:
        return self.payments.setdefault(name, merchant_id)

    def put_invoice(self, payment_name: str, invoice_id: str) -> None:
        self.paid[payment_name] = invoice_id

    def invoices(self, payment_names: Iterable[str]) -> dict[str, str]:
        return {name: self.paid[name] for name in payment_names if name in self.paid}

    def put_sale(self, payment_name: str, texts: Mapping[str, str]) -> dict[str, str]:
        self.sales.setdefault(payment_name, {}).update(texts)
        return dict(self.sales[payment_name])

    def put_letter(self, fact: str, message_id: str) -> bool:
        return self.letters.setdefault(fact, message_id) == message_id

    def remove(self, link: Link) -> bool:
        standing = self.links.get(link.name)
        if standing is None or standing.merchant_id != link.merchant_id:
            return False
        del self.links[link.name]
        return True

    def of_merchants(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, dict[str, str | None]]:
        found: dict[MerchantId, dict[str, str | None]] = {}
        for merchant in merchants:
            for link in self.links.values():
                if link.merchant_id == merchant:
                    found.setdefault(merchant, {})[link.name] = link.label
        return found

    def page(self, kind: LinkKind, *, starting: str = "", after: str | None = None, limit: int) -> LinksPage:
        names = [name for name in sorted(self.links) if name.startswith(f"{kind}:{starting}") and name > (after or "")]
        links = tuple(self.links[name] for name in names[:limit])
        return LinksPage(links=links, last=links[-1].name if len(names) > limit else None)

    def starting(self, kind: str, prefix: str, *, after: str | None, limit: int) -> NamesPage:
        listed = {name: link.merchant_id for name, link in self.links.items() if link.kind == kind}
        if kind == WORD:
            words = [(word, link) for link in self.links.values() for word in words_of(link.label, link.name)]
            listed = {word: link.merchant_id for word, link in words}
        names = sorted(name for name in listed if name.startswith(prefix) and name > (after or ""))
        page = tuple((name, listed[name]) for name in names[:limit])
        return NamesPage(names=page, last=page[-1][0] if len(names) > limit else None)

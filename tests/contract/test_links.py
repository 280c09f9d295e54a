"""Whose names are: one suite for the fake and every engine of DynamoDB (contract, section 15)."""

from collections.abc import Iterator

import pytest

from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link, LinkKind
from chalicelib.domain.searching import WORD
from chalicelib.ports import LinkTable
from tests.contract.conftest import ENGINES, FAKE, _tables
from tests.support.builders import SHOP, merchant
from tests.support.fake_links import FakeLinks

OTHER = merchant("another shop")
SINCE = Instant("2026-11-01T00:00:00.000Z")
DOMAIN, CUSTOMER = "shopify:teegeist.myshopify.com", "stripe:cus_1"


@pytest.fixture(params=[pytest.param(FAKE), *ENGINES])
def links(request: pytest.FixtureRequest) -> Iterator[LinkTable]:
    if request.param == FAKE:
        yield FakeLinks()
        return
    for tables in _tables(request):
        yield DynamoDBLinks(tables.client, table=tables.links)


def link(
    name: str = DOMAIN, *, merchant_id: MerchantId = SHOP, label: str | None = None, since: Instant = SINCE
) -> Link:
    return Link(name=name, merchant_id=merchant_id, label=label, since=since)


def test_a_name_that_nobody_has_is_left_out(links: LinkTable) -> None:
    assert links.read([DOMAIN, CUSTOMER, DOMAIN]) == {}
    assert links.get(DOMAIN) is None
    assert links.of_merchants([SHOP]) == {}


def test_a_sale_holds_what_all_its_webhooks_say(links: LinkTable) -> None:
    assert links.put_sale("stripe:pi_1", {"captured": "yes"}) == {"captured": "yes"}

    both = {"captured": "yes", "session": "cs_1", "credits": "500"}
    assert links.put_sale("stripe:pi_1", {"session": "cs_1", "credits": "500"}) == both
    assert links.put_sale("stripe:pi_1", {"captured": "yes"}) == both
    assert links.put_sale("stripe:pi_2", {"session": "cs_2"}) == {"session": "cs_2"}
    assert links.read(["stripe:pi_1"]) == {}


def test_a_fact_keeps_the_first_message_that_is_parked_for_it(links: LinkTable) -> None:
    assert links.put_letter("refund_failed:stripe:re_1", "first")

    assert not links.put_letter("refund_failed:stripe:re_1", "second")
    assert links.put_letter("refund_failed:stripe:re_1", "first")
    assert links.put_letter("refund_failed:stripe:re_2", "second")


def test_a_link_is_read_by_its_name_and_by_its_merchant(links: LinkTable) -> None:
    assert links.put(link(label="Teegeist")) == SHOP
    assert links.put(link(CUSTOMER)) == SHOP

    assert links.read([DOMAIN, CUSTOMER, "stripe:cus_2"]) == {DOMAIN: SHOP, CUSTOMER: SHOP}
    assert links.get(DOMAIN) == link(label="Teegeist")
    assert links.of_merchants([SHOP, OTHER]) == {SHOP: {DOMAIN: "Teegeist", CUSTOMER: None}}


def test_a_name_is_never_moved_by_a_second_link(links: LinkTable) -> None:
    links.put(link(label="Teegeist"))

    assert links.put(link(merchant_id=OTHER, label="Mine")) == SHOP
    assert links.get(DOMAIN) == link(label="Teegeist")
    assert links.of_merchants([SHOP, OTHER]) == {SHOP: {DOMAIN: "Teegeist"}}


def test_a_repeat_keeps_since_and_changes_the_label_only_if_it_has_one(links: LinkTable) -> None:
    links.put(link(label="Teegeist"))
    later = Instant("2026-11-02T00:00:00.000Z")
    links.put(link(since=later))
    assert links.get(DOMAIN) == link(label="Teegeist")

    links.put(link(since=later, label="Teegeist Wien"))
    assert links.get(DOMAIN) == link(label="Teegeist Wien")
    assert links.of_merchants([SHOP]) == {SHOP: {DOMAIN: "Teegeist Wien"}}


def test_a_removed_name_may_be_linked_anew(links: LinkTable) -> None:
    links.put(link())
    assert not links.remove(link(merchant_id=OTHER))
    assert links.remove(link())
    assert not links.remove(link())
    assert (links.get(DOMAIN), links.of_merchants([SHOP])) == (None, {})

    assert links.put(link(merchant_id=OTHER)) == OTHER
    assert links.of_merchants([SHOP, OTHER]) == {OTHER: {DOMAIN: None}}


def test_a_payment_keeps_its_first_merchant_and_is_in_no_list(links: LinkTable) -> None:
    assert links.put_payment("stripe:pi_1", SHOP) == SHOP
    assert links.put_payment("stripe:pi_1", OTHER) == SHOP
    assert links.put_payment("stripe:pi_1", SHOP) == SHOP

    assert links.read(["stripe:pi_1"]) == {"stripe:pi_1": SHOP}
    assert links.page(LinkKind.STRIPE, limit=10).links == ()
    assert links.of_merchants([SHOP]) == {}


def test_a_payment_is_known_by_the_invoice_that_it_paid(links: LinkTable) -> None:
    links.put_payment("stripe:pi_1", SHOP)
    for _ in range(2):
        links.put_invoice("stripe:pi_1", "in_1")

    assert links.invoices(["stripe:pi_1", "stripe:pi_2", "stripe:pi_1"]) == {"stripe:pi_1": "in_1"}
    assert links.read(["stripe:pi_1"]) == {"stripe:pi_1": SHOP}
    assert links.of_merchants([SHOP]) == {}


def test_links_of_a_kind_are_listed_by_name_page_by_page(links: LinkTable) -> None:
    domains = [f"shopify:{start}.example" for start in ("tea-1", "tea-2", "tea-3", "wine")]
    for name in reversed(domains):
        links.put(link(name))
    links.put(link(CUSTOMER))

    first = links.page(LinkKind.SHOPIFY, starting="tea", limit=2)
    assert [found.name for found in first.links] == domains[:2]
    assert first.last == domains[1]
    second = links.page(LinkKind.SHOPIFY, starting="tea", after=first.last, limit=2)
    assert [found.name for found in second.links] == domains[2:3]
    assert second.last is None
    assert [found.name for found in links.page(LinkKind.STRIPE, limit=9).links] == [CUSTOMER]


def listed(links: LinkTable, prefix: str = "word:") -> list[str]:
    return [name for name, _ in links.starting(WORD, prefix, after=None, limit=50).names]


def test_a_label_is_listed_by_each_of_its_words_until_it_changes_or_goes(links: LinkTable) -> None:
    links.put(link(label="Last Penny"))
    assert listed(links) == [f"word:last penny#{DOMAIN}", f"word:penny#{DOMAIN}"]

    links.put(link())
    links.put(link(merchant_id=OTHER, label="Mine"))
    links.put(link(label="Penny’s Tea"))
    assert listed(links) == [f"word:pennys tea#{DOMAIN}", f"word:tea#{DOMAIN}"]
    assert links.starting(WORD, "word:te", after=None, limit=1).names == ((f"word:tea#{DOMAIN}", SHOP),)

    # Who removes it need not know its label.
    assert links.remove(link())
    assert listed(links) == []


def test_names_of_a_list_are_read_page_by_page(links: LinkTable) -> None:
    links.put(link(label="Tea and Tea"))
    links.put(link(CUSTOMER, merchant_id=OTHER))

    first = links.starting(WORD, "word:tea", after=None, limit=1)
    second = links.starting(WORD, "word:tea", after=first.last, limit=1)

    assert [name for name, _ in (*first.names, *second.names)] == [f"word:tea and tea#{DOMAIN}", f"word:tea#{DOMAIN}"]
    assert [found.name for found in links.page(LinkKind.SHOPIFY, limit=9).links] == [DOMAIN]

"""Whose a webhook is, whether it opens an account, and which invoice a payment paid."""

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.links import Link, merchant_of_name
from chalicelib.usecases.linking import Linking, Owner, WebhookNames
from tests.support.builders import NOON, SHOP, merchant
from tests.support.fake_links import FakeLinks

NAME = "shopify:lamps.myshopify.com"
OWN = merchant_of_name(NAME)
SHOPS = WebhookNames(name=NAME, payment_names=("stripe:pi_1",))


def owner(
    links: FakeLinks,
    names: WebhookNames = SHOPS,
    *,
    unlinked_opens: bool = True,
    redelivered: bool = False,
    moves: bool = True,
    closes: bool = False,
) -> Owner | None:
    linking = Linking(links)
    [found] = linking.merchants([names])
    return linking.owner(
        names,
        found,
        unlinked_opens=unlinked_opens,
        redelivered=redelivered,
        moves=moves,
        closes=closes,
        now=NOON,
    )


def linked(to: MerchantId) -> FakeLinks:
    return FakeLinks(links={NAME: Link(name=NAME, merchant_id=to, since=NOON)})


def test_a_name_that_nobody_linked_opens_an_account_of_its_own_and_is_linked_to_it() -> None:
    links = FakeLinks()

    assert owner(links) == Owner(merchant_id=OWN, opens=True)
    assert links.links == linked(OWN).links


def test_a_neighbour_that_opened_the_account_is_known_at_once() -> None:
    links = FakeLinks()
    linking = Linking(links)
    found = linking.merchants([SHOPS, SHOPS])

    owners = [
        linking.owner(
            SHOPS,
            one or linking.known(SHOPS),
            unlinked_opens=True,
            redelivered=False,
            moves=True,
            closes=False,
            now=NOON,
        )
        for one in found
    ]

    assert found == [None, None]
    assert owners == [Owner(merchant_id=OWN, opens=True), Owner(merchant_id=OWN, opens=False)]


@pytest.mark.parametrize(
    ("names", "unlinked_opens"),
    [(SHOPS, False), (WebhookNames(payment_names=("stripe:pi_1",)), True), (WebhookNames(), True)],
    ids=["it waits by the setting", "a payment opens none", "no name at all"],
)
def test_what_is_linked_to_nobody_waits(names: WebhookNames, unlinked_opens: bool) -> None:
    with pytest.raises(RetryLater) as error:
        owner(FakeLinks(), names, unlinked_opens=unlinked_opens)

    assert error.value.code is Code.MERCHANT_UNLINKED


@pytest.mark.parametrize("unlinked_opens", [False, True])
def test_what_moves_nothing_needs_no_link_and_links_and_opens_nothing(unlinked_opens: bool) -> None:
    links = FakeLinks()

    assert owner(links, moves=False, unlinked_opens=unlinked_opens) is None
    assert links.links == {}


def test_what_closes_waits_for_its_link_unless_the_shop_would_have_an_account_of_its_own() -> None:
    assert owner(FakeLinks(), moves=False, closes=True) is None

    with pytest.raises(RetryLater):
        owner(FakeLinks(), moves=False, closes=True, unlinked_opens=False)


@pytest.mark.parametrize(
    ("to", "unlinked_opens", "redelivered", "opens"),
    [
        (OWN, True, True, True),
        (OWN, True, False, False),
        (OWN, False, True, False),
        (SHOP, True, True, False),
    ],
    ids=["the write may have failed", "the first time", "by the setting", "of another merchant"],
)
def test_a_link_that_is_there_opens_the_account_of_its_name_when_it_comes_again(
    to: MerchantId, unlinked_opens: bool, redelivered: bool, opens: bool
) -> None:
    found = owner(linked(to), unlinked_opens=unlinked_opens, redelivered=redelivered)

    assert found == Owner(merchant_id=to, opens=opens)


def test_whoever_links_the_name_first_has_it() -> None:
    linking = Linking(linked(SHOP))

    found = linking.owner(SHOPS, None, unlinked_opens=True, redelivered=True, moves=True, closes=False, now=NOON)

    assert found == Owner(merchant_id=SHOP, opens=False)


def test_a_merchant_that_the_webhook_names_needs_no_link() -> None:
    links = FakeLinks()
    other = merchant("named")

    assert owner(links, WebhookNames(merchant_id=other, name=NAME)) == Owner(merchant_id=other, opens=False)
    assert links.reads == []


def test_the_invoice_of_a_payment_is_the_one_that_it_paid_alone() -> None:
    links = FakeLinks()
    for name, invoice in (("pi_1", "in_1"), ("pi_2", "in_2"), ("in_2", "in_2")):
        links.put_invoice(f"stripe:{name}", invoice)

    found = Linking(links).invoices(["stripe:pi_1", "stripe:pi_2", "stripe:pi_3"])

    assert found == {"stripe:pi_1": "in_1"}

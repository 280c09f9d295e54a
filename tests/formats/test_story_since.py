"""What a story says of the present status: since when, why, what was missed since then, and what switches it."""

from dataclasses import dataclass, field

from chalicelib.contracts.api.answers import Account
from chalicelib.contracts.api.sentences import GRACE_ENDS
from chalicelib.contracts.api.story import Story, story_of
from chalicelib.domain.due import as_of
from chalicelib.domain.grace import End
from chalicelib.domain.movements import Movement
from chalicelib.domain.status import deciding_transaction
from chalicelib.domain.terms import GraceTerms, TimeTerms
from chalicelib.ports import CallTime
from chalicelib.usecases.explaining import excerpt_of
from chalicelib.usecases.overriding import ClosureReport, set_closed
from tests.support.builders import SHOP, dispute, freezing, order, payment, trial
from tests.support.fakes import FakeClock, FakeLedger, settle

HOUR = 3_600_000
TWO_HOURS = TimeTerms(grace=GraceTerms(hours=2, credits=0))


@dataclass
class Shop:
    """A shop with one credit. Each thing that happens to it happens an hour after the one before."""

    terms: TimeTerms = field(default_factory=TimeTerms)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.does(trial(1))

    def does(self, *movements: Movement) -> None:
        """Record these movements."""
        self.clock.advance(milliseconds=HOUR)
        settle(self.ledger, movements, now=self.clock(), terms=self.terms)

    def goes(self) -> None:
        """Remove the app."""
        self._reports(closed=True)

    def comes_back(self) -> None:
        """Install the app again."""
        self._reports(closed=False)

    def _reports(self, *, closed: bool) -> None:
        self.clock.advance(milliseconds=HOUR)
        time = CallTime(now=self.clock, remaining_seconds=lambda: 60, sleep=lambda _: None)
        set_closed(self.ledger, ClosureReport(merchant_id=SHOP, closed=closed, at=self.clock()), time=time)

    @property
    def story(self) -> Story:
        """The present story."""
        account, history = as_of(self.ledger.accounts[SHOP], self.clock()), self.ledger.history(SHOP)
        deciding = deciding_transaction(account)
        decided = self.ledger.transactions[deciding] if deciding else None
        excerpt = excerpt_of(account, decided, lambda _, lowest, highest: history[lowest - 1 : highest][::-1])
        return story_of(account, excerpt)


def test_what_orders_lacked_before_the_shop_removed_the_app_is_not_missed_since() -> None:
    shop = Shop()
    shop.does(order("1"), order("2"), order("3"))
    assert shop.story.since_then == "Since then 2 orders found too few credits: 2 credits were missing."

    shop.goes()
    gone = shop.story
    assert (gone.because, gone.since_then) == ("The shop has removed the app.", None)

    shop.does(order("4"))
    assert shop.story.since_then == "Since then 1 order found too few credits: 1 credit was missing."


def test_what_orders_lacked_in_a_grace_is_not_missed_since_its_end() -> None:
    shop = Shop(terms=TWO_HOURS)
    shop.does(order("1"))
    shop.does(order("2"), order("3"))

    shop.clock.advance(milliseconds=HOUR)
    over = shop.story
    assert (over.because, over.since_then) == (GRACE_ENDS[End.TIME], None)

    shop.does(order("4"))
    assert shop.story.since_then == "Since then 1 order found too few credits: 1 credit was missing."


def test_what_an_order_lacked_before_the_last_credit_in_the_same_millisecond_is_not_missed_since() -> None:
    shop = Shop()
    shop.does(order("1"), order("2"), payment("p", 1), order("3"), order("4"))

    assert shop.story.because == "Order 3 used 1 credit."
    assert shop.story.since_then == "Since then 1 order found too few credits: 1 credit was missing."


def test_a_shop_that_came_back_is_on_for_that_reason_and_not_for_an_earlier_payment() -> None:
    shop = Shop()
    shop.does(order("1"))
    shop.goes()
    shop.does(payment("p", 5))
    shop.comes_back()

    assert (shop.story.status, shop.story.since) == ("enabled", shop.clock())
    assert (shop.story.because, shop.story.transaction_id) == ("The shop came back.", None)
    account = Account.of(shop.ledger.accounts[SHOP], now=shop.clock())
    assert (account.plugin_status.since, account.plugin_status.transaction_id) == (shop.clock(), None)

    shop.does(order("2"), order("3"), order("4"), order("5"), order("6"), payment("q", 5))
    assert (shop.story.because, shop.story.transaction_id) == (
        "Payment q added 5 credits.",
        shop.ledger.accounts[SHOP].status_transaction_id,
    )


def test_a_closed_shop_that_is_frozen_too_is_told_both_conditions() -> None:
    shop = Shop()
    shop.does(freezing())
    shop.goes()

    assert shop.story.remedy == (
        "It is switched on again once the shop has installed the app again, has credits and is no longer frozen."
    )


def test_an_inflow_that_only_pays_debt_is_named_with_the_repayment() -> None:
    shop = Shop()
    shop.does(payment("p", 5), *(order(str(number)) for number in range(6)), dispute("p"))
    shop.does(payment("q", 2))

    assert shop.story.because == "Payment q added 2 credits. Of it, 2 credits paid what was owed."


def test_an_inflow_that_only_pays_debt_of_a_frozen_account_has_its_chapter() -> None:
    shop = Shop()
    shop.does(payment("p", 5), *(order(str(number)) for number in range(6)), dispute("p"))
    shop.does(freezing())
    shop.does(payment("q", 2))

    assert [chapter.sentence for chapter in shop.story.chapters[-2:]] == [
        "Payment q added 2 credits.",
        "Of it, 2 credits paid what was owed. No credit is left.",
    ]


def test_a_shop_that_is_reported_again_while_it_is_open_has_not_come_back() -> None:
    shop = Shop()
    began = shop.story
    shop.comes_back()
    assert shop.ledger.accounts[SHOP].closure is not None, "a report of an earlier removal may still arrive"
    assert (shop.story.since, shop.story.because) == (began.since, began.because)

    shop.goes()
    shop.comes_back()
    back = shop.story
    assert (back.since, back.because) == (shop.clock(), "The shop came back.")
    shop.comes_back()
    shop.comes_back()
    assert (shop.story.since, shop.story.because) == (back.since, back.because)

"""Histories of accounts: the images of the credits table's stream, oldest first."""

from collections.abc import Sequence
from random import Random

from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Movement
from chalicelib.domain.orders import Basis, Direction, Policy
from tests.support.builders import adjustment, merchant, order, payment, refund_of, renewal, trial
from tests.support.fakes import FakeClock, FakeLedger, settle

EARNED = Policy(direction=Direction.INCREASE, basis=Basis.ORDER, fixed_amount=3)
HEAVY = Policy(fixed_amount=7)
ORDERS = 40
_MILLISECONDS = 250


def images(movements: int, merchants: int, *, seed: int) -> tuple[list[Account], FakeLedger]:
    """Return the image of every write of so many mixed movements, and the resulting ledger.

    Some writes hold several movements, some movements repeat, some orders find nothing left.
    """
    random, clock, ledger = Random(seed), FakeClock(), FakeLedger()  # noqa: S311 - the same every time
    shops = [merchant(f"shop {number}") for number in range(merchants)]
    opened: set[MerchantId] = set()
    written: list[Account] = []
    done = 0
    while done < movements:
        shop = random.choice(shops)
        wanted: list[Movement] = [] if shop in opened else [trial(random.choice([0, 1, 5, 25, 100]), of=shop)]
        opened.add(shop)
        wanted += [_movement(random, done + place, shop) for place in range(random.choice([1, 1, 1, 1, 2, 5]))]
        wanted = wanted[: movements - done]
        known = len(ledger.commits)
        settle(ledger, wanted, now=clock(), default_threshold=20)
        written += [commit.after for commit in ledger.commits[known:]]
        done += len(wanted)
        clock.advance(milliseconds=_MILLISECONDS)
    return written, ledger


def _movement(random: Random, number: int, shop: MerchantId) -> Movement:
    # Few enough ids for repeats, and for refunds that find their order.
    one, other = str(random.randrange(ORDERS)), str(random.randrange(ORDERS))
    kinds: Sequence[Movement] = (
        order(one, of=shop),
        *[order(f"h{number}", policy=HEAVY, of=shop)] * 4,
        order(f"e{one}", policy=EARNED, of=shop),
        payment(f"p{number}", random.randrange(1, 9), of=shop),
        renewal(f"period {number}", random.randrange(1, 9), of=shop),
        adjustment(f"a{number}", random.randrange(1, 9), of=shop),
        adjustment(f"b{number}", -1, of=shop),
        refund_of(f"e{other}", f"r{number}", of=shop),
        refund_of(other, f"s{number}", of=shop),
    )
    return random.choice(kinds)

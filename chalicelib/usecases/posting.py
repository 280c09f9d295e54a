"""Posts movements: read, decide, commit; many movements of one merchant in one atomic write.

Merchants are written in parallel, the movements of one merchant one write after another. After a lost race the fold is
decided again on the current state, which the refusal carries: no second read.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from chalicelib.domain.errors import Code, NewerForm, Rejected, RetryLater
from chalicelib.domain.fold import fold
from chalicelib.domain.freeze import OF_A_FREEZE
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, days_after
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import (
    DisputeWonMovement,
    FixedMovement,
    Movement,
    OrderMovement,
    grounds,
    names_of,
)
from chalicelib.domain.orders import charge
from chalicelib.domain.outcomes import Duplicate, Fold, Outcome, Posted
from chalicelib.domain.terms import TIME_TERMS, TimeTerms
from chalicelib.ports import CallTime, Committed, Known, LedgerStore
from chalicelib.usecases.work import Request, Work, internal

ATTEMPTS_MAX = 20
"""Writes tried for one fold before its movements go back to the queue."""
PAUSE_BASE_SECONDS = 0.005
PAUSE_MAX_SECONDS = 0.5
ASIDE_WRITES, ASIDE_WRITES_MAX = 8, 16
"""Longest back-off after a lost race, as a multiple of the lost write's duration: the first time, and later."""
ASIDE_SECONDS_MAX = 5.0
# Measured on a merchant with sixteen writers: shorter back-offs waste writes, longer ones leave the merchant idle.
LOST_RACES_MAX = 1
"""Races lost in a row after which the account is read before the next write, which costs a hundred times as much."""
MERCHANTS_AT_ONCE = 16
"""Merchants of one batch that are written in parallel; the client's connection pool has the same size."""
MARGIN_SECONDS = 1.0
"""The last seconds of a call are for answering: no write is started in them."""
KNOWN_ACCOUNTS_MAX = 4096
"""Accounts remembered from the last writes of this container, about 1 KB each."""
_OF_THE_ACCOUNT = frozenset({Code.INSUFFICIENT_CREDITS, *OF_A_FREEZE})
"""Why a movement is declined that another state of the account would allow."""


class Posting:
    """Posts movements to the ledger. One per container: it remembers the accounts it wrote last.

    A remembered account saves the read: the write's condition confirms it, or the refusal carries the current one.
    """

    def __init__(self, store: LedgerStore, *, default_threshold: int, terms: TimeTerms = TIME_TERMS) -> None:
        self._store = store
        self._default_threshold = default_threshold
        self._terms = terms
        self._remembered: dict[MerchantId, Account] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._lost_races = 0

    def post(self, requests: Sequence[Request], *, time: CallTime) -> list[list[Outcome]]:
        """Post every movement of every request once, and return an outcome for each, in their order.

        A movement that was recorded before is a `Duplicate`, one that can never be posted is `Rejected`, one that may
        succeed later is `RetryLater`. All are returned, not raised, so that the others are still posted.
        """
        places: dict[MerchantId, list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(request[0].merchant_id, []).append(place)
        works = [Work(merchant_id, [requests[place] for place in places[merchant_id]]) for merchant_id in places]
        try:
            self._read(works, time.now())
        except RetryLater as error:
            return [[error] * len(request) for request in requests]
        except Exception as error:  # noqa: BLE001 - the cause is in the outcome, and its reader reports it
            return [[internal(error)] * len(request) for request in requests]
        self._side_by_side(works, time)
        outcomes: list[list[Outcome]] = [[] for _ in requests]
        for work in works:
            self._lost_races += work.lost_races
            self._remember(work.merchant_id, work.account)
            for place, answer in zip(places[work.merchant_id], work.answers(), strict=True):
                outcomes[place] = answer
        return outcomes

    def post_one(self, movement: Movement, *, time: CallTime) -> Posted | Duplicate:
        """Post one movement, and return its outcome.

        Raises:
            Rejected: it can never be posted as it is.
            RetryLater: it was not posted yet.
        """
        [[outcome]] = self.post([[movement]], time=time)
        if isinstance(outcome, Rejected | RetryLater):
            raise outcome
        return outcome

    def post_due(self, merchants: Sequence[MerchantId], *, time: CallTime) -> dict[MerchantId, int | RetryLater]:
        """Post what is due for these merchants, and return how many writes that took: 0 if others were faster.

        Accounts are read, not remembered: one that was written meanwhile costs a read and no write.
        """
        works = [Work(merchant_id, []) for merchant_id in dict.fromkeys(merchants)]
        try:
            known = self._store.read(merchants, [])
        except RetryLater as error:
            return dict.fromkeys(merchants, error)
        for work in works:
            work.know(known, None)
            work.unreadable = known.unreadable.get(work.merchant_id)
            work.has_due = work.account is not None and work.account.is_due(time.now())
        self._side_by_side(works, time)
        return {work.merchant_id: work.failed or work.due_writes for work in works}

    def take_lost_races(self) -> int:
        """Return the number of races lost to other writers since the last call."""
        lost_races, self._lost_races = self._lost_races, 0
        return lost_races

    def _read(self, works: Sequence[Work], now: Instant) -> None:
        unknown = [work.merchant_id for work in works if work.merchant_id not in self._remembered]
        soon = days_after(now, 1)
        needed = [ground for work in works for movement in work.movements for ground in _grounds(movement, soon)]
        known = Known(accounts={}, transactions={})
        if unknown or needed:
            known = self._store.read(unknown, needed)
        for work in works:
            work.know(known, self._remembered.get(work.merchant_id))
            if known.unreadable:
                items = [work.merchant_id, *(ground for one in work.movements for ground in _grounds(one, soon))]
                work.unreadable = next((known.unreadable[item] for item in items if item in known.unreadable), None)

    def _side_by_side(self, works: Sequence[Work], time: CallTime) -> None:
        if len(works) <= 1:
            for work in works:
                self._post_merchant(work, time)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MERCHANTS_AT_ONCE, thread_name_prefix="posting")
        for done in [self._pool.submit(self._post_merchant, work, time) for work in works]:
            done.result()

    def _post_merchant(self, work: Work, time: CallTime) -> None:
        try:
            work.require_readable()
            self._write_all(work, time)
        except RetryLater as error:
            if isinstance(error, NewerForm):
                work.account = None  # A newer release has written it since it was remembered.
            work.give_back(error)
        except Exception as error:  # noqa: BLE001 - one merchant's bug must not fail its neighbours
            # The account is forgotten; the outcome carries the cause, for the log.
            work.account = None
            work.give_back(internal(error))

    def _write_all(self, work: Work, time: CallTime) -> None:
        """Write fold after fold until every movement has an outcome.

        Raises:
            RetryLater: the attempts or the time of this call are used up.
        """
        attempt = lost_races = 0
        while work.undecided or work.has_due:
            if lost_races > LOST_RACES_MAX:
                # The account from the refusal is outdated: others went on writing during the pause.
                self._read_again(work)
            work.follow(self._store)
            self._require_counted(work)
            decided = self._fold(work, time.now())
            if self._read_unproven(work, work.untotalled(decided)) or work.reject_poison(decided):
                continue
            if work.put_leaning_last(decided) or self._look_again(work, decided.outcomes):
                continue
            if decided.commit is None:
                work.settle(decided.outcomes)
                continue
            started = require_time(time, MARGIN_SECONDS)
            try:
                answer = self._store.commit(decided.commit)
            except RetryLater as error:
                # The write may have taken effect. The next one finds out: its conditions bring what is stored.
                work.lost_answer(decided.commit)
                attempt = pause(attempt, time, error)
                continue
            if isinstance(answer, Committed):
                work.committed(decided.commit)
                work.settle(decided.outcomes)
                attempt = lost_races = 0
                continue
            if answer.repeated:
                work.lost_answer(decided.commit)
            lost_race = answer.contended or answer.account != work.account
            learnt = work.refused(answer)
            if lost_race or not learnt:
                work.lost_races += 1
                lost_races += 1
                attempt = _step_aside(attempt, time, started - time.remaining_seconds())

    def _require_counted(self, work: Work) -> None:
        """Raise `RetryLater` (`account_behind`) where the account, read again, lacks a transaction that is known."""
        if work.behind() is not None:
            self._read_again(work)
            if (error := work.behind()) is not None:
                raise error

    def _fold(self, work: Work, now: Instant) -> Fold:
        return fold(
            work.merchant_id,
            work.account,
            [work.movements[index] for index in work.undecided],
            stored=work.stored,
            default_threshold=self._default_threshold,
            now=now,
            foresee=not work.verified,
            guards=work.guards,
            terms=self._terms,
        )

    def _read_again(self, work: Work) -> None:
        work.account = self._store.read([work.merchant_id], []).account(work.merchant_id)
        work.fresh = True

    def _look_again(self, work: Work, outcomes: Sequence[Outcome | None]) -> bool:
        """Read again before an admin's request is declined; return whether anything was read.

        The account must be the current one, and the adjustment may have been posted before: a read of its transaction
        after that of the account shows it. (Other duplicates are found by the write itself.)
        """
        declined = [
            name
            for index, outcome in zip(work.undecided, outcomes, strict=True)
            for name in names_of(work.movements[index])
            if isinstance(outcome, Rejected) and outcome.code in _OF_THE_ACCOUNT
        ]
        if not declined:
            return False
        if not work.fresh:
            self._read_again(work)
            return True
        return self._read_unproven(work, declined)

    def _read_unproven(self, work: Work, names: Sequence[TransactionId]) -> bool:
        """Read the transactions of these names that are not known to be absent; return whether there are any."""
        unproven = [name for name in names if name not in work.absent]
        if unproven:
            known = self._store.read([], unproven)
            known.require(*unproven)
            work.learn(known)
            work.absent.update(unproven)
        return bool(unproven)

    def _remember(self, merchant_id: MerchantId, account: Account | None) -> None:
        self._remembered.pop(merchant_id, None)
        if account is not None:
            self._remembered[merchant_id] = account
            if len(self._remembered) > KNOWN_ACCOUNTS_MAX:
                del self._remembered[next(iter(self._remembered))]


def _grounds(movement: Movement, soon: Instant) -> tuple[TransactionId, ...]:
    """Return the names of the transactions that must be known before the movement can be decided."""
    if isinstance(movement, FixedMovement) and movement.expires_at is not None and movement.expires_at <= soon:
        # Credits that have lapsed cannot be given, but this may be a repeat from before that.
        return names_of(movement)
    if isinstance(movement, OrderMovement):
        try:
            charge(movement.policy, lines=movement.lines, total=movement.total)
        except Rejected:
            # Today's policy cannot charge it, but an older one may have done so.
            return names_of(movement)
    # A dispute is won once: only its own transaction shows that this is a repeat.
    own = names_of(movement) if isinstance(movement, DisputeWonMovement) else ()
    return (*grounds(movement), *own)


def pause(attempt: int, time: CallTime, error: RetryLater) -> int:
    """Wait with full jitter before another attempt, and return its number.

    Raises:
        RetryLater: `error`, where no attempt or no time is left in this call.
    """
    return _wait(min(PAUSE_MAX_SECONDS, PAUSE_BASE_SECONDS * 2**attempt), attempt, time, error)


def _step_aside(attempt: int, time: CallTime, write_seconds: float) -> int:
    """Back off long enough for the others to finish, by the lost write's duration, and return the next attempt.

    Raises:
        RetryLater: `contended`, where no attempt or no time is left in this call.
    """
    writes = ASIDE_WRITES if attempt == 0 else ASIDE_WRITES_MAX
    longest = min(ASIDE_SECONDS_MAX, writes * max(PAUSE_BASE_SECONDS, write_seconds))
    return _wait(longest, attempt, time, RetryLater(Code.CONTENDED, "too many writers on one account"))


def _wait(longest: float, attempt: int, time: CallTime, error: RetryLater) -> int:
    seconds = random.uniform(0, longest)  # noqa: S311 - jitter
    # No retry of this release helps with a newer form.
    if (
        isinstance(error, NewerForm)
        or attempt + 1 >= ATTEMPTS_MAX
        or seconds + MARGIN_SECONDS > time.remaining_seconds()
    ):
        raise error
    time.sleep(seconds)
    return attempt + 1


def require_time(time: CallTime, seconds: float) -> float:
    """Return what is left of this call in seconds; raises `RetryLater` where it is less than `seconds`."""
    left = time.remaining_seconds()
    if left < seconds:
        raise RetryLater(Code.UNAVAILABLE, "no time is left in this call")
    return left

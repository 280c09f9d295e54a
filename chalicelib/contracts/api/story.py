"""Why a shop's plugin is off or on, as a story in order: times, transaction ids, sentences, and what was published.

Derived from the account and its transactions alone. Published events are derived from the ledger's crossings by the
publishers' code; this is not a log of deliveries (contract, "Why off, since when, what was published"). The console,
the API and the command line show the same story.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.contracts.api.sentences import (
    ALWAYS_TOLD,
    GRACE_ENDS,
    credits_text,
    frozen_sentence,
    grace_sentence,
    level_sentence,
    movement_sentence,
    time_text,
)
from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event, transaction_event
from chalicelib.domain.derivation import Excerpt, derived_crossings
from chalicelib.domain.freeze import FREEZE
from chalicelib.domain.grace import End
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account, Crossing, CrossingType, crossings
from chalicelib.domain.movements import Kind
from chalicelib.domain.plugin_status import Reason
from chalicelib.domain.status import came_back, deciding_transaction, status_reason, status_since, status_transaction
from chalicelib.domain.transactions import Transaction

SOURCE = (
    "Derived from the ledger's crossings, as the publishers derive it; deliveries are not logged. "
    "A threshold changed between two movements shows with the movement that follows."
)


class StoryEvent(Model):
    """An event that a chapter published.

    `event_id` is null where a changed threshold caused it: that id counts the account's writes, which no transaction
    keeps.
    """

    event_type: str
    event_id: str | None

    @classmethod
    def of(cls, event: PublishedEvent) -> Self:
        """Return the answer's form of `event`."""
        by_movement = event.payload.transaction_id is not None
        return cls(event_type=event.event_type, event_id=event.event_id if by_movement else None)


class Chapter(Model):
    """An important moment; `transaction_id` and `sequence` are null if no movement caused it."""

    time: str
    transaction_id: str | None
    sequence: int | None
    balance: int
    sentence: str
    events: list[StoryEvent]


class Story(Model):
    """The answer to "why is this plugin off, or on", in order."""

    merchant_id: str
    status: str
    reason: Reason
    since: str
    transaction_id: str | None
    balance: int
    threshold: int
    because: str
    since_then: str | None
    remedy: str | None
    chapters: list[Chapter]
    source: str
    complete: bool


def story_of(account: Account, excerpt: Excerpt) -> Story:
    """Return the story of `account`, from the gathered transactions only."""
    decided = next((one for one in excerpt.transactions if one.transaction_id == deciding_transaction(account)), None)
    repaying = {one.sequence - 1 for one in excerpt.transactions if one.kind is Kind.DEBT_REPAID}
    chapters = [
        chapter
        for previous, one in zip([None, *excerpt.transactions], excerpt.transactions, strict=False)
        if (chapter := _chapter(previous, one, told=one is decided or one.sequence in repaying)) is not None
    ]
    changed = _threshold_changed(account, excerpt.transactions[-1] if excerpt.transactions else None)
    return Story(
        merchant_id=account.merchant_id,
        status="enabled" if account.enabled else "disabled",
        reason=status_reason(account),
        since=status_since(account),
        transaction_id=status_transaction(account),
        balance=account.balance,
        threshold=account.threshold,
        because=_because(account, decided, excerpt),
        since_then=_since_then(account, decided, excerpt),
        remedy=_remedy(account),
        chapters=[*chapters, *changed],
        source=SOURCE,
        complete=excerpt.complete,
    )


def _because(account: Account, decided: Transaction | None, excerpt: Excerpt) -> str:
    if account.closed:
        return "The shop has removed the app."
    if (freeze := account.freeze) is not None:
        return frozen_sentence(freeze.admin_id, freeze.reason, freeze.until)
    if came_back(account) is not None:
        return _CAME_BACK
    if status_transaction(account) is None and account.status_transaction_id is not None:
        return GRACE_ENDS[End.TIME]
    if decided is None:
        return "The transaction that switched the plugin cannot be read."
    # A repayment of debt is shown with the inflow that paid it.
    first = decided.sequence - (decided.kind is Kind.DEBT_REPAID)
    return " ".join(movement_sentence(one) for one in excerpt.transactions if first <= one.sequence <= decided.sequence)


def _remedy(account: Account) -> str | None:
    """Return what switches the plugin on again, or keeps it on without credits; None if credits keep it on."""
    if account.enabled and account.grace is not None and account.in_grace:
        limits = {"ends_at": account.grace.until, "credits": account.grace.credits}
        sentence = grace_sentence({name: limit for name, limit in limits.items() if limit})
        return f"{sentence} The next credits pay the debt first; credits above it end the grace."
    if account.enabled:
        return None
    if account.closed:
        conditions = " and has credits" if account.freeze is None else ", has credits and is no longer frozen"
        return f"It is switched on again once the shop has installed the app again{conditions}."
    if account.freeze is not None:
        return _thaws(account, account.freeze.until)
    if account.debt:
        return (
            f"The shop owes {credits_text(account.debt)}. A payment, a renewal, a refund or an adjustment pays them "
            "first; credits above the debt switch the plugin on again."
        )
    return "The next credit switches it on again: a payment, a renewal, a refund or an adjustment."


def _thaws(account: Account, until: Instant | None) -> str:
    when = f"at {time_text(until)}, or when it is unfrozen before" if until else "when it is unfrozen"
    return f"It is switched on again {when}, {'as it has' if account.covered else 'if it then has'} credits."


_CAME_BACK = "The shop came back."
_CONSEQUENCES: Mapping[CrossingType, Callable[[Crossing], str]] = {
    CrossingType.LOW_BALANCE_REACHED: lambda crossing: (
        f"The balance, {crossing.balance}, is at or below the threshold of {crossing.threshold} now."
    ),
    CrossingType.BALANCE_RESTORED: lambda crossing: (
        f"The balance, {crossing.balance}, is above the threshold of {crossing.threshold} again."
    ),
    CrossingType.BALANCE_EXHAUSTED: lambda _: "No credit is left.",
    CrossingType.SHOP_CLOSED: lambda _: "The shop removed the app.",
    CrossingType.SHOP_REOPENED: lambda _: _CAME_BACK,
    CrossingType.FROZEN: lambda _: "The plugin went off.",
    CrossingType.UNFROZEN: lambda _: "The plugin went on.",
    CrossingType.LEVEL_CROSSED: lambda crossing: level_sentence(crossing.details),
    CrossingType.GRACE_STARTED: lambda crossing: grace_sentence(crossing.details),
    CrossingType.GRACE_ENDED: lambda crossing: GRACE_ENDS[End(str(crossing.details["reason"]))],
    CrossingType.PLUGIN_STATUS_CHANGED: lambda crossing: f"The plugin went {'on' if crossing.balance else 'off'}.",
}


_DOUBTFUL = "No transaction shows whether this movement or an earlier change of the low-balance threshold crossed it."


def _consequence(crossing: Crossing) -> str:
    return _CONSEQUENCES[crossing.type](crossing)


def _chapter(previous: Transaction | None, transaction: Transaction, *, told: bool) -> Chapter | None:
    """Return the chapter of a transaction, None if it affects no status, threshold or debt and need not be `told`."""
    known = previous if previous is not None and previous.sequence == transaction.sequence - 1 else None
    derived = derived_crossings(transaction, before=known)
    changed = _threshold_moved(
        sequence=transaction.sequence - 1,
        balance=transaction.balance_before,
        before=known.threshold if known and not derived.doubtful else derived.low_before,
        after=derived.low_before,
        time=transaction.created_at,
    )
    opening = transaction.sequence == 1
    always = transaction.kind in ALWAYS_TOLD or FREEZE in transaction.metadata
    if not (derived.crossings or changed or opening or told or always):
        return None
    published = transaction_event(transaction)
    # Not the account's version: the fact of a movement is its transaction.
    events = [
        crossing_event(transaction.merchant_id, crossing, version=0) for crossing in [*changed, *derived.crossings]
    ]
    sentences = [
        *(
            [f"The low-balance threshold changed from {known.threshold} to {derived.low_before}."]
            if changed and known
            else []
        ),
        *map(_consequence, changed),
        movement_sentence(transaction),
        *map(_consequence, derived.crossings),
    ]
    if opening and not transaction.balance_after:
        sentences.append("The plugin is off from the start.")
    if derived.doubtful and known is not None:
        sentences.append(_DOUBTFUL)
    return Chapter(
        time=transaction.created_at,
        transaction_id=transaction.transaction_id,
        sequence=transaction.sequence,
        balance=transaction.balance_after,
        sentence=" ".join(sentences),
        events=[StoryEvent.of(event) for event in ([published] if published else []) + events],
    )


def _threshold_moved(*, sequence: int, balance: int, before: int, after: int, time: Instant) -> list[Crossing]:
    """Return the crossings of an admin's change of the threshold from `before` to `after` at this balance."""
    return [
        Crossing(
            type=crossing,
            transaction_id=None,
            sequence=sequence,
            balance=balance,
            threshold=after,
            time=time,
            correlation_id=None,
        )
        for crossing in crossings(balance, balance, low_before=before, low_after=after)
    ]


def _threshold_changed(account: Account, newest: Transaction | None) -> list[Chapter]:
    """Return the last chapter if an admin changed the threshold after the newest movement."""
    if newest is None or newest.sequence != account.sequence or newest.threshold == account.threshold:
        return []
    crossed = _threshold_moved(
        sequence=account.sequence,
        balance=account.balance,
        before=newest.threshold,
        after=account.threshold,
        time=account.updated_at,
    )
    sentences = [f"The low-balance threshold changed from {newest.threshold} to {account.threshold}."]
    return [
        Chapter(
            time=account.updated_at,
            transaction_id=None,
            sequence=None,
            balance=account.balance,
            sentence=" ".join([*sentences, *map(_consequence, crossed)]),
            events=[
                StoryEvent.of(crossing_event(account.merchant_id, crossing, version=account.version))
                for crossing in crossed
            ],
        )
    ]


def _since_then(account: Account, decided: Transaction | None, excerpt: Excerpt) -> str | None:
    """Return the sentence about the shortfall since the plugin went off, None if it is on or there is none."""
    if account.enabled or decided is None:
        return None
    # The plugin may have gone off later: when the shop removed the app, or at the end of a grace.
    place = status_since(account), decided.sequence
    later = [one for one in excerpt.transactions if (one.created_at, one.sequence) >= place]
    short = [one for one in later if one.shortfall and one.kind not in ALWAYS_TOLD]
    if not short:
        return None
    at_least = "" if _is_whole(later, excerpt, account) else "at least "
    missing = sum(one.shortfall for one in short)
    # An order and its edits are one order.
    number = len({one.reference_id for one in short})
    orders = "order" if number == 1 else "orders"
    lacked = "was missing" if missing == 1 else "were missing"
    return f"Since then {at_least}{number} {orders} found too few credits: {credits_text(missing)} {lacked}."


def _is_whole(later: Sequence[Transaction], excerpt: Excerpt, account: Account) -> bool:
    """Return whether the excerpt has every transaction from the first of `later` on, and the one before it."""
    first = later[0].sequence
    gathered = [one.sequence for one in excerpt.transactions if one.sequence >= first - 1]
    return gathered == list(range(max(1, first - 1), account.sequence + 1))

"""Movements, levels and grace as sentences, for a story that support can read to a shop."""

from collections.abc import Mapping
from typing import Final

from chalicelib.domain.freeze import FREEZE, UNTIL, FreezeNote
from chalicelib.domain.grace import DEBT, End
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction, Policy
from chalicelib.domain.terms import Unit
from chalicelib.domain.transactions import Transaction

ALWAYS_TOLD = frozenset({Kind.REVERSAL, Kind.REVERSAL_RETURNED, Kind.DEBT_REPAID})
"""The kinds of transactions that a story always tells: they are rare, and the shop asks about them."""

_VERBS: Mapping[Kind, str] = {
    Kind.ORDER_USED: "used",
    Kind.ORDER_EARNED: "earned",
    Kind.REFUND_RETURNED: "gave back",
    Kind.REFUND_TAKEN: "took back",
    Kind.PAYMENT: "added",
    Kind.SUBSCRIPTION: "added",
    Kind.MANUAL_ADDED: "added",
    Kind.MANUAL_REMOVED: "removed",
}


def movement_sentence(transaction: Transaction) -> str:
    """Return what the movement was, in a sentence."""
    moved = credits_text(abs(transaction.amount))
    if transaction.kind is Kind.OPENING:
        return f"The account came from the old service with {moved}."
    if transaction.kind is Kind.TRIAL:
        return f"The account was opened with {moved}."
    if transaction.kind is Kind.EXPIRY:
        return f"{moved} lapsed at {time_text(transaction.reference_id)}."
    if transaction.kind in (Kind.EDIT_ADDED, Kind.EDIT_REMOVED):
        return _edit(transaction)
    if transaction.kind in ALWAYS_TOLD:
        return _went_back(transaction)
    if FREEZE in transaction.metadata:
        return _freeze(transaction)
    if transaction.shortfall:
        asked = credits_text(transaction.requested)
        return f"{_subject(transaction)} asked for {asked} and got {abs(transaction.amount)}."
    reason = transaction.metadata.get("reason")
    return f"{_subject(transaction)} {_VERBS[transaction.kind]} {moved}{f': {reason}' if reason else ''}."


def time_text(instant: str) -> str:
    """Return a time to the second, as the terminal prints it: "2026-11-30 08:10:01 UTC"."""
    return f"{instant[:10]} {instant[11:19]} UTC"


def frozen_sentence(admin_id: str, reason: str, until: str | None) -> str:
    """Return who froze an account, until when and why."""
    return f"{admin_id or 'An admin'} froze the account{f' until {time_text(until)}' if until else ''}: {reason}."


def _freeze(transaction: Transaction) -> str:
    """Return what a transaction did to a freeze, in a sentence."""
    metadata = transaction.metadata
    if metadata[FREEZE] == FreezeNote.ENDED:
        return f"The freeze ended at {time_text(transaction.reference_id)}, as it was set."
    admin, reason, until = (str(metadata.get(name, "")) for name in ("admin_id", "reason", UNTIL))
    if metadata[FREEZE] == FreezeNote.FROZEN:
        return frozen_sentence(admin, reason, until)
    return f"{admin or 'An admin'} unfroze the account{f': {reason}' if reason else ''}."


_EDITED: Mapping[tuple[Direction, Kind], tuple[str, str]] = {
    (Direction.DECREASE, Kind.EDIT_REMOVED): ("more ", "used"),
    (Direction.DECREASE, Kind.EDIT_ADDED): ("", "given back"),
    (Direction.INCREASE, Kind.EDIT_ADDED): ("more ", "earned"),
    (Direction.INCREASE, Kind.EDIT_REMOVED): ("", "taken back"),
}
"""What an edit's credits are, before and after their word, by the direction of the order."""


def _edit(transaction: Transaction) -> str:
    """Return what a newer version of an order changed, in a sentence."""
    metadata = transaction.metadata
    total = " ".join(str(metadata[name]) for name in ("total", "currency") if name in metadata)
    beginning = f"Order {transaction.reference_id} was edited: "
    if "total" in metadata:
        beginning += f"its total is {total} now, "
    if transaction.shortfall:
        return f"{beginning}it asked for {credits_text(transaction.requested)} and got {abs(transaction.amount)}."
    more, done = _EDITED[Policy.parse(str(metadata["policy"])).direction, transaction.kind]
    return f"{beginning}{credits_text(abs(transaction.amount), more)} {done}."


def _went_back(transaction: Transaction) -> str:
    """Return the sentence of a reversal, a returned reversal or a repayment of debt."""
    moved = credits_text(abs(transaction.amount))
    if transaction.kind is Kind.DEBT_REPAID:
        return f"Of it, {moved} paid what was owed."
    payment, dispute = transaction.metadata["payment_id"], transaction.metadata.get("dispute_id")
    if transaction.kind is Kind.REVERSAL_RETURNED:
        return f"Dispute {dispute} of payment {payment} was won: {moved} came back."
    what = f"Payment {payment} was {'refunded' if dispute is None else f'disputed ({dispute})'}"
    if not transaction.shortfall:
        return f"{what}: {moved} taken back."
    owed = int(transaction.metadata.get(DEBT, 0))
    rest = f"{owed} {'is' if owed == 1 else 'are'} owed" if owed else f"{transaction.shortfall} forgiven"
    return f"{what}: of {credits_text(transaction.requested)}, {abs(transaction.amount)} taken back, {rest}."


def _subject(transaction: Transaction) -> str:
    name, metadata = transaction.reference_id, transaction.metadata
    match transaction.kind.transaction_type:
        case "REFUND":
            order_id = metadata.get("order_id", name)
            return f"The refund{f' {name}' if name != order_id else ''} of order {order_id}"
        case "SUBSCRIPTION":
            return f"The renewal of subscription {name}"
        case "MANUAL":
            return f"Adjustment {name} by {metadata.get('admin_id', 'an admin')}"
        case "PAYMENT":
            return f"Payment {name}"
        case _:
            return f"Order {name}"


def credits_text(number: int, more: str = "") -> str:
    """Return a number of credits as text, with `more` between number and word."""
    return f"{number} {more}{'credit' if number == 1 else 'credits'}"


GRACE_ENDS: Final[Mapping[End, str]] = {
    End.TIME: "The grace ended because its time was over.",
    End.CREDITS: "The credits that may be owed in the grace were used up, which ended it.",
    End.INFLOW: "The debt was paid and credits are left, which ended the grace.",
}
"""What ended a grace, by its reason."""
_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    Unit.CREDITS: ("credit", "credits"),
    Unit.PERCENT: ("percent of the balance after the last inflow", "percent of the balance after the last inflow"),
    Unit.DAYS: ("day of credits", "days of credits"),
}


def level_sentence(details: Mapping[str, str | int]) -> str:
    """Return which level an account fell to or below, or rose above."""
    one, many = _UNITS[str(details["unit"])]
    side = "at or below" if details["direction"] == "down" else "above"
    return f'That is {side} the level "{details["level"]}", {details["at"]} {one if details["at"] == 1 else many}.'


def grace_sentence(details: Mapping[str, str | int]) -> str:
    """Return the sentence that a grace keeps the plugin on, with its limits."""
    limits = [f"until {time_text(str(details['ends_at']))}"] if "ends_at" in details else []
    limits += [f"until {credits_text(int(details['credits']))} are owed"] if "credits" in details else []
    first = ", whichever comes first" if len(limits) > 1 else ""
    return f"A grace keeps the plugin on {' or '.join(limits)}{first}."

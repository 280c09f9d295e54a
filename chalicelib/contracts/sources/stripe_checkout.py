"""Checkout sessions of Stripe become payments, at once or when their money is captured (contract, section 15, point 4).

A session with manual capture is completed unpaid, and Stripe sends no other event about it. The captured charge names
neither the session nor its credits, so what each of the two events says is kept until the other one arrives.
"""

from collections.abc import Sequence
from contextlib import suppress

from chalicelib.contracts.event_types import PAYMENT_SUCCEEDED
from chalicelib.contracts.sources.fields import Fields
from chalicelib.contracts.sources.stripe_credits import in_range, of_lines, stated, unknown
from chalicelib.contracts.sources.stripe_invoices import unused
from chalicelib.contracts.sources.webhooks import Part, Sale, SourceEvent, SourceTerms, Unused, UnusedReason
from chalicelib.contracts.values import given
from chalicelib.domain.errors import Code, Rejected


def own_id(resource: Fields) -> str:
    """Return the id of an object.

    Raises:
        Rejected: it has none.
    """
    return resource.reference("id") or resource.missing("id")


def checkout(session: Fields, terms: SourceTerms) -> list[Part]:
    """Return what a completed session translates to: a payment, if it is paid and has no invoice.

    Raises:
        Rejected: it is not complete, or does not state its credits.
    """
    session_id = own_id(session)
    by_invoice = next((name for name in ("invoice", "subscription") if session.reference(name)), None)
    status = session.text("payment_status") or session.missing("payment_status")
    if by_invoice is None and session.within("invoice_creation").flag("enabled"):
        # Its invoice is made after the payment, and may not be named yet.
        by_invoice = "invoice_creation"
    if by_invoice is not None:
        return [unused(UnusedReason.NAMED_BY_INVOICE, session, by_invoice)]
    if status == "no_payment_required" or session.whole("amount_total") == 0:
        return [unused(UnusedReason.NOTHING_PAID, session, "payment_status")]
    if status != "paid":
        return [unused(UnusedReason.CHECKOUT_UNPAID, session, "payment_status")]
    credits_given = _credits(session, terms)
    if credits_given == 0:
        return [unused(UnusedReason.NO_CREDITS, session, "metadata")]
    return [payment(session.reference("payment_intent"), session_id, credits_given)]


def payment(intent: str | None, session_id: str, credits_given: int) -> SourceEvent:
    """Return the payment of a session, by its payment intent if it has one."""
    payload = given(payment_id=intent or session_id, credits=credits_given, aliases=[session_id] if intent else None)
    return SourceEvent(event_type=PAYMENT_SUCCEEDED, payload=payload)


def sale(event_type: str, resource: Fields, parts: Sequence[Part], terms: SourceTerms) -> Sale | None:
    """Return what an event says about a payment that is captured after its session, None if it says nothing."""
    # An event that moves nothing must not be poison.
    with suppress(Rejected):
        if event_type == "charge.captured":
            return _captured(resource.reference("payment_intent"))
        if event_type == "payment_intent.succeeded" and resource.text("capture_method") == "manual":
            return _captured(resource.reference("id"))
        intent = resource.reference("payment_intent")
        unpaid = any(isinstance(part, Unused) and part.reason is UnusedReason.CHECKOUT_UNPAID for part in parts)
        if unpaid and intent is not None:
            credits_given = None
            with suppress(Rejected):
                credits_given = _credits(resource, terms)
            return Sale(payment_id=intent, session=own_id(resource), credits=credits_given)
    return None


def sold(known: Sale) -> SourceEvent | None:
    """Return the payment of a sale; None until session and capture are both known, and for one without credits.

    Raises:
        Rejected: the session did not state its credits.
    """
    if known.session is None or not known.captured or known.credits == 0:
        return None
    if known.credits is None:
        reason = "its checkout session did not say how many credits the payment gives: let Stripe send it again"
        raise Rejected(Code.CREDITS_UNKNOWN, reason, field="data.object.metadata.credits", fact=known.payment_name)
    return payment(known.payment_id, known.session, known.credits)


def _captured(intent: str | None) -> Sale | None:
    return Sale(payment_id=intent, captured=True) if intent else None


def _credits(session: Fields, terms: SourceTerms) -> int:
    """Return the credits that a session states, else those that its lines give.

    Raises:
        Rejected: neither gives them, or the webhook lacks some lines.
    """
    credits_given = stated(session.within("metadata"))
    if credits_given is not None:
        return credits_given
    lines = session.within("line_items")
    if lines.flag("has_more"):
        raise Rejected(Code.LINES_MISSING, "the webhook does not contain all lines", field=lines.path("has_more"))
    bought = list(lines.each("data"))
    if not bought:
        unknown(session.path("metadata.credits"))
    return in_range(session, of_lines(bought, terms))

"""A batch's webhooks as Shopify and Stripe send them: their merchants, and what they ask for (contract, section 15)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.contracts.event_types import MERCHANT_CREATED
from chalicelib.contracts.inbound.events import Event, read_event
from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.inbound.payloads import Ignored, Terms
from chalicelib.contracts.moments import moment
from chalicelib.contracts.sources.fields import as_json
from chalicelib.contracts.sources.raw import RawWebhook
from chalicelib.contracts.sources.webhooks import SourceEvent, SourceTerms, UnusedReason, Webhook
from chalicelib.domain.errors import Rejected
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.links import link_name, merchant_of_name
from chalicelib.domain.movements import Movement, RefundMovement
from chalicelib.settings import Settings
from chalicelib.usecases.linking import Linking, WebhookNames
from chalicelib.wiring import for_posting


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWebhook:
    """A webhook that was read, and its message, whose body is cut to the fields that decide."""

    message: Message
    webhook: Webhook
    invoice: str | None = None

    def of_invoice(self, invoices: Mapping[str, str]) -> "ReadWebhook":
        """Return it with the invoice of the payment that goes back; `invoices` are those of payments, by name."""
        invoice = invoices.get(self.webhook.goes_back or "")
        if invoice is None:
            return self
        names = (*self.webhook.payment_names, link_name(self.webhook.source, invoice))
        return replace(self, invoice=invoice, webhook=replace(self.webhook, payment_names=names))

    @property
    def names(self) -> WebhookNames:
        """What identifies the webhook's merchant."""
        webhook = self.webhook
        return WebhookNames(merchant_id=webhook.merchant_id, name=webhook.name, payment_names=webhook.payment_names)


class RawWebhooks:
    """The webhooks of one batch."""

    def __init__(self, configured: Settings, terms: Terms) -> None:
        self._source_terms = SourceTerms(
            credits_by_price=configured.credits_by_price, count_test_orders=configured.count_test_orders
        )
        self._unlinked_opens = configured.unlinked_opens
        self._terms = terms
        self._found: list[ReadWebhook] = []

    def read(self, message: Message, raw: RawWebhook) -> None:
        """Read a webhook; `events` finds the merchants of all of them.

        Raises:
            Rejected: it is poison.
        """
        self._found.append(ReadWebhook(message=message, webhook=raw.read(self._source_terms)))

    def events(self, *, now: datetime) -> Iterator[tuple[Message, Event | Exception]]:
        """Yield what each asks for, or why it waits or cannot be read. Links are read once for all of them."""
        if not self._found:
            return
        try:
            linking = for_posting.linking()
            back = [found.webhook.goes_back for found in self._found if found.webhook.goes_back]
            invoices = linking.invoices(back)
            self._found = [found.of_invoice(invoices) for found in self._found]
            merchants = linking.merchants([found.names for found in self._found])
        except Exception as error:  # noqa: BLE001 - the same for all of them: whoever ends a message reports it
            yield from ((found.message, error) for found in self._found)
            return
        # What closes an account comes last: its neighbours may open it.
        for found, merchant in sorted(zip(self._found, merchants, strict=True), key=lambda one: one[0].webhook.closed):
            try:
                yield found.message, self._event(found, merchant, linking, now)
            except Exception as error:  # noqa: BLE001 - one webhook's fault must not fail its neighbours
                yield found.message, error

    def _event(self, found: ReadWebhook, merchant: MerchantId | None, linking: Linking, now: datetime) -> Event:
        found = _with_sale(found, linking)
        webhook = found.webhook
        merchant = merchant or linking.known(found.names)
        # Of a merchant that is not known, what its webhook would do to the account that its name may open.
        asked = None if merchant else self._of(found, merchant_of_name(webhook.name or ""), now)
        owner = linking.owner(
            found.names,
            merchant,
            unlinked_opens=self._unlinked_opens,
            redelivered=found.message.deliveries > 1,
            moves=asked is None or asked.moves,
            closes=webhook.closed,
            now=instant(now),
        )
        if owner is not None:
            return self._of(found, owner.merchant_id, now, opens=owner.opens)
        assert asked is not None, "a merchant that is known is the owner"
        asked = asked.as_ignored()
        ignored = tuple(replace(one, merchant_id=None) for one in asked.ignored)
        return replace(asked, merchant_id=None, closes=False, ignored=ignored)

    def _of(self, found: ReadWebhook, merchant: MerchantId, now: datetime, *, opens: bool = False) -> Event:
        """Return what a webhook of this merchant asks for.

        With `opens`, the trial comes first if the webhook moves credits.
        """
        webhook = found.webhook
        of_events = list(zip(webhook.events, webhook.bodies(merchant, invoice=found.invoice), strict=True))
        bodies = [body for event, body in of_events if not event.secondary]
        events = [read_event(body, self._terms, now=now) for body in bodies]
        if opens and any(event.movements for event in events):
            opening = as_json({"event_type": MERCHANT_CREATED, "payload": {"merchant_id": merchant}})
            events.insert(0, read_event(opening, self._terms, now=now))
        secondary, refused = self._secondary(of_events, merchant, now)
        nothing = _nothing(webhook, merchant)
        movements = tuple(movement for event in events for movement in event.movements)
        return replace(
            nothing,
            movements=movements,
            moot=_moot(movements),
            secondary=tuple(secondary),
            ignored=(*nothing.ignored, *(one for event in events for one in event.ignored), *refused),
            dropped=tuple(field for event in events for field in event.dropped),
            payment_names=webhook.payment_names,
        )

    def _secondary(
        self, of_events: Iterable[tuple[SourceEvent, str]], merchant: MerchantId, now: datetime
    ) -> tuple[list[Movement], list[Ignored]]:
        """Return the movements of secondary events, and those that cannot be read: they keep nothing else back."""
        movements: list[Movement] = []
        refused: list[Ignored] = []
        for event, body in of_events:
            if not event.secondary:
                continue
            refund_id = event.payload.get("refund_id")
            try:
                movements += read_event(body, self._terms, now=now).movements
            except Rejected as error:
                refused.append(Ignored(reason=error.code, merchant_id=merchant, reference_id=refund_id))
        return movements, refused


def _with_sale(found: ReadWebhook, linking: Linking) -> ReadWebhook:
    """Return the webhook with the payment of its sale, once the session is completed and the money is captured.

    Raises:
        Rejected: the session did not state its credits. RetryLater: the table of links cannot answer.
    """
    sale = found.webhook.sale
    if sale is None:
        return found
    # Imported here, because only Stripe has such payments.
    from chalicelib.contracts.sources.stripe_checkout import sold

    event = sold(sale.with_texts(linking.sale(sale.payment_name, sale.texts())))
    return found if event is None else replace(found, webhook=replace(found.webhook, parts=(event,)))


def _moot(movements: Sequence[Movement]) -> tuple[Ignored, ...]:
    """Return the movements as ignored if all are refunds of no money, as when an unpaid order is cancelled."""
    if not all(isinstance(one, RefundMovement) and one.amount == 0 for one in movements):
        return ()
    return tuple(
        Ignored(reason=UnusedReason.NOTHING_PAID, merchant_id=one.merchant_id, reference_id=one.reference_id)
        for one in movements
    )


def _nothing(webhook: Webhook, merchant: MerchantId) -> Event:
    ignored = (
        Ignored(reason=one.reason, merchant_id=merchant, reference_id=one.reference_id or webhook.name)
        for one in webhook.unused
    )
    occurred_at = moment(webhook.occurred_at)
    return Event(
        event_type=webhook.topic,
        correlation_id=None,
        movements=(),
        ignored=tuple(ignored),
        paid=webhook.paid,
        source=webhook.source,
        merchant_id=merchant,
        closes=webhook.closed,
        occurred_at=instant(occurred_at) if occurred_at is not None else None,
    )

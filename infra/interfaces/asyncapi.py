"""The events' document: AsyncAPI 3.0, from the models that read events in and the dataclasses that write them out."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.events import INBOUND
from chalicelib.contracts.outbound.published import PUBLISHED, PublishedEnvelope
from chalicelib.contracts.sources.raw import RAW_TYPES
from chalicelib.domain.links import LinkKind
from infra.interfaces.explaining import explained
from infra.interfaces.raw_forms import forms_of
from infra.interfaces.story import OPENED, account_created, example_of, published
from infra.interfaces.webhooks import ShopifyWebhook, invoice, order, stripe_event

SCHEMAS = "#/components/schemas/"
BUS = "credits"
"""The source on the bus, and the bus's name but for the stage."""

_INTRODUCTION = """\
Events that move a shop's credits, and events about moved credits and passed thresholds.

**Delivery** is at least once, both ways. *In*: a business fact moves credits once, however often, in whatever order and
under whatever event id it is delivered; the key is derived from the fact (an order, a refund, a payment …), never from
the delivery. *Out*: `event_id` is derived from the fact and is the same on every repeat, so **consumers drop repeats by
`event_id`**. JetStream drops them too (`Nats-Msg-Id`), but only within two minutes. The order of events is not
guaranteed: `sequence` orders an account's facts.

**Ignored**: an unpaid order (`financial_status`), or a shop's test order (`test: true`), moves nothing. It is
acknowledged and counted, and no part of it is kept.

**Fields that move nothing** (`event_id`, `correlation_id`, `timestamp`, `metadata`, `currency`) never stop a movement:
an unreadable one counts as absent.

**Webhooks** of Shopify and Stripe are taken as the two send them: over HTTPS and their partner event buses, and on NATS
on two subjects of their own, in several forms: the body under `payload` or `data`, as an object or as JSON text, with
its headers under `headers` or `metadata`; in the platform's envelope or a CloudEvent (three envelopes at most); an
event of Stripe also bare. What of one moves credits counts once, by whichever ways it came.

**CloudEvents 1.0** are taken as well: in structured mode everywhere, in binary mode (`ce-type` beside the payload as
the body) over NATS. `subject` may name the merchant.

**A bad message** is parked, body unchanged, in the dead-letter queue with the attributes `code`, `reason`, `field`,
`origin` and `first_seen`; nothing of it is applied, its neighbours are. A message whose ground is missing (an order
before its account, a refund before its order) waits with growing delay, then is parked too.

**No personal data** is kept of an event: ids, amounts, currency and times only."""

_SAID = {
    "evt.merchant.created": "Opens the account with the trial of the settings. A merchant gets one trial, ever.",
    "evt.account.created": "Opens the account with `credits_to_use`. A merchant gets one trial, ever.",
    "evt.shopify.webhook.order_paid": "Uses (or earns) credits by policy, once an order, up to 100 orders a message.",
    "evt.order.updated": "The same; for an order that is charged already, a newer version posts the difference.",
    "evt.shopify.webhook.order_refunded": "Gives back the refunded share of what the order really took.",
    "evt.billing.payment_succeeded": "Adds the credits that were paid for.",
    "evt.billing.payment_refunded": "Takes back the refunded share of a payment's credits; missing credits are owed.",
    "evt.billing.payment_disputed": "Takes back the remaining credits of the payment until the dispute is decided.",
    "evt.billing.payment_dispute_won": "Returns what the dispute took.",
    "evt.subscription.renewed": "Adds a period's credits: every period counts, the same period once.",
    "evt.shopify.webhook.raw": "A webhook as Shopify sent it: an order, a refund, a removed app.",
    "evt.stripe.webhook.raw": "An event as Stripe sent it: an invoice, a checkout, a refund or a dispute.",
    "evt.credits.manual_adjustment": "An admin adds or removes credits; below 0 it is declined and parked.",
    "evt.credits.account.created": "An account was opened.",
    "evt.credits.recharged": "A payment or renewal was recorded, or an order that earns credits.",
    "evt.credits.refunded": "A refund was recorded, also one of 0 credits.",
    "evt.credits.adjusted": "An admin's adjustment was recorded, or, with an amount of 0, a freeze or its end.",
    "evt.credits.reversed": "A refunded or disputed payment took credits back, or a won dispute returned them.",
    "evt.credits.expiring": "Credits will lapse in some days, unless they are used before.",
    "evt.credits.expired": "Credits have lapsed.",
    "evt.credits.low_balance_reached": "The balance was above the threshold and is at or below it.",
    "evt.credits.balance_restored": "The balance was at or below the threshold and is above it.",
    "evt.credits.balance_exhausted": "The balance was above 0 and is 0.",
    "evt.credits.plugin_status_changed": "The plugin was switched: by credits, a grace, a freeze, or a removed app.",
    "evt.credits.level_crossed": "An account fell to one of its levels or below it, or rose above it.",
    "evt.credits.grace_started": "The last credit is used, and the plugin stays on for a while.",
    "evt.credits.grace_ended": "A grace is over: by time, because its credits are used up, or by an inflow.",
    "evt.credits.drift_detected": "The daily comparison found drift in a ledger.",
}


def asyncapi() -> dict[str, Any]:
    """Return the document: what the service does, so it `receive`s events in and `send`s events out."""
    received = [*INBOUND, *RAW_TYPES]
    types = [*received, *PUBLISHED]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Merchant credits: events", "version": "1", "description": _INTRODUCTION},
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "{host}",
                "protocol": "nats",
                "description": "NATS with JetStream. A subject is an event's type.",
                "variables": {"host": {"description": "Host and port of the deployment.", "default": "127.0.0.1:4222"}},
            },
            "bus": {
                "host": "events.{region}.amazonaws.com",
                "protocol": "eventbridge",
                "description": "The EventBridge bus of the stage. `detail-type` is an event's type.",
                "variables": {"region": {"description": "The region of the deployment.", "default": "eu-west-1"}},
            },
        },
        "channels": {event_type: _channel(event_type) for event_type in types},
        "operations": {**_operations(received, "receive"), **_operations(PUBLISHED, "send")},
        "components": {
            "messages": {event_type: _message(event_type) for event_type in types},
            "schemas": explained(schemas()),
            "messageTraits": {"published": _published_trait()},
        },
    }


def schemas() -> dict[str, Any]:
    """Return the schemas of all payloads and of both envelopes, by name."""
    read = {model.__name__: model for model in INBOUND.values()}
    written = {each.__name__: each for each in PUBLISHED.values()}
    _, made = TypeAdapter.json_schemas(
        [
            ("Envelope", "validation", TypeAdapter(Envelope)),
            *((name, "validation", TypeAdapter(model)) for name, model in read.items()),
            ("PublishedEnvelope", "serialization", TypeAdapter(PublishedEnvelope)),
            *((name, "serialization", TypeAdapter(each)) for name, each in written.items()),
        ],
        ref_template=SCHEMAS + "{model}",
    )
    found: dict[str, Any] = made["$defs"]
    return found


def _channel(event_type: str) -> dict[str, Any]:
    stream, bus = (
        "the stream that owns the subject, by the durable consumer `credit-service`",
        f"any source but `{BUS}`",
    )
    if event_type in PUBLISHED:
        stream, bus = "the stream `CREDIT`", f"source `{BUS}`"
    description, servers = f"NATS: {stream}. Bus `{BUS}`: {bus}, this `detail-type`.", ["nats", "bus"]
    if event_type in RAW_TYPES:
        description, servers = f"NATS only: {stream}.", ["nats"]
    return {
        "address": event_type,
        "messages": {"event": {"$ref": f"#/components/messages/{event_type}"}},
        "description": description,
        "servers": [{"$ref": f"#/servers/{server}"} for server in servers],
    }


def _operations(types: Iterable[str], action: str) -> dict[str, Any]:
    return {
        f"{action}.{event_type}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{event_type}"},
            "summary": _SAID[event_type],
            "messages": [{"$ref": f"#/channels/{event_type}/messages/event"}],
        }
        for event_type in types
    }


def _message(event_type: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": event_type,
        "title": event_type,
        "summary": _SAID[event_type],
        "contentType": "application/json",
    }
    if event_type in RAW_TYPES:
        # A raw webhook, in each form that is accepted.
        examples = webhook_examples(event_type)
        message["payload"] = forms_of(RAW_TYPES[event_type], event_type)
    else:
        examples = {"example": example(event_type)}
        message["correlationId"] = {"location": "$message.payload#/correlation_id"}
        message["payload"] = _enveloped(event_type)
    message["examples"] = [{"name": name, "payload": payload} for name, payload in examples.items()]
    if event_type in PUBLISHED:
        message["traits"] = [{"$ref": "#/components/messageTraits/published"}]
    return message


def example(event_type: str) -> Any:
    """Return an event of this type, as the story has it."""
    if event_type in PUBLISHED:
        return json.loads(published(event_type).detail())
    return account_created() if event_type == "evt.account.created" else dict(example_of(event_type).body)


def webhook_examples(event_type: str) -> dict[str, Any]:
    """Return a webhook of this type in each form: the story's shop sells an order, or pays an invoice."""
    cloud_event = {"specversion": "1.0", "id": "1", "source": "shop-service", "type": event_type}
    if RAW_TYPES[event_type] is LinkKind.SHOPIFY:
        body = order(5732481908, Decimal("84.90"), OPENED)
        sold = ShopifyWebhook(topic="orders/paid", shop="example.myshopify.com", body=body, at=OPENED)
        enveloped = {"headers": sold.headers, "payload": sold.body}
        lists = {"metadata": {name: [value] for name, value in sold.headers.items()}, "data": json.dumps(sold.body)}
        return {"enveloped": enveloped, "as text": lists, "cloud event": {**cloud_event, "data": enveloped}}
    paid = stripe_event("evt_1Example", "invoice.paid", invoice("1Example", "cus_Example", 30, OPENED), OPENED)
    return {"enveloped": {"headers": {}, "payload": paid}, "bare": paid, "cloud event": {**cloud_event, "data": paid}}


def _enveloped(event_type: str) -> dict[str, Any]:
    if event_type in PUBLISHED:
        envelope, payload = PublishedEnvelope.__name__, PUBLISHED[event_type].__name__
    else:
        envelope, payload = Envelope.__name__, INBOUND[event_type].__name__
    own = {"event_type": {"const": event_type}, "payload": {"$ref": SCHEMAS + payload}}
    return {"allOf": [{"$ref": SCHEMAS + envelope}, {"type": "object", "properties": own}]}


def _published_trait() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "headers": {
            "type": "object",
            "description": "On NATS: CloudEvents headers, and the id by which JetStream drops repeats.",
            "properties": {
                "Nats-Msg-Id": {**text, "description": "`event_id`."},
                "ce-specversion": {"const": "1.0"},
                "ce-id": {**text, "description": "`event_id`."},
                "ce-type": {**text, "description": "`event_type`."},
                "ce-source": {"const": BUS},
                "ce-time": {**text, "format": "date-time", "description": "`timestamp`."},
                "ce-subject": {**text, "format": "uuid", "description": "`payload.merchant_id`."},
            },
            "required": ["Nats-Msg-Id", "ce-specversion", "ce-id", "ce-type", "ce-source"],
        }
    }

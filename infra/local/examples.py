"""What runs where, and lines that a person can copy to try the stack."""

import json
from collections.abc import Mapping

from infra.local.description import Description
from infra.local.engines import FAKE_AWS_ENVIRONMENT
from infra.local.shops import SHOPS
from infra.local.tokens import OWNER_SCOPE, Signer
from infra.region import REGION

SHOP = SHOPS[0]
ORDER_PAID = "evt.shopify.webhook.order_paid"


def places(description: Description, directory: str) -> Mapping[str, str]:
    """Return where each part of the stack is, by what a person calls it."""
    return {
        "API": f"{description.api_url}/api/v1",
        "AWS (emulator)": f"{description.aws_endpoint} · region {REGION} · any key",
        "NATS": f"{description.nats_url} · JetStream",
        "Bridge": description.bridge_health_url,
        "Tables": f"{description.credits_table} · {description.transactions_table}",
        "Bus": description.event_bus,
        "Inbox": description.inbox_queue_url,
        "Dead letters": description.dead_letter_queue_url,
        "Logs, keys": directory,
    }


def lines(description: Description, signer: Signer) -> Mapping[str, str]:
    """Return commands by what they show: the first ones open a shop, the others look at it as its owner would."""
    api = f"{description.api_url}/api/v1/credits"
    token = signer.token(subject="local-owner", scope=OWNER_SCOPE, merchant_id=SHOP.merchant_id)
    keys = " ".join(
        f"{name}={FAKE_AWS_ENVIRONMENT[name]}"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    )
    opened = json.dumps({"event_type": "evt.merchant.created", "payload": {"merchant_id": SHOP.merchant_id}})
    order = {"merchant_id": SHOP.merchant_id, "order_id": 1, "total": "24.90"}
    paid = json.dumps({"event_type": ORDER_PAID, "payload": order})
    entry = {"Source": "shop", "DetailType": ORDER_PAID, "Detail": json.dumps(order)}
    entries = json.dumps([{**entry, "EventBusName": description.event_bus}])
    nats = f"nats --server {description.nats_url}"
    return {
        f"open a shop ({SHOP.name}), with nothing but this environment": f".venv/bin/python -c '{_send(description)}' "
        f"'{opened}'",
        "an order of it, over NATS": f"{nats} pub {ORDER_PAID} '{paid}'",
        "the same order over the bus (it counts once)": f"{keys} aws --endpoint-url {description.aws_endpoint} "
        f"events put-events --entries '{entries}'",
        "is its plugin on? (anyone may ask)": f"curl -i {api}/plugin-status/{SHOP.merchant_id}",
        "a token of this shop": f"TOKEN={token}",
        "its balance": f'curl -s -H "Authorization: Bearer $TOKEN" {api}/accounts/{SHOP.merchant_id}/balance',
        "its history": f'curl -s -H "Authorization: Bearer $TOKEN" "{api}/transactions?merchant_id={SHOP.merchant_id}"',
        "what the service tells the world": f"{nats} sub 'evt.credits.>'",
    }


def _send(description: Description) -> str:
    """Return a Python program that puts its argument into the inbox queue."""
    key, secret = FAKE_AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"], FAKE_AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]
    client = (
        f'boto3.client("sqs", "{REGION}", endpoint_url="{description.aws_endpoint}", '
        f'aws_access_key_id="{key}", aws_secret_access_key="{secret}")'
    )
    return (
        f'import boto3, sys; {client}.send_message(QueueUrl="{description.inbox_queue_url}", MessageBody=sys.argv[1])'
    )

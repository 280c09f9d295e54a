"""Where each part runs, what happens, and three commands that a person can copy to try the stack."""

from collections.abc import Mapping, Sequence

from infra.local.connected import CONNECTED
from infra.local.description import Description, command_prefix, short
from infra.local.keeping import Keeping
from infra.local.shops import DEMO_SHOP, LOST_ORDER, PAST_SHOP, SALES, SHOPS
from infra.packaging.region import REGION

SHOP = next(shop for shop in SHOPS if shop.spends_all)
NEW_SHOP = "5d0c7b3e-2a64-4f1b-8c9e-7e3b1f4a6d20"
NOT_KEPT = "Everything is kept in memory: Ctrl-C ends the stack, and its data with it (KEEP=on keeps them)."
RUN_OUT = (
    f"{SHOP.name} and {DEMO_SHOP.name} run out within a minute or two: their plugins go off, and on when they pay."
)
PAST = (
    f"{PAST_SHOP.name} has sold for {len(SALES)} days and runs out this week; its order {LOST_ORDER} is a dead letter."
)


def command_of(environment: Mapping[str, str]) -> str:
    """Return how the command line is called for this stack, from the repository's root."""
    return f"{command_prefix(environment)}.venv/bin/credits"


def places(description: Description, directory: str, command: str) -> Mapping[str, str]:
    """Return where each part of the stack is, by its plain name: first what a browser shows."""
    api = description.api_url
    return {
        "Start": f"{api} · what is here, and things to try",
        "Console": f"{api}/console · sign in with: {command} token --admin",
        "Demo shop": f"{api}/demo-shop",
        "API": f"{api}/api/v1 · described at {api}/docs",
        "Metrics": f"{api}/metrics · for: {command} token --ops",
        "NATS": f"{description.nats_url} · JetStream",
        "AWS (emulator)": f"{description.aws_endpoint} · region {REGION} · any key",
        "Bridge": description.bridge_health_url,
        "Bus, stack": f"{description.event_bus} · stage {description.stage}",
        "Logs, keys": f"{directory} · everything for programs: {directory}/stack.json",
    }


def kept(keeping: Keeping) -> str:
    """Return what becomes of the data when the stack ends, and whether they come from an earlier start."""
    if not keeping.on:
        return NOT_KEPT
    before = "The data of the last start with KEEP=on are restored. " if keeping.runs else ""
    return f"{before}Ctrl-C keeps everything in {short(keeping.folder)} (KEEP=on); remove that folder to start empty."


def happening(*, with_traffic: bool, keeping: Keeping) -> Sequence[str]:
    """Return plain sentences on what appears from now on."""
    if not with_traffic:
        return ("There is no sample traffic (TRAFFIC=off): nothing happens until you send an event.", kept(keeping))
    opened = "are open" if keeping.runs else "open now"
    connected = " and ".join(shop.name for shop in CONNECTED)
    return (
        f"{len(SHOPS)} made-up shops {opened} and sell about once a second, over NATS and over the bus in turn.",
        f"{connected} are connected: signed webhooks of Shopify and Stripe reach the API.",
        "Some events come twice, some are broken. Each line below was read back from ledger, NATS or dead letters.",
        RUN_OUT,
        PAST,
        kept(keeping),
    )


def lines(description: Description, command: str, *, with_traffic: bool) -> Mapping[str, str]:
    """Return three commands by what they show: about a sample shop with traffic, else about a new one."""
    shop = SHOP.merchant_id if with_traffic else NEW_SHOP
    status = f"curl {description.api_url}/api/v1/credits/plugin-status/{shop}"
    sale = f"{command} emit order_paid merchant_id={shop} order_id=1 total=24.90 --wait"
    sell = {"sell something and see the effect; run it again: it counts once": sale}
    if with_traffic:
        asked = f"is the plugin of {SHOP.name} on? anyone may ask"
        return {asked: status, "why is it on, or off?": f"{command} why {shop}", **sell}
    opened = f"{command} emit merchant.created merchant_id={shop} --wait"
    return {"open a shop": opened, **sell, "is its plugin on? anyone may ask": status}

"""The pages of the local stack that are not part of the API: where to start, and the demo shop."""

import html
import json
from collections.abc import Mapping
from pathlib import Path

from infra.local.examples import NEW_SHOP, command_of
from infra.local.shops import DEMO_SHOP, SHOPS

START_PAGE = Path(__file__).with_name("start.html")
DEMO_SHOP_PAGE = Path(__file__).with_name("demo_shop.html")


def write_pages(directory: Path, environment: Mapping[str, str], kept: str) -> Path:
    """Write the pages of a stack into its folder, with commands that find this stack; return their own folder.

    `kept` says what becomes of the data.
    """
    pages = directory / "pages"
    pages.mkdir(exist_ok=True)
    filled = {
        "command": html.escape(command_of(environment)),
        "shop": NEW_SHOP,
        "kept": html.escape(kept),
        "shops": html.escape(json.dumps([{"id": shop.merchant_id, "name": shop.name} for shop in SHOPS])),
        "merchant": DEMO_SHOP.merchant_id,
    }
    for template, name in ((START_PAGE, "start.html"), (DEMO_SHOP_PAGE, "demo-shop.html")):
        text = template.read_text()
        for field, value in filled.items():
            text = text.replace("{{" + field + "}}", value)
        (pages / name).write_text(text)
    return pages

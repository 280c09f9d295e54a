"""Shopify's order export as it stands: a CSV of its columns, with the rows that a test asks for."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

COLUMNS = (
    *("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Currency", "Subtotal", "Total"),
    *("Created at", "Lineitem quantity", "Lineitem name", "Notes", "Cancelled at", "Refunded Amount", "Id", "Tags"),
)
"""Columns of Shopify's order export, in their order; those between them say nothing here."""
NOW = datetime.now(UTC)


def exported(*orders: Mapping[str, str], encoding: str = "utf-8", columns: Sequence[str] = COLUMNS) -> bytes:
    """Return an export of these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(orders)
    return text.getvalue().encode(encoding)


def row(
    order_id: object, total: str = "24.90", *, at: datetime = NOW - timedelta(days=3), **more: str
) -> dict[str, str]:
    """Return the row of an order that was paid; an underscore in the name of a further column is a space."""
    when = f"{at:%Y-%m-%d %H:%M:%S} +0000"
    return {
        "Name": f"#{order_id}",
        "Email": "a@b.example",
        "Financial Status": "paid",
        "Paid at": when,
        "Created at": when,
        "Currency": "EUR",
        "Total": total,
        "Refunded Amount": "0.00",
        "Lineitem quantity": "1",
        "Lineitem name": "a lamp",
        "Id": str(order_id),
        **{name.replace("_", " "): value for name, value in more.items()},
    }

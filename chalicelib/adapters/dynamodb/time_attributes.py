"""What an account keeps because of time, as texts of its item: short, because an account is to stay under 1 KB."""

from chalicelib.domain.runway import ORDERS_MIN, Use


def use_text(use: Use) -> str:
    """Return what the account's orders use: three numbers, or the sum alone of an old account."""
    return f"{use.weighted}" if use.since is None else f"{use.weighted} {use.since} {use.orders}"


def use_from(text: str | None) -> Use | None:
    """Return the use that `use_text` wrote, None where there is none."""
    if text is None:
        return None
    weighted, *young = map(int, text.split(" "))
    since, orders = young or (None, ORDERS_MIN)
    return Use(weighted=weighted, since=since, orders=orders)

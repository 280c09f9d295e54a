"""The statement of a month: as an answer, and as a page that prints on one sheet.

The page is self-contained, without a script, in black on white.
"""

from html import escape
from typing import Self

from chalicelib.contracts.api.answers import Total, totals_by_type
from chalicelib.contracts.api.model import Model
from chalicelib.domain import statements


class Closing(Model):
    """The account at one time: the balance, and the newest transaction's place in the chain."""

    balance: int
    sequence: int
    hash: str


class Statement(Model):
    """A month of an account, in UTC: where it began, what moved, and where it ended.

    `closing` is the next month's `opening`. While the month is running it is `open`, and `closing` is as of now.
    """

    merchant_id: str
    month: str
    open: bool
    opening: Closing
    closing: Closing
    first_sequence: int | None
    last_sequence: int | None
    transaction_count: int
    credits_in: int
    credits_out: int
    total_shortfall: int
    by_type: dict[str, Total]

    @classmethod
    def of(cls, statement: statements.Statement) -> Self:
        """Return the answer about `statement`."""
        by_type = totals_by_type(statement.totals)
        first, last = statement.sequences or (None, None)
        return cls(
            merchant_id=statement.merchant_id,
            month=statement.month,
            open=statement.open,
            opening=Closing.model_validate(statement.opening),
            closing=Closing.model_validate(statement.closing),
            first_sequence=first,
            last_sequence=last,
            transaction_count=statement.closing.sequence - statement.opening.sequence,
            credits_in=sum(total.credits_in for total in by_type.values()),
            credits_out=sum(total.credits_out for total in by_type.values()),
            total_shortfall=statement.total_shortfall,
            by_type=by_type,
        )


MEDIA_TYPE = "text/html"
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What the page may load: nothing but its own style."""

_STYLE = """
@page { size: A4; margin: 20mm }
body { font: 11pt/1.5 system-ui, sans-serif; color: #000; background: #fff; max-width: 46em; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 16pt; margin: 0 } table { border-collapse: collapse; width: 100%; margin: 1.5em 0 }
th, td { padding: .35em .5em; border-bottom: 1px solid #bbb; text-align: left } thead th { border-color: #000 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } tfoot th { border-bottom: 3px double #000 }
code { font-size: 8pt; overflow-wrap: anywhere } tr { break-inside: avoid } .open { border: 1px solid; padding: .5em }
@media print { body { margin: 0; padding: 0; max-width: none } }
"""


def page(statement: Statement, *, made_at: str) -> str:
    """Return the page of a statement, made at a time."""
    rows = "".join(
        _row(_words(name), total.increases + total.decreases, total.credits_in, total.credits_out)
        for name, total in sorted(statement.by_type.items())
    )
    empty = "" if rows else '<tr><td colspan="4">Nothing was recorded in this month.</td></tr>'
    title = f"Statement of credits, {statement.month}"
    running = '<p class="open">The month is not over: this statement is as of the time below and not final.</p>'
    shortfall = f"<p>Shortfall: {statement.total_shortfall:,} credits.</p>"
    sum_of_all = (statement.transaction_count, statement.credits_in, statement.credits_out)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>Merchant <code>{escape(statement.merchant_id)}</code></p>
{running if statement.open else ""}
<table><thead><tr><th>Movements</th><th class="n">Count</th><th class="n">Credits in</th><th class="n">Credits out</th>
</tr></thead><tbody>
<tr><th colspan="3">Opening balance</th><th class="n">{statement.opening.balance:,}</th></tr>
{rows}{empty}
{_row("All movements", *sum_of_all)}
</tbody><tfoot><tr><th colspan="3">Closing balance</th><th class="n">{statement.closing.balance:,}</th></tr></tfoot>
</table>
{shortfall if statement.total_shortfall else ""}
<p>{_range(statement)} All times are UTC.</p>
<p>Chain before: {_link(statement.opening)}<br>Chain after: {_link(statement.closing)}</p>
<p>Made at {escape(made_at)}.</p>
</body></html>
"""


def _row(name: str, count: int, credits_in: int, credits_out: int) -> str:
    figures = "".join(f'<td class="n">{figure:,}</td>' for figure in (count, credits_in, credits_out))
    return f"<tr><td>{escape(name)}</td>{figures}</tr>\n"


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _range(statement: Statement) -> str:
    if statement.first_sequence is None:
        return "It contains no transaction."
    return f"It contains the transactions {statement.first_sequence:,} to {statement.last_sequence:,}."


def _link(closing: Closing) -> str:
    return f"<code>{closing.sequence} {escape(closing.hash)}</code>"

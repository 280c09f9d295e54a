"""The ends of days and months in the figures table, on every engine."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.adapters.dynamodb.month_ends import MonthEnds, day_end_from, day_end_text
from chalicelib.domain.days import DayEnd, Sums
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.movements import Kind
from chalicelib.domain.statements import Closing, DayOver, Month, MonthKept
from chalicelib.domain.transactions import Total
from tests.support.builders import SHOP, merchant
from tests.support.ends_of_months import FakeMonthEnds
from tests.support.figures_tables import FiguresTable, table_in_process, table_simulated

MAY, JUNE = Month("2026-05"), Month("2026-06")
EVERY_KIND = {kind: Total(count=10**6 + place, credits=10**9 - place) for place, kind in enumerate(Kind)}
CLOSING = Closing(sequence=10**7, balance=5, debt=3, total_shortfall=10**9, hash="a" * 64, totals=EVERY_KIND)


@pytest.fixture(params=[table_in_process, table_simulated])
def table(request: pytest.FixtureRequest) -> Iterator[FiguresTable]:
    with request.param() as found:
        yield found


def over(month: Month, day: int, *months: Month) -> DayOver:
    return DayOver(merchant_id=SHOP, month=month, day=day, closing=CLOSING, sums=Sums(), months=months)


def test_what_is_noted_is_kept_and_noting_it_again_changes_nothing(table: FiguresTable) -> None:
    ends, fake = MonthEnds(table.client, table=table.name), FakeMonthEnds()

    for one in [over(MAY, 1), over(MAY, 31, MAY, JUNE), over(MAY, 1), over(MAY, 31, MAY, JUNE)]:
        ends.note(one)
        fake.note(one)

    assert ends.kept(SHOP, [MAY, JUNE, Month("2026-07")]) == fake.of(SHOP)
    assert ends.kept(SHOP, [MAY])[MAY] == MonthKept(days={1: 10**7, 31: 10**7}, closing=CLOSING)
    assert ends.kept(merchant("other"), [MAY]) == {}


def test_a_kind_that_only_a_newer_release_knows_makes_a_closing_unknown(table: FiguresTable) -> None:
    ends = MonthEnds(table.client, table=table.name)
    ends.note(over(MAY, 31, MAY))
    table.client.update_item(
        TableName=table.name,
        Key={"id": {"S": f"month#{SHOP}#{MAY}"}},
        UpdateExpression="SET totals = :newer",
        ExpressionAttributeValues={":newer": {"M": {"LAPSED_TWICE": {"S": "1 2"}}}},
    )

    assert ends.kept(SHOP, [MAY])[MAY] == MonthKept(days={31: 10**7}, closing=None)


def test_a_table_that_does_not_answer_is_tried_later() -> None:
    class Silent:
        """A client that nobody answers."""

        def update_item(self, **_: object) -> None:
            raise ReadTimeoutError(endpoint_url="x")

    with pytest.raises(RetryLater):
        MonthEnds(Silent(), table="figures").note(over(MAY, 1))  # type: ignore[arg-type]


def test_the_end_of_a_day_is_read_whatever_release_wrote_it() -> None:
    sums = Sums(credits_in=1, credits_out=2, used=3, orders=4, shortfall=5, parked=6)
    written = day_end_text(7, sums)

    assert day_end_from("2026-11-30", written) == DayEnd(day="2026-11-30", balance=7, sums=sums)
    assert day_end_from("2026-11-30", f"{written} 8 9") == DayEnd(day="2026-11-30", balance=7, sums=sums)
    assert day_end_from("2026-11-30", "7 1 2") == DayEnd(
        day="2026-11-30", balance=7, sums=Sums(credits_in=1, credits_out=2)
    )

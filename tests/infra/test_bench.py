"""The counted figures of `make bench` are gates: a change that costs a request or a unit more fails here."""

from pathlib import Path

import pytest

from infra.bench import costs, limits, long, memory, months
from infra.bench.counted import all_counted
from infra.bench.measurements import PAGE, Measurement, row

# The figures are counted once, by one worker.
pytestmark = pytest.mark.xdist_group("counted figures")


@pytest.fixture(scope="module")
def figures() -> list[Measurement]:
    return all_counted()


def test_every_counted_figure_meets_its_goal(figures: list[Measurement]) -> None:
    assert [figure for figure in figures if not figure.met] == []
    assert len(figures) > 30
    # A meter that counts nothing would meet every goal.
    assert [figure for figure in figures if figure.value == 0 and not figure.name.startswith("status, cached")] == []


def test_the_page_of_measurements_has_what_is_counted(figures: list[Measurement]) -> None:
    page = PAGE.read_text()

    assert [row(figure) for figure in figures if row(figure) not in page] == []


def test_the_page_s_costs_are_those_of_the_counted_figures(figures: list[Measurement]) -> None:
    page = PAGE.read_text()

    assert costs.PLACE.filled(costs.sheet_of(figures)) in page, "python -m infra.bench.costs --write"


def test_the_readme_s_dollars_are_those_of_the_sheet(figures: list[Measurement]) -> None:
    dollars = {line.what: line.dollars for line in costs.sheet({figure.name: figure.value for figure in figures})}
    alone, folded = (f"{dollars[f'a million orders, {how}']:.2f}" for how in ("each alone", "folded by 99"))

    row = f"| a million orders, each alone; folded by 99 | {alone} dollars; {folded} dollars |"
    assert row in (PAGE.parents[2] / "README.md").read_text()


def test_the_sheet_of_a_month_is_computed_from_the_counted_figures(figures: list[Measurement]) -> None:
    page = months.PLACE.page.read_text()

    assert months.PLACE.filled(months.text(figures)) in page, "python -m infra.bench.months --write"


def test_a_month_adds_up_what_is_always_there_and_what_grows(figures: list[Measurement]) -> None:
    counted = {figure.name: figure.value for figure in figures}
    small, middle, large = (months.month(shops, counted) for shops in months.SIZES)

    assert small["watching"] == large["watching"] > months.alarm_metrics() * 0.1
    assert months.alarm_metrics() > 50
    assert small["bridge"] + small["NAT gateway"] + small["watching"] > 0.9 * sum(small.values())
    assert large["ledger"] == pytest.approx(100 * middle["ledger"])
    # A busy fleet's account writes are counted together.
    assert large["figures (roll_up)"] < 100 * middle["figures (roll_up)"]


def test_a_folded_order_costs_less_than_one_alone_and_a_cached_status_less_than_a_read(
    figures: list[Measurement],
) -> None:
    dollars = {line.what: line.dollars for line in costs.sheet({figure.name: figure.value for figure in figures})}

    assert dollars["a million orders, folded by 99"] < dollars["a million orders, each alone"]
    assert dollars["… from the function's memory or Redis"] < dollars["a million status checks, from the table"]


def test_a_status_costs_what_a_storefront_can_bear(figures: list[Measurement]) -> None:
    dollars = {line.what: line.dollars for line in costs.sheet({figure.name: figure.value for figure in figures})}

    assert dollars["a million status checks, from the table"] <= 1.9
    assert dollars["… of pages, with the edge before the HTTP API"] <= 0.8


def test_memory_is_paid_by_the_time_that_it_is_used() -> None:
    row = memory.Row(function="ingest", size=1024, first=0.4, warm=0.010, megabytes=47)

    assert row.dollars == pytest.approx(0.20 + 0.010 * 16.6667)
    assert "| ingest | 1,024 MB | 400 ms | 10.0 ms | 47 MB | 0.37 |" in memory.table([row])


def test_where_no_share_of_a_core_can_be_given_the_measurement_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "none")

    with pytest.raises(SystemExit, match="No share of a core can be given here"), memory.share(512):
        pass


@pytest.mark.slow
def test_a_ledger_ten_times_as_large_costs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "LARGE", (1_000, 10))
    monkeypatch.setattr(long, "HISTORY_LENGTH", 4_000)

    figures = long.long_measurements()

    assert [figure for figure in figures if not figure.met] == []
    assert len(figures) > 20


@pytest.mark.slow
def test_throttles_and_conflicts_lose_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RUNS", ())
    monkeypatch.setattr(limits, "SLOW_UNITS", 40)
    monkeypatch.setattr(limits, "SLOW_ORDERS", 300)

    said = {figure.name.rpartition(": ")[2]: figure.value for figure in limits.limit_measurements()}

    # It checks itself that nothing was lost; here, that something was in the way.
    assert said["throttled writes an order"] > 0

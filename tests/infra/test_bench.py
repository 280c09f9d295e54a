"""The counted figures of `make bench` are gates: a change that costs a request or a unit more fails here."""

from infra.bench.counted import all_counted


def test_every_counted_figure_meets_its_goal() -> None:
    figures = all_counted()

    assert [figure for figure in figures if not figure.met] == []
    assert len(figures) > 30
    # A meter that counts nothing would meet every goal.
    assert [figure for figure in figures if figure.value == 0 and not figure.name.startswith("status, cached")] == []

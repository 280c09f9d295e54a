from pathlib import Path

import pytest

from tests.mutants.__main__ import MutantDoesNotFitError, apply
from tests.mutants.catalogue import MUTANTS, Change, Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_every_deliberate_bug_still_fits_the_code_and_is_python(mutant: Mutant, tmp_path: Path) -> None:
    for change in mutant.changes:
        copy = tmp_path / change.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            copy.write_text((ROOT / change.path).read_text())

    apply(mutant, tmp_path)

    for change in mutant.changes:
        compile((tmp_path / change.path).read_text(), change.path, "exec")


def test_a_bug_that_no_longer_fits_fails_loudly(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("one = 1\n")

    with pytest.raises(MutantDoesNotFitError, match="0 times"):
        apply(Mutant("gone", (Change("code.py", "two", "three"),)), tmp_path)


def test_there_are_at_least_twenty_deliberate_bugs_with_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20

"""The mutants of the guard are changes of the guard as it is."""

import pytest

from bench.mutants import MUTANTS, ROOT, SOURCES, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_mutant__of_the_guard__changes_what_is_there(mutant: Mutant) -> None:
    assert mutant.text in (ROOT / SOURCES / mutant.source).read_text()
    assert mutant.change != mutant.text

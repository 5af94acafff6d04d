"""The search for the edge of a set that is not an interval."""

from collections.abc import Set as AbstractSet

from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.search import Edge, Verdict, highest, lowest


def verdict_of(members: AbstractSet[int]) -> Verdict:
    def verdict(lo: int, hi: int) -> bool | None:
        inside = len(members & set(range(lo, hi + 1)))
        return {0: False, hi - lo + 1: True}.get(inside)

    return verdict


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_search__any_set__finds_its_extremes(members: set[int], lo: int, hi: int) -> None:
    inside = [n for n in members if lo <= n <= hi]
    assert highest(lo, hi, verdict_of(members)) == Edge(max(inside, default=None))
    assert lowest(lo, hi, verdict_of(members)) == Edge(min(inside, default=None))


def test_search__budget_runs_out__says_where_it_stopped() -> None:
    even = verdict_of(set(range(0, 990, 2)))
    stopped = highest(0, 1000, even, budget=8)
    assert not stopped.exact
    assert stopped.at is not None
    assert 988 <= stopped.at < 1000
    assert lowest(0, 1000, even, budget=3) == Edge(0, exact=False)

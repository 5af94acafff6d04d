"""Ratios and round trips are taken from the right rows."""

from bench.measure import Result, Size
from bench.report import markdown, rows, table

NEAR, FAR = Size("full", 10, 30), Size("full", 10, 30, 100)


def result(name: str, wall: float, **more: float) -> Result:
    return Result(name, "1", wall, 2.0, 0.5, "d", "c", **more)  # type: ignore[arg-type]


RESULTS = {
    NEAR: [result("multicall.py", 40.0), result("underkeel, lens", 4.0, floor_ms=3.5)],
    FAR: [result("multicall.py", 250.0), result("underkeel, lens", 104.0), result("new", 1.0)],
}


def test_rows__near__ratio_is_how_many_times_faster_than_the_reference() -> None:
    _, reference, ours = rows(NEAR, RESULTS)
    assert reference[:3] == ("multicall.py", "40", "1")
    assert ours[:3] == ("underkeel, lens", "4", "10")
    assert (reference[-1], ours[-1]) == ("", "3.5")


def test_rows__far__round_trips_are_added_time_over_latency() -> None:
    _, reference, ours, unknown = rows(FAR, RESULTS)
    assert reference[-1] == "2.1"
    assert ours[-1] == "1"
    assert unknown[-1] == ""


def test_rows__no_reference__no_ratio() -> None:
    assert rows(NEAR, {NEAR: [result("a", 5.0)]})[1][2] == "–"


def test_table__every_line__is_as_wide() -> None:
    assert len({len(line) for line in table(NEAR, RESULTS).splitlines()}) == 1


def test_markdown__faults__are_told() -> None:
    page = markdown(RESULTS, {"viem": "npm is not here"}, 3)
    assert "## Full 10 × 30, 100 ms" in page
    assert "- viem: npm is not here" in page
    assert "multicall.py 1" in page
    assert "Not measured" not in markdown(RESULTS, {}, 3)

"""Ratios, round trips and verdicts are taken from the right rows."""

from bench.contestants import DANK, LENS, REFERENCE
from bench.measure import Measured, Result, Size
from bench.report import left_out, markdown, rows, table
from bench.verdict import TARGETS, far, verdict

NEAR, FAR = Size("full", 10, 30), Size("full", 10, 30, 100)


def result(name: str, wall: float, **more: float) -> Result:
    return Result(name, "1", wall, 2.0, 0.5, "d", "c", **more)  # type: ignore[arg-type]


RESULTS = {
    NEAR: Measured([result(REFERENCE, 40.0), result(LENS, 4.0, floor_ms=3.5, posts=1)]),
    FAR: Measured([result(REFERENCE, 250.0), result(LENS, 104.0), result("new", 1.0)]),
}


def test_rows__near__ratio_is_how_many_times_faster_than_the_reference() -> None:
    _, reference, ours = rows(NEAR, RESULTS)
    assert reference[:3] == (REFERENCE, "40", "1")
    assert ours[:3] == (LENS, "4", "10")
    assert (reference[-1], ours[-1]) == ("", "3.5")
    assert (reference[5], ours[5]) == ("", "1")


def test_rows__far__round_trips_are_added_time_over_latency() -> None:
    _, reference, ours, unknown = rows(FAR, RESULTS)
    assert reference[-1] == "2.1"
    assert ours[-1] == "1"
    assert unknown[-1] == ""


def test_rows__no_reference__no_ratio() -> None:
    assert rows(NEAR, {NEAR: Measured([result("a", 5.0)])})[1][2] == "–"


def test_table__every_line__is_as_wide() -> None:
    assert len({len(line) for line in table(rows(NEAR, RESULTS)).splitlines()}) == 1


def test_left_out__what_takes_minutes__is_named() -> None:
    assert "web3.py, naive" in left_out(Size("full", 10_000, 30))
    assert f"{REFERENCE};" not in left_out(Size("full", 10_000, 30))
    assert left_out(Size("full", 1, 10)) == ""


def test_markdown__faults_are_told() -> None:
    page = markdown(RESULTS, {"viem": "npm is not here"}, 3)
    assert "## Full 10 × 30, 100 ms" in page
    assert "- viem: npm is not here" in page
    assert "multicall.py 1" in page
    assert "Left out" in page
    assert "## Verdict" not in page  # nothing that was to be shown is measured
    assert "Not measured" not in markdown(RESULTS, {}, 3)


def test_verdict__of_a_whole_market__says_what_is_met_and_what_is_not() -> None:
    size = Size("full", 1_000, 30)
    ours = Result(LENS, "1", 100.0, 10.0, 5.0, "d", "c", floor_ms=80.0)
    theirs = Result(REFERENCE, "1", 2_100.0, 400.0, 5.0, "d", "c")
    lines = verdict({size: Measured([theirs, ours])})
    assert lines[0] == ("target", "need", "measured", "met")
    assert lines[1:] == [
        ("1,000 × 30, lens: × multicall.py", "≥ 20", "21", "yes"),
        ("1,000 × 30, lens: × less CPU than multicall.py", "≥ 50", "40", "no"),
        ("1,000 × 30, lens: wall over raw replay", "≤ 1.15", "1.25", "no"),
    ]


def test_verdict__a_peer_that_gave_no_answer__took_as_long_as_was_waited() -> None:
    faults = {DANK: "no result within 300 s"}
    lines = verdict({NEAR: Measured([result(LENS, 8.0)], faults)})
    assert lines[1:] == [("10 × 30, lens: × dank_mids, as installed", "≥ 100", "3.75e+04", "yes")]


def test_verdict__one_wallet__counts_trips_posts_and_memory() -> None:
    small, whole = Size("full", 1, 10), Size("full", 10_000, 30)
    ours = result(LENS, 2.0, posts=1)
    grown = Result(LENS, "1", 900.0, 70.0, 120.0, "d", "c", resident_mb=310.0)
    lines = verdict({
        small: Measured([result(REFERENCE, 10.0), ours]),
        far(small): Measured([result(REFERENCE, 312.0), result(LENS, 104.0)]),
        whole: Measured([grown]),
    })  # fmt: skip
    assert [line[2:] for line in lines[1:]] == [
        ("5", "yes"), ("3", "yes"), ("1", "yes"), ("1.02", "yes"), ("120", "yes"), ("310", "no"),
    ]  # fmt: skip


def test_targets__all__have_names_of_their_own() -> None:
    assert len({target.what for target in TARGETS}) == len(TARGETS)

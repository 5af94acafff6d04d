"""Everyone's work is the same words: the order of the calls, the digest, ours on the world."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import environments
from bench import reader as reader_module
from bench.contestants import CONTESTANTS, REFERENCE, Contestant
from bench.environments import Environment
from bench.measure import Size, measure
from bench.peers import common
from bench.reader import Failed, Reader
from bench.scene import staged

RESERVES = [{"asset": "0xA", "a_token": "0xB", "variable_debt": "0xC"}] * 2
WORK: dict[str, Any] = {
    "url": "", "chain_id": 1, "block_number": 1, "block_hash": "", "multicall3": "",
    "provider": "", "uniswap": {}, "pool": "0xD", "oracle": "0xE", "reserves": RESERVES,
    "accounts": ["0x1"], "task": "full", "warm": 0,
    "mark": None, "record": None, "options": {},
}  # fmt: skip


def test_calls__full__are_cells_then_the_market() -> None:
    work = common.Work(**WORK)
    calls = list(work.calls())
    assert work.cells == 7
    assert [call[0] for call in calls[: work.cells]] == ["0xB", "0xC", "0xA"] * 2 + ["0xD"]
    assert [call[0] for call in calls[work.cells :]] == ["0xD", "0xE"] * 2
    health = common.Work(**{**WORK, "task": "health"})
    assert [call[1][0] for call in health.calls()] == ["getUserAccountData"]
    assert health.cells == 1


def test_digest__ways_to_decode__do_not_matter() -> None:
    raw = (5).to_bytes(32, "big") + (0xAB).to_bytes(32, "big")
    same: list[list[Any]] = [[raw], [[5, "0xab"]], [((5,), ["0xAB"])], [5, 0xAB]]
    assert len({common.digest(answers) for answers in same}) == 1
    assert common.digest([5, 0xAC]) != common.digest([5, 0xAB])
    assert common.health_of([1, 2, 3]) == common.health_of(3) == 3


def test_lanes__requests_at_once__get_connections_of_their_own() -> None:
    one_by_one = [(0.0, 1.0, "a"), (1.0, 2.0, "b")]
    assert common.lanes(one_by_one) == [[b"a", b"b"]]
    assert common.lanes([(0.0, 2.0, "a"), (1.0, 3.0, "b"), (2.0, 4.0, "c")]) == [
        [b"a", b"c"],
        [b"b"],
    ]


def test_locks__all__pin_exactly_and_name_no_host() -> None:
    for lock in environments.PEERS.glob("*.txt"):
        assert all(line.count("==") == 1 for line in lock.read_text().splitlines())
    package = json.loads((environments.PEERS / "package.json").read_text())
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    assert '"resolved"' not in (environments.PEERS / "package-lock.json").read_text()
    assert REFERENCE in {contestant.name for contestant in CONTESTANTS}


def test_environment__cannot_be_installed__says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    refusing = subprocess.CompletedProcess(["uv"], 1, "", "no such package")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refusing)
    with pytest.raises(environments.Missing, match="no such package"):
        environments.python("multicall")
    with pytest.raises(environments.Missing, match="no such package"):
        environments.node()
    assert list(tmp_path.rglob(".complete")) == []


def script(folder: Path, text: str) -> tuple[Contestant, Environment]:
    """Return a contestant that runs a script of ours, and how."""
    (folder / "run_test.py").write_text(text)
    return (
        Contestant("test", environments.ours, "run_test.py"),
        Environment((sys.executable,), folder),
    )


def test_reader__a_script_that_reads__is_timed_by_its_own_clock(tmp_path: Path) -> None:
    source = f"""
import sys
sys.path.insert(0, {str(environments.PEERS)!r})
from common import run
print("noise", flush=True)
run(lambda work: [[5]] * work.cells, "7")
"""
    with Reader(*script(tmp_path, source), WORK) as reader:
        assert reader.ready() == "7"
        stat = Path(f"/proc/{reader._process.pid}/stat")
        until_stopped(stat)
        reader.go()
        until_stopped(stat)
        reader.go()
        told = reader.end()
    assert len(reader.walls) == len(reader.cpus) == 2 * common.BURST
    assert told["digest"] == told["cells"] == common.digest([[5]] * 7)
    assert told["resident"] > told["peak"] >= 0


def until_stopped(stat: Path) -> None:
    """Wait until a process is stopped, as whoever is not its turn should be."""
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        pass


def test_reader__a_script_that_ends__says_what_it_said(tmp_path: Path) -> None:
    with Reader(*script(tmp_path, "raise SystemExit('no such thing')"), WORK) as reader:
        with pytest.raises(Failed, match="no such thing"):
            reader.ready()
        with pytest.raises(Failed, match="no such thing"):
            reader.go()


def test_reader__a_script_that_hangs__is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PATIENCE_S", 0.3)
    hanging = Reader(*script(tmp_path, "import time; time.sleep(60)"), WORK)
    with hanging, pytest.raises(Failed, match="no result within"):
        hanging.ready()


@pytest.mark.world
@pytest.mark.timeout(240)
def test_measure__ours_on_a_small_market__all_ways_read_the_same_words() -> None:
    # The read paths are compared with each other in tests/chain; here, reads with columns.
    ours = [(c, c.environment()) for c in CONTESTANTS
            if c.ours and c.options["how"] != "multicall3"]  # fmt: skip
    ways = [one for one in ours if "full" in one[0].tasks]
    health = [one for one in ours if "health" in one[0].tasks]
    broken = Contestant("broken", environments.ours, "run_nothing.py")
    with staged(10, 3) as scene:
        read = measure([(broken, broken.environment()), *ways], scene, Size("full", 3, 10), 1)
        judged = measure(health, scene, Size("health", 3, 10), 1)
        far = measure(ways[-1:], scene, Size("full", 3, 10, 30), 1)
    assert list(read.faults) == ["broken"]
    assert "can't open file" in read.faults["broken"]
    assert not judged.faults | far.faults
    assert len(read.results) == len(ways)
    assert len({result.cells for result in [*read.results, *far.results]}) == 1
    assert len({result.cells for result in judged.results}) == 1
    for (contestant, _), result in zip(ways, read.results, strict=True):
        assert (result.posts or 0) >= 1
        assert (result.up_mb or 0) > 0 < (result.down_mb or 0)
        assert (result.floor_ms is not None) == contestant.replayed
    assert far.results[0].wall_ms > 30

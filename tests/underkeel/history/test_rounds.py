"""Reading a feed's past: all phases, few reads, nothing twice, and what is kept is checked."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.calls import Ok, Read, ReadFailed, Result
from protocols.prices.feed import LATEST
from protocols.prices.rounds import GET_ROUND
from protocols.prices.state import Round
from tests.protocols.prices.build import NO, latest, words
from tests.support.referee import drive
from tests.underkeel.history.past import FEED, Feed, P
from underkeel.history.rounds import Depth, Past, read_past
from underkeel.history.store import RECORD, Store

EVER = Depth(since=0, dense=5)


def read(feed: Feed, folder: Path, depth: Depth = EVER) -> Past:
    """Read a feed with a store in `folder`."""
    feed.asked.clear()
    return drive(read_past(FEED, depth, Store(folder, 1)), feed.answer)


def ticking(count: int, begin: int = 1000, every: int = 10) -> list[tuple[int, int]]:
    """Return rounds at regular times."""
    return [(100 + n, begin + every * n) for n in range(count)]


def test_read_past__three_phases__all_rounds_oldest_first(tmp_path: Path) -> None:
    feed = Feed([ticking(7), [], ticking(9, 2000)])
    found = read(feed, tmp_path)
    assert found.rounds == (*feed.rounds(1), *feed.rounds(3))
    assert found.whole
    assert found.dense == tuple(feed.rounds(3)[-5:])


def test_read_past__rounds_without_an_answer__are_left_out(tmp_path: Path) -> None:
    feed = Feed([[(1, 10), (0, 0), (0, 20), (-3, 30), (4, 40)]])
    assert [r.answer for r in read(feed, tmp_path).rounds] == [1, 4]


def test_read_past__retired_aggregator_goes_on__the_proxy_does_not_follow(tmp_path: Path) -> None:
    feed = Feed([ticking(20), ticking(5, 1105)])
    found = read(feed, tmp_path)
    times = [r.updated_at for r in found.rounds]
    assert times == sorted(set(times))
    assert [r for r in found.rounds if r.updated_at >= 1105] == feed.rounds(2)


def test_read_past__since__begins_with_the_value_that_held_then(tmp_path: Path) -> None:
    feed = Feed([ticking(2_000)])
    found = read(feed, tmp_path, Depth(since=20_005, dense=5))
    assert found.rounds[0].updated_at == 20_000
    assert len(feed.asked) < 505 + 2  # the rest is older than needed


def test_read_past__chatty_feed__is_read_with_gaps_but_its_newest_without(tmp_path: Path) -> None:
    feed = Feed([ticking(20_000, every=1)])
    found = read(feed, tmp_path, Depth(since=0, dense=50, most=1_000))
    assert len(found.rounds) <= 1_100
    assert found.rounds[0].updated_at < 1_100
    assert [r.id - P for r in found.dense] == list(range(19_951, 20_001))
    assert found.whole


def test_read_past__older_phase_was_far_chattier__is_read_with_wider_gaps(tmp_path: Path) -> None:
    feed = Feed([ticking(90_000, every=1), ticking(60, 100_000, 1_000)])
    found = read(feed, tmp_path, Depth(since=0, dense=50, most=700))
    assert found.whole
    assert found.rounds[0].updated_at < 3_000
    assert len(found.rounds) <= 700


def test_read_past__most_rounds_spent__says_that_it_is_cut(tmp_path: Path) -> None:
    feed = Feed([ticking(9_000, every=1), ticking(60, 100_000, 1_000)])
    found = read(feed, tmp_path, Depth(since=0, dense=50, most=300))
    assert not found.whole
    assert len(found.rounds) == 300


def test_read_past__again__asks_only_for_samples_and_the_new(tmp_path: Path) -> None:
    feed = Feed([ticking(300), ticking(400, 5_000)])
    depth = Depth(since=0, dense=5, settled=100_000)
    before = read(feed, tmp_path, depth)
    feed.phases[1].append((999, 9_500))
    after = read(feed, tmp_path, depth)
    assert after.rounds == (*before.rounds, Round(2 * P + 401, 999, 9_500))
    assert len(feed.asked) == 4 + 1


def test_read_past__young_rounds__are_not_kept(tmp_path: Path) -> None:
    feed = Feed([ticking(50)])
    read(feed, tmp_path, Depth(since=0, settled=1_200))
    kept = Store(tmp_path, 1).load(FEED, 1)
    assert max(r.updated_at for r in kept.values()) == 1_200


def test_read_past__another_chain_with_the_same_id__is_noticed(tmp_path: Path) -> None:
    depth = Depth(since=0, settled=100_000)
    read(Feed([ticking(50)]), tmp_path, depth)
    other = Feed([[(7, 1_003 + 11 * n) for n in range(60)]])
    assert read(other, tmp_path, depth).rounds == tuple(other.rounds(1))


@given(st.data())
def test_read_past__damaged_store__gives_the_chains_rounds(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    feed = Feed([ticking(60)])
    depth = Depth(since=0, settled=100_000)
    before = read(feed, folder, depth)
    (path,) = folder.rglob("*.bin")
    raw = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
    place = data.draw(st.integers(0, len(raw) - 1))
    if kind == "flip":
        raw[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del raw[place:]
    elif kind == "insert":
        raw[place:place] = b"x"
    else:
        del raw[place]
    path.write_bytes(raw)
    assert read(feed, folder, depth).rounds == before.rounds
    assert read(feed, folder, depth).rounds == before.rounds
    assert len(feed.asked) == 2  # whole again


def test_read_past__nothing_answered_ever__fails(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match="none of its rounds"):
        read(Feed([[(0, 0), (0, 0)]]), tmp_path)


def test_store__large_and_odd_answers__come_back_or_are_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, 5)
    rounds = [Round(P + 1, 2**127 + 3, 10), Round(P + 2, 2**128, 20), Round(P + 3, 1, 30)]
    store.add(FEED, 1, rounds)
    assert list(store.load(FEED, 1).values()) == [rounds[0], rounds[2]]
    store.forget(FEED, 1)
    assert store.load(FEED, 1) == {}


def test_store__torn_record__next_one_stands_in_its_place(tmp_path: Path) -> None:
    store = Store(tmp_path, 5)
    store.add(FEED, 1, [Round(P + 1, 7, 10)])
    (path,) = tmp_path.rglob("*.bin")
    with path.open("ab") as file:
        file.write(b"torn")
    store.add(FEED, 1, [Round(P + 2, 8, 20)])
    assert path.stat().st_size == 2 * RECORD.itemsize
    assert [r.answer for r in store.load(FEED, 1).values()] == [7, 8]


def test_store__unwritable__is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "rounds").write_text("in the way")
    store = Store(tmp_path, 5)
    store.add(FEED, 1, [Round(P + 1, 7, 10)])
    assert store.load(FEED, 1) == {}


def test_read_past__feed_without_phases__is_one_phase(tmp_path: Path) -> None:
    feed = Feed([ticking(60)])

    def plain(batch: Sequence[Read]) -> list[Result]:
        """Answer as the aggregator itself does: numbers from 1, and no phases."""
        found: list[Result] = []
        for read in batch:
            data = getattr(read, "data", b"")
            if data[:4] == GET_ROUND.selector:
                n = int.from_bytes(data[4:], "big")
                (answer,) = feed.answer([GET_ROUND.at(FEED, P + n)])
                time, value = 1_000 + 10 * (n - 1), 100 + n - 1
                found.append(words(n, value, time, time, n) if isinstance(answer, Ok) else answer)
            else:
                found.append(latest(5, round_id=60) if data == LATEST.at(FEED).data else NO)
        return found

    depth = Depth(since=0, dense=5, settled=100_000)
    for _ in range(2):
        found = drive(read_past(FEED, depth, Store(tmp_path, 1)), plain)
        assert [r.id for r in found.rounds] == list(range(1, 61))
        assert {r.phase for r in found.rounds} == {0}


@pytest.mark.parametrize("every", ["same answer", "only the newest"])
def test_read_past__source_that_imitates_rounds__has_no_history(tmp_path: Path, every: str) -> None:
    def imitation(batch: Sequence[Read]) -> list[Result]:
        found: list[Result] = []
        for read in batch:
            data = getattr(read, "data", b"")
            n = int.from_bytes(data[4:], "big")
            if data == LATEST.at(FEED).data:
                found.append(latest(5, round_id=1_700_000_000))
            elif data[:4] == GET_ROUND.selector and (every == "same answer" or n == 1_700_000_000):
                found.append(words(n, 5, 1_700_000_000, 1_700_000_000, n))
            else:
                found.append(NO)
        return found

    with pytest.raises(ReadFailed, match="do not lead to earlier answers"):
        drive(read_past(FEED, Depth(since=0), Store(tmp_path, 1)), imitation)

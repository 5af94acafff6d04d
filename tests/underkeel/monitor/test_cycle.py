"""One cycle after the other on the world: shedding, a jump of prices, a chain that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from world.actors import feeds

from bench.watched import Crowd, config_text
from chain.client import Client, connect
from chain.errors import Unreachable
from chain.prefetch import Foresight
from chain.types import Address
from tests.e2e.monitor.place import FALL
from underkeel.config.load import load
from underkeel.monitor import cycle as module
from underkeel.monitor import pace
from underkeel.monitor.cycle import Cycle, Sighting
from underkeel.monitor.pace import Pace
from underkeel.portfolio import ChainReader, Found, spec_of
from underkeel.store.events import Event
from underkeel.wiring import markets_of

pytestmark = pytest.mark.world


@dataclass
class Loop:
    """A cycle and what it needs."""

    crowd: Crowd
    cycle: Cycle
    reader: ChainReader
    client: Client
    memory: Foresight

    def read(self, block_s: float = 12.0) -> Sighting:
        self.crowd.world.node.mine()
        head = self.client.head()
        self.cycle.head_seen(head, 5.0, 3)
        found = Found(markets_of(self.reader.table))
        return self.cycle.read(self.reader, self.client, found, self.memory, head, block_s)


@pytest.fixture
def loop(crowd: Crowd, tmp_path: Path) -> Iterator[Loop]:
    path = tmp_path / "underkeel.toml"
    path.write_text(config_text(crowd, crowd.world.node.url))
    config = load(path)
    table = config.settings.chains["bench"]
    accounts = tuple(Address(wallet) for wallet in crowd.wallets)
    reader = ChainReader("bench", table, config, accounts, lambda *_: None, tmp_path, time.time)
    cycle = Cycle("bench", config.settings, Pace.of(config.settings).near, time.monotonic)
    with connect(spec_of("bench", table, config)) as client:
        yield Loop(crowd, cycle, reader, client, Foresight())


def test_cycle__readings_longer_than_a_block__far_accounts_are_left_out_and_it_is_told(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "MOMENT_S", 0.0)
    first = loop.read(block_s=0.0001)
    assert len(first.report.positions) == 2 * 12
    loop.read(block_s=0.0001)
    entry = loop.cycle.entry(first, 9.0, 0.0001)
    assert entry.state is not None
    assert entry.state.body["shedding"] == 2
    assert entry.state.body["skipped"] == 4
    assert [e.kind for e in entry.events] == ["shedding"]
    near, far = loop.crowd.wallets
    at = {a.position.owner: a.position.at.number for a in loop.read(12.0).report.positions}
    then = {a.position.owner: a.position.at.number for a in loop.read(12.0).report.positions}
    assert then[Address(near)] > at[Address(near)]
    numbers = sorted(then.values())
    assert numbers[0] <= numbers[-1]
    assert far in then


def test_cycle__a_price_jumps_while_some_are_left_out__all_are_read_next(loop: Loop) -> None:
    loop.read()
    loop.cycle._shedding.factor = 16
    loop.read()
    feeds.crash(loop.crowd.world, "ETH / USD", FALL)
    loop.read()
    assert not loop.cycle.calm
    sighting = loop.read()
    head = sighting.report.at
    assert head is not None
    fresh = [held.position.at == head for held in loop.cycle._standing.held.values()]
    assert all(fresh)
    feeds.crash(loop.crowd.world, "ETH / USD", 1 / (1 + FALL) - 1)


def test_cycle__the_chain_fails__its_state_keeps_the_last_block_and_the_document_is_unknown(
    loop: Loop,
) -> None:
    good = loop.read()
    loop.cycle.entry(good, 9.0, 12.0)
    error = Unreachable("node", "it is not there")
    loop.cycle._paper_s, loop.cycle._paper_spent, loop.cycle._paper_at = 0.0, 0.0, -1e9
    entry = loop.cycle.entry(loop.cycle.failed(loop.reader.failed(error), 20.0), 20.0, 12.0)
    assert entry.state is not None
    assert good.report.at is not None
    assert (entry.state.status, entry.state.block_number) == ("down", good.report.at.number)
    assert entry.state.success_at == good.report.read_at
    risk = next(p for p in entry.papers if p.kind == "risk")
    assert b"not read since block" in bytes(risk.body)  # type: ignore[arg-type]
    assert not loop.cycle.calm


def test_cycle__documents_that_cost_much__are_made_more_rarely_and_apart(loop: Loop) -> None:
    sighting = loop.read()
    loop.cycle.entry(sighting, 9.0, 12.0)
    loop.cycle.paper(sighting, 9.0, 60.0)
    loop.cycle._paper_s, loop.cycle._paper_at = 5.0, time.monotonic()
    assert [p.kind for p in loop.cycle.entry(sighting, 10.0, 12.0).papers] == ["fingerprint"]
    assert loop.cycle.paper(sighting, 10.0, 60.0) is None
    loop.cycle._paper_at -= 60
    later = loop.cycle.paper(sighting, 11.0, 60.0)
    assert later is not None
    assert [p.kind for p in later.papers] == ["risk"]


def test_cycle__no_time_for_a_document__is_gone_on_with_until_it_is_whole(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHEAP_S", 1e-9)
    monkeypatch.setattr(module, "SLICE_S", 0.0)
    sighting, slices, made = loop.read(), 1, None
    assert [p.kind for p in loop.cycle.entry(sighting, 9.0, 12.0).papers] == ["fingerprint"]
    while made is None:
        assert not loop.cycle.calm  # so that the next head is read, however calm the waters
        made, slices = loop.cycle.paper(sighting, 9.0, -1.0), slices + 1
    assert slices == len(sighting.report.positions)
    assert loop.cycle.calm


def test_cycle__events_of_a_reorganisation__go_with_the_next_entry(loop: Loop) -> None:
    sighting = loop.read()
    loop.cycle.reorganised(0, Event(1.0, "reorg", "two blocks"))
    entry = loop.cycle.entry(sighting, 9.0, 12.0)
    assert [e.text for e in entry.events] == ["two blocks"]
    assert entry.state is not None
    assert entry.state.body["reorgs"] == 1

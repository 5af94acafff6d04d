"""Studies of many positions are made in a process of their own, and say the same."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bench.watched import Crowd, config_text
from chain.client import connect
from chain.types import Address
from underkeel.config.load import Config, load
from underkeel.monitor import studying as module
from underkeel.monitor.studying import Studying, packed, unpacked
from underkeel.portfolio import Portfolio, read_portfolio

pytestmark = pytest.mark.world


@pytest.fixture
def config(crowd: Crowd, tmp_path: Path) -> Config:
    path = tmp_path / "underkeel.toml"
    path.write_text(config_text(crowd, crowd.world.node.url))
    return load(path)


@pytest.fixture
def portfolio(config: Config, crowd: Crowd, tmp_path: Path) -> Portfolio:
    accounts = tuple(Address(wallet) for wallet in crowd.wallets)
    return read_portfolio(config, accounts, cache=tmp_path)


@pytest.fixture
def studying(config: Config, tmp_path: Path) -> Iterator[Studying]:
    made = Studying(config, tmp_path, opener=connect, clock=time.time)
    yield made
    made.stop()


def test_studying__apart_and_here__the_same_kinds_and_the_same_ladder(
    studying: Studying, portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = list(studying.compute(portfolio, lambda: True))
    monkeypatch.setattr(module, "APART", 1)
    apart = list(studying.compute(portfolio, lambda: True))
    assert [kind for kind, _, _ in apart] == [kind for kind, _, _ in here]
    assert orjson.loads(apart[0][2]).keys() == orjson.loads(here[0][2]).keys()
    process = studying._process
    assert process.is_alive()
    studying.stop()
    assert studying._process is None


def test_packed__in_pieces__comes_back_as_it_was(
    portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for piece in (1, 7, 10_000):
        monkeypatch.setattr(module, "PIECE", piece)
        found = unpacked(packed(portfolio))
        assert found.chains[0].positions == portfolio.chains[0].positions
        assert found.accounts == portfolio.accounts
        # one object in two pieces is one object still, else a thousand copies would be sent
        first, last = found.chains[0].positions[0], found.chains[0].positions[-1]
        assert first.position.at is last.position.at is found.chains[0].at


def test_studying__not_wanted_any_more__ends_at_once(
    studying: Studying, portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(studying.compute(portfolio, lambda: False)) == []
    monkeypatch.setattr(module, "APART", 1)
    assert list(studying.compute(portfolio, lambda: False)) == []


def test_studying__the_process_dies__says_so_and_another_one_is_made(
    studying: Studying, portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "APART", 1)
    found = studying.compute(portfolio, lambda: True)
    next(found)
    studying._process.kill()
    studying._process.join()
    with pytest.raises(EOFError):
        list(found)
    assert next(studying.compute(portfolio, lambda: True))[0] == "ladder"


def test_studying__the_process_hangs__is_ended_and_another_one_is_made(
    studying: Studying, portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "APART", 1)
    found = studying.compute(portfolio, lambda: True)
    next(found)
    hung = studying._process
    os.kill(hung.pid, signal.SIGSTOP)
    monkeypatch.setattr(module, "LONGEST_S", 0.0)
    with pytest.raises(TimeoutError, match="no study came of the process apart"):
        list(found)
    assert not hung.is_alive()
    monkeypatch.setattr(module, "LONGEST_S", 600.0)
    assert next(studying.compute(portfolio, lambda: True))[0] == "ladder"

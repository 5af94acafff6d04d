"""Feeds on the protocols' own bytecode: learned, compared, weighed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from world.actors import feeds, uniswap
from world.world import actor

from chain.client import ChainSpec, Client
from chain.errors import Unreachable
from chain.networks import by_id
from chain.types import Address, checksum
from risk.oracle.types import NextKind, Verdict
from tests.e2e.conftest import Ran, Scene
from underkeel.cli.options import Globals
from underkeel.cli.oracles import report
from underkeel.cli.output import console
from underkeel.config.load import load
from underkeel.oracles.read import read_oracles
from underkeel.portfolio import read_portfolio

pytestmark = pytest.mark.world
Run = Callable[..., Ran]
ETH = "ETH / USD"


@pytest.fixture(autouse=True)
def undone(scene: Scene) -> Iterator[None]:
    with scene.world.node.rollback():
        yield


def told(ran: Ran) -> dict[str, dict[str, Any]]:
    """Return the feeds of a document by their labels."""
    assert ran.code == 0
    return {feed["label"]: feed for feed in ran.doc["feeds"]}


def test_oracles__demo__every_feed_with_its_keepers_and_what_hangs_on_it(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    found = told(run("oracles", "--json", "--config", scene.config(tmp_path)))
    book = scene.world.book
    eth = found[ETH]
    assert eth["feed"] == checksum(book.feeds[ETH].proxy)
    assert eth["keepers"]["owner"] == checksum(book.admin)
    assert eth["keepers"]["aggregator"] == checksum(book.feeds[ETH].aggregators[-1])
    assert [p["phase"] for p in eth["keepers"]["phases"]] == ["2", "1"]
    assert eth["answer_raw"] == str(feeds.price(scene.world, ETH))
    assert "WETH" in eth["tokens"]
    assert eth["positions"]
    assert eth["rule"]["heartbeat_s"] is None
    assert any("too few to learn from" in cause for cause in eth["unknown"])
    assert eth["verdict"] != "sound"
    assert eth["market"] is not None
    assert abs(eth["market"]["mean_frac"]) < 0.02


def test_oracles__a_keeper_of_known_rule__is_learned_and_foreseen(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world = scene.world
    live = feeds.aggregator(world, ETH)
    round_id = live.call("latestRound")
    rng = np.random.default_rng(1)
    price, said, silent = 3_000.0, 3_000.0, 0
    for _ in range(400):
        price *= float(np.exp(rng.normal(0, 0.0018)))
        silent += 300
        if abs(price / said - 1) < 0.005 and silent < 3_600:
            continue
        round_id += 1
        world.node.set_next_timestamp(world.node.timestamp() + silent)
        live.send(world.book.oracle, "submit", round_id, round(price * 1e8))
        said, silent = price, 0
    world.node.travel(600)
    eth = told(run("oracles", "--json", "--config", scene.config(tmp_path)))[ETH]
    assert eth["rule"]["heartbeat_s"] == "3600"
    assert eth["rule"]["deviation_bps"] == pytest.approx(50, rel=0.1)
    assert eth["rule"]["explained_frac"] > 0.9
    assert eth["age_s"] == "600"
    pool = eth["market"]
    if abs(pool["spot_frac"]) >= 0.0055:
        assert eth["next"]["kind"] == "deviation"
        assert int(eth["next"]["price_raw"]) == pytest.approx(
            int(eth["answer_raw"]) * (1 + pool["spot_frac"]), rel=1e-6
        )
    else:
        assert (eth["next"]["kind"], eth["next"]["in_s"]) == ("heartbeat", "3000")


def test_oracles__pool_trades_away__market_gap_is_the_pools(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world = scene.world
    user = actor("seller")
    world.node.fund([user])
    config = scene.config(tmp_path)
    before = told(run("oracles", "--json", "--config", config))[ETH]["market"]
    uniswap.swap(world, user, "WETH", "USDC", 500, 4 * 10**20)
    world.node.travel(1_800)
    after = told(run("oracles", "--json", "--config", config))[ETH]["market"]
    if after["pool"] == before["pool"]:
        assert after["spot_frac"] < before["spot_frac"]
        assert after["mean_frac"] < before["mean_frac"]


def test_oracles__owner_proposes_and_feed_goes_silent__both_are_said(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    world = scene.world
    old = world.book.feeds[ETH].aggregators[0]
    feeds.proxy(world, ETH).send(world.book.admin, "proposeAggregator", old)
    config = scene.config(tmp_path)
    eth = told(run("oracles", "--json", "--config", config))[ETH]
    assert eth["verdict"] == "doubtful"
    assert any("has proposed another aggregator" in problem for problem in eth["problems"])
    table = run("oracles", "--config", config)
    assert table.code == 0
    assert "! doubtful" in table.out
    assert "can replace its aggregator" in table.out


def test_oracles__triangle__is_compared(scene: Scene, run: Run, tmp_path: Path) -> None:
    config = scene.config(tmp_path)
    found = told(run("oracles", "--all", "--json", "--config", config))
    if {"wstETH / USD", "wstETH / ETH", ETH} <= set(found):
        (gap,) = found["wstETH / USD"]["others"]
        assert abs(gap["gap_frac"]) < 1e-6


def test_oracles__nobody_watched__is_every_known_price(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    stranger = checksum(actor("stranger"))
    found = told(run("oracles", stranger, "--json", "--config", scene.config(tmp_path)))
    assert found
    assert all(feed["positions"] == [] for feed in found.values())


def test_read_oracles__rpc_lost_on_the_way__every_feed_is_unknown(
    scene: Scene, tmp_path: Path
) -> None:
    config = load(scene.config(tmp_path), {})
    accounts = [checksum(w.address) for w in config.settings.wallets.values()]
    portfolio = read_portfolio(config, accounts, cache=tmp_path)

    @contextmanager
    def down(spec: ChainSpec) -> Iterator[Client]:
        raise Unreachable(spec.name, "gone")
        yield

    found = read_oracles(config, portfolio, opener=down, cache=tmp_path)
    assert found
    for feed in found:
        assert feed.trust.verdict is Verdict.UNKNOWN
        assert any("gone" in cause for cause in feed.trust.unknown)
        assert feed.trust.next.kind is NextKind.UNKNOWN
    table = console(Globals(no_color=True))
    with table.capture() as caught:
        table.print(report(portfolio, found, "UTC"))
    assert "UNKNOWN" in caught.get()
    assert "age unknown" in caught.get()


def test_oracles__configured_source_that_is_no_feed__is_no_row(
    scene: Scene, run: Run, tmp_path: Path
) -> None:
    token = checksum(scene.world.book.tokens["LINK"].address)
    price = f'[[chains.demo.prices]]\ntoken = "{token}"\nfeed = "{token}"\nquote = "USD"\n'
    config = scene.config(tmp_path)
    config.write_text(config.read_text() + "\n" + price)
    ran = run("oracles", "--all", "--json", "--config", config)
    assert ran.code == 0
    assert token not in {feed["feed"] for feed in ran.doc["feeds"]}  # it gave no price


def test_oracles__rollup_whose_sequencer_fails__no_feed_is_sound(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, name = scene.world, "L2 Sequencer Uptime Status"
    arbitrum = by_id(42161)
    assert arbitrum is not None
    uptime = checksum(world.book.feeds[name].proxy)
    rollup = replace(arbitrum, sequencer_feed=uptime)
    monkeypatch.setattr("underkeel.oracles.read.by_id", lambda _: rollup)
    config = scene.config(tmp_path)
    feeds.set_price_raw(world, name, 1)
    for feed in told(run("oracles", "--json", "--config", config)).values():
        assert feed["sequencer"]["state"] == "down"
        assert feed["verdict"] == "doubtful"
        assert any("sequencer is down" in problem for problem in feed["problems"])
    feeds.set_price_raw(world, name, 0)
    for feed in told(run("oracles", "--json", "--config", config)).values():
        assert feed["sequencer"]["state"] == "grace"
    monkeypatch.setattr(
        "underkeel.oracles.read.by_id", lambda _: replace(rollup, sequencer_feed=stranger())
    )
    for feed in told(run("oracles", "--json", "--config", config)).values():
        assert feed["sequencer"]["state"] == "unknown"
        assert feed["verdict"] != "sound"


def stranger() -> Address:
    """Return an address without code."""
    return checksum(actor("stranger"))

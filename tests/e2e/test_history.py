"""Histories of every price that positions hang on, from the protocols' own feeds and pools."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from world.actors import feeds

from chain.client import ChainSpec, Client, connect
from chain.errors import ChainError, Unreachable
from chain.types import checksum
from protocols.types import Price
from tests.e2e.conftest import Ran, Scene
from underkeel.config.load import Config, load
from underkeel.history.collect import Histories, histories
from underkeel.portfolio import Portfolio, read_portfolio

pytestmark = pytest.mark.world
SHARE = "a share price has no history on chain"


def opened(scene: Scene, tmp_path: Path) -> tuple[Config, Portfolio]:
    """Read the demo's accounts."""
    config = load(scene.config(tmp_path), {})
    accounts = [checksum(w.address) for w in config.settings.wallets.values()]
    return config, read_portfolio(config, accounts, cache=tmp_path / "cache")


def wanted(portfolio: Portfolio) -> dict[str, dict[str, str]]:
    """Return every factor that a price has."""
    return {
        chain.name: {p.factor: p.label for p in chain.prices if isinstance(p, Price)}
        for chain in portfolio.chains
    }


def test_histories__the_demos_prices__each_has_one_or_a_cause(scene: Scene, tmp_path: Path) -> None:
    config, portfolio = opened(scene, tmp_path)
    asked = wanted(portfolio)
    (chain,) = asked
    told: list[tuple[str, int, int]] = []
    found = histories(config, portfolio, asked, lambda *t: told.append(t), cache=tmp_path / "cache")
    assert {f for _, f in (*found.series, *found.missing)} == set(asked[chain])
    assert set(found.missing.values()) <= {SHARE}
    assert told[-1][1] == told[-1][2]
    eth = found.series[chain, checksum(scene.world.book.feeds["ETH / USD"].proxy)]
    assert eth.prices[0] == 2890
    assert eth.prices[-1] == feeds.price(scene.world, "ETH / USD") / 1e8
    again = histories(config, portfolio, asked, cache=tmp_path / "cache")
    assert [s.prices.tolist() for s in again.series.values()] == [
        s.prices.tolist() for s in found.series.values()
    ]


def test_histories__expressions__are_made_of_their_parts(scene: Scene, tmp_path: Path) -> None:
    config, portfolio = opened(scene, tmp_path)
    (chain,) = (c.name for c in portfolio.chains)
    eth, lst = (checksum(scene.world.book.feeds[n].proxy) for n in ("ETH / USD", "wstETH / ETH"))
    vault = checksum(scene.world.book["erc4626"]["pvUSDC"])
    pool = checksum(scene.world.book["uniswap-v3"]["pools"]["WETH/USDC/500"])
    product = f"mul(feed({eth}), feed({lst}), ratio({vault}))"
    nobody = checksum("0x" + "ab" * 20)
    factors = [product, f"ratio({vault})", f"twap({pool}, 60)", nobody, "cap(1", f"min({eth}, 1)"]
    factors.append(f"min(feed({eth}), ratio({vault}))")
    found = histories(
        config, portfolio, {chain: dict.fromkeys(factors, "")}, cache=tmp_path / "cache"
    )
    one = found.series[chain, product]
    world = scene.world
    last = feeds.price(world, "ETH / USD") / 1e8 * feeds.price(world, "wstETH / ETH") / 1e18
    assert one.prices[-1] == pytest.approx(last)
    causes = {factor: cause for (_, factor), cause in found.missing.items()}
    assert "share price has no history" in causes[f"ratio({vault})"]
    assert "compares a share price" in causes[factors[-1]]
    assert "no rounds" in causes[nobody] or "no contract" in causes[nobody]
    assert "not a price source" in causes["cap(1"]


def test_histories__a_file__wins_over_the_chain(scene: Scene, tmp_path: Path) -> None:
    config, portfolio = opened(scene, tmp_path)
    asked = wanted(portfolio)
    (chain,) = asked
    (tmp_path / "eth.csv.gz").write_bytes(gzip.compress(b"date,price\n2024-01-01,7\n"))
    eth = checksum(scene.world.book.feeds["ETH / USD"].proxy)
    found = histories(
        config, portfolio, asked, files={"ETH": "eth.csv.gz"}, cache=tmp_path / "cache"
    )
    assert found.series[chain, eth].prices.tolist() == [7]
    assert found.series[chain, eth].source == "eth.csv.gz"


def test_histories__rpc_down__is_missing_with_the_cause(scene: Scene, tmp_path: Path) -> None:
    config, portfolio = opened(scene, tmp_path)

    @contextmanager
    def down(spec: ChainSpec) -> Iterator[Client]:
        with connect(spec) as client:
            yield client
        raise Unreachable("x", "gone")

    found: Histories = histories(
        config, portfolio, wanted(portfolio), opener=down, cache=tmp_path / "c"
    )
    assert found.series == {}
    assert {c for c in found.missing.values() if "gone" not in c} <= {SHARE}
    assert issubclass(Unreachable, ChainError)


@pytest.mark.parametrize("command", [("risk", "--horizon", "7d"), ("stress", "--paths", "200")])
def test_history_option__folder_of_files__is_what_the_numbers_rest_on(
    scene: Scene, run: Callable[..., Ran], tmp_path: Path, command: tuple[str, ...]
) -> None:
    config, prices = scene.config(tmp_path), tmp_path / "prices"
    prices.mkdir()
    rng = np.random.default_rng(1)
    now = scene.world.node.timestamp()
    for name in ("ETH", "USDC", "BTC", "DAI", "LINK", "wstETH"):
        walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, 300)))
        rows = [f"{now - 86_400 * (299 - i)},{p}" for i, p in enumerate(walk)]
        (prices / f"{name}.csv").write_text("\n".join(["timestamp,price", *rows]) + "\n")
    bare = run(*command, "--json", "--config", config)
    given = run(*command, "--json", "--history", prices, "--config", config)
    assert (bare.code, given.code) == (0, 0)
    assert given.out.count("moving alone") < bare.out.count("moving alone")
    (prices / "ETH.csv").write_text("timestamp,price\nnever,1\n")
    bad = run(*command, "--history", prices, "--config", config)
    assert bad.code == 4
    assert "ETH.csv: row 1: 'never' is not a time" in bad.err

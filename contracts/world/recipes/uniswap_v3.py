"""Uniswap v3: factory, position manager, router, quoter, and pools at the feeds' prices.

Every pool holds a full-range position and a narrow one, and looks back on an hour of swaps that
crossed the narrow one's ticks and brought the price back. The last observation is as old as the
world's settling time. The position manager has no descriptor, so it draws no pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from world.artifacts import Artifact
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound

MAX_TICK = 887272
SPACING = {100: 1, 500: 10, 3000: 60, 10000: 200}
FAR = 2**48
"""A deadline that no test reaches."""

NARROW = 240
"""Half the width of the narrow position in ticks: about 2.4 %."""
NARROW_SHARE = 0.02
"""What the narrow position gets, as a share of what the full range gets."""
# What the steps sell of the full range's whole tokens: once token0, then in pairs token1 and
# token0, far enough to leave the narrow range at both ends.
STEPS = (0.002, 0.01, 0.04, 0.09, 0.03, 0.01, 0.005, 0.02, 0.07, 0.04, 0.015, 0.003)
PAUSE = 5 * 60


@dataclass(frozen=True)
class Spec:
    """One pool."""

    tokens: tuple[str, str]
    fee: int
    """In millionths."""
    whole: float
    """Whole tokens of the first that the whale provides in full range, and the second's worth."""
    cardinality: int = 1
    """Observations that the pool remembers; 1 is what a new pool has."""
    protocol_fee: int = 0
    """The protocol takes this fraction, one n-th, of the fees of both tokens."""

    @property
    def name(self) -> str:
        return f"{'/'.join(self.tokens)}/{self.fee}"


POOLS = (
    Spec(("WETH", "USDC"), 3000, 4_000, cardinality=64),
    Spec(("WETH", "USDC"), 500, 6_000, cardinality=64, protocol_fee=4),
    Spec(("wstETH", "WETH"), 500, 2_000, cardinality=12),
    Spec(("WBTC", "WETH"), 3000, 300, cardinality=12),
    Spec(("LINK", "WETH"), 10000, 200_000),
    Spec(("USDC", "USDT"), 100, 5_000_000, cardinality=12),
)


@dataclass(frozen=True)
class Pool:
    """A pool at the feeds' price; tokens and amounts in the pool's own order."""

    spec: Spec
    bound: Bound
    symbols: tuple[str, str]
    whole: tuple[float, float]
    sqrt_price: int


def deploy(site: Site) -> Addresses:
    factory = site.deploy(_core(site, "UniswapV3Factory"))
    factory.send(site.admin, "enableFeeAmount", 100, SPACING[100])
    weth = site.tokens["WETH"].address
    manager = site.deploy(
        _periphery(site, "NonfungiblePositionManager"), factory.address, weth, ZERO
    )
    router = site.deploy(_periphery(site, "SwapRouter"), factory.address, weth)
    quoter = site.deploy(_periphery(site, "QuoterV2"), factory.address, weth)
    pools = {spec.name: _pool(site, factory, manager, spec) for spec in POOLS}
    _trade(site, router, pools)
    return {
        "factory": factory.address,
        "position_manager": manager.address,
        "router": router.address,
        "quoter": quoter.address,
        "pools": {name: pool.bound.address for name, pool in pools.items()},
    }


def _pool(site: Site, factory: Bound, manager: Bound, spec: Spec) -> Pool:
    a, b = spec.tokens
    value = {a: spec.whole, b: spec.whole * price(site, a) / price(site, b)}
    first, second = sorted((a, b), key=lambda symbol: int(site.tokens[symbol].address, 16))
    raw = {symbol: round(amount * site.tokens[symbol].unit) for symbol, amount in value.items()}
    sqrt_price = isqrt((raw[second] << 192) // raw[first])
    tokens = (site.tokens[first].address, site.tokens[second].address)
    manager.send(site.admin, "createAndInitializePoolIfNecessary", *tokens, spec.fee, sqrt_price)
    bound = site.bind(_core(site, "UniswapV3Pool"), factory.call("getPool", *tokens, spec.fee))
    bound.send(site.admin, "increaseObservationCardinalityNext", spec.cardinality)
    bound.send(site.admin, "setFeeProtocol", spec.protocol_fee, spec.protocol_fee)
    pool = Pool(spec, bound, (first, second), (value[first], value[second]), sqrt_price)

    spacing = SPACING[spec.fee]
    widest = MAX_TICK // spacing * spacing
    middle = bound.call("slot0")[1] // spacing * spacing
    half = max(NARROW // spacing, 1) * spacing
    _provide(site, manager, pool, (-widest, widest), 1)
    _provide(site, manager, pool, (middle - half, middle + half), NARROW_SHARE)
    return pool


def _provide(site: Site, manager: Bound, pool: Pool, ticks: tuple[int, int], share: float) -> None:
    amounts = [
        site.give(symbol, site.whale, manager.address, whole * share)
        for symbol, whole in zip(pool.symbols, pool.whole, strict=True)
    ]
    tokens = (site.tokens[symbol].address for symbol in pool.symbols)
    params = (*tokens, pool.spec.fee, *ticks, *amounts, 0, 0, site.whale, FAR)
    manager.send(site.whale, "mint", params)


def _trade(site: Site, router: Bound, pools: Mapping[str, Pool]) -> None:
    """Move every price down and up, then return it to the feeds'."""
    for pool in pools.values():
        for symbol, whole in zip(pool.symbols, pool.whole, strict=True):
            site.mint(symbol, site.whale, whole)
            site.token(symbol).send(site.whale, "approve", router.address, 2**256 - 1)
    for number, share in enumerate(STEPS):
        for pool in pools.values():
            _sell(site, router, pool, (number + 1) // 2 % 2, share)
        site.node.travel(PAUSE)
    for pool in pools.values():
        now = pool.bound.call("slot0")[0]
        # Selling token0 lowers the price; the limit stops exactly where the pool began.
        _sell(site, router, pool, 0 if now > pool.sqrt_price else 1, 0.5, pool.sqrt_price)


def _sell(site: Site, router: Bound, pool: Pool, index: int, share: float, limit: int = 0) -> None:
    sold, bought = pool.symbols[index], pool.symbols[1 - index]
    amount = round(pool.whole[index] * share * site.tokens[sold].unit)
    tokens = (site.tokens[sold].address, site.tokens[bought].address)
    params = (*tokens, pool.spec.fee, site.whale, FAR, amount, 0, limit)
    router.send(site.whale, "exactInputSingle", params)


def price(site: Site, symbol: str) -> float:
    """The present answer of a token's feed in whole units."""
    feed = site.feeds[str(site.tokens[symbol].feed)]
    proxy = site.at(feed.proxy, site.packages.chainlink("EACAggregatorProxy").interface)
    answer: int = proxy.call("latestAnswer")
    return float(answer / 10**feed.decimals)


def _core(site: Site, name: str) -> Artifact:
    return site.packages.hardhat("@uniswap/v3-core", "artifacts/contracts", name)


def _periphery(site: Site, name: str) -> Artifact:
    return site.packages.hardhat("@uniswap/v3-periphery", "artifacts/contracts", name)


RECIPE = Recipe("uniswap-v3", deploy)

"""A lending market of many reserves: the world's Aave 3.0, grown while it runs.

Further reserves are listed by the market's own PoolConfigurator, with tokens of their own, the
feeds of the world's tokens as price sources, and the whale as supplier and borrower. Nobody but
bulk reading needs so many, which is why they are no part of the built world.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from world.anvil import Anvil
from world.artifacts import Packages
from world.book import Token
from world.deployer import Site
from world.install import node_modules
from world.node import Bound
from world.recipes import aave_3_0
from world.recipes.aave_3_0 import STABLE_RATES, VOLATILE_RATES, Market, Reserve
from world.world import World

MARKET = "aave-3.0"
DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Listed:
    """One reserve, as `Pool.getReservesList` and `getReserveData` have it."""

    asset: str
    a_token: str
    stable_debt: str
    variable_debt: str
    decimals: int
    feed: str
    """Name of the feed behind its price."""


@dataclass(frozen=True, slots=True)
class Market30:
    """A grown market; `reserves[i]` has reserve id `i`."""

    provider: str
    pool: str
    oracle: str
    data_provider: str
    reserves: tuple[Listed, ...]


def extend(world: World[Anvil], count: int = 30) -> Market30:
    """List reserves until the market has `count`; return all of them.

    A day passes at the end, so that no index stands at one.
    """
    book, page = world.book, world.book[MARKET]
    site = Site(
        node=world.node,
        packages=Packages(node_modules()),
        compiled={},
        accounts=book.accounts,
        tokens=dict(book.tokens),
        feeds=dict(book.feeds),
        recipe=MARKET,
    )

    def bound(name: str, at: str) -> Bound:
        return world.contract(f"{MARKET}/{name}", at)

    data = bound("AaveProtocolDataProvider", page["data_provider"])
    pool = bound("Pool", page["pool"])
    market = Market(
        provider=bound("PoolAddressesProvider", page["pool_addresses_provider"]),
        pool=pool,
        configurator=bound("PoolConfigurator", page["pool_configurator"]),
        oracle=bound("AaveOracle", page["oracle"]),
        data=data,
        token_impls=_implementations(world, page),
    )
    listed = [str(asset) for asset in pool.call("getReservesList")]
    with world.node.ticking():
        for number in range(len(listed), count):
            _add(site, market, number)
    world.node.travel(DAY)
    return Market30(
        provider=market.provider.address,
        pool=pool.address,
        oracle=market.oracle.address,
        data_provider=data.address,
        reserves=tuple(_listed(site, data, asset) for asset in pool.call("getReservesList")),
    )


def _implementations(world: World[Anvil], page: object) -> tuple[str, str, str]:
    """Return what the proxies of a listed reserve's three tokens run."""
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    tokens = world.book[MARKET]["tokens"]["WETH"]
    found = [
        "0x" + world.node.rpc.request("eth_getStorageAt", tokens[key], slot, "latest")[-40:]
        for key in ("a_token", "stable_debt", "variable_debt")
    ]
    return found[0], found[1], found[2]


def _add(site: Site, market: Market, number: int) -> None:
    """List one more reserve, priced as one of the first nine, and let the whale use it."""
    like = aave_3_0.RESERVES[number % len(aave_3_0.RESERVES)]
    model = site.tokens[like.symbol]
    decimals = (18, 6, 8)[number % 3]
    symbol = f"R{number}"
    token = site.deploy(
        site.packages.hardhat("@aave/core-v3", "artifacts/contracts", "MintableERC20"),
        f"Reserve {number}", symbol, decimals,
    )  # fmt: skip
    feed = str(model.feed)
    site.tokens[symbol] = Token(symbol, token.address, decimals, feed, "mint")
    market.oracle.send(site.admin, "setAssetSources", [token.address], [site.feeds[feed].proxy])
    rates = VOLATILE_RATES if like.rates == VOLATILE_RATES else STABLE_RATES
    reserve = Reserve(symbol, 7000 + 10 * number, 7500 + 10 * number, 10500, rates, 1e6, 2e5)
    aave_3_0.list_reserve(site, market, reserve)
    whale, pool = site.whale, market.pool
    amount = site.give(symbol, whale, pool.address, reserve.supply)
    pool.send(whale, "supply", token.address, amount, whale, 0)
    borrowed = round(reserve.borrow * site.tokens[symbol].unit)
    pool.send(whale, "borrow", token.address, borrowed, 2, 0, whale)


def _listed(site: Site, data: Bound, asset: str) -> Listed:
    token = next(t for t in site.tokens.values() if t.address.lower() == asset.lower())
    a_token, stable, variable = data.call("getReserveTokensAddresses", asset)
    return Listed(
        asset=to_checksum_address(asset),
        a_token=to_checksum_address(a_token),
        stable_debt=to_checksum_address(stable),
        variable_debt=to_checksum_address(variable),
        decimals=int(token.decimals or 0),
        feed=str(token.feed),
    )

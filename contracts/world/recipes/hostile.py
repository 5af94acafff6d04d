"""Pools of tokens that swap otherwise than they are quoted."""

from __future__ import annotations

from world.contract import Interface
from world.deployer import Addresses, Recipe, Site
from world.node import Bound
from world.recipes.uniswap_v3 import FAR, MAX_TICK, SPACING

WHOLE = 100_000
"""Tokens in each pool; one is worth a dollar there."""
FEE = 3000


def deploy(site: Site) -> Addresses:
    hanging = site.deploy(site.compiled["HangingToken"])
    skimming = site.deploy(site.compiled["SkimmingToken"])
    return {
        "hanging": {
            "token": hanging.address,
            "pair": _pair(site, hanging),
            "pool": _pool(site, hanging),
        },
        "skimming": {"token": skimming.address, "pair": _pair(site, skimming)},
    }


def _pair(site: Site, token: Bound) -> str:
    router = _bound(site, "uniswap-v2", "router", "UniswapV2Router02")
    factory = _bound(site, "uniswap-v2", "factory", "UniswapV2Factory")
    amounts = _give(site, token, router.address)
    params = (*amounts, *amounts.values(), 0, 0, site.whale, FAR)
    router.send(site.whale, "addLiquidity", *params)
    pair: str = factory.call("getPair", *amounts)
    return pair


def _pool(site: Site, token: Bound) -> str:
    manager = _bound(site, "uniswap-v3", "position_manager", "NonfungiblePositionManager")
    factory = _bound(site, "uniswap-v3", "factory", "UniswapV3Factory")
    amounts = _give(site, token, manager.address)
    first, second = sorted(amounts, key=lambda address: int(address, 16))
    # A dollar each, between 18 decimals and 6.
    sqrt_price = 2**96 // 10**6 if first == token.address else 2**96 * 10**6
    manager.send(
        *(site.admin, "createAndInitializePoolIfNecessary"), *(first, second, FEE, sqrt_price)
    )
    widest = MAX_TICK // SPACING[FEE] * SPACING[FEE]
    params = (*(first, second, FEE, -widest, widest), amounts[first], amounts[second], 0, 0)
    manager.send(site.whale, "mint", (*params, site.whale, FAR))
    pool: str = factory.call("getPool", first, second, FEE)
    return pool


def _give(site: Site, token: Bound, spender: str) -> dict[str, int]:
    """Let the spender take both tokens of the whale; base units by address."""
    amount = WHOLE * 10**18
    token.send(site.admin, "mint", site.whale, amount)
    token.send(site.whale, "approve", spender, amount)
    usdc = site.give("USDC", site.whale, spender, WHOLE)
    return {token.address: amount, site.tokens["USDC"].address: usdc}


def _bound(site: Site, protocol: str, key: str, name: str) -> Bound:
    return site.at(site.protocols[protocol][key], Interface(site.abis[f"{protocol}/{name}"]))


RECIPE = Recipe("hostile", deploy)

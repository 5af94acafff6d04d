"""Uniswap v2: factory, router, and pairs at the feeds' prices; the protocol fee is off."""

from __future__ import annotations

from world.deployer import Addresses, Recipe, Site
from world.recipes.uniswap_v3 import FAR, price

# token, token, whole tokens of the first that the whale provides
PAIRS = (("WETH", "USDC", 2_500), ("LINK", "WETH", 150_000), ("WBTC", "WETH", 80))


def deploy(site: Site) -> Addresses:
    core = site.packages.truffle("@uniswap/v2-core", "UniswapV2Factory")
    factory = site.deploy(core, site.admin)
    periphery = site.packages.truffle("@uniswap/v2-periphery", "UniswapV2Router02")
    router = site.deploy(periphery, factory.address, site.tokens["WETH"].address)
    pair = site.packages.truffle("@uniswap/v2-core", "UniswapV2Pair")
    pairs = {}
    for a, b, whole in PAIRS:
        tokens = (site.tokens[a].address, site.tokens[b].address)
        amounts = (
            site.give(a, site.whale, router.address, whole),
            site.give(
                *(b, site.whale, router.address),
                whole * price(site, a) / price(site, b),
            ),
        )
        params = (*tokens, *amounts, 0, 0, site.whale, FAR)
        router.send(site.whale, "addLiquidity", *params)
        pairs[f"{a}/{b}"] = site.bind(pair, factory.call("getPair", *tokens)).address
    return {"factory": factory.address, "router": router.address, "pairs": pairs}


RECIPE = Recipe("uniswap-v2", deploy)

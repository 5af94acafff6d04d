"""WETH9, plain ERC-20s of 2 to 18 decimals, and tokens with oddities."""

from __future__ import annotations

from world.artifacts import Artifact
from world.book import Token
from world.compiler import Job
from world.deployer import Addresses, Recipe, Site

# symbol, decimals, feed
PLAIN = (
    ("USDC", 6, "USDC / USD"),
    ("USDT", 6, "USDT / USD"),
    ("DAI", 18, "DAI / USD"),
    ("WBTC", 8, "BTC / USD"),
    ("LINK", 18, "LINK / USD"),
    ("wstETH", 18, "wstETH / USD"),
    ("AAVE", 18, "AAVE / USD"),
    ("EURS", 2, "EUR / USD"),
)

# symbol, contract, decimals, minting
NASTY = (
    ("OMKR", "Bytes32Token", 18, "mint"),
    ("NODEC", "NoDecimalsToken", None, "mint"),
    ("RVRT", "RevertingToken", 18, "none"),
)

HOSTILE = ("HangingToken", "SkimmingToken")
"""Deployed by the recipe of their pools, and in no one's wallet."""

JOB = Job(
    "tokens",
    "0.8.26",
    (
        *(f"ours/NastyTokens.sol:{contract}" for _, contract, _, _ in NASTY),
        *(f"ours/HostileTokens.sol:{contract}" for contract in HOSTILE),
    ),
)


def deploy(site: Site) -> Addresses:
    def aave(name: str) -> Artifact:
        return site.packages.hardhat("@aave/core-v3", "artifacts/contracts", name)

    weth = site.deploy(aave("WETH9")).address
    site.tokens["WETH"] = Token("WETH", weth, 18, "ETH / USD", "deposit")
    for symbol, decimals, feed in PLAIN:
        token = site.deploy(aave("MintableERC20"), f"{symbol} of the world", symbol, decimals)
        site.tokens[symbol] = Token(symbol, token.address, decimals, feed, "mint")
    for symbol, contract, places, minting in NASTY:
        token = site.deploy(site.compiled[contract])
        site.tokens[symbol] = Token(symbol, token.address, places, None, minting)
    return {symbol: token.address for symbol, token in site.tokens.items()}


RECIPE = Recipe("tokens", deploy, (JOB,))

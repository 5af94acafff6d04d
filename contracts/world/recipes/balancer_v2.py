"""Balancer v2: the Vault, and weighted pools of two and three tokens at the feeds' prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from world.artifacts import Artifact
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound
from world.recipes.uniswap_v3 import price

DAY = 24 * 3600
PERCENT = 10**16
INIT = 0
"""Kind of the first join of a weighted pool."""
SWAP_PROTOCOL_FEE = 50 * PERCENT

VAULT = "20210418-vault"
WEIGHTED = "20230206-weighted-pool-v3"
PERCENTAGES = "20220725-protocol-fee-percentages-provider"
QUERIES = "20220721-balancer-queries"

# The Vault deploys it itself, so that no package has its artifact.
COLLECTOR = Artifact(
    "ProtocolFeesCollector",
    [
        {
            "type": "function",
            "name": name,
            "inputs": [{"name": "", "type": kind} for kind in inputs],
            "outputs": [{"name": "", "type": kind} for kind in outputs],
            "stateMutability": mutability,
        }
        for name, inputs, outputs, mutability in (
            ("getActionId", ["bytes4"], ["bytes32"], "view"),
            ("getSwapFeePercentage", [], ["uint256"], "view"),
            ("setSwapFeePercentage", ["uint256"], [], "nonpayable"),
        )
    ],
    "",
    {},
)


@dataclass(frozen=True)
class Spec:
    """One weighted pool."""

    name: str
    weights: Sequence[tuple[str, int]]
    """Token and percentage."""
    fee: int
    """Swap fee in hundredths of a percent."""
    usd: float
    """What all tokens are worth that the whale provides."""


POOLS = (
    Spec("80WETH-20USDC", (("WETH", 80), ("USDC", 20)), 30, 6_000_000),
    Spec("50WBTC-25WETH-25DAI", (("WBTC", 50), ("WETH", 25), ("DAI", 25)), 10, 9_000_000),
)


def deploy(site: Site) -> Addresses:
    authorizer = site.deploy(_artifact(site, "20210418-authorizer", "Authorizer"), site.admin)
    weth = site.tokens["WETH"].address
    vault = site.deploy(
        _artifact(site, VAULT, "Vault"), authorizer.address, weth, 90 * DAY, 30 * DAY
    )
    _charge(site, authorizer, vault)
    percentages = site.deploy(
        _artifact(site, PERCENTAGES, "ProtocolFeePercentagesProvider"),
        *(vault.address, 50 * PERCENT, 50 * PERCENT),
    )
    queries = site.deploy(_artifact(site, QUERIES, "BalancerQueries"), vault.address)
    factory = site.deploy(
        _artifact(site, WEIGHTED, "WeightedPoolFactory"),
        *(vault.address, percentages.address, "", ""),
    )
    return {
        "authorizer": authorizer.address,
        "vault": vault.address,
        "queries": queries.address,
        "fees_collector": to_checksum_address(vault.call("getProtocolFeesCollector")),
        "weighted_pool_factory": factory.address,
        "pools": {spec.name: _pool(site, vault, factory, spec) for spec in POOLS},
    }


def _charge(site: Site, authorizer: Bound, vault: Bound) -> None:
    """Let the protocol take its share of the swap fees of the pools to come."""
    collector = site.bind(COLLECTOR, vault.call("getProtocolFeesCollector"))
    selector = collector.interface["setSwapFeePercentage"].encode(0)[:10]
    role = collector.call("getActionId", bytes.fromhex(selector[2:]))
    authorizer.send(site.admin, "grantRole", role, site.admin)
    collector.send(site.admin, "setSwapFeePercentage", SWAP_PROTOCOL_FEE)


def _pool(site: Site, vault: Bound, factory: Bound, spec: Spec) -> Addresses:
    # The Vault wants tokens in the order of their addresses.
    rows = sorted(spec.weights, key=lambda row: int(site.tokens[row[0]].address, 16))
    assets = [site.tokens[symbol].address for symbol, _ in rows]
    weights = [percent * PERCENT for _, percent in rows]
    params = (
        *(spec.name, spec.name, assets, weights, [ZERO] * len(rows)),
        *(spec.fee * 10**14, site.admin),
    )
    pool = site.bind(
        _artifact(site, WEIGHTED, "WeightedPool"),
        factory.call("create", *params, sender=site.admin),
    )
    factory.send(site.admin, "create", *params)
    pool_id = pool.call("getPoolId")
    amounts = [
        site.give(symbol, site.whale, vault.address, spec.usd * percent / 100 / price(site, symbol))
        for symbol, percent in rows
    ]
    user_data = encode(["uint256", "uint256[]"], [INIT, amounts])
    request = (assets, amounts, user_data, False)
    vault.send(site.whale, "joinPool", pool_id, site.whale, site.whale, request)
    return {
        "address": pool.address,
        "id": "0x" + pool_id.hex(),
        "tokens": [symbol for symbol, _ in rows],
        "weights": weights,
    }


def _artifact(site: Site, task: str, name: str) -> Artifact:
    return site.packages.balancer(task, name)


RECIPE = Recipe("balancer-v2", deploy)

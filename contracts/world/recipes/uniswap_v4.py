"""Uniswap v4: pool manager, position manager, quoter, Permit2, the Universal Router, and pools.

Pools stand at the feeds' prices; the last of them is thin, and meant to be refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isqrt

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from world.artifacts import Artifact, ArtifactError
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound
from world.recipes.uniswap_v3 import FAR, MAX_TICK, SPACING, price

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
PERMIT2_SOURCE = "@uniswap/v4-periphery/lib/permit2/test/utils/DeployPermit2.sol"
UNSUBSCRIBE_GAS = 300_000
MINT_POSITION, SETTLE_PAIR = b"\x02", b"\x0d"
KEY = "(address,address,uint24,int24,address)"


@dataclass(frozen=True)
class Spec:
    """One pool without hooks."""

    tokens: tuple[str, str]
    fee: int
    """In millionths."""
    whole: float
    """Whole tokens of the first that the whale provides in full range, and the second's worth."""

    @property
    def name(self) -> str:
        return f"{'/'.join(self.tokens)}/{self.fee}"


POOLS = (
    Spec(("WETH", "USDC"), 500, 3_000),
    Spec(("WETH", "USDC"), 3000, 1_500),
    Spec(("WBTC", "WETH"), 3000, 120),
    Spec(("WETH", "USDC"), 10000, 2),
)


def deploy(site: Site) -> Addresses:
    weth = site.tokens["WETH"].address
    _permit2(site)
    manager = site.deploy(
        site.packages.foundry("@uniswap/universal-router", "out", "PoolManager"), site.admin
    )
    positions = site.deploy(
        _periphery(site, "PositionManager"), manager.address, PERMIT2, UNSUBSCRIBE_GAS, ZERO, weth
    )
    quoter = site.deploy(_periphery(site, "V4Quoter"), manager.address)
    v2, v3 = site.protocols["uniswap-v2"], site.protocols["uniswap-v3"]
    router = site.deploy(
        site.packages.hardhat(
            "@uniswap/universal-router", "artifacts/contracts", "UniversalRouter"
        ),
        (
            *(PERMIT2, weth, v2["factory"], v3["factory"]),
            *(_init_code(site, "v2"), _init_code(site, "v3")),
            *(manager.address, v3["position_manager"], positions.address),
        ),
    )
    router_02 = site.deploy(
        site.packages.hardhat(
            "@uniswap/swap-router-contracts", "artifacts/contracts", "SwapRouter02"
        ),
        *(v2["factory"], v3["factory"], v3["position_manager"], weth),
    )
    return {
        "permit2": PERMIT2,
        "pool_manager": manager.address,
        "position_manager": positions.address,
        "quoter": quoter.address,
        "universal_router": router.address,
        "swap_router_02": router_02.address,
        "pools": {spec.name: _pool(site, positions, spec) for spec in POOLS},
        "published": _published(site),
    }


def _published(site: Site) -> Addresses:
    """The routers that the package names on other chains; digits alone, they have no code here."""
    folder = site.packages.modules / "@uniswap/universal-router/deploy-addresses"
    named = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {
        chain: row["UniversalRouterV2"].removeprefix("0x")
        for chain, row in named.items()
        if "UniversalRouterV2" in row
    }


def _pool(site: Site, positions: Bound, spec: Spec) -> Addresses:
    a, b = spec.tokens
    value = {a: spec.whole, b: spec.whole * price(site, a) / price(site, b)}
    order = sorted((a, b), key=lambda symbol: int(site.tokens[symbol].address, 16))
    raw = [round(value[symbol] * site.tokens[symbol].unit) for symbol in order]
    sqrt_price = isqrt((raw[1] << 192) // raw[0])
    spacing = SPACING[spec.fee]
    tokens = [site.tokens[symbol].address for symbol in order]
    key = (*tokens, spec.fee, spacing, ZERO)
    positions.send(site.admin, "initializePool", key, sqrt_price)
    for symbol in order:
        site.mint(symbol, site.whale, value[symbol] * 1.01)
        site.token(symbol).send(site.whale, "approve", PERMIT2, 2**256 - 1)
        _allow(site, symbol, positions.address)
    widest = MAX_TICK // spacing * spacing
    # Over the full range liquidity is the geometric mean of both amounts, all but exactly.
    mint = encode(
        [KEY, "int24", "int24", "uint256", "uint128", "uint128", "address", "bytes"],
        [key, -widest, widest, isqrt(raw[0] * raw[1]), 2**127, 2**127, site.whale, b""],
    )
    pay = encode(["address", "address"], tokens)
    plan = encode(["bytes", "bytes[]"], [MINT_POSITION + SETTLE_PAIR, [mint, pay]])
    positions.send(site.whale, "modifyLiquidities", plan, FAR)
    return {"id": "0x" + keccak(encode([KEY], [key])).hex(), "spacing": spacing}


def _allow(site: Site, symbol: str, spender: str) -> None:
    """Let the spender take all by way of Permit2."""
    permit2 = site.bind(PERMIT2_ARTIFACT, PERMIT2)
    token = site.tokens[symbol].address
    permit2.send(site.whale, "approve", token, spender, 2**160 - 1, FAR - 1)


def _permit2(site: Site) -> None:
    """Put the runtime code where it is found on every chain."""
    text = (site.packages.modules / PERMIT2_SOURCE).read_text()
    found = re.search(r'hex"([0-9a-f]{1000,})"', text)
    if found is None:
        raise ArtifactError(f"no bytecode in {PERMIT2_SOURCE}")
    site.node.rpc.request("anvil_setCode", PERMIT2, "0x" + found[1])


def _init_code(site: Site, version: str) -> bytes:
    """Hash of the creation code that pairs and pools have their addresses from."""
    if version == "v2":
        made = site.packages.truffle("@uniswap/v2-core", "UniswapV2Pair")
    else:
        made = site.packages.hardhat("@uniswap/v3-core", "artifacts/contracts", "UniswapV3Pool")
    return keccak(hexstr=made.bytecode)


def _periphery(site: Site, name: str) -> Artifact:
    return site.packages.foundry("@uniswap/v4-periphery", "foundry-out", name)


PERMIT2_ARTIFACT = Artifact(
    "Permit2",
    [
        {
            "type": "function",
            "name": name,
            "inputs": [{"name": "", "type": kind} for kind in inputs],
            "outputs": [{"name": "", "type": kind} for kind in outputs],
            "stateMutability": mutability,
        }
        for name, inputs, outputs, mutability in (
            ("approve", ["address", "address", "uint160", "uint48"], [], "nonpayable"),
            (
                "allowance",
                ["address", "address", "address"],
                ["uint160", "uint48", "uint48"],
                "view",
            ),
        )
    ],
    "",
    {},
)

RECIPE = Recipe("uniswap-v4", deploy)

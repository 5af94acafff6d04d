"""Morpho Blue 1.0.0 with AdaptiveCurveIrm, and markets of many decimals and thresholds.

Prices come from the real Chainlink feeds through MorphoOracleStandIn, because no package
publishes the code of Morpho's own MorphoChainlinkOracleV2: see solidity/MorphoOracleStandIn.sol.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from world.compiler import Job
from world.contract import ERC20
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound

WAD = 10**18
PARAMS = ("address", "address", "address", "address", "uint256")

JOBS = (
    Job(
        "morpho",
        "0.8.19",
        ("@morpho-org/morpho-blue/src/Morpho.sol:Morpho",),
        via_ir=True,
        runs=999_999,
    ),
    Job(
        "morpho-irm",
        "0.8.26",
        (
            "sphere-mezo-solidity-files/domains/morphoIrm/contracts/AdaptiveCurveIrm.sol"
            ":AdaptiveCurveIrm",
        ),
        via_ir=True,
        runs=999_999,
    ),
    Job("morpho-oracle", "0.8.26", ("ours/MorphoOracleStandIn.sol:MorphoOracleStandIn",)),
)


@dataclass(frozen=True)
class Side:
    """One side of an oracle: a token, the feeds that are multiplied, a vault it is a share of."""

    token: str
    feeds: tuple[str, ...] = ()
    vault: str = ""


@dataclass(frozen=True)
class Spec:
    """One market; amounts in whole loan tokens."""

    collateral: Side
    loan: Side
    lltv: int
    supply: float
    borrow: float

    @property
    def name(self) -> str:
        return f"{self.collateral.token}/{self.loan.token}"


ETH, BTC, USDC, EUR = "ETH / USD", "BTC / USD", "USDC / USD", "EUR / USD"
MARKETS = (
    Spec(Side("WETH", (ETH,)), Side("USDC", (USDC,)), 860, 12e6, 10.2e6),
    Spec(Side("WBTC", (BTC,)), Side("USDC", (USDC,)), 860, 8e6, 7.6e6),
    Spec(Side("wstETH", ("wstETH / ETH",)), Side("WETH"), 945, 6_000, 5_400),
    Spec(Side("WBTC", (BTC,)), Side("WETH", (ETH,)), 915, 2_000, 900),
    Spec(Side("LINK", ("LINK / USD",)), Side("EURS", (EUR,)), 770, 1e6, 6e5),
    Spec(Side("pvDAI", ("DAI / USD",), "pvDAI"), Side("USDC", (USDC,)), 770, 3e6, 1e6),
)
LLTVS = (0, 385, 625, 770, 860, 915, 945, 965, 980)
"""In thousandths; 0 is for idle markets."""


def deploy(site: Site) -> Addresses:
    morpho = site.deploy(site.compiled["Morpho"], site.admin)
    irm = site.deploy(site.compiled["AdaptiveCurveIrm"], morpho.address)
    morpho.send(site.admin, "enableIrm", irm.address)
    morpho.send(site.admin, "enableIrm", ZERO)
    for lltv in LLTVS:
        morpho.send(site.admin, "enableLltv", lltv * WAD // 1000)
    morpho.send(site.admin, "setFeeRecipient", site.admin)
    markets = {spec.name: _market(site, morpho, irm.address, spec) for spec in MARKETS}
    # An idle market: what is supplied to it is never lent.
    idle = (site.tokens["USDC"].address, ZERO, ZERO, ZERO, 0)
    morpho.send(site.admin, "createMarket", idle)
    markets["idle/USDC"] = _page(idle, "", "USDC")
    # One market with a protocol fee, the others without.
    morpho.send(site.admin, "setFee", tuple(markets["WBTC/WETH"]["params"]), WAD // 10)
    return {"morpho": morpho.address, "irm": irm.address, "markets": markets}


def _market(site: Site, morpho: Bound, irm: str, spec: Spec) -> Addresses:
    oracle = site.deploy(
        site.compiled["MorphoOracleStandIn"], _side(site, spec.collateral), _side(site, spec.loan)
    )
    loan, collateral = site.tokens[spec.loan.token], _address(site, spec.collateral)
    params = (loan.address, collateral, oracle.address, irm, spec.lltv * WAD // 1000)
    morpho.send(site.admin, "createMarket", params)
    _liquidity(site, morpho, spec, params)
    return _page(params, spec.collateral.token, spec.loan.token)


def _liquidity(site: Site, morpho: Bound, spec: Spec, params: tuple[object, ...]) -> None:
    """Let the whale supply, and borrow against half as much again of collateral as is needed."""
    whale, loan = site.whale, spec.loan.token
    amount = site.give(loan, whale, morpho.address, spec.supply)
    morpho.send(whale, "supply", params, amount, 0, whale, b"")
    debt = round(spec.borrow * site.tokens[loan].unit)
    oracle = site.at(str(params[2]), site.compiled["MorphoOracleStandIn"].interface)
    price = oracle.call("price")
    needed = debt * 10**36 // price * 1000 // spec.lltv * 3 // 2
    if spec.collateral.vault:
        collateral = site.at(str(params[1]), site.compiled["PlainVault"].interface)
        assets = collateral.call("convertToAssets", needed) * 11 // 10
        asset = site.at(collateral.call("asset"), ERC20)
        asset.send(site.admin, "mint", whale, assets)
        asset.send(whale, "approve", collateral.address, assets)
        collateral.send(whale, "deposit", assets, whale)
        collateral.send(whale, "approve", morpho.address, needed)
    else:
        symbol = spec.collateral.token
        site.give(symbol, whale, morpho.address, needed / site.tokens[symbol].unit + 1)
    morpho.send(whale, "supplyCollateral", params, needed, whale, b"")
    morpho.send(whale, "borrow", params, debt, 0, whale, whale)


def _address(site: Site, side: Side) -> str:
    if side.vault:
        return str(site.protocols["erc4626"][side.vault])
    return site.tokens[side.token].address


def _side(site: Site, side: Side) -> tuple[str, int, str, str, int]:
    """The stand-in's constructor argument; a vault's price is asked for a whole share."""
    feeds = [site.feeds[name].proxy for name in side.feeds] + [ZERO, ZERO]
    if side.vault:
        # All vaults of the world share their asset's decimals; the price is of the asset.
        vault = site.at(_address(site, side), site.compiled["PlainVault"].interface)
        decimals = vault.call("decimals")
        return (vault.address, 10**decimals, feeds[0], feeds[1], decimals)
    return (ZERO, 1, feeds[0], feeds[1], site.tokens[side.token].decimals or 0)


def _page(params: tuple[object, ...], collateral: str, loan: str) -> Addresses:
    return {
        "id": "0x" + keccak(encode(PARAMS, params)).hex(),
        "params": list(params),
        "collateral": collateral,
        "loan": loan,
    }


RECIPE = Recipe("morpho", deploy, JOBS)

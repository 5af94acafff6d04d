"""Compound v2: Comptroller behind its Unitroller, three cTokens, suppliers and one borrower.

cETH is native; cUSDC is immutable; cDAI delegates to an implementation. Prices come from the
Chainlink feeds through FeedPriceOracle: see solidity/FeedPriceOracle.sol. No COMP is paid out.
Compound's entry points answer an error code where others revert: `_succeed` asks first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from world.artifacts import Artifact
from world.compiler import Job
from world.deployer import Addresses, Recipe, Site
from world.node import Bound
from world.rpc import WorldError

PACKAGE = "@thenextblock/hardhat-compound"
JOB = Job("compound-oracle", "0.8.26", ("ours/FeedPriceOracle.sol:FeedPriceOracle",))
WAD = 10**18
CTOKEN_DECIMALS = 8
CLOSE_FACTOR, INCENTIVE = WAD // 2, WAD * 108 // 100


@dataclass(frozen=True)
class Listing:
    """One cToken; amounts in whole underlying tokens."""

    underlying: str
    contract: str
    factor: int
    """Collateral factor in thousandths."""
    supply: float
    """What the whale supplies."""
    borrow: float
    """What the whale borrows, so that rates are above zero."""

    @property
    def name(self) -> str:
        return "cETH" if self.contract == "CEther" else f"c{self.underlying}"


LISTINGS = (
    Listing("WETH", "CEther", 825, 8_000, 1_200),
    Listing("USDC", "CErc20Immutable", 855, 10e6, 5.5e6),
    Listing("DAI", "CErc20Delegator", 835, 8e6, 6.8e6),
)
# The borrower's collateral in whole ETH and debt in whole USDC: a fall of ETH by a fifth is enough.
COLLATERAL, DEBT = 100, 200_000


def deploy(site: Site) -> Addresses:
    admin = site.admin
    unitroller = site.deploy(_artifact(site, "Unitroller"))
    implementation = site.deploy(_artifact(site, "Comptroller"))
    unitroller.send(admin, "_setPendingImplementation", implementation.address)
    implementation.send(admin, "_become", unitroller.address)
    comptroller = site.bind(_artifact(site, "Comptroller"), unitroller.address)

    tokens = {listing.name: _token(site, comptroller, listing) for listing in LISTINGS}
    configs = [_config(site, listing.underlying) for listing in LISTINGS]
    addresses = [token.address for token in tokens.values()]
    oracle = site.deploy(site.compiled["FeedPriceOracle"], addresses, configs)

    _succeed(comptroller, admin, "_setPriceOracle", oracle.address)
    _succeed(comptroller, admin, "_setCloseFactor", CLOSE_FACTOR)
    _succeed(comptroller, admin, "_setLiquidationIncentive", INCENTIVE)
    for listing in LISTINGS:
        token = tokens[listing.name]
        _succeed(comptroller, admin, "_supportMarket", token.address)
        factor = listing.factor * WAD // 1000
        _succeed(comptroller, admin, "_setCollateralFactor", token.address, factor)
    for listing in LISTINGS:
        _supply(site, tokens[listing.name], listing, site.whale, listing.supply)
    _borrow(site, comptroller, tokens)
    return {
        "comptroller": comptroller.address,
        "oracle": oracle.address,
        "ctokens": {name: token.address for name, token in tokens.items()},
        "underlyings": {listing.name: listing.underlying for listing in LISTINGS},
        "borrower": _borrower(site),
    }


def _token(site: Site, comptroller: Bound, listing: Listing) -> Bound:
    token = site.tokens[listing.underlying]
    decimals = token.decimals or 0
    # The rate at which every market begins: 50 cTokens for one underlying.
    rate = 10 ** (18 + decimals - CTOKEN_DECIMALS) // 50
    named = (f"Compound {listing.underlying}", listing.name, CTOKEN_DECIMALS, site.admin)
    if listing.contract == "CEther":
        # Base rate and slope, per year.
        model = site.deploy(
            _artifact(site, "WhitePaperInterestRateModel"), WAD // 50, WAD * 18 // 100
        )
        params: tuple[Any, ...] = (comptroller.address, model.address, rate, *named)
    else:
        # Base rate, slope and slope beyond the kink, per year; the kink; the owner.
        curve = (0, WAD * 4 // 100, WAD * 109 // 100, WAD * 8 // 10, site.admin)
        model = site.deploy(_artifact(site, "JumpRateModelV2"), *curve)
        params = (token.address, comptroller.address, model.address, rate, *named)
    if listing.contract == "CErc20Delegator":
        implementation = site.deploy(_artifact(site, "CErc20Delegate"))
        params = (*params, implementation.address, b"")
    bound = site.deploy(_artifact(site, listing.contract), *params)
    _succeed(bound, site.admin, "_setReserveFactor", WAD // 10)
    return bound


def _config(site: Site, symbol: str) -> tuple[int, str, int]:
    """Decimals, feed, and no fixed price."""
    token = site.tokens[symbol]
    return token.decimals or 0, site.feeds[str(token.feed)].proxy, 0


def _supply(site: Site, bound: Bound, listing: Listing, owner: str, whole: float) -> None:
    if listing.contract == "CEther":
        bound.send(owner, "mint", value=round(whole * WAD))
    else:
        amount = site.give(listing.underlying, owner, bound.address, whole)
        _succeed(bound, owner, "mint", amount)


def _borrow(site: Site, comptroller: Bound, tokens: dict[str, Bound]) -> None:
    """Let the whale and the borrower owe something."""
    addresses = [token.address for token in tokens.values()]
    comptroller.send(site.whale, "enterMarkets", addresses)
    for listing in LISTINGS:
        amount = round(listing.borrow * site.tokens[listing.underlying].unit)
        _succeed(tokens[listing.name], site.whale, "borrow", amount)
    borrower = _borrower(site)
    _supply(site, tokens["cETH"], LISTINGS[0], borrower, COLLATERAL)
    comptroller.send(borrower, "enterMarkets", [tokens["cETH"].address])
    _succeed(tokens["cUSDC"], borrower, "borrow", DEBT * 10**6)


def _borrower(site: Site) -> str:
    return to_checksum_address(site.accounts[2])


def _succeed(bound: Bound, sender: str, function: str, *args: Any) -> None:
    """Send what answers 0 beforehand; anything else is an error code."""
    code = bound.call(function, *args, sender=sender)
    if code:
        raise WorldError(f"Compound's {function} answers error {code}")
    bound.send(sender, function, *args)


def _artifact(site: Site, name: str) -> Artifact:
    return site.packages.typechain(PACKAGE, name)


RECIPE = Recipe("compound-v2", deploy, (JOB,))

"""Aave 3.0.2 (POOL_REVISION 1) from the published artifacts.

Nine reserves of 2 to 18 decimals; two e-mode categories; AAVE in isolation mode; LINK with an
LTV of 0 and a threshold; USDT that is no collateral; stable debt on USDC, USDT and DAI.
Left out: rewards, whose 3.0 artifacts are in no package of a reasonable size.
"""

from __future__ import annotations

from dataclasses import dataclass

from world.artifacts import Artifact
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound

RAY = 10**27
STABLECOINS, ETH_CORRELATED = 1, 2
# id, ltv, threshold, bonus, label
EMODES = (
    (STABLECOINS, 9700, 9750, 10100, "Stablecoins"),
    (ETH_CORRELATED, 9000, 9300, 10100, "ETH correlated"),
)
# optimal usage, base, slope 1, slope 2 in percent
STABLE_RATES = (90, 0, 4, 60)
VOLATILE_RATES = (65, 0.25, 5, 100)


@dataclass(frozen=True)
class Reserve:
    """One listing; ltv, threshold and bonus in basis points; amounts in whole tokens."""

    symbol: str
    ltv: int
    threshold: int
    bonus: int
    rates: tuple[float, float, float, float]
    supply: float
    """What the whale supplies."""
    borrow: float
    """What the whale borrows of it at a variable rate."""
    stable: bool = False
    emode: int = 0
    debt_ceiling: int = 0
    """In cents; not 0 means isolation mode."""
    in_isolation: bool = False
    """Whether it may be borrowed against an isolated asset."""


RESERVES = (
    Reserve("WETH", 8000, 8250, 10500, VOLATILE_RATES, 20_000, 9_000, emode=ETH_CORRELATED),
    Reserve("wstETH", 7000, 7900, 10700, VOLATILE_RATES, 10_000, 800, emode=ETH_CORRELATED),
    Reserve("USDC", 7700, 8000, 10450, STABLE_RATES, 30e6, 21e6, True, STABLECOINS, 0, True),
    Reserve("USDT", 0, 0, 0, STABLE_RATES, 20e6, 15e6, True, STABLECOINS),
    Reserve("DAI", 7500, 8000, 10500, STABLE_RATES, 20e6, 12e6, True, STABLECOINS, 0, True),
    Reserve("WBTC", 7000, 7500, 11000, VOLATILE_RATES, 1_000, 250),
    Reserve("LINK", 0, 6800, 10750, VOLATILE_RATES, 500_000, 100_000),
    Reserve("AAVE", 6000, 7000, 10750, VOLATILE_RATES, 50_000, 0, debt_ceiling=500_000_000),
    Reserve("EURS", 6500, 7000, 10750, STABLE_RATES, 5e6, 2e6),
)


def deploy(site: Site) -> Addresses:
    market = _core(site)
    for reserve in RESERVES:
        list_reserve(site, market, reserve)
    _liquidity(site, market.pool)
    return {
        "pool_addresses_provider": market.provider.address,
        "pool": market.pool.address,
        "pool_configurator": market.configurator.address,
        "oracle": market.oracle.address,
        "data_provider": market.data.address,
        "reserves": {reserve.symbol: site.tokens[reserve.symbol].address for reserve in RESERVES},
        "emodes": {label: number for number, *_, label in EMODES},
        "tokens": {reserve.symbol: _reserve_tokens(site, market, reserve) for reserve in RESERVES},
    }


@dataclass(frozen=True)
class Market:
    """The contracts that listing needs."""

    provider: Bound
    pool: Bound
    configurator: Bound
    oracle: Bound
    data: Bound
    token_impls: tuple[str, str, str]


def artifact(site: Site, name: str) -> Artifact:
    folder = "artifacts/contracts/protocol"
    if name == "AaveOracle" or name == "AaveProtocolDataProvider":
        folder = "artifacts/contracts/misc"
    return site.packages.hardhat("@aave/core-v3", folder, name)


def _core(site: Site) -> Market:
    def new(name: str, *args: object) -> Bound:
        return site.deploy(artifact(site, name), *args, find=lambda lib: artifact(site, lib))

    admin = site.admin
    provider = new("PoolAddressesProvider", "World Market", admin)
    provider.send(admin, "setACLAdmin", admin)
    acl = new("ACLManager", provider.address)
    provider.send(admin, "setACLManager", acl.address)
    for role in ("addPoolAdmin", "addEmergencyAdmin", "addRiskAdmin", "addAssetListingAdmin"):
        acl.send(admin, role, admin)

    assets = [site.tokens[reserve.symbol] for reserve in RESERVES]
    sources = [site.feeds[str(token.feed)].proxy for token in assets]
    oracle = new(
        "AaveOracle",
        provider.address,
        [token.address for token in assets],
        sources,
        ZERO,
        ZERO,
        10**8,
    )
    provider.send(admin, "setPriceOracle", oracle.address)
    data = new("AaveProtocolDataProvider", provider.address)
    provider.send(admin, "setPoolDataProvider", data.address)

    provider.send(admin, "setPoolImpl", new("Pool", provider.address).address)
    provider.send(admin, "setPoolConfiguratorImpl", new("PoolConfigurator").address)
    pool = site.bind(artifact(site, "Pool"), provider.call("getPool"))
    configurator = site.bind(
        artifact(site, "PoolConfigurator"), provider.call("getPoolConfigurator")
    )
    impls = [
        new(name, pool.address).address
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    ]
    for number, ltv, threshold, bonus, label in EMODES:
        configurator.send(admin, "setEModeCategory", number, ltv, threshold, bonus, ZERO, label)
    return Market(provider, pool, configurator, oracle, data, (impls[0], impls[1], impls[2]))


def list_reserve(site: Site, market: Market, reserve: Reserve) -> None:
    token = site.tokens[reserve.symbol]
    rates = [round(percent * RAY / 100) for percent in reserve.rates]
    # The stable part: slopes, base offset, excess offset, optimal stable share of the debt.
    stable = [round(share * RAY) for share in (0.005, 0.6, 0.01, 0.08, 0.2)]
    strategy = site.deploy(
        artifact(site, "DefaultReserveInterestRateStrategy"),
        market.provider.address,
        *rates,
        *stable,
    )
    names = (f"a{token.symbol}", f"variableDebt{token.symbol}", f"stableDebt{token.symbol}")
    record = (
        *market.token_impls,
        token.decimals,
        strategy.address,
        token.address,
        site.admin,
        ZERO,
        *(part for name in names for part in (f"Aave {name}", name)),
        b"",
    )
    change = market.configurator
    change.send(site.admin, "initReserves", [record])
    at = token.address
    if reserve.threshold:
        settings = (reserve.ltv, reserve.threshold, reserve.bonus)
        change.send(site.admin, "configureReserveAsCollateral", at, *settings)
    change.send(site.admin, "setReserveBorrowing", at, True)
    change.send(site.admin, "setReserveStableRateBorrowing", at, reserve.stable)
    change.send(site.admin, "setReserveFactor", at, 1000)
    change.send(site.admin, "setLiquidationProtocolFee", at, 1000)
    change.send(site.admin, "setReserveFlashLoaning", at, True)
    if reserve.emode:
        change.send(site.admin, "setAssetEModeCategory", at, reserve.emode)
    if reserve.debt_ceiling:
        change.send(site.admin, "setDebtCeiling", at, reserve.debt_ceiling)
    if reserve.in_isolation:
        change.send(site.admin, "setBorrowableInIsolation", at, True)


def _liquidity(site: Site, pool: Bound) -> None:
    """Let the whale supply and borrow, so that every rate is above zero."""
    whale = site.whale
    for reserve in RESERVES:
        amount = site.give(reserve.symbol, whale, pool.address, reserve.supply)
        pool.send(whale, "supply", site.tokens[reserve.symbol].address, amount, whale, 0)
    # One isolated collateral would forbid the other ones' use; the whale has no need of it.
    for reserve in RESERVES:
        token = site.tokens[reserve.symbol]
        if reserve.borrow:
            pool.send(
                whale, "borrow", token.address, round(reserve.borrow * token.unit), 2, 0, whale
            )


def _reserve_tokens(site: Site, market: Market, reserve: Reserve) -> dict[str, str]:
    asset = site.tokens[reserve.symbol].address
    a_token, stable, variable = market.data.call("getReserveTokensAddresses", asset)
    return {"a_token": a_token, "stable_debt": stable, "variable_debt": variable}


RECIPE = Recipe("aave-3.0", deploy)

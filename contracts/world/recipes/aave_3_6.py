"""Aave 3.6 (POOL_REVISION 10), compiled from the published sources.

The assets of 3.0 but EURS (3.6 wants six decimals or more); four e-mode categories by bitmap, one
of them with a collateral of LTV 0 inside it; isolation mode; an LTV-0 reserve; rewards in AAVE on
supplied USDC and borrowed WETH. UiPoolDataProviderV3 and UiIncentiveDataProviderV3 are referees.
Left out: the treasury contract (the admin's account stands in its place), periphery adapters.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from world.artifacts import Artifact
from world.compiler import Job
from world.deployer import ZERO, Addresses, Recipe, Site
from world.node import Bound

SOURCES = "@aave-dao/aave-v3-origin/src/contracts"
CONTRACTS = {
    "instances": "PoolInstance PoolConfiguratorInstance ATokenInstance VariableDebtTokenInstance",
    "protocol/configuration": "PoolAddressesProvider ACLManager",
    "protocol/libraries/logic": "BorrowLogic ConfiguratorLogic FlashLoanLogic LiquidationLogic "
    "PoolLogic SupplyLogic",
    "misc": "AaveOracle DefaultReserveInterestRateStrategyV2",
    "helpers": "AaveProtocolDataProvider UiPoolDataProviderV3 UiIncentiveDataProviderV3",
    "rewards": "EmissionManager RewardsController",
    "rewards/transfer-strategies": "PullRewardsTransferStrategy",
}
JOB = Job(
    "aave-3.6",
    "0.8.27",
    tuple(
        f"{SOURCES}/{folder}/{name}.sol:{name}"
        for folder, names in CONTRACTS.items()
        for name in names.split()
    ),
    evm="shanghai",
    remappings={
        "openzeppelin-contracts/": "@openzeppelin/",
        "solidity-utils/": "@bgd-labs/solidity-utils/src/",
    },
)
INCENTIVES = keccak(text="INCENTIVES_CONTROLLER")
VARIABLE = 2
# Basis points: optimal usage, base, slope 1, slope 2.
STABLE_RATES = (9000, 0, 400, 6000)
VOLATILE_RATES = (6500, 25, 500, 10000)
RATE_TYPES = ("uint16", "uint32", "uint32", "uint32")
UINT32_MAX = 2**32 - 1


@dataclass(frozen=True)
class Reserve:
    """One listing; ltv, threshold and bonus in basis points; amounts in whole tokens."""

    symbol: str
    ltv: int
    threshold: int
    bonus: int
    rates: tuple[int, int, int, int]
    supply: float
    borrow: float
    debt_ceiling: int = 0
    in_isolation: bool = False


RESERVES = (
    Reserve("WETH", 8050, 8300, 10500, VOLATILE_RATES, 20_000, 9_000),
    Reserve("wstETH", 7850, 8100, 10600, VOLATILE_RATES, 10_000, 800),
    Reserve("USDC", 7500, 7800, 10450, STABLE_RATES, 30e6, 21e6, in_isolation=True),
    Reserve("USDT", 0, 0, 0, STABLE_RATES, 20e6, 15e6),
    Reserve("DAI", 6300, 7700, 10500, STABLE_RATES, 20e6, 12e6, in_isolation=True),
    Reserve("WBTC", 7300, 7800, 10500, VOLATILE_RATES, 1_000, 250),
    Reserve("LINK", 0, 7100, 10700, VOLATILE_RATES, 500_000, 100_000),
    Reserve("AAVE", 6000, 7000, 10750, VOLATILE_RATES, 50_000, 0, debt_ceiling=500_000_000),
)


@dataclass(frozen=True)
class EMode:
    """One category, and which assets it lets be collateral, borrowed, or are LTV 0 in it."""

    number: int
    label: str
    ltv: int
    threshold: int
    bonus: int
    collateral: tuple[str, ...]
    borrowable: tuple[str, ...]
    ltvzero: tuple[str, ...] = ()


EMODES = (
    EMode(1, "Stablecoins", 9000, 9300, 10200, ("USDC", "DAI"), ("USDC", "USDT", "DAI")),
    EMode(2, "ETH correlated", 9300, 9500, 10100, ("WETH", "wstETH"), ("WETH", "wstETH")),
    EMode(
        number=3,
        label="BTC and ETH, BTC winding down",
        ltv=8400,
        threshold=8600,
        bonus=10400,
        collateral=("wstETH", "WBTC"),
        borrowable=("WETH", "USDC"),
        ltvzero=("WBTC",),
    ),
    EMode(4, "LINK only in here", 6600, 7300, 10600, ("LINK",), ("USDC", "DAI")),
)


@dataclass(frozen=True)
class Market:
    """The contracts that listing needs."""

    provider: Bound
    pool: Bound
    configurator: Bound
    oracle: Bound
    data: Bound
    rewards: Bound
    emissions: Bound
    a_token_impl: str
    debt_impl: str


def deploy(site: Site) -> Addresses:
    market = _core(site)
    for reserve in RESERVES:
        _list(site, market, reserve)
    for emode in EMODES:
        _emode(site, market, emode)
    tokens = {reserve.symbol: _reserve_tokens(site, market, reserve) for reserve in RESERVES}
    _emit(site, market, (tokens["USDC"]["a_token"], tokens["WETH"]["variable_debt"]))
    _liquidity(site, market.pool)
    eth = site.feeds["ETH / USD"].proxy
    return {
        "pool_addresses_provider": market.provider.address,
        "pool": market.pool.address,
        "pool_configurator": market.configurator.address,
        "oracle": market.oracle.address,
        "data_provider": market.data.address,
        "ui_pool_data_provider": _new(site, "UiPoolDataProviderV3", eth, eth).address,
        "ui_incentive_data_provider": _new(site, "UiIncentiveDataProviderV3").address,
        "rewards_controller": market.rewards.address,
        "emission_manager": market.emissions.address,
        "reserves": {reserve.symbol: site.tokens[reserve.symbol].address for reserve in RESERVES},
        "emodes": {emode.label: emode.number for emode in EMODES},
        "tokens": tokens,
    }


def _new(site: Site, name: str, *args: object) -> Bound:
    def find(library: str) -> Artifact:
        return site.compiled[library]

    return site.deploy(site.compiled[name], *args, find=find)


def _core(site: Site) -> Market:
    admin = site.admin
    provider = _new(site, "PoolAddressesProvider", "World Market 3.6", admin)
    provider.send(admin, "setACLAdmin", admin)
    acl = _new(site, "ACLManager", provider.address)
    provider.send(admin, "setACLManager", acl.address)
    for role in ("addPoolAdmin", "addEmergencyAdmin", "addRiskAdmin", "addAssetListingAdmin"):
        acl.send(admin, role, admin)

    assets = [site.tokens[reserve.symbol] for reserve in RESERVES]
    sources = [site.feeds[str(token.feed)].proxy for token in assets]
    oracle = _new(
        site,
        "AaveOracle",
        provider.address,
        [token.address for token in assets],
        sources,
        ZERO,
        ZERO,
        10**8,
    )
    provider.send(admin, "setPriceOracle", oracle.address)

    rates = _new(site, "DefaultReserveInterestRateStrategyV2", provider.address)
    pool_impl = _new(site, "PoolInstance", provider.address, rates.address)
    provider.send(admin, "setPoolImpl", pool_impl.address)
    configurator_impl = _new(site, "PoolConfiguratorInstance")
    provider.send(admin, "setPoolConfiguratorImpl", configurator_impl.address)
    pool = site.bind(site.compiled["PoolInstance"], provider.call("getPool"))
    configurator = site.bind(
        site.compiled["PoolConfiguratorInstance"], provider.call("getPoolConfigurator")
    )

    # It asks the provider for the pool when it is made.
    data = _new(site, "AaveProtocolDataProvider", provider.address)
    provider.send(admin, "setPoolDataProvider", data.address)

    emissions = _new(site, "EmissionManager", admin)
    rewards_impl = _new(site, "RewardsController", emissions.address)
    provider.send(admin, "setAddressAsProxy", INCENTIVES, rewards_impl.address)
    rewards = site.bind(site.compiled["RewardsController"], provider.call("getAddress", INCENTIVES))
    emissions.send(admin, "setRewardsController", rewards.address)
    a_token = _new(site, "ATokenInstance", pool.address, rewards.address, admin)
    debt = _new(site, "VariableDebtTokenInstance", pool.address, rewards.address)
    return Market(
        provider,
        pool,
        configurator,
        oracle,
        data,
        rewards,
        emissions,
        a_token.address,
        debt.address,
    )


def _list(site: Site, market: Market, reserve: Reserve) -> None:
    token = site.tokens[reserve.symbol]
    names = (f"a{token.symbol}", f"variableDebt{token.symbol}")
    record = (
        market.a_token_impl,
        market.debt_impl,
        token.address,
        *(part for name in names for part in (f"Aave {name}", name)),
        b"",
        encode(RATE_TYPES, reserve.rates),
    )
    change, at = market.configurator, token.address
    change.send(site.admin, "initReserves", [record])
    if reserve.threshold:
        settings = (reserve.ltv, reserve.threshold, reserve.bonus)
        change.send(site.admin, "configureReserveAsCollateral", at, *settings)
    change.send(site.admin, "setReserveBorrowing", at, True)
    change.send(site.admin, "setReserveFactor", at, 1000)
    change.send(site.admin, "setLiquidationProtocolFee", at, 1000)
    change.send(site.admin, "setReserveFlashLoaning", at, True)
    if reserve.debt_ceiling:
        change.send(site.admin, "setDebtCeiling", at, reserve.debt_ceiling)
    if reserve.in_isolation:
        change.send(site.admin, "setBorrowableInIsolation", at, True)


def _emode(site: Site, market: Market, emode: EMode) -> None:
    change = market.configurator
    settings = (emode.ltv, emode.threshold, emode.bonus, emode.label)
    change.send(site.admin, "setEModeCategory", emode.number, *settings)
    for function, symbols in (
        ("setAssetCollateralInEMode", emode.collateral),
        ("setAssetBorrowableInEMode", emode.borrowable),
        ("setAssetLtvzeroInEMode", emode.ltvzero),
    ):
        for symbol in symbols:
            asset = site.tokens[symbol].address
            change.send(site.admin, function, asset, emode.number, True)


def _emit(site: Site, market: Market, assets: tuple[str, ...]) -> None:
    """Reward holders of these tokens with AAVE out of the whale's pocket."""
    reward = site.tokens["AAVE"]
    strategy = _new(
        site, "PullRewardsTransferStrategy", market.rewards.address, site.admin, site.whale
    )
    site.give("AAVE", site.whale, strategy.address, 1_000_000)
    market.emissions.send(site.admin, "setEmissionAdmin", reward.address, site.admin)
    feed = site.feeds[str(reward.feed)].proxy
    emission = 10**15
    market.emissions.send(
        site.admin,
        "configureAssets",
        [
            (emission, 0, UINT32_MAX, asset, reward.address, strategy.address, feed)
            for asset in assets
        ],
    )


def _liquidity(site: Site, pool: Bound) -> None:
    """Let the whale supply and borrow, so that every rate is above zero."""
    whale = site.whale
    supply = "supply(address,uint256,address,uint16)"
    borrow = "borrow(address,uint256,uint256,uint16,address)"
    for reserve in RESERVES:
        amount = site.give(reserve.symbol, whale, pool.address, reserve.supply)
        pool.send(whale, supply, site.tokens[reserve.symbol].address, amount, whale, 0)
    for reserve in RESERVES:
        token = site.tokens[reserve.symbol]
        if reserve.borrow:
            amount = round(reserve.borrow * token.unit)
            pool.send(whale, borrow, token.address, amount, VARIABLE, 0, whale)


def _reserve_tokens(site: Site, market: Market, reserve: Reserve) -> dict[str, str]:
    asset = site.tokens[reserve.symbol].address
    a_token, _, variable = market.data.call("getReserveTokensAddresses", asset)
    return {"a_token": a_token, "variable_debt": variable}


RECIPE = Recipe("aave-3.6", deploy, (JOB,))

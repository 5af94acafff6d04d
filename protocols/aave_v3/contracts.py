"""The functions of Aave v3 that are read."""

from typing import Final

from chain.abi import Function

# PoolAddressesProvider
GET_POOL: Final = Function("getPool()(address)")
GET_PRICE_ORACLE: Final = Function("getPriceOracle()(address)")
GET_SENTINEL: Final = Function("getPriceOracleSentinel()(address)")

# Pool
POOL_REVISION: Final = Function("POOL_REVISION()(uint256)")
GET_RESERVES_LIST: Final = Function("getReservesList()(address[])")
GET_USER_CONFIGURATION: Final = Function("getUserConfiguration(address)(uint256)")
GET_USER_EMODE: Final = Function("getUserEMode(address)(uint256)")
GET_USER_ACCOUNT_DATA: Final = Function(
    "getUserAccountData(address)(uint256,uint256,uint256,uint256,uint256,uint256)"
)
GET_RESERVE_DATA: Final = Function(
    "getReserveData(address)(uint256,uint128,uint128,uint128,uint128,uint128,uint40,uint16,"
    "address,address,address,address,uint128,uint128,uint128)"
)
A_TOKEN_WORD: Final = 8
"""The word of `getReserveData` that names the aToken; the same in every release."""
GET_GRACE_PERIOD: Final = Function("getLiquidationGracePeriod(address)(uint40)")
EMODE_DATA: Final = Function("getEModeCategoryData(uint8)((uint16,uint16,uint16,address,string))")
EMODE_CONFIG: Final = Function("getEModeCategoryCollateralConfig(uint8)(uint16,uint16,uint16)")
EMODE_BITMAP: Final = Function("getEModeCategoryCollateralBitmap(uint8)(uint128)")

# AaveOracle
BASE_CURRENCY: Final = Function("BASE_CURRENCY()(address)")
BASE_CURRENCY_UNIT: Final = Function("BASE_CURRENCY_UNIT()(uint256)")
GET_FALLBACK_ORACLE: Final = Function("getFallbackOracle()(address)")
GET_ASSET_PRICE: Final = Function("getAssetPrice(address)(uint256)")
GET_SOURCE: Final = Function("getSourceOfAsset(address)(address)")

# Capped price adapters
RATIO_BASE: Final = Function("BASE_TO_USD_AGGREGATOR()(address)")
GET_RATIO: Final = Function("getRatio()(int256)")
RATIO_DECIMALS: Final = Function("RATIO_DECIMALS()(uint8)")
CAPPED_BASE: Final = Function("ASSET_TO_USD_AGGREGATOR()(address)")
GET_PRICE_CAP: Final = Function("getPriceCap()(int256)")
LATEST_ANSWER: Final = Function("latestAnswer()(int256)")

# PriceOracleSentinel
IS_LIQUIDATION_ALLOWED: Final = Function("isLiquidationAllowed()(bool)")

# Tokens
SCALED_BALANCE_OF: Final = Function("scaledBalanceOf(address)(uint256)")
PRINCIPAL_BALANCE_OF: Final = Function("principalBalanceOf(address)(uint256)")
GET_USER_STABLE_RATE: Final = Function("getUserStableRate(address)(uint256)")
GET_USER_LAST_UPDATED: Final = Function("getUserLastUpdated(address)(uint40)")
GET_DISCOUNT_PERCENT: Final = Function("getDiscountPercent(address)(uint256)")
GET_PREVIOUS_INDEX: Final = Function("getPreviousIndex(address)(uint256)")
GET_CONTROLLER: Final = Function("getIncentivesController()(address)")

# RewardsController
GET_REWARDS_LIST: Final = Function("getRewardsList()(address[])")
GET_ALL_USER_REWARDS: Final = Function("getAllUserRewards(address[],address)(address[],uint256[])")

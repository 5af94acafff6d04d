"""The functions that are asked, and who answers them."""

from typing import Final

from chain.abi import Function

# the Comptroller, through its Unitroller
GET_ALL_MARKETS: Final = Function("getAllMarkets()(address[])")
ORACLE: Final = Function("oracle()(address)")
CLOSE_FACTOR: Final = Function("closeFactorMantissa()(uint256)")
INCENTIVE: Final = Function("liquidationIncentiveMantissa()(uint256)")
SEIZE_PAUSED: Final = Function("seizeGuardianPaused()(bool)")
BLOCK_NUMBER: Final = Function("getBlockNumber()(uint256)")
BLOCK_TIMESTAMP: Final = Function("getBlockTimestamp()(uint256)")
VAI_CONTROLLER: Final = Function("vaiController()(address)")
COMP_ADDRESS: Final = Function("getCompAddress()(address)")
GET_ASSETS_IN: Final = Function("getAssetsIn(address)(address[])")
GET_LIQUIDITY: Final = Function("getAccountLiquidity(address)(uint256,uint256,uint256)")
CHECK_MEMBERSHIP: Final = Function("checkMembership(address,address)(bool)")
COMP_ACCRUED: Final = Function("compAccrued(address)(uint256)")
MARKETS: Final = Function("markets(address)(bool,uint256)")
MARKETS_COMPED: Final = Function("markets(address)(bool,uint256,bool)")
MINT_PAUSED: Final = Function("mintGuardianPaused(address)(bool)")
IS_DEPRECATED: Final = Function("isDeprecated(address)(bool)")

# its oracle
UNDERLYING_PRICE: Final = Function("getUnderlyingPrice(address)(uint256)")
GET_CONFIG: Final = Function("getConfig(address)(uint8,address,uint256)")
"""Compound's own price feed contract: decimals, Chainlink feed, or a fixed price."""
GET_FEED: Final = Function("getFeed(string)(address)")
"""The oracles of Benqi and Moonwell: the Chainlink feed of an underlying token's symbol."""

# a cToken
SYMBOL: Final = Function("symbol()(string)")
UNDERLYING: Final = Function("underlying()(address)")
SNAPSHOT: Final = Function("getAccountSnapshot(address)(uint256,uint256,uint256,uint256)")
EXCHANGE_RATE_STORED: Final = Function("exchangeRateStored()(uint256)")
EXCHANGE_RATE_CURRENT: Final = Function("exchangeRateCurrent()(uint256)")
BORROW_CURRENT: Final = Function("borrowBalanceCurrent(address)(uint256)")
SEIZE_SHARE: Final = Function("protocolSeizeShareMantissa()(uint256)")
CASH: Final = Function("getCash()(uint256)")
TOTAL_BORROWS: Final = Function("totalBorrows()(uint256)")
TOTAL_RESERVES: Final = Function("totalReserves()(uint256)")
TOTAL_SUPPLY: Final = Function("totalSupply()(uint256)")
RESERVE_FACTOR: Final = Function("reserveFactorMantissa()(uint256)")
BORROW_INDEX: Final = Function("borrowIndex()(uint256)")
ACCRUED_AT_BLOCK: Final = Function("accrualBlockNumber()(uint256)")
ACCRUED_AT_TIME: Final = Function("accrualBlockTimestamp()(uint256)")
RATE_PER_BLOCK: Final = Function("borrowRatePerBlock()(uint256)")
RATE_PER_SECOND: Final = Function("borrowRatePerTimestamp()(uint256)")
RATE_MODEL: Final = Function("interestRateModel()(address)")

# its rate model
BLOCKS_PER_YEAR: Final = Function("blocksPerYear()(uint256)")

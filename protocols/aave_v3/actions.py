"""Encode what an account does in an Aave v3 pool; the same in every release and fork.

Scales: amounts are base units of the asset; `MOST` is everything there is (repay: all that is owed,
withdraw: all that is supplied). Source: `IPool`.
"""

from typing import Final

from chain.abi import Function
from chain.types import Address
from chain.units import UINT256_MAX
from protocols.effects import Effect

SUPPLY: Final = Function("supply(address,uint256,address,uint16)()")
WITHDRAW: Final = Function("withdraw(address,uint256,address)(uint256)")
BORROW: Final = Function("borrow(address,uint256,uint256,uint16,address)()")
REPAY: Final = Function("repay(address,uint256,uint256,address)(uint256)")
REPAY_WITH_ATOKENS: Final = Function("repayWithATokens(address,uint256,uint256)(uint256)")
USE_AS_COLLATERAL: Final = Function("setUserUseReserveAsCollateral(address,bool)()")
SET_EMODE: Final = Function("setUserEMode(uint8)()")

STABLE: Final = 1
VARIABLE: Final = 2
MOST: Final = UINT256_MAX
NO_REFERRAL: Final = 0


def supply(pool: Address, asset: Address, amount: int, owner: Address) -> Effect:
    """Supply what the pool was allowed to take from the sender; it becomes the owner's."""
    return Effect(pool, SUPPLY.encode(asset, amount, owner, NO_REFERRAL))


def withdraw(pool: Address, asset: Address, amount: int, to: Address) -> Effect:
    """Take the sender's own supply out, `MOST` for all of it."""
    return Effect(pool, WITHDRAW.encode(asset, amount, to))


def borrow(
    pool: Address, asset: Address, amount: int, owner: Address, mode: int = VARIABLE
) -> Effect:
    """Borrow to the sender; another owner must have delegated credit."""
    return Effect(pool, BORROW.encode(asset, amount, mode, NO_REFERRAL, owner))


def repay(
    pool: Address, asset: Address, amount: int, owner: Address, mode: int = VARIABLE
) -> Effect:
    """Repay the owner's debt from the sender; `MOST` only where both are one."""
    return Effect(pool, REPAY.encode(asset, amount, mode, owner))


def repay_with_atokens(pool: Address, asset: Address, amount: int, mode: int = VARIABLE) -> Effect:
    """Repay the sender's debt with the sender's own supply of the same asset."""
    return Effect(pool, REPAY_WITH_ATOKENS.encode(asset, amount, mode))


def use_as_collateral(pool: Address, asset: Address, *, on: bool) -> Effect:
    """Let the sender's supply of an asset count as collateral, or not."""
    return Effect(pool, USE_AS_COLLATERAL.encode(asset, on))


def set_emode(pool: Address, category: int) -> Effect:
    """Enter an e-mode; 0 leaves it."""
    return Effect(pool, SET_EMODE.encode(category))

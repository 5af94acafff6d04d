"""Encode what an account does in a Morpho Blue market.

Scales: assets are base units; of assets and shares one is given and the other is 0. Shares are for
repaying or withdrawing all of it: assets, rounded, may be worth one share more than there is.
Source: `IMorpho`.
"""

from typing import Final

from chain.abi import Function
from chain.types import Address
from protocols.effects import Effect
from protocols.morpho import MarketParams

_PARAMS: Final = "(address,address,address,address,uint256)"

SUPPLY: Final = Function(f"supply({_PARAMS},uint256,uint256,address,bytes)(uint256,uint256)")
WITHDRAW: Final = Function(f"withdraw({_PARAMS},uint256,uint256,address,address)(uint256,uint256)")
BORROW: Final = Function(f"borrow({_PARAMS},uint256,uint256,address,address)(uint256,uint256)")
REPAY: Final = Function(f"repay({_PARAMS},uint256,uint256,address,bytes)(uint256,uint256)")
SUPPLY_COLLATERAL: Final = Function(f"supplyCollateral({_PARAMS},uint256,address,bytes)()")
WITHDRAW_COLLATERAL: Final = Function(f"withdrawCollateral({_PARAMS},uint256,address,address)()")
SET_AUTHORIZATION: Final = Function("setAuthorization(address,bool)()")
IS_AUTHORIZED: Final = Function("isAuthorized(address,address)(bool)")


def supply(morpho: Address, market: MarketParams, assets: int, owner: Address) -> Effect:
    """Lend what Morpho was allowed to take from the sender."""
    return Effect(morpho, SUPPLY.encode(market.words(), assets, 0, owner, b""))


def withdraw(
    morpho: Address,
    market: MarketParams,
    owner: Address,
    to: Address,
    *,
    assets: int = 0,
    shares: int = 0,
) -> Effect:
    """Take back what was lent."""
    return Effect(morpho, WITHDRAW.encode(market.words(), assets, shares, owner, to))


def borrow(
    morpho: Address, market: MarketParams, assets: int, owner: Address, to: Address
) -> Effect:
    """Borrow on the owner's collateral."""
    return Effect(morpho, BORROW.encode(market.words(), assets, 0, owner, to))


def repay(
    morpho: Address, market: MarketParams, owner: Address, *, assets: int = 0, shares: int = 0
) -> Effect:
    """Repay the owner's debt from the sender."""
    return Effect(morpho, REPAY.encode(market.words(), assets, shares, owner, b""))


def supply_collateral(morpho: Address, market: MarketParams, assets: int, owner: Address) -> Effect:
    """Add to the owner's collateral from the sender."""
    return Effect(morpho, SUPPLY_COLLATERAL.encode(market.words(), assets, owner, b""))


def withdraw_collateral(
    morpho: Address, market: MarketParams, assets: int, owner: Address, to: Address
) -> Effect:
    """Take collateral out; what is left must bear the debt."""
    return Effect(morpho, WITHDRAW_COLLATERAL.encode(market.words(), assets, owner, to))


def set_authorization(morpho: Address, manager: Address, *, on: bool) -> Effect:
    """Let a manager act for the sender in every market, or no longer."""
    return Effect(morpho, SET_AUTHORIZATION.encode(manager, on))

"""Encode what an account does with Compound v2's cTokens.

Scales: amounts are base units of the underlying, tokens those of the cToken. A cToken of the native
coin takes it as value; those of tokens answer with an error code instead of reverting, so that only
an answer of zero means that something was done. Source: `CErc20`, `CEther`, `Comptroller`.
"""

from collections.abc import Sequence
from typing import Final

from chain.abi import Function
from chain.types import Address
from chain.units import UINT256_MAX
from protocols.compound_v2.state import CMarket
from protocols.effects import Effect

MINT: Final = Function("mint(uint256)(uint256)")
MINT_NATIVE: Final = Function("mint()()")
REDEEM: Final = Function("redeem(uint256)(uint256)")
REDEEM_UNDERLYING: Final = Function("redeemUnderlying(uint256)(uint256)")
BORROW: Final = Function("borrow(uint256)(uint256)")
REPAY: Final = Function("repayBorrow(uint256)(uint256)")
REPAY_BEHALF: Final = Function("repayBorrowBehalf(address,uint256)(uint256)")
REPAY_NATIVE: Final = Function("repayBorrow()()")
REPAY_NATIVE_BEHALF: Final = Function("repayBorrowBehalf(address)()")
ENTER: Final = Function("enterMarkets(address[])(uint256[])")
EXIT: Final = Function("exitMarket(address)(uint256)")

MOST: Final = UINT256_MAX
"""All that is owed in a token; of the native coin the exact amount must be sent."""


def supply(market: CMarket, amount: int) -> Effect:
    """Supply for the sender, who must have entered the market for it to count."""
    if market.native:
        return Effect(market.ctoken, MINT_NATIVE.encode(), amount)
    return Effect(market.ctoken, MINT.encode(amount), zero=True)


def redeem(market: CMarket, tokens: int) -> Effect:
    """Give up so many cTokens."""
    return Effect(market.ctoken, REDEEM.encode(tokens), zero=True)


def redeem_underlying(market: CMarket, amount: int) -> Effect:
    """Take out so much, for as many cTokens as that takes."""
    return Effect(market.ctoken, REDEEM_UNDERLYING.encode(amount), zero=True)


def borrow(market: CMarket, amount: int) -> Effect:
    """Borrow for the sender."""
    return Effect(market.ctoken, BORROW.encode(amount), zero=True)


def repay(market: CMarket, amount: int) -> Effect:
    """Repay the sender's debt."""
    if market.native:
        return Effect(market.ctoken, REPAY_NATIVE.encode(), amount)
    return Effect(market.ctoken, REPAY.encode(amount), zero=True)


def repay_for(market: CMarket, amount: int, owner: Address) -> Effect:
    """Repay somebody's debt."""
    if market.native:
        return Effect(market.ctoken, REPAY_NATIVE_BEHALF.encode(owner), amount)
    return Effect(market.ctoken, REPAY_BEHALF.encode(owner, amount), zero=True)


def enter(comptroller: Address, ctokens: Sequence[Address]) -> Effect:
    """Let the sender's supply in these markets count as collateral."""
    return Effect(comptroller, ENTER.encode(ctokens))


def leave(comptroller: Address, ctoken: Address) -> Effect:
    """Let the sender's supply in a market no longer count."""
    return Effect(comptroller, EXIT.encode(ctoken), zero=True)

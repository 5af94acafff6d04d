"""Compound v2 positions and liquidations; cTokens by their names in the book, such as "cUSDC"."""

from __future__ import annotations

from typing import Any

from world.actors.tokens import approve_tx, mint_txs
from world.node import Bound, Node
from world.rpc import WorldError
from world.world import World

CONTRACTS = {"cETH": "CEther", "cUSDC": "CErc20Immutable", "cDAI": "CErc20Delegator"}


class Refused(WorldError):
    """Compound answered an error code instead of reverting."""


def comptroller(world: World[Node]) -> Bound:
    return world.contract("compound-v2/Comptroller", world.book["compound-v2"]["comptroller"])


def ctoken(world: World[Node], name: str) -> Bound:
    address = world.book["compound-v2"]["ctokens"][name]
    return world.contract(f"compound-v2/{CONTRACTS[name]}", address)


def underlying(world: World[Node], name: str) -> str:
    symbol: str = world.book["compound-v2"]["underlyings"][name]
    return symbol


def price(world: World[Node], name: str) -> int:
    """USD for one underlying token, scaled by 10^(36 - its decimals)."""
    oracle = world.contract("compound-v2/FeedPriceOracle", world.book["compound-v2"]["oracle"])
    answer: int = oracle.call("getUnderlyingPrice", ctoken(world, name).address)
    return answer


def liquidity(world: World[Node], user: str, block: Any = "latest") -> tuple[int, int]:
    """What may still be borrowed and what is missing, in USD scaled by 10^18; one of them is 0."""
    code, spare, shortfall = comptroller(world).call("getAccountLiquidity", user, block=block)
    if code:
        raise Refused(f"getAccountLiquidity answers error {code}")
    return spare, shortfall


def supply(world: World[Node], name: str, user: str, whole: float) -> int:
    """Mint, supply and use as collateral; return the base units."""
    bound, symbol = ctoken(world, name), underlying(world, name)
    amount = world.amount(symbol, whole)
    if name == "cETH":
        bound.send(user, "mint", value=amount)
    else:
        for tx in mint_txs(world, symbol, user, amount):
            world.node.send(tx)
        world.node.send(approve_tx(world, symbol, user, bound.address))
        _succeed(bound, user, "mint", amount)
    comptroller(world).send(user, "enterMarkets", [bound.address])
    return amount


def borrow(world: World[Node], name: str, user: str, whole: float) -> int:
    """Borrow; return the base units."""
    amount = world.amount(underlying(world, name), whole)
    _succeed(ctoken(world, name), user, "borrow", amount)
    return amount


def liquidate(
    world: World[Node], debt: str, collateral: str, liquidator: str, user: str, amount: int
) -> None:
    """Repay base units of the user's debt in an ERC-20 and seize collateral for it."""
    bound, symbol = ctoken(world, debt), underlying(world, debt)
    for tx in mint_txs(world, symbol, liquidator, amount):
        world.node.send(tx)
    world.node.send(approve_tx(world, symbol, liquidator, bound.address))
    seized = ctoken(world, collateral).address
    _succeed(bound, liquidator, "liquidateBorrow", user, amount, seized)


def _succeed(bound: Bound, sender: str, function: str, *args: Any) -> None:
    """Send what answers 0 beforehand; anything else is an error code."""
    code = bound.call(function, *args, sender=sender)
    if code:
        raise Refused(f"{function} answers error {code}")
    bound.send(sender, function, *args)

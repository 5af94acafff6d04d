"""Aave positions, 3.0 and 3.6 alike, and real liquidations.

`market` is the page of the book: "aave-3.0" or "aave-3.6".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from world.actors.tokens import UNLIMITED, approve_tx, mint_txs
from world.node import Bound, Node, Tx
from world.world import World

STABLE, VARIABLE = 1, 2
HEALTHY = 10**18


@dataclass(frozen=True, slots=True)
class AccountData:
    """`Pool.getUserAccountData`: base currency in 8 decimals, basis points, wad."""

    collateral: int
    debt: int
    available: int
    threshold: int
    ltv: int
    health: int


def pool(world: World[Node], market: str) -> Bound:
    contract = "Pool" if market == "aave-3.0" else "PoolInstance"
    return world.contract(f"{market}/{contract}", world.book[market]["pool"])


def configurator(world: World[Node], market: str) -> Bound:
    """The market's admin door; send from `world.book.admin`."""
    name = "PoolConfigurator" if market == "aave-3.0" else "PoolConfiguratorInstance"
    return world.contract(f"{market}/{name}", world.book[market]["pool_configurator"])


def account_data(world: World[Node], market: str, user: str, block: Any = "latest") -> AccountData:
    return AccountData(*pool(world, market).call("getUserAccountData", user, block=block))


def oracle_price(world: World[Node], market: str, symbol: str) -> int:
    oracle = world.contract(f"{market}/AaveOracle", world.book[market]["oracle"])
    answer: int = oracle.call("getAssetPrice", world.book.tokens[symbol].address)
    return answer


def supply_txs(world: World[Node], market: str, user: str, symbol: str, amount: int) -> list[Tx]:
    """Approve and supply what the user holds."""
    bound = pool(world, market)
    asset = world.book.tokens[symbol].address
    return [
        approve_tx(world, symbol, user, bound.address),
        bound.tx(user, "supply(address,uint256,address,uint16)", asset, amount, user, 0),
    ]


def supply(world: World[Node], market: str, user: str, symbol: str, whole: float) -> int:
    """Mint, approve and supply; return the base units."""
    amount = world.amount(symbol, whole)
    for tx in mint_txs(world, symbol, user, amount):
        world.node.send(tx)
    for tx in supply_txs(world, market, user, symbol, amount):
        world.node.send(tx)
    return amount


def borrow_tx(
    world: World[Node], market: str, user: str, symbol: str, amount: int, mode: int = VARIABLE
) -> Tx:
    asset = world.book.tokens[symbol].address
    signature = "borrow(address,uint256,uint256,uint16,address)"
    return pool(world, market).tx(user, signature, asset, amount, mode, 0, user)


def borrow(
    world: World[Node], market: str, user: str, symbol: str, whole: float, mode: int = VARIABLE
) -> int:
    """Borrow; return the base units. `STABLE` works on 3.0 where the reserve allows it."""
    amount = world.amount(symbol, whole)
    world.node.send(borrow_tx(world, market, user, symbol, amount, mode))
    return amount


def repay(
    world: World[Node],
    market: str,
    user: str,
    symbol: str,
    amount: int = UNLIMITED,
    mode: int = VARIABLE,
) -> None:
    """Approve and repay base units that the user holds; by default the whole debt."""
    bound = pool(world, market)
    world.node.send(approve_tx(world, symbol, user, bound.address))
    asset = world.book.tokens[symbol].address
    bound.send(user, "repay(address,uint256,uint256,address)", asset, amount, mode, user)


def withdraw(
    world: World[Node], market: str, user: str, symbol: str, amount: int = UNLIMITED
) -> None:
    asset = world.book.tokens[symbol].address
    pool(world, market).send(user, "withdraw(address,uint256,address)", asset, amount, user)


def emode_tx(world: World[Node], market: str, user: str, category: int) -> Tx:
    return pool(world, market).tx(user, "setUserEMode", category)


def set_emode(world: World[Node], market: str, user: str, category: int) -> None:
    world.node.send(emode_tx(world, market, user, category))


def collateral_tx(world: World[Node], market: str, user: str, symbol: str, on: bool) -> Tx:
    asset = world.book.tokens[symbol].address
    signature = "setUserUseReserveAsCollateral(address,bool)"
    return pool(world, market).tx(user, signature, asset, on)


def set_collateral(world: World[Node], market: str, user: str, symbol: str, on: bool) -> None:
    world.node.send(collateral_tx(world, market, user, symbol, on))


def liquidation_tx(
    world: World[Node],
    market: str,
    liquidator: str,
    user: str,
    collateral: str,
    debt: str,
    amount: int = UNLIMITED,
) -> Tx:
    """Describe a liquidation; `world.node.simulate` tells why it would fail, or None."""
    tokens = world.book.tokens
    signature = "liquidationCall(address,address,address,uint256,bool)"
    return pool(world, market).tx(
        liquidator,
        signature,
        tokens[collateral].address,
        tokens[debt].address,
        user,
        amount,
        False,
        gas=5_000_000,
    )


def prepare_liquidator(
    world: World[Node], market: str, liquidator: str, debt: str, amount: int
) -> None:
    """Give the liquidator the debt token and let the pool take it."""
    for tx in mint_txs(world, debt, liquidator, amount):
        world.node.send(tx)
    world.node.send(approve_tx(world, debt, liquidator, pool(world, market).address))


def liquidation_call(
    world: World[Node],
    market: str,
    liquidator: str,
    user: str,
    collateral: str,
    debt: str,
    amount: int,
) -> dict[str, Any]:
    """Fund the liquidator with the debt and liquidate; `Reverted` where the pool refuses."""
    prepare_liquidator(world, market, liquidator, debt, amount)
    return world.node.send(
        liquidation_tx(world, market, liquidator, user, collateral, debt, amount)
    )

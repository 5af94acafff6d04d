"""Morpho Blue positions and liquidations.

`market` is a name of the book, "<collateral>/<loan>", such as "WETH/USDC".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from world.actors.tokens import UNLIMITED, mint
from world.node import Bound, Node, Tx
from world.world import World

Params = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Position:
    """`Morpho.position`: shares and base units as stored, interest not accrued."""

    supply_shares: int
    borrow_shares: int
    collateral: int


def morpho(world: World[Node]) -> Bound:
    return world.contract("morpho/Morpho", world.book["morpho"]["morpho"])


def page(world: World[Node], market: str) -> dict[str, Any]:
    """The book's record of a market: id, params, collateral and loan symbols."""
    record: dict[str, Any] = world.book["morpho"]["markets"][market]
    return record


def params(world: World[Node], market: str) -> Params:
    loan, collateral, oracle, irm, lltv = page(world, market)["params"]
    return (loan, collateral, oracle, irm, lltv)


def market_id(world: World[Node], market: str) -> bytes:
    return bytes.fromhex(page(world, market)["id"][2:])


def position(world: World[Node], market: str, user: str, block: Any = "latest") -> Position:
    answer = morpho(world).call("position", market_id(world, market), user, block=block)
    return Position(*answer)


def oracle_price(world: World[Node], market: str) -> int:
    """Price of one base unit of collateral in base units of loan, scaled by 1e36."""
    answer: int = world.contract("morpho/MorphoOracleStandIn", params(world, market)[2]).call(
        "price"
    )
    return answer


def approve_tx(world: World[Node], token: str, owner: str) -> Tx:
    """Let Morpho take any amount of the token at this address."""
    bound = world.node.at(token, world.token("USDC").interface)
    return bound.tx(owner, "approve", morpho(world).address, UNLIMITED)


def supply_tx(world: World[Node], market: str, user: str, amount: int) -> Tx:
    return morpho(world).tx(user, "supply", params(world, market), amount, 0, user, b"")


def supply_collateral_tx(world: World[Node], market: str, user: str, amount: int) -> Tx:
    return morpho(world).tx(user, "supplyCollateral", params(world, market), amount, user, b"")


def borrow_tx(world: World[Node], market: str, user: str, amount: int) -> Tx:
    return morpho(world).tx(user, "borrow", params(world, market), amount, 0, user, user)


def supply(world: World[Node], market: str, user: str, whole: float) -> int:
    """Mint, approve and supply the loan token; return the base units."""
    record = page(world, market)
    amount = world.amount(record["loan"], whole)
    mint(world, record["loan"], user, amount)
    world.node.send(approve_tx(world, params(world, market)[0], user))
    world.node.send(supply_tx(world, market, user, amount))
    return amount


def supply_collateral(world: World[Node], market: str, user: str, whole: float) -> int:
    """Mint, approve and supply the collateral; return the base units. Not for vault shares."""
    record = page(world, market)
    amount = world.amount(record["collateral"], whole)
    mint(world, record["collateral"], user, amount)
    world.node.send(approve_tx(world, params(world, market)[1], user))
    world.node.send(supply_collateral_tx(world, market, user, amount))
    return amount


def borrow(world: World[Node], market: str, user: str, whole: float) -> int:
    amount = world.amount(page(world, market)["loan"], whole)
    world.node.send(borrow_tx(world, market, user, amount))
    return amount


def accrue(world: World[Node], market: str) -> None:
    morpho(world).send(world.book.admin, "accrueInterest", params(world, market))


def liquidation_tx(
    world: World[Node], market: str, liquidator: str, user: str, *, seized: int = 0, shares: int = 0
) -> Tx:
    """Seize so much collateral, or repay so many borrow shares: exactly one is not zero."""
    arguments = (params(world, market), user, seized, shares, b"")
    return morpho(world).tx(liquidator, "liquidate", *arguments)


def prepare_liquidator(world: World[Node], market: str, liquidator: str, amount: int) -> None:
    """Give the liquidator the loan token and let Morpho take it."""
    mint(world, page(world, market)["loan"], liquidator, amount)
    world.node.send(approve_tx(world, params(world, market)[0], liquidator))


def morpho_liquidate(
    world: World[Node], market: str, liquidator: str, user: str, *, seized: int = 0, shares: int = 0
) -> dict[str, Any]:
    """Fund the liquidator and liquidate; `Reverted` where Morpho refuses."""
    loan = page(world, market)["loan"]
    prepare_liquidator(world, market, liquidator, world.amount(loan, 10_000_000))
    tx = liquidation_tx(world, market, liquidator, user, seized=seized, shares=shares)
    return world.node.send(tx)

"""Tokens in hand: mint, approve, read balances."""

from __future__ import annotations

from world.node import Node, Tx
from world.world import World

UNLIMITED = 2**256 - 1


def mint_txs(world: World[Node], symbol: str, to: str, amount: int) -> list[Tx]:
    """Give base units of a token to an account; all sent by the admin."""
    admin, bound = world.book.admin, world.token(symbol)
    match world.book.tokens[symbol].minting:
        case "deposit":
            return [
                bound.tx(admin, "deposit", value=amount),
                bound.tx(admin, "transfer", to, amount),
            ]
        case "mint":
            return [bound.tx(admin, "mint", to, amount)]
    raise ValueError(f"{symbol} cannot be minted")


def mint(world: World[Node], symbol: str, to: str, amount: int) -> None:
    for tx in mint_txs(world, symbol, to, amount):
        world.node.send(tx)


def approve_tx(
    world: World[Node], symbol: str, owner: str, spender: str, amount: int = UNLIMITED
) -> Tx:
    return world.token(symbol).tx(owner, "approve", spender, amount)


def approve(
    world: World[Node], symbol: str, owner: str, spender: str, amount: int = UNLIMITED
) -> None:
    world.node.send(approve_tx(world, symbol, owner, spender, amount))


def balance(world: World[Node], symbol: str, owner: str) -> int:
    held: int = world.token(symbol).call("balanceOf", owner)
    return held

"""ERC-4626 deposits and redemptions: "wUSDC" is MetaMorpho, "pvDAI" and "pvUSDC" are plain."""

from __future__ import annotations

from world.actors.tokens import UNLIMITED, mint_txs
from world.node import Bound, Node, Tx
from world.world import World

ASSETS = {"wUSDC": "USDC", "pvDAI": "DAI", "pvUSDC": "USDC"}


def vault(world: World[Node], name: str) -> Bound:
    if name == "wUSDC":
        return world.contract("metamorpho/MetaMorpho", world.book["metamorpho"]["vault"])
    return world.contract("erc4626/PlainVault", world.book["erc4626"][name])


def deposit_txs(world: World[Node], name: str, user: str, assets: int) -> list[Tx]:
    """Mint the asset to the user, approve and deposit."""
    bound, asset = vault(world, name), ASSETS[name]
    return [
        *mint_txs(world, asset, user, assets),
        world.token(asset).tx(user, "approve", bound.address, UNLIMITED),
        bound.tx(user, "deposit", assets, user, gas=3_000_000),
    ]


def deposit(world: World[Node], name: str, user: str, whole: float) -> int:
    """Return the shares that a fresh deposit of so many whole assets gave."""
    bound = vault(world, name)
    before: int = bound.call("balanceOf", user)
    for tx in deposit_txs(world, name, user, world.amount(ASSETS[name], whole)):
        world.node.send(tx)
    after: int = bound.call("balanceOf", user)
    return after - before


def redeem(world: World[Node], name: str, user: str, shares: int) -> int:
    """Redeem shares and return the assets really paid."""
    asset = world.token(ASSETS[name])
    before: int = asset.call("balanceOf", user)
    vault(world, name).send(user, "redeem", shares, user, user)
    after: int = asset.call("balanceOf", user)
    return after - before


def donate(world: World[Node], name: str, whole: float) -> None:
    """Give a plain vault yield: its shares are worth more at once."""
    asset = ASSETS[name]
    for tx in mint_txs(world, asset, vault(world, name).address, world.amount(asset, whole)):
        world.node.send(tx)

"""Vaults on the world: lend their liquidity out, redeem, and compare to the wei."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import decode
from world.actors import morpho as morpho_actor
from world.actors import vaults
from world.anvil import Anvil
from world.rpc import RpcError
from world.world import World, actor

from chain.types import Address, checksum
from protocols.adapter import Market
from protocols.erc4626 import Erc4626
from protocols.erc4626.state import VaultHolding
from protocols.types import Position, Reading
from tests.protocols.morpho_blue.scene import undone
from tests.support import referee


def drain(world: World[Anvil], markets: Sequence[str], left: int = 0) -> None:
    """Borrow all liquidity of markets but `left` base units."""
    contract = morpho_actor.morpho(world)
    for name in markets:
        page = morpho_actor.page(world, name)
        who = actor(f"drain {name}")
        world.node.fund([who], 10**30)
        morpho_actor.accrue(world, name)
        supply, _, borrow, *_ = contract.call("market", morpho_actor.market_id(world, name))
        amount = supply - borrow - left
        lltv = morpho_actor.params(world, name)[4]
        price = morpho_actor.oracle_price(world, name)
        needed = 3 * amount * 10**36 * 10**18 // (price * lltv)
        world.node.set_balance(world.book.admin, 10**30)
        whole = needed / 10 ** (world.book.tokens[page["collateral"]].decimals or 0) + 1
        morpho_actor.supply_collateral(world, name, who, whole)
        # The accrual of the borrow itself leaves its interest out of both totals alike.
        world.node.send(morpho_actor.borrow_tx(world, name, who, amount))


def read(world: World[Anvil], name: str, accounts: Sequence[Address]) -> Reading:
    """Read a vault at the head by single calls."""
    at = referee.head(world.node.rpc)
    root = checksum(vaults.vault(world, name).address)
    return referee.run(
        Erc4626().read(Market("erc4626", "world", root, {}), accounts, at), world.node.rpc, at
    )


def read_at(world: World[Anvil], name: str, accounts: Sequence[Address], time: int) -> Reading:
    """Read the state as it will be in a block at `time`, and leave the head as it was."""
    with undone(world):
        world.node.mine_at(time)
        return read(world, name, accounts)


def holding(position: object) -> VaultHolding:
    assert isinstance(position, Position)
    assert isinstance(position.state, VaultHolding)
    return position.state


def redeem_call(
    world: World[Anvil], name: str, owner: str, shares: int, block_hash: str
) -> int | str:
    """Return what `redeem` pays at a block, or why it refuses."""
    tx = vaults.vault(world, name).tx(owner, "redeem", shares, owner, owner, gas=15_000_000)
    try:
        said = world.node.rpc.request("eth_call", tx.params(), {"blockHash": block_hash})
    except RpcError as error:
        return error.reason
    assets: int = decode(["uint256"], bytes.fromhex(said[2:]))[0]
    return assets


def assert_redeemable(world: World[Anvil], name: str, position: Position) -> None:
    """Assert what a position says against the vault's views and its `redeem` at that block."""
    state, owner, block = holding(position), position.owner, position.at.hash
    vault, at = vaults.vault(world, name), {"blockHash": position.at.hash}
    assert position.verified
    assert position.unknown == ()
    assert state.shares == vault.call("balanceOf", owner, block=at)
    assert state.claim == vault.call("convertToAssets", state.shares, block=at)
    assert state.max_withdraw == vault.call("maxWithdraw", owner, block=at)
    (leg,) = position.legs
    assert leg.amount == vault.call("previewRedeem", state.shares, block=at)
    assert state.redeemable == redeem_call(world, name, owner, state.redeemable_shares, block)
    if state.redeemable_shares == state.shares:
        assert leg.amount == state.redeemable
    else:
        assert isinstance(redeem_call(world, name, owner, state.shares, block), str)

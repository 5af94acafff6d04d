"""Aave v3 for the conformance suite: real 3.6, with e-mode, rewards and a reserve to break."""

from dataclasses import replace
from typing import Any

from world.actors import aave, feeds
from world.actors.crowd import random_accounts
from world.world import actor

from chain.abi import Function
from chain.calls import Ok
from chain.types import Address
from protocols.aave_v3.contracts import GET_ALL_USER_REWARDS, GET_USER_ACCOUNT_DATA
from protocols.types import Position, Reading, Side
from risk.liquidation import assess_liquidation, engine_for, seizure
from risk.types import Direction
from tests.protocols.aave_v3.crowd import account, market_of, read
from tests.protocols.conformance.fixture import Plant, Stage

NAME = "aave-3.6"
LIQUIDATOR = actor("conformance liquidator")
USER_RESERVE = Function(
    "getUserReserveData(address,address)"
    "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint40,bool)"
)


class AaveFixture:
    """Two accounts on Aave 3.6: one plain with rewards, one in e-mode."""

    def stage(self, world: Any) -> Stage:
        """Open the positions and let a week pass."""
        plain, emode = (Address(actor(f"conformance aave {n}")) for n in ("plain", "e-mode"))
        world.node.fund([plain, emode, LIQUIDATOR])
        aave.supply(world, NAME, plain, "WETH", 10.0)
        aave.supply(world, NAME, plain, "USDC", 1000.0)
        aave.borrow(world, NAME, plain, "DAI", 15_000.0)
        aave.set_emode(world, NAME, emode, 2)
        aave.supply(world, NAME, emode, "wstETH", 5.0)
        aave.borrow(world, NAME, emode, "WETH", 5.0)
        world.node.travel(7 * 86_400)
        feeds.refresh_feeds(world)
        world.node.mine()
        book = world.book[NAME]
        return Stage(
            market=market_of(world, NAME),
            accounts=(plain, emode),
            empty=Address(actor("conformance aave nobody")),
            views=lambda reading: _views(world, reading),
            plants=(
                Plant("the pool", Address(book["pool"])),
                Plant("the oracle", Address(book["oracle"])),
                Plant("a feed", Address(world.book.feeds["ETH / USD"].proxy)),
                Plant("an aToken", Address(book["tokens"]["WETH"]["a_token"])),
                Plant("a debt token", Address(book["tokens"]["DAI"]["variable_debt"])),
                Plant("an asset", Address(book["reserves"]["WETH"])),
                Plant("the rewards controller", Address(book["rewards_controller"])),
            ),
            boundary=lambda reading: _boundary(world, reading),
        )

    def crowd(self, world: Any, seed: int, count: int) -> list[Address]:
        """Open positions of every kind that the market knows."""
        return [Address(user) for user in random_accounts(world, seed, count, NAME)]


def _ask(world: Any, position: Position, function: Function, target: str, *args: Any) -> Any:
    call = function.at(Address(target), *args)
    block = {"blockHash": position.at.hash}
    data = world.node.rpc.request("eth_call", {"to": target, "data": "0x" + call.data.hex()}, block)
    return function.decode(Ok(bytes.fromhex(data[2:])))


def _views(world: Any, reading: Reading) -> None:
    book = world.book[NAME]
    every = [
        t for pair in book["tokens"].values() for t in (pair["a_token"], pair["variable_debt"])
    ]
    for position in reading.positions:
        assert isinstance(position, Position)
        owner = position.owner
        for leg in position.legs:
            asset = leg.token.address
            if leg.side is Side.REWARD:
                rewards = _ask(
                    *(world, position, GET_ALL_USER_REWARDS, book["rewards_controller"]),
                    *(every, owner),
                )
                assert leg.amount == dict(zip(*rewards, strict=True))[asset]
                continue
            answer = _ask(world, position, USER_RESERVE, book["data_provider"], asset, owner)
            assert leg.amount == {"supply": answer[0], "variable": answer[2]}[leg.name]
        view = _ask(world, position, GET_USER_ACCOUNT_DATA, book["pool"], owner)
        assert position.verified
        assert assess_liquidation(position).health_raw == view[5]


def _boundary(world: Any, reading: Reading) -> None:
    """Move the nearest falling feed to the boundary and beside it; liquidate."""
    by_proxy = {feed.proxy: name for name, feed in world.book.feeds.items()}
    symbols = {address: symbol for symbol, address in world.book[NAME]["reserves"].items()}
    market = market_of(world, NAME)
    for position in reading.positions:
        assert isinstance(position, Position)
        down = [
            edge
            for edge in assess_liquidation(position).boundary
            if edge.direction is Direction.DOWN
        ]
        name = by_proxy[down[0].factor]
        for safe in (False, True):
            with world.node.rollback():
                # the price moves in one block, and the liquidation is in the next
                feeds.set_price_raw(world, name, down[0].price_raw)
                (moved,) = read(world, market.name, [position.owner]).positions
                assert isinstance(moved, Position)
                soon = moved.at.timestamp + 60
                engine = engine_for(moved)
                assert engine is not None
                factor = next(f for f in engine.factors(moved.state) if f.name == down[0].factor)
                edge = next(
                    e
                    for e in engine.boundary(replace(account(moved), timestamp=soon), factor)
                    if e.direction is Direction.DOWN
                )
                world.node.set_next_timestamp(soon - 10)
                feeds.set_price_raw(world, name, edge.safe_price_raw if safe else edge.price_raw)
                taken = seizure(moved)
                assert taken is not None
                pair = symbols[taken.collateral], symbols[taken.debt]
                aave.prepare_liquidator(world, NAME, LIQUIDATOR, pair[1], taken.repaid * 2)
                tx = aave.liquidation_tx(world, NAME, LIQUIDATOR, position.owner, *pair)
                world.node.mine_at(soon)
                refused = world.node.simulate(tx)
                assert (refused is not None) is safe, refused


FIXTURE = AaveFixture()

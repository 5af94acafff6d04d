"""Compound v2 for the conformance suite: one who borrows a token, one who owes coins and tokens."""

from world.actors import compound
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World, actor

from chain.types import Address, checksum
from protocols.types import Position, Reading
from risk.liquidation.compound_v2 import ENGINE
from tests.protocols.compound_v2 import scene
from tests.protocols.conformance.fixture import Plant, Stage


class CompoundFixture:
    """A plain borrower, and one with both sides in one market and a supply that is not entered."""

    def stage(self, world: World[Anvil]) -> Stage:
        """Open the positions."""
        alice, bob = (checksum(actor(f"compound {name}")) for name in ("alice", "bob"))
        world.node.fund([alice, bob])
        payer = scene.liquidator(world)
        compound.supply(world, "cETH", alice, 3)
        compound.borrow(world, "cUSDC", alice, 5_000)
        compound.supply(world, "cDAI", bob, 9_000)
        compound.supply(world, "cUSDC", bob, 500)
        compound.ctoken(world, "cETH").send(bob, "mint", value=10**18)
        compound.borrow(world, "cETH", bob, 1)
        compound.borrow(world, "cUSDC", bob, 200)
        world.node.mine(20)
        book = world.book["compound-v2"]

        def views(reading: Reading) -> None:
            positions = [p for p in reading.positions if isinstance(p, Position)]
            assert {p.owner: {leg.name for leg in p.legs} for p in positions} == {
                alice: {"supply", "debt"},
                bob: {"supply", "debt"},
            }
            for position in positions:
                scene.assert_views(world, position)

        def boundary(reading: Reading) -> None:
            for position in reading.positions:
                assert isinstance(position, Position)
                state = scene.state_of(position)
                edges = [e for f in ENGINE.factors(state) for e in ENGINE.boundary(state, f)]
                assert edges
                for edge in edges:
                    scene.assert_edge(world, position, edge)

        assert payer
        return Stage(
            market=scene.market(world),
            accounts=(alice, bob),
            empty=checksum(actor("nobody")),
            views=views,
            plants=(
                Plant("the Comptroller", checksum(book["comptroller"])),
                Plant("the oracle", checksum(book["oracle"])),
                Plant("a feed", checksum(world.book.feeds["ETH / USD"].proxy)),
                Plant("a cToken", checksum(book["ctokens"]["cUSDC"])),
                Plant("the coins' cToken", checksum(book["ctokens"]["cETH"])),
                Plant("a token", checksum(world.book.tokens["USDC"].address)),
                Plant(
                    "a rate model",
                    checksum(compound.ctoken(world, "cUSDC").call("interestRateModel")),
                ),
            ),
            boundary=boundary,
            renumber=scene.renumber,
        )

    def crowd(self, world: World[Anvil], seed: int, count: int) -> list[Address]:
        """Supply, enter and borrow at random."""
        return [checksum(user) for user in random_accounts(world, seed, count, "compound-v2")]


FIXTURE = CompoundFixture()

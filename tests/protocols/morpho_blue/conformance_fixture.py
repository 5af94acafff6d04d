"""Morpho positions for the conformance suite."""

from world.actors import morpho as morpho_actor
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World, actor

from chain.types import Address, checksum
from protocols.types import Position, Reading
from risk.liquidation.morpho_blue import ENGINE
from tests.protocols.conformance.fixture import Plant, Stage
from tests.protocols.morpho_blue import scene

ETH, STAKED, EURO = "WETH/USDC", "wstETH/WETH", "LINK/EURS"
OPENED = {("alice", ETH), ("bob", STAKED), ("bob", EURO)}


class MorphoFixture:
    """A borrower, and one who borrows here and lends there."""

    def stage(self, world: World[Anvil]) -> Stage:
        """Open the positions."""
        alice, bob = (checksum(actor(f"morpho {name}")) for name in ("alice", "bob"))
        world.node.fund([alice, bob])
        payer = scene.fund_liquidator(world)
        morpho_actor.supply_collateral(world, ETH, alice, 3)
        morpho_actor.borrow(world, ETH, alice, 5_000)
        morpho_actor.supply_collateral(world, STAKED, bob, 10)
        morpho_actor.borrow(world, STAKED, bob, 10)
        morpho_actor.supply(world, EURO, bob, 2_500)
        world.node.travel(3_600)
        market = scene.market(world, (ETH, STAKED, EURO))
        names = {record["id"]: name for name, record in world.book["morpho"]["markets"].items()}

        def views(reading: Reading) -> None:
            positions = [p for p in reading.positions if isinstance(p, Position)]
            assert len(positions) == len(OPENED)
            for position in positions:
                name = names[scene.state_of(position).market_id]
                scene.assert_views(world, name, position, payer)

        def boundary(reading: Reading) -> None:
            borrowers = [
                p for p in reading.positions if isinstance(p, Position) and "debt" in _names(p)
            ]
            assert len(borrowers) == 2
            for position in borrowers:
                state, block = scene.state_of(position), position.at.hash
                name = names[state.market_id]
                (edge,) = ENGINE.boundary(state, ENGINE.factors(state)[0])
                borrower = scene.Borrower(position.owner, name)
                tx = scene.liquidation(world, payer, borrower, state, 0)
                safe = scene.outcome_at(world, tx, block, (name, edge.safe_price_raw))
                assert safe == scene.HEALTHY
                taken = scene.outcome_at(world, tx, block, (name, edge.price_raw))
                assert isinstance(taken, bytes), taken

        loan, collateral, oracle, irm, _ = morpho_actor.params(world, ETH)
        return Stage(
            market=market,
            accounts=(alice, bob),
            empty=checksum(actor("nobody")),
            views=views,
            plants=(
                Plant("Morpho", market.root),
                Plant("the rate model", checksum(irm)),
                Plant("an oracle", checksum(oracle)),
                Plant("a feed", checksum(world.book.feeds["ETH / USD"].proxy)),
                Plant("a loan token", checksum(loan)),
                Plant("a collateral token", checksum(collateral)),
            ),
            boundary=boundary,
        )

    def crowd(self, world: World[Anvil], seed: int, count: int) -> list[Address]:
        """Lend and borrow in any of the world's markets."""
        return [checksum(user) for user in random_accounts(world, seed, count, "morpho")]


def _names(position: Position) -> set[str]:
    return {leg.name for leg in position.legs}


FIXTURE = MorphoFixture()

"""Uniswap v3 positions for the conformance suite."""

import random

from world.actors import uniswap
from world.anvil import Anvil
from world.world import World, actor

from chain.types import Address, checksum
from protocols.types import Position, Reading
from tests.protocols.conformance.fixture import Plant, Stage
from tests.protocols.uniswap_v3 import setting

POOL, OTHER = "WETH/USDC/500", "WETH/USDC/3000"


class UniswapFixture:
    """Two owners, three NFTs in and out of range, one of them drained but not collected."""

    def stage(self, world: World[Anvil]) -> Stage:
        """Open the positions."""
        alice, bob = setting.users(2, world)
        for pool, owner, below, above in (
            (POOL, alice, 500, 500),
            (OTHER, alice, 6000, -600),
            (POOL, bob, 1000, 500),
        ):
            spacing = setting.SPACING[int(pool.split("/")[2])]
            tick = setting.tick_of(world, pool) // spacing * spacing
            setting.mint(world, pool, owner, tick - below, tick + above, (10**18, 10**10))
        setting.trade(world, random.Random(1), POOL, 4)
        (bobs,) = setting.read(world, [bob]).positions
        assert isinstance(bobs, Position)
        state = setting.state_of(bobs)
        world.node.send(uniswap.decrease_tx(world, bob, state.token_id, state.liquidity))

        def views(reading: Reading) -> None:
            positions = [p for p in reading.positions if isinstance(p, Position)]
            assert len(positions) == 3
            for position in positions:
                assert setting.said(position) == setting.pays(world, position)

        pools = world.book["uniswap-v3"]["pools"]
        return Stage(
            market=setting.market(world),
            accounts=(alice, bob),
            empty=Address(actor("nobody")),
            views=views,
            plants=(
                Plant("the position manager", setting.market(world).root),
                Plant("the factory", checksum(world.book["uniswap-v3"]["factory"])),
                Plant("a pool", checksum(pools[POOL])),
                Plant("a token", checksum(world.book.tokens["USDC"].address)),
            ),
        )

    def crowd(self, world: World[Anvil], seed: int, count: int) -> list[Address]:
        """Open one to three positions each, in any range of any pool."""
        dice = random.Random(f"uniswap/{seed}")
        people = [checksum(actor(f"uniswap {seed} {i}")) for i in range(count)]
        world.node.fund(people)
        for who in people:
            for pool in dice.choices((POOL, OTHER), k=dice.randint(1, 3)):
                spacing = setting.SPACING[int(pool.split("/")[2])]
                ticks = setting.random_range(dice, setting.tick_of(world, pool), spacing)
                setting.mint(world, pool, who, *ticks, (10**18, 10**10))
        return people


FIXTURE = UniswapFixture()

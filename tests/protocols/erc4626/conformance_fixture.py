"""Vault shares for the conformance suite: a MetaMorpho, of which not everything can leave."""

import random

from world.actors import morpho as morpho_actor
from world.actors import vaults
from world.anvil import Anvil
from world.world import World, actor

from chain.types import Address, checksum
from protocols.adapter import Market
from protocols.erc4626.state import VaultHolding
from protocols.types import Position, Reading
from tests.protocols.conformance.fixture import Plant, Stage
from tests.protocols.erc4626 import scene


class VaultFixture:
    """A small holder who can leave, and a large one who cannot leave whole."""

    def stage(self, world: World[Anvil]) -> Stage:
        """Deposit, and lend the vault's liquidity out."""
        alice, bob = (checksum(actor(f"vault {name}")) for name in ("alice", "bob"))
        world.node.fund([alice, bob])
        vaults.deposit(world, "wUSDC", alice, 1_000)
        vaults.deposit(world, "wUSDC", bob, 5_000_000)
        scene.drain(world, ("WETH/USDC", "WBTC/USDC"))
        # The queue ends with an idle market: somebody else takes most of what is there.
        vaults.vault(world, "wUSDC").send(
            world.book.whale, "withdraw", 3_900_000 * 10**6, world.book.whale, world.book.whale
        )
        world.node.travel(3_600)
        root = checksum(vaults.vault(world, "wUSDC").address)

        def views(reading: Reading) -> None:
            positions = [p for p in reading.positions if isinstance(p, Position)]
            assert [p.owner for p in positions] == [alice, bob]
            for position in positions:
                scene.assert_redeemable(world, "wUSDC", position)
            small, large = (p.state for p in positions)
            assert isinstance(small, VaultHolding)
            assert isinstance(large, VaultHolding)
            assert small.redeemable == small.preview
            assert large.redeemable is not None
            assert large.preview is not None
            assert 0 < large.redeemable < large.preview

        return Stage(
            market=Market("erc4626", "world", root, {}),
            accounts=(alice, bob),
            empty=checksum(actor("nobody")),
            views=views,
            plants=(
                Plant("the vault", root),
                Plant("Morpho", checksum(morpho_actor.morpho(world).address)),
                Plant("the asset", checksum(world.book.tokens["USDC"].address)),
                Plant("the rate model", checksum(world.book["morpho"]["irm"])),
            ),
        )

    def crowd(self, world: World[Anvil], seed: int, count: int) -> list[Address]:
        """Deposit from two base units to ten million."""
        dice = random.Random(f"vault/{seed}")
        people = [checksum(actor(f"vault {seed} {i}")) for i in range(count)]
        world.node.fund(people)
        for who in people:
            for tx in vaults.deposit_txs(world, "wUSDC", who, 2 + int(10 ** dice.uniform(0, 13))):
                world.node.send(tx)
        return people


FIXTURE = VaultFixture()

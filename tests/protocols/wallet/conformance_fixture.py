"""Balances and allowances for the conformance suite."""

import random

from world.actors import tokens
from world.anvil import Anvil
from world.world import World, actor

from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.adapter import Market
from protocols.types import Position, Reading
from tests.protocols.conformance.fixture import Plant, Stage

SYMBOLS = ("WETH", "USDC", "OMKR", "NODEC")


class WalletFixture:
    """Coins, ordinary and odd tokens, allowances small and unlimited."""

    def stage(self, world: World[Anvil]) -> Stage:
        """Fund two accounts."""
        alice, bob = (Address(actor(f"holder {n}")) for n in range(2))
        spender = Address(actor("spender"))
        world.node.fund([alice, bob])
        for n, symbol in enumerate(SYMBOLS):
            tokens.mint(world, symbol, alice, 10**18 + n)
        tokens.mint(world, "NODEC", bob, 10**77)
        tokens.approve(world, "USDC", alice, spender)
        tokens.approve(world, "WETH", bob, spender, 5)

        def views(reading: Reading) -> None:
            by_owner = {p.owner: p for p in reading.positions if isinstance(p, Position)}
            for owner, held in ((alice, SYMBOLS), (bob, ("NODEC",))):
                coin, *legs = by_owner[owner].legs
                block = by_owner[owner].at.hash
                balance = world.node.rpc.request("eth_getBalance", owner, {"blockHash": block})
                assert coin.amount == int(balance, 16)
                assert [leg.amount for leg in legs] == [
                    tokens.balance(world, symbol, owner) for symbol in held
                ]
            (given,), (small,) = by_owner[alice].allowances, by_owner[bob].allowances
            assert (given.amount, given.unlimited) == (2**256 - 1, True)
            assert (small.amount, small.unlimited) == (5, False)

        book = world.book.tokens
        addresses = {symbol: checksum(book[symbol].address) for symbol in SYMBOLS}
        return Stage(
            market=Market(
                "wallet",
                "wallet",
                ZERO_ADDRESS,
                {"tokens": tuple(addresses.values()), "spenders": (spender,)},
            ),
            accounts=(alice, bob),
            empty=Address(actor("nobody")),
            views=views,
            plants=(Plant("a token", addresses["USDC"]), Plant("an odd token", addresses["NODEC"])),
        )

    def crowd(self, world: World[Anvil], seed: int, count: int) -> list[Address]:
        """Hold some of the tokens, and allow any amount of them."""
        dice = random.Random(f"wallet/{seed}")
        people = [checksum(actor(f"holder {seed} {i}")) for i in range(count)]
        world.node.fund(people)
        for who in people:
            for symbol in dice.sample(SYMBOLS, 2):
                tokens.mint(world, symbol, who, int(10 ** dice.uniform(0, 20)))
                allowed = dice.choice((0, 1, 2**96 - 1, 2**128, tokens.UNLIMITED))
                tokens.approve(world, symbol, who, actor("spender"), allowed)
        return people


FIXTURE = WalletFixture()

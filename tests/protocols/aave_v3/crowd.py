"""A crowd of random accounts on a real Aave, read by the adapter, and liquidators to test it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from world.actors import aave, feeds, tokens
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.node import Tx
from world.world import World, actor

from chain.abi import Function
from chain.calls import Call, Ok
from chain.client import ChainSpec, connect
from chain.types import Address, BlockRef
from protocols.aave_v3 import AaveV3
from protocols.aave_v3.state import AaveAccount
from protocols.adapter import Market
from protocols.types import Position, Reading
from tests.support import referee

DAY = 86_400
LIQUIDATOR = actor("aave liquidator")
LIQUIDATION = "LiquidationCall(address,address,address,uint256,uint256,address,bool)"


def market_of(world: World[Anvil], name: str) -> Market:
    """Return the adapter's market for a page of the book."""
    return Market("aave-v3", name, world.book[name]["pool_addresses_provider"], {})


def read(world: World[Anvil], name: str, owners: Sequence[str]) -> Reading:
    """Read at the head through the chain's own client."""
    spec = ChainSpec(
        "world",
        world.node.chain_id,
        (world.node.url,),
        multicall3=world.book["multicall3"]["address"],
    )
    with connect(spec) as client:
        snapshot = client.snapshot(client.head())
        accounts = [Address(owner) for owner in owners]
        return snapshot.run(AaveV3().read(market_of(world, name), accounts, snapshot.at))


def account(position: Position) -> AaveAccount:
    """Return the state of a position that has one."""
    assert isinstance(position.state, AaveAccount)
    return position.state


@dataclass(frozen=True)
class Crowd:
    """The accounts, and what the adapter said of them at `at`."""

    world: World[Anvil]
    name: str
    reading: Reading
    at: BlockRef
    feeds: dict[str, tuple[Any, int]]
    """Aggregator and next round by the address of the feed's proxy."""
    symbols: dict[Address, str]

    @property
    def positions(self) -> tuple[Position, ...]:
        """Return the positions; everything was readable."""
        assert all(isinstance(p, Position) for p in self.reading.positions)
        return tuple(p for p in self.reading.positions if isinstance(p, Position))

    def calls(self, calls: Sequence[Call]) -> list[bytes]:
        """Ask the node in one batch, at the crowd's block, past all of chain/."""
        block = {"blockHash": self.at.hash}
        asked = [
            ("eth_call", [{"to": call.target, "data": "0x" + call.data.hex()}, block])
            for call in calls
        ]
        return [bytes.fromhex(a[2:]) for a in self.world.node.rpc.batch(asked)]

    def ask(self, function: Function, targets: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Ask one function of many (target, arguments)."""
        calls = [function.at(Address(target), *args) for target, args in targets]
        return [function.decode(Ok(data)) for data in self.calls(calls)]

    def set_price(self, factor: str, raw: int) -> None:
        """Submit a real round to the feed behind a factor."""
        assert self.fire(self.round(factor, raw))["status"] == "0x1"

    def round(self, factor: str, raw: int) -> Tx:
        """Describe the next round of the feed behind a factor."""
        aggregator, next_round = self.feeds[factor]
        tx: Tx = aggregator.tx(self.world.book.oracle, "submit", next_round, raw)
        return tx

    def replay(self, *blocks: tuple[int, Tx]) -> list[dict[str, Any]]:
        """Run real code in blocks of our own after the head, each (timestamp, transaction).

        Returns each call's status, data and logs; the chain stays as it is.
        """
        states = []
        for timestamp, tx in blocks:
            call = {k: v for k, v in tx.params().items() if k != "nonce"}
            states.append({"blockOverrides": {"time": hex(timestamp)}, "calls": [call]})
        body = {"blockStateCalls": states}
        return [
            block["calls"][0]
            for block in self.world.node.rpc.request("eth_simulateV1", body, "latest")
        ]

    def fire(self, tx: Tx) -> dict[str, Any]:
        """Send, and return the receipt without sleeping: the node mines within a millisecond."""
        rpc = self.world.node.rpc
        hash_ = rpc.request("eth_sendTransaction", tx.params())
        for _ in range(10_000):
            receipt: dict[str, Any] | None = rpc.request("eth_getTransactionReceipt", hash_)
            if receipt is not None:
                return receipt
        raise AssertionError(f"{hash_} is not mined")

    def liquidation(self, owner: str, debt: Address, collateral: Address, amount: int | None) -> Tx:
        """Describe the real call."""
        assert amount is not None
        names = self.symbols[collateral], self.symbols[debt]
        return aave.liquidation_tx(self.world, self.name, LIQUIDATOR, owner, *names, amount)


@contextmanager
def gathered(world: World[Anvil], name: str, size: int) -> Iterator[Crowd]:
    """Open a crowd, let a month pass, read it; undo everything afterwards."""
    with world.node.rollback():
        world.node.fund([LIQUIDATOR, world.book.whale], 10**28)
        users = random_accounts(world, 7, size, name)
        world.node.travel(30 * DAY)
        feeds.refresh_feeds(world)
        symbols = {Address(world.book.tokens[s].address): s for s in world.book[name]["reserves"]}
        pool = aave.pool(world, name).address
        for symbol in symbols.values():
            amount = world.amount(symbol, 10**7)
            world.node.send_many(tokens.mint_txs(world, symbol, LIQUIDATOR, amount))
            tokens.approve(world, symbol, LIQUIDATOR, pool)
        world.node.mine()
        aggregators = {}
        for feed in world.book.feeds:
            live = feeds.aggregator(world, feed)
            proxy = world.book.feeds[feed].proxy
            aggregators[proxy] = live, live.call("latestRound") + 1
        reading = read(world, name, users)
        at = referee.head(world.node.rpc)
        yield Crowd(world, name, reading, at, aggregators, symbols)


def later(position: Position, seconds: int) -> AaveAccount:
    """Return the state as it will be, untouched, so many seconds on."""
    state = account(position)
    return replace(state, timestamp=state.timestamp + seconds)

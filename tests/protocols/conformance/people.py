"""Every adapter's positions and random others beside them, on anvil and in the in-process EVM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from world.anvil import Anvil
from world.world import World, actor

from chain.calls import NO_LENS, Read, ReadFailed, Reads, Result, Unknown
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.types import Address, BlockRef, checksum
from protocols.adapter import Adapter
from protocols.registry import ADAPTERS
from tests.protocols.conformance.fixture import Stage, fixture_of
from tests.protocols.conformance.judge import Outcome
from tests.support import referee

if TYPE_CHECKING:
    from world.node import Node

SEED, COUNT = 23, 4
Words = dict[Read, Result]


@dataclass(frozen=True)
class Peopled:
    """A node, and by adapter whom to read on it."""

    world: World[Node]
    stages: dict[str, Stage]
    people: dict[str, tuple[Address, ...]]
    """With positions in the adapter's market, with positions elsewhere, and a stranger."""
    _truths: dict[tuple[str, str], tuple[Outcome, Words]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return the kind of node."""
        return "anvil" if isinstance(self.world.node, Anvil) else "tester"

    def program(self, adapter: Adapter, at: BlockRef) -> Reads[Any]:
        """Return a reading of an adapter's people."""
        market = self.stages[adapter.name].market
        return adapter.read(market, self.people[adapter.name], at)

    def truth(self, adapter: Adapter) -> tuple[Outcome, Words]:
        """Return what single calls, made one by one by other code, say at the head."""
        at = referee.head(self.world.node.rpc)
        key = adapter.name, at.hash
        if key not in self._truths:
            self._truths[key] = self._judged(adapter, at)
        return self._truths[key]

    def _judged(self, adapter: Adapter, at: BlockRef) -> tuple[Outcome, Words]:
        rpc, words = self.world.node.rpc, Words()

        def answer(batch: Sequence[Read]) -> list[Result]:
            for read in batch:
                if read not in words:
                    words[read] = _said(referee.answer(rpc, read, at))
            return [words[read] for read in batch]

        try:
            return referee.drive(self.program(adapter, at), answer), words
        except ReadFailed as failure:
            return failure, words

    def word(self, read: Read) -> Result:
        """Return what one single call says at the head."""
        rpc = self.world.node.rpc
        return _said(referee.answer(rpc, read, referee.head(rpc)))

    def told(self, adapter: Adapter, path: Path) -> tuple[Outcome, Words]:
        """Return what the reader says at the head by one path."""
        with self.client(path) as client:
            snapshot, words = client.snapshot(client.head()), Words()
            program = self.program(adapter, snapshot.at)
            try:
                return snapshot.run(_noted(program, words)), words
            except ReadFailed as failure:
                return failure, words

    def one(self) -> Peopled:
        """Return the same with a single one of each adapter's own people."""
        people = {
            name: who[(first := len(self.stages[name].accounts)) : first + 1]
            for name, who in self.people.items()
        }
        return replace(self, people=people, _truths={})

    def listing(self, tokens: Sequence[Address]) -> Peopled:
        """Return the same with wallets of other tokens."""
        stage = self.stages["wallet"]
        market = replace(stage.market, params={**stage.market.params, "tokens": tuple(tokens)})
        stages = {**self.stages, "wallet": replace(stage, market=market)}
        return replace(self, stages=stages, _truths={})

    def client(self, path: Path | None = None) -> Client:
        """Return a reader of the node."""
        rpc = self.world.node.rpc
        chain_id = int(rpc.request("eth_chainId"), 16)
        multicall3 = checksum(self.world.book["multicall3"]["address"])
        return connect(ChainSpec("world", chain_id, (rpc.url,), multicall3=multicall3), path=path)


def _noted(program: Reads[Any], words: Words) -> Reads[Any]:
    batch = next(program)
    while True:
        results = [_said(result) for result in (yield batch)]
        words.update(zip(batch, results, strict=True))
        try:
            batch = program.send(results)
        except StopIteration as stop:
            return stop.value


def _said(result: Result) -> Result:
    """Return a result without its wording, where it was not learned: paths word that each alone."""
    other = isinstance(result, Unknown) and result != NO_LENS
    return Unknown("not learned") if other else result


@contextmanager
def peopled(world: World[Anvil]) -> Iterator[Peopled]:
    """Open every adapter's positions on one node, and random ones beside them."""
    with world.node.rollback():
        stages, crowds = {}, {}
        for adapter in ADAPTERS:
            fixture = fixture_of(adapter)
            stages[adapter.name] = fixture.stage(world)
            crowds[adapter.name] = tuple(fixture.crowd(world, SEED, COUNT))
        world.node.mine()
        strangers = [Address(world.book.whale), Address(actor("nobody at all"))]
        people = {
            name: (
                *stage.accounts,
                *crowds[name],
                *(crowd[0] for other, crowd in crowds.items() if other != name),
                *strangers,
            )
            for name, stage in stages.items()
        }
        yield Peopled(world, stages, people)

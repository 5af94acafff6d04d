"""A running world: a node with the deployed protocols, and the book that names them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from world.anvil import Anvil
from world.book import Book, read_book
from world.builder import Built, build
from world.contract import ERC20
from world.node import Bound, Node

N = TypeVar("N", bound=Node, covariant=True)


@dataclass(frozen=True)
class World(Generic[N]):
    """The node and its address book."""

    node: N
    book: Book

    def contract(self, key: str, address: str) -> Bound:
        """Bind an address to the ABI `protocol/Contract` of the book."""
        return self.node.at(address, self.book.interface(key))

    def token(self, symbol: str) -> Bound:
        return self.node.at(self.book.tokens[symbol].address, ERC20)

    def amount(self, symbol: str, whole: float) -> int:
        """Base units of so many whole tokens."""
        return round(whole * self.book.tokens[symbol].unit)


def actor(name: str) -> str:
    """A deterministic address nobody holds a key of; anvil signs for it all the same."""
    return to_checksum_address(keccak(text=f"world actor {name}")[-20:])


@contextmanager
def start(
    *,
    clock: Literal["world", "wall"] = "world",
    port: int | None = None,
    chain_id: int | None = None,
    built: Built | None = None,
) -> Iterator[World[Anvil]]:
    """Run anvil on the built world, building it first if need be.

    On the world's clock the next block follows the dump's last one, so that every run sees the
    same timestamps; on the wall clock the head is now, as a monitor with a watchdog wants it,
    and every feed has just been answered.
    """
    built = built or build()
    book = read_book(built.folder)
    with Anvil(
        built.anvil, state=built.state, port=port, chain_id=chain_id, timestamp=book.timestamp
    ) as node:
        world = World(node, book)
        if clock == "wall":
            # Here, because the actors import this module.
            from world.actors.feeds import refresh_feeds

            node.mine_at(int(time.time()))
            refresh_feeds(world)
        yield world

"""The address book: what the world holds and where, written once by the build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from world.contract import Abi, Interface
from world.rpc import WorldError

BOOK_FILE = "book.json"


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 of the world. `decimals` is None where the token does not say."""

    symbol: str
    address: str
    decimals: int | None
    feed: str | None
    minting: str
    """How to get some: `mint(address,uint256)`, `deposit` of native coin, or `none`."""

    @property
    def unit(self) -> int:
        """Base units in one token."""
        unit: int = 10 ** (self.decimals or 0)
        return unit


@dataclass(frozen=True, slots=True)
class Feed:
    """A Chainlink proxy and its aggregators, oldest phase first; the last one is live."""

    name: str
    proxy: str
    aggregators: tuple[str, ...]
    decimals: int
    heartbeat: int


@dataclass(frozen=True)
class Book:
    """Addresses by protocol, tokens by symbol, feeds by name, ABIs by `protocol/Contract`."""

    admin: str
    oracle: str
    whale: str
    accounts: tuple[str, ...]
    """The ten accounts of anvil's test mnemonic; the first three roles are among them."""
    timestamp: int
    block: int
    tokens: Mapping[str, Token]
    feeds: Mapping[str, Feed]
    protocols: Mapping[str, Mapping[str, Any]]
    abis: Mapping[str, Abi]

    def __getitem__(self, protocol: str) -> Mapping[str, Any]:
        try:
            return self.protocols[protocol]
        except KeyError:
            known = ", ".join(self.protocols)
            raise WorldError(f"the world has no {protocol}; it has {known}") from None

    def interface(self, key: str) -> Interface:
        """The interface of `protocol/Contract`."""
        if key not in self.abis:
            raise WorldError(f"the book has no ABI {key}")
        return _interface(self, key)

    def __hash__(self) -> int:
        return id(self)

    def write(self, folder: Path) -> None:
        (folder / BOOK_FILE).write_text(json.dumps(asdict(self), indent=1))


@cache
def _interface(book: Book, key: str) -> Interface:
    return Interface(book.abis[key])


def read_book(folder: Path) -> Book:
    """Read the book of a built world."""
    raw = json.loads((folder / BOOK_FILE).read_text())
    raw["accounts"] = tuple(raw["accounts"])
    raw["tokens"] = {symbol: Token(**fields) for symbol, fields in raw["tokens"].items()}
    raw["feeds"] = {
        name: Feed(**{**fields, "aggregators": tuple(fields["aggregators"])})
        for name, fields in raw["feeds"].items()
    }
    return Book(**raw)

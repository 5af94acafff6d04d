"""Find in a chain's logs what the config leaves out, and remember it on disk.

What is remembered is the block up to which the logs of one account were read, by hash: when that
block is no longer in the chain, everything is read again. The newest blocks are read again every
time, because a reorganisation may still change them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from chain.errors import ChainError
from chain.types import Address, BlockRef
from protocols.adapter import Discovery, Log, LogFilter, Market
from protocols.exposure.roles import GRANTS
from protocols.morpho_blue.discovery import BORROWERS
from protocols.morpho_blue.discovery import DISCOVERY as MORPHO_MARKETS
from protocols.types import Unreadable
from protocols.wallet.discovery import SPENDERS
from underkeel.cache import read_own, write_whole

DISCOVERIES: Final[Mapping[str, Discovery]] = {
    "access-control": GRANTS,
    "morpho-blue": MORPHO_MARKETS,
    "morpho-borrowers": BORROWERS,
    "wallet": SPENDERS,
}
MERGED: Final = ("wallet",)
"""Adapters whose given values are added to; the others search only when nothing is given."""
WINDOW_BLOCKS: Final = 250_000
"""How many blocks are searched before what was found is remembered."""
REREAD_BLOCKS: Final = 64
"""How many of the newest blocks are read again next time."""

Progress = Callable[[str, int, int], None]
"""Told what is read, how many blocks are done, and how many there are."""


class LogReader(Protocol):
    """What discovery needs of a chain client."""

    def block(self, which: int, /) -> BlockRef:
        """Return the block of a height."""
        ...

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[str | Sequence[str] | None],
        first: int,
        last: int,
    ) -> Iterator[Any]:
        """Yield the logs of a range, both ends included."""
        ...


@dataclass(slots=True)
class Memory:
    """What earlier searches of one chain found; a lost file costs a new search, no more."""

    path: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, chain_id: int) -> "Memory":
        """Read the memory of a chain; one that is absent, damaged or anybody else's is empty.

        It says how far the logs were searched: whoever can write it can hide a market.
        """
        path = folder / "logs" / f"{chain_id}.json"
        try:
            entries = orjson.loads(read_own(path) or b"{}")
        except ValueError:
            entries = {}
        valid = entries if isinstance(entries, dict) else {}
        return cls(path, {k: v for k, v in valid.items() if _is_entry(k, v)})

    def save(self) -> None:
        """Write the memory whole, or not at all; a full disk is no reason to fail a reading."""
        write_whole(self.path, json.dumps(self.entries, indent=0).encode())


DIGITS: Final = {
    "access-control": 104,
    "morpho-blue": 64,
    "morpho-borrowers": 104,
    "wallet": 40,
}
"""How many hex digits what is found has: a role and an account, market ids, both, spenders."""


def _is_entry(key: str, value: object) -> bool:
    digits = DIGITS.get(key.partition(":")[0])
    return (
        digits is not None
        and isinstance(value, dict)
        and type(value.get("block")) is int
        and value["block"] >= 0
        and isinstance(value.get("hash"), str)
        and isinstance(value.get("found"), list)
        and all(
            isinstance(item, str) and re.fullmatch(f"0x[0-9a-fA-F]{{{digits}}}", item)
            for item in value["found"]
        )
    )


@dataclass(slots=True)
class Search:
    """One search of a chain's logs, up to one block."""

    client: LogReader
    head: BlockRef
    memory: Memory
    progress: Progress
    canonical: dict[int, str] = field(default_factory=dict)

    def complete(
        self, market: Market, accounts: Sequence[Address]
    ) -> tuple[Market, Unreadable | None]:
        """Return the market with what the logs name, and what could not be searched."""
        discovery = DISCOVERIES.get(market.adapter)
        given = tuple(market.params.get(discovery.key, ())) if discovery else ()
        wanted = market.params.get("discover", True)
        if discovery is None or not wanted or (given and market.adapter not in MERGED):
            return market, None
        found: dict[str, None] = dict.fromkeys(given)
        fault: ChainError | None = None
        for group, first in self._groups(market, discovery, accounts):
            fault = self._search(market, discovery, group, first, found)
            if fault:
                break
        for account in accounts:
            entry = self.memory.entries.get(_key(market, discovery, account))
            found.update(dict.fromkeys(entry["found"] if entry else ()))
        unasked = tuple(name for name in found if name not in given)
        params = {**market.params, discovery.key: tuple(found), "discovered": unasked}
        filled = replace(market, params=params)
        if fault is None:
            return filled, None
        cause = f"not all of its {discovery.key} could be found: {fault}"
        unread = Unreadable(market.adapter, market.name, market.root, None, cause, self.head)
        return filled, unread

    def _groups(
        self, market: Market, discovery: Discovery, accounts: Sequence[Address]
    ) -> list[tuple[list[Address], int]]:
        """Return the accounts by the block from which their logs are still to be read."""
        start = int(market.params.get("from_block", 0))
        groups: dict[int, list[Address]] = {}
        for account in accounts:
            key = _key(market, discovery, account)
            entry = self.memory.entries.get(key)
            if entry is not None and not self._still(entry["block"], entry["hash"]):
                del self.memory.entries[key]
                entry = None
            groups.setdefault(entry["block"] + 1 if entry else start, []).append(account)
        return [(group, first) for first, group in sorted(groups.items())]

    def _still(self, number: int, block_hash: str) -> bool:
        """Return whether a remembered block is in the chain; not knowing counts as not."""
        if number > self.head.number:
            return False
        if number not in self.canonical:
            try:
                self.canonical[number] = self.client.block(number).hash
            except ChainError:
                return False
        return self.canonical[number] == block_hash

    def _search(
        self,
        market: Market,
        discovery: Discovery,
        group: Sequence[Address],
        first: int,
        found: dict[str, None],
    ) -> ChainError | None:
        """Add what the logs name to `found`; return why not all of them could be read.

        Goes in windows and remembers each, so that what is interrupted need not start over.
        """
        start, last = first, self.head.number
        while start <= last:
            end = min(last, start + WINDOW_BLOCKS - 1)
            for topics, addresses in _asked(discovery.filters(market, group)).items():
                logs: list[Log] = []
                try:
                    answered = self.client.logs(addresses, topics, start, end)
                    logs.extend(Log(a.address, _words(a.topics), a.data) for a in answered)
                except ChainError as error:
                    return error
                finally:
                    found.update(dict.fromkeys(discovery.found(logs)))
            self.progress(
                f"{market.name}: looking for {discovery.key}", end - first + 1, last - first + 1
            )
            self._remember(market, discovery, group, tuple(found), end)
            start = end + 1
        return None

    def _remember(
        self,
        market: Market,
        discovery: Discovery,
        group: Sequence[Address],
        names: tuple[str, ...],
        done_to: int,
    ) -> None:
        settled = min(done_to, self.head.number - REREAD_BLOCKS)
        if settled <= int(market.params.get("from_block", 0)):
            return
        try:
            block_hash = self.canonical.get(settled) or self.client.block(settled).hash
        except ChainError:
            return
        self.canonical[settled] = block_hash
        for account in group:
            key = _key(market, discovery, account)
            before = self.memory.entries.get(key, {}).get("found", [])
            found = list(dict.fromkeys([*before, *names]))
            self.memory.entries[key] = {"block": settled, "hash": block_hash, "found": found}
        self.memory.save()


Topics = tuple[str | tuple[str, ...] | None, ...]


def _asked(filters: Sequence[LogFilter]) -> dict[Topics, list[Address]]:
    """Return which contracts to ask for each set of topics: one request for many contracts."""
    found: dict[Topics, list[Address]] = {}
    for wanted in filters:
        found.setdefault(wanted.topics, []).append(wanted.address)
    return found


def _words(topics: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(topic[2:]) for topic in topics)


def _key(market: Market, discovery: Discovery, account: Address) -> str:
    filters = [(f.address, f.topics) for f in discovery.filters(market, (account,))]
    digest = hashlib.sha256(repr(filters).encode()).hexdigest()[:16]
    return f"{market.adapter}:{market.root}:{account}:{digest}"

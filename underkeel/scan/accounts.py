"""Find every account of an Aave market in its logs, and remember them on disk.

Complete because nobody comes to hold or owe anything without one of four events: debt is only ever
opened with the pool's `Borrow`, aTokens only ever arrive with a `Transfer` of the aToken (supplies
are transfers from the zero address), and `Supply` and `ReserveUsedAsCollateralEnabled` name the
same accounts once more. In all four the account is the third topic. For liquidations `Borrow`
alone is complete, because debt cannot be passed on.

What is remembered is the newest block that was read and is settled, by hash: when it is no longer
in the chain, or the market has other contracts, everything is read again.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
from eth_utils.crypto import keccak

from chain.calls import ReadFailed, Reads, Unknown
from chain.errors import ChainError
from chain.types import Address, BlockRef
from protocols.aave_v3 import contracts as c
from underkeel.cache import read_own, write_whole
from underkeel.discovery import REREAD_BLOCKS, WINDOW_BLOCKS

Progress = Callable[[str, int, int], None]

BORROW: Final = "Borrow(address,address,address,uint256,uint8,uint256,uint16)"
SUPPLY: Final = "Supply(address,address,address,uint256,uint16)"
COLLATERAL: Final = "ReserveUsedAsCollateralEnabled(address,address)"
TRANSFER: Final = "Transfer(address,address,uint256)"
ACCOUNT_TOPIC: Final = 2
WORD: Final = 32


class LogReader(Protocol):
    """What the search needs of a chain client."""

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


@dataclass(frozen=True, slots=True)
class Sources:
    """Which contracts write the logs, and which of them are asked for."""

    addresses: tuple[Address, ...]
    topics: tuple[str, ...]
    in_data: bool = field(default=False, repr=False)
    """Whether logs of fewer topics have the account as the first word of their data."""

    @property
    def key(self) -> str:
        """Return a short name of exactly this question."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def sources(root: Address, *, borrowers_only: bool) -> Reads[Sources]:
    """Read where a market's logs are. Raises `ReadFailed` where there is no market."""
    pool_at = c.GET_POOL.pointer(root)
    first = yield [c.GET_POOL.at(root), c.GET_RESERVES_LIST.at(pool_at)]
    pool: Address = c.GET_POOL.decode(first[0])
    if borrowers_only:
        return Sources((pool,), (_topic(BORROW),))
    assets: tuple[Address, ...] = c.GET_RESERVES_LIST.decode(first[1])
    answers = yield [c.GET_RESERVE_DATA.at(pool, asset) for asset in assets]
    tokens = []
    for answer in answers:
        data = c.GET_RESERVE_DATA.known(answer)
        if isinstance(data, Unknown):
            raise ReadFailed(f"a reserve's aToken is not known: {data.reason}")
        tokens.append(data[c.A_TOKEN_WORD])
    events = (BORROW, SUPPLY, COLLATERAL, TRANSFER)
    return Sources((pool, *tokens), tuple(_topic(event) for event in events))


def _topic(event: str) -> str:
    return "0x" + keccak(text=event).hex()


@dataclass(slots=True)
class Ledger:
    """The accounts found so far, and up to which block."""

    path: Path
    block: int = -1
    hash: str = ""
    accounts: dict[bytes, None] | None = None

    @classmethod
    def open(cls, folder: Path, chain_id: int, asked: Sources) -> "Ledger":
        """Read what an earlier search left; nothing where it is absent, damaged or not ours."""
        path = folder / "accounts" / f"{chain_id}-{asked.key}.json"
        try:
            data = orjson.loads(read_own(path) or b"")
            block, block_hash, packed = data["block"], data["hash"], data["accounts"]
            raw = bytes.fromhex(packed)
            if not (isinstance(block, int) and isinstance(block_hash, str) and len(raw) % 20 == 0):
                raise ValueError("not a ledger")
        except (ValueError, KeyError, TypeError):
            return cls(path, accounts={})
        found = {raw[i : i + 20]: None for i in range(0, len(raw), 20)}
        return cls(path, block, block_hash, found)

    def save(self) -> None:
        """Write whole or not at all; a full disk is no reason to fail a scan."""
        packed = b"".join(self.accounts or ()).hex()
        content = {"block": self.block, "hash": self.hash, "accounts": packed}
        write_whole(self.path, orjson.dumps(content))


def find(
    client: LogReader,
    asked: Sources,
    head: BlockRef,
    first_block: int,
    folder: Path,
    progress: Progress,
) -> bytes:
    """Return every account of the market up to `head`, in the order first seen, 20 bytes each.

    Raises `ChainError` where the logs cannot be read; what was read by then is remembered.
    """
    ledger = Ledger.open(folder, head.chain_id, asked)
    if ledger.block >= 0 and not _still(client, ledger, head):
        ledger = Ledger(ledger.path, accounts={})
    found = dict(ledger.accounts or {})
    begin = start = max(first_block, ledger.block + 1)
    while start <= head.number:
        end = min(head.number, start + WINDOW_BLOCKS - 1)
        for log in client.logs(asked.addresses, [list(asked.topics)], start, end):
            if len(log.topics) > ACCOUNT_TOPIC:
                found[bytes.fromhex(log.topics[ACCOUNT_TOPIC][-40:])] = None
            elif asked.in_data and len(log.data) >= WORD:
                found[log.data[WORD - 20 : WORD]] = None
        found.pop(bytes(20), None)
        settled = min(end, head.number - REREAD_BLOCKS)
        if settled > ledger.block:
            # accounts of blocks that may still be reorganised stay in: reading one too many is safe
            ledger.block, ledger.hash = settled, client.block(settled).hash
            ledger.accounts = found
            ledger.save()
        progress("looking for accounts", end - begin + 1, head.number - begin + 1)
        start = end + 1
    return b"".join(found)


def _still(client: LogReader, ledger: Ledger, head: BlockRef) -> bool:
    """Return whether the remembered block is in the chain; not knowing counts as not."""
    if ledger.block > head.number:
        return False
    try:
        return client.block(ledger.block).hash == ledger.hash
    except ChainError:
        return False

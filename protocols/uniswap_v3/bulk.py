"""Read the Uniswap v3 positions of many owners as columns, by a lens where one runs.

Reads, Scales, Rounds: as the adapter. After the head one round, for owners of more than a page of
NFTs one more; what the lens does not answer takes ordinary reads, as everything does without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from chain.bulk import Bulk, Chunk, Chunks, Lens, Step
from chain.calls import ReadFailed, Reads
from chain.types import Address, BlockRef, checksum
from protocols import tokens
from protocols.adapter import Market
from protocols.uniswap_v3 import lens, plain
from protocols.uniswap_v3.columns import ROW, U8, Columns, Rows
from protocols.uniswap_v3.facts import Nft, Place, Pool, Range

T = TypeVar("T")

ALONE: Final = 1_000
"""Owners and NFTs that a lens missed, at most, to be read by ordinary reads; more are unknown."""
_ITEM: Final = np.dtype([("owner", "V20"), ("first", ">u4"), ("count", ">u2")])


def read_columns(
    market: Market, accounts: Sequence[Address] | NDArray[np.uint8], at: BlockRef
) -> Bulk[Columns]:
    """Read owners, given as addresses or as (P, 20) bytes. Raises `ReadFailed` as the adapter."""
    found = Gathering(market, _bytes(accounts))
    items = np.zeros(len(found.accounts), _ITEM)
    items["owner"] = np.ascontiguousarray(found.accounts).view("V20").ravel()
    items["count"] = lens.PAGE
    owners = np.arange(len(items))
    mode, answer = "first", None
    while len(items):
        head = lens.head(market.root)
        asked = Lens(lens.PROGRAM, mode, head, items.tobytes(), width=_ITEM.itemsize)
        answer = (yield Step(lens=asked)).lens
        if not isinstance(answer, Chunks):
            found.owners.update(dict.fromkeys(owners.tolist(), ""))
            break
        items, owners = found.runs(answer, items, owners)
        mode = "pages"
    if found.owners or found.nfts or not len(found.accounts):
        limit = ALONE if isinstance(answer, Chunks) else None
        alone, known = found.left(limit)
        yield from _plainly(plain.read(found, alone, known))
    return found.columns(at)


@dataclass(slots=True)
class Gathering:
    """What is known of many owners, until it is columns."""

    market: Market
    accounts: U8
    version: str = ""
    owners: dict[int, str] = field(default_factory=dict)
    """Whom the lens left to ordinary reads, and why."""
    nfts: list[tuple[Place, int]] = field(default_factory=list)
    """Which NFTs it left to them."""
    _parts: list[Rows] = field(default_factory=list)
    _pools: list[lens.Found] = field(default_factory=list)
    _places: dict[Address, int] = field(default_factory=dict)
    _unknown: dict[int, str] = field(default_factory=dict)
    _without_fees: dict[Place, str] = field(default_factory=dict)

    @property
    def root(self) -> Address:
        """The position manager."""
        return self.market.root

    def address(self, n: int) -> Address:
        """Return the account at a place."""
        return checksum("0x" + self.accounts[n].tobytes().hex())

    def runs(
        self, answer: Chunks, items: Rows, owners: NDArray[np.int64]
    ) -> tuple[Rows, NDArray[np.int64]]:
        """Take the runs over some items in; return what is to be asked for next, and of whom."""
        for first, count, cause in answer.failed:
            self.owners.update(dict.fromkeys(owners[first : first + count].tolist(), cause))
        more: list[tuple[Rows, int]] = []
        for chunk in answer.chunks:
            part = slice(chunk.first, chunk.first + chunk.done)
            more += self._run(chunk, items[part], owners[part])
        further = [pages for pages, _ in more]
        whose = [np.full(len(pages), n, np.int64) for pages, n in more]
        # numpy would turn the numbers round, were it not told to leave them.
        items = np.concatenate([np.zeros(0, _ITEM), *further], dtype=_ITEM)
        return items, np.concatenate([np.zeros(0, np.int64), *whose])

    def _run(self, chunk: Chunk, items: Rows, owners: NDArray[np.int64]) -> list[tuple[Rows, int]]:
        try:
            answer = lens.decode(chunk.data, chunk.asked, chunk.done)
            if answer.factory is None:
                raise ReadFailed("it has no factory")
        except ReadFailed as failure:
            self.owners.update(dict.fromkeys(owners.tolist(), failure.cause))
            return []
        self.version = tokens.text(answer.version) or ""
        more: list[tuple[Rows, int]] = []
        for n, item, (status, beyond, balance) in zip(
            owners.tolist(), items, answer.items, strict=False
        ):
            if status or beyond:
                self.owners[n] = "its balance is not sure"
            elif item["first"] == 0 and balance > item["count"]:
                more.append((self._pages(n, item, balance), n))
        rows = np.frombuffer(answer.nfts, ROW).copy()
        rows["account"] = owners[rows["account"]]
        self._take(rows, answer)
        return more

    def _pages(self, n: int, item: np.void, balance: int) -> Rows:
        if balance > plain.MOST:
            self._unknown[n] = plain.too_many(balance)
        last = min(balance, plain.MOST)
        pages = b"".join(lens.pages(item["owner"].tobytes(), int(item["count"]), last))
        return np.frombuffer(pages, _ITEM)

    def _take(self, rows: Rows, answer: lens.Answer) -> None:
        places = np.full(lens.NO_POOL + 1, lens.NO_POOL, np.uint16)
        for i, pool in enumerate(answer.pools):
            if pool is not None:
                places[i] = self._place(pool)
        rows["pool"] = places[rows["pool"]]
        bad = rows["status"] | rows["held"] | rows["below"]["status"] | rows["above"]["status"]
        good = (rows["owned"] | bad == 0) & (rows["pool"] != lens.NO_POOL)
        for row in rows[~good]:
            n = int(row["account"])
            if row["owned"]:
                self.owners[n] = "one of its NFTs did not show"
            else:
                self.nfts.append(((n, int(row["index"])), int(row["token_id"])))
        self._parts.append(rows[good])

    def _place(self, found: lens.Found) -> int:
        place = self._places.setdefault(found.pool.address, len(self._pools))
        if place == len(self._pools):
            self._pools.append(found)
        return place

    def left(self, limit: int | None) -> tuple[list[int], list[tuple[Place, int]]]:
        """Return which owners and which NFTs of others to ask for; note what is too much."""
        owners = sorted(self.owners)
        if owners:
            drop = np.zeros(len(self.accounts), np.bool_)
            drop[owners] = True
            self._parts = [part[~drop[part["account"]]] for part in self._parts]
        known = [one for one in self.nfts if one[0][0] not in self.owners]
        if limit is not None:
            for n in owners[limit:]:
                self._unknown[n] = self.owners[n]
            for (n, _), token_id in known[limit:]:
                self._unknown[n] = f"token {token_id} did not answer"
        return owners[:limit], known[:limit]

    def take(self, place: Place, nft: Nft, pool: Pool, held: Range | ReadFailed) -> None:
        """Note an NFT that ordinary reads found, in the shape that the lens gives."""
        if nft.token_id >> 64:
            self.lost(place, f"token {nft.token_id}: its number is over 64 bits")
            return
        if isinstance(held, ReadFailed):
            self._without_fees[place] = held.cause
            held = Range(*(0,) * len(Range._fields))
        row = lens.pack(place, nft, self._place(lens.Found(pool, nft.fee)), held)
        self._parts.append(np.frombuffer(row, ROW))

    def lost(self, place: Place, cause: str) -> None:
        """Note what could not be read."""
        self._unknown.setdefault(place[0], cause)

    def columns(self, at: BlockRef) -> Columns:
        """Return the columns."""
        rows = np.concatenate([np.zeros(0, ROW), *self._parts], dtype=ROW)
        order = rows["account"].astype(np.uint64) << np.uint64(32) | rows["index"]
        if (order[1:] < order[:-1]).any():
            rows = rows[np.argsort(order, kind="stable")]
        return Columns(
            at=at,
            market=self.market,
            version=self.version,
            accounts=self.accounts,
            rows=rows,
            pools=tuple(self._pools),
            unknown=self._unknown,
            without_fees={
                row: self._without_fees[place]
                for row, place in enumerate(
                    zip(*(rows[k].tolist() for k in ("account", "index")), strict=True)
                )
                if place in self._without_fees
            }
            if self._without_fees
            else {},
        )


def _bytes(accounts: Sequence[Address] | NDArray[np.uint8]) -> U8:
    if isinstance(accounts, np.ndarray):
        return np.ascontiguousarray(accounts, np.uint8).reshape(-1, 20)
    text = bytes.fromhex("".join(account[2:] for account in accounts))
    return np.frombuffer(text, np.uint8).reshape(-1, 20)


def _plainly(program: Reads[T]) -> Bulk[T]:
    """Run a reader of ordinary reads."""
    try:
        batch = next(program)
        while True:
            answers = yield Step(batch)
            batch = program.send(answers.results)
    except StopIteration as stop:
        value: T = stop.value
        return value

"""Write the input of the Uniswap lens and take its output apart.

Both are described in contracts/src/UniswapLens.sol. What did not answer as it should is left to
ordinary reads, which say why.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from chain import calls
from chain.types import ZERO_ADDRESS, Address, address_of_word
from protocols import tokens
from protocols.prices.twap import WINDOW_S
from protocols.types import Token
from protocols.uniswap_v3.facts import Nft, Pool, Range, priced

PROGRAM: Final = "uniswap_lens"
ALLOWANCE: Final = 600_000
"""Gas for one call; many times what the dearest of them takes."""
FLOOR: Final = 150_000
PAGE: Final = 64
"""NFTs of one item, at most: they must all fit into one run."""
NO_POOL: Final = 0xFFFF
ITEM: Final = Struct(">20sIH")
ITEM_ROW: Final = Struct(">BBQ")
NFT: Final = Struct(">IIBQHB3s3s16s32s32s16s16sB16s32s32s16s16sB32s32sBB32s32sB")
_WHERE: Final = Struct(f">I13xH{NFT.size - 19}x")
"""Of an NFT's row its item and its pool."""
POOL: Final = Struct(">B20sHH3sB20s3sB32sB32sB16sBBBB7s7sB")
_COUNTS: Final = Struct(">IHH")
_OBSERVED: Final = (64, 160, 2, 2)
"""Offsets and lengths of the two lists that `observe` answers with."""


class Misshapen(calls.ReadFailed):
    """The answer is not laid out as the lens writes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One run of the lens."""

    done: int
    """Items, from the first on."""
    items: tuple[tuple[int, int, int], ...]
    """Of each asked: status, whether there may be more, balance."""
    nfts: bytes
    """Rows of `NFT`."""
    pools: tuple["Found | None", ...]
    """None where one did not answer everything."""
    factory: Address | None
    version: calls.Result


@dataclass(frozen=True, slots=True)
class Found:
    """A pool, and what else identifies it at the factory."""

    pool: Pool
    fee: int


def head(manager: Address) -> bytes:
    """Return the input before the items."""
    numbers = b"".join(n.to_bytes(4, "big") for n in (ALLOWANCE, FLOOR, WINDOW_S))
    return numbers + bytes.fromhex(manager[2:])


def item(owner: bytes, first: int = 0, count: int = PAGE) -> bytes:
    """Return what asks for so many NFTs of an owner, from the first index on."""
    return ITEM.pack(owner, first, count)


def pages(owner: bytes, first: int, balance: int) -> Iterator[bytes]:
    """Yield what asks for the rest of an owner's NFTs."""
    for start in range(first, balance, PAGE):
        yield item(owner, start, min(PAGE, balance - start))


def decode(data: bytes, asked: int, done: int) -> Answer:
    """Return what a run over `asked` items wrote. Raises `Misshapen`."""
    try:
        return _decode(data, asked, done)
    except (ValueError, IndexError, ArithmeticError, struct.error) as error:
        raise Misshapen("the answer is cut short") from error


def _decode(data: bytes, asked: int, done: int) -> Answer:
    at = _COUNTS.size
    if len(data) < at:
        raise Misshapen(f"{len(data)} bytes where at least {at} belong")
    nfts, pools, listed = _COUNTS.unpack(data[:at])
    end = at + asked * ITEM_ROW.size
    rows = tuple(ITEM_ROW.iter_unpack(data[at:end]))
    at, end = end, end + nfts * NFT.size
    found = data[at:end]
    at, end = end, end + pools * POOL.size
    pool_rows = list(POOL.iter_unpack(data[at:end]))
    factory = address_of_word(data[end + 1 : end + 21]) if data[end] == 0 else None
    version, at = _text(data, end + 21)
    told: list[tuple[Token, tuple[str, ...]] | None] = []
    for _ in range(listed):
        address = address_of_word(data[at : at + 20])
        symbol, at = _text(data, at + 20)
        decimals, at = _text(data, at)
        if symbol is None or decimals is None:
            told.append(None)
        else:
            told.append(tokens.describe(address, (symbol, decimals)))
    if at != len(data) or not done <= asked == len(rows):
        raise Misshapen(f"{len(data)} bytes for {asked} items and {nfts} NFTs")
    if version is None:
        raise Misshapen("the manager's name is to be asked for")
    if len(found) != nfts * NFT.size or len(pool_rows) != pools:
        raise Misshapen(f"{len(data)} bytes for {nfts} NFTs and {pools} pools")
    places = {*range(pools), NO_POOL}
    if any(n >= done or pool not in places for n, pool in _WHERE.iter_unpack(found)):
        raise Misshapen("NFTs of owners that were not asked for, or in no pool")
    known = tuple(_pool(row, told) for row in pool_rows)
    return Answer(done, rows, found, known, factory, version)


def _text(data: bytes, at: int) -> tuple[calls.Result | None, int]:
    """Return a short answer, None where it is to be asked for, and where the next one begins."""
    status, size = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
    end = at + 3 + size
    if status == 0:
        return calls.Ok(data[at + 3 : end]), end
    return calls.Reverted(b"") if status == 1 else None, end


def _pool(
    row: tuple[Any, ...], told: Sequence[tuple[Token, tuple[str, ...]] | None]
) -> Found | None:
    (listed, where, place0, place1, fee, stated, price, tick, grown0, growth0, grown1, growth1,
     deep, liquidity, observed, *shape, then, now, length) = row  # fmt: skip
    token0, token1 = told[place0], told[place1]
    if any((listed, stated, grown0, grown1, deep)) or token0 is None or token1 is None:
        return None
    address = address_of_word(where)
    # A pool too young to look back reverts; anything else is for ordinary reads to tell.
    if address == ZERO_ADDRESS or observed not in (0, 1):
        return None
    if observed == 0 and (*shape, length) != _OBSERVED:
        return None
    cumulatives = None if observed else (_signed(then), _signed(now))
    try:
        pool = priced(
            address, token0, token1, (_int(price), _signed(tick)), (_int(growth0), _int(growth1)),
            _int(liquidity), cumulatives,
        )  # fmt: skip
    except calls.ReadFailed:
        return None
    return Found(pool, _int(fee))


def rows(nfts: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of every row, wide ones as bytes."""
    return NFT.iter_unpack(nfts)


def nft(row: tuple[Any, ...], owner: Address, found: Found) -> tuple[Nft, Pool, Range]:
    """Return the NFT of a row whose answers are all there, its pool and its range."""
    (_, _, _, token_id, _, _, lower, upper, liquidity, inside0, inside1, owed0, owed1,
     _, held, there0, there1, due0, due1, _, lower0, lower1, lower_set,
     _, upper0, upper1, upper_set) = row  # fmt: skip
    number = int.from_bytes
    one = Nft(
        owner, token_id, found.pool.token0.address, found.pool.token1.address, found.fee,
        number(lower, signed=True), number(upper, signed=True), number(liquidity),
        number(inside0), number(inside1), number(owed0), number(owed1),
    )  # fmt: skip
    kept = Range(
        number(held), number(there0), number(there1), number(due0), number(due1),
        number(lower0), number(lower1), lower_set, number(upper0), number(upper1), upper_set,
    )  # fmt: skip
    return one, found.pool, kept


def answered(row: tuple[Any, ...]) -> bool:
    """Whether everything about an NFT but its pool answered as it should."""
    return not (row[2] or row[5] or row[13] or row[19] or row[23])


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def pack(place: tuple[int, int], nft: Nft, pool: int, held: Range) -> bytes:
    """Return the row that the lens would have written, `pool` being the place of its pool."""
    return NFT.pack(
        *place, 0, nft.token_id, pool,
        0, *(tick.to_bytes(3, "big", signed=True) for tick in (nft.lower, nft.upper)),
        nft.liquidity.to_bytes(16, "big"),
        nft.inside0_last.to_bytes(32, "big"), nft.inside1_last.to_bytes(32, "big"),
        nft.owed0.to_bytes(16, "big"), nft.owed1.to_bytes(16, "big"),
        0, held.held.to_bytes(16, "big"),
        held.inside0_last.to_bytes(32, "big"), held.inside1_last.to_bytes(32, "big"),
        held.owed0.to_bytes(16, "big"), held.owed1.to_bytes(16, "big"),
        0, held.lower0.to_bytes(32, "big"), held.lower1.to_bytes(32, "big"), held.lower_set,
        0, held.upper0.to_bytes(32, "big"), held.upper1.to_bytes(32, "big"), held.upper_set,
    )  # fmt: skip

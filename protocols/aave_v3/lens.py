"""Write the input of the lending lens and take its output apart.

Both are described in contracts/src/LendingLens.sol. The output becomes arrays without passing
through an object per account.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain import calls
from chain.bulk import Chunk, Lens
from chain.types import Address, address_of_word
from protocols.aave_v3.columns import U8, U16, U32, U64

PROGRAM: Final = "lending_lens"
RESOLVE, WALLET, HEALTH, ROWS = 1, 2, 4, 8
OK: Final = 0
STARVED: Final = 4
NOT_BEGUN: Final = 5
CAUSES: Final = {
    1: "reverted",
    2: "answered more than fits",
    3: "gave no whole answer",
    4: "may have failed for want of gas",
    5: "was not asked for want of gas",
}
_STATUSES: Final = (OK, *CAUSES)
ALLOWANCE: Final = 600_000
"""Gas for one question about an account; many times what a proxied token takes."""
HEAVY: Final = 4_000_000
"""Gas for one question about the pool; oracles can be dear."""
FLOOR: Final = 120_000

_HEAD: Final = 47
_FACTS: Final = 8
_AMOUNT: Final = [("hi", ">u8"), ("lo", ">u8")]
_ENTRY: Final = np.dtype(
    [("account", ">u4"), ("reserve", ">u2"), ("kind", "u1"), ("status", "u1"), *_AMOUNT]
)
_ROW: Final = np.dtype([("status", "u1"), ("emode", "u1"), ("configuration", ">u8", (4,))])
_FACT: Final = 33
"""Status, word."""
_RESERVE: Final = struct.Struct(">BBH20s32s16s16s16s16sQ20s20s20sB32s")
"""Status, traits, id, asset, configuration, two indexes and rates, time, tokens, price."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One reserve as the lens found it; the same bytes give the same object."""

    status: int
    traits: int
    id: int
    asset: Address
    configuration: int
    liquidity_index: int
    liquidity_rate: int
    borrow_index: int
    borrow_rate: int
    updated_at: int
    a_token: Address
    stable_token: Address
    debt_token: Address
    price: int | None
    """None where the oracle gave none."""
    starved: bool
    """Whether gas may be what it lacked."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One chunk as arrays; `account` counts from its first account, `reserve` in listed order."""

    pool: Address
    oracle: Address
    reserves: tuple[Row, ...]
    first: int
    done: int
    status: U8
    emode: U8
    configuration: U64
    """(done, 4), the lowest limb first."""
    account: U32
    reserve: U16
    kind: U8
    failed: U8
    """By entry: 0, or why there is no amount."""
    hi: U64
    lo: U64
    facts: tuple[bytes | None, ...] = ()
    """Of an opening: what the market says of itself, None for what did not answer."""


class Misshapen(calls.ReadFailed):
    """The answer is not laid out as the lens writes it."""


def opening(provider: Address, accounts: bytes, flags: int) -> Lens:
    """Return the first runs, which look the market up by its addresses provider."""
    head = _numbers(flags | RESOLVE) + bytes.fromhex(provider[2:])
    return Lens(PROGRAM, f"mode {flags}", head, accounts, opening=True)


def following(found: Run, accounts: bytes, flags: int) -> Lens:
    """Return the runs for the other accounts, which know the market from the first."""
    head = [_numbers(flags), bytes.fromhex(found.pool[2:]), len(found.reserves).to_bytes(2, "big")]
    for row in found.reserves:
        head.append(row.id.to_bytes(2, "big") + bytes([row.traits]))
        head += [
            bytes.fromhex(address[2:])
            for address in (row.asset, row.a_token, row.stable_token, row.debt_token)
        ]
    return Lens(PROGRAM, f"mode {flags}", b"".join(head), accounts)


def _numbers(mode: int) -> bytes:
    numbers = (ALLOWANCE, HEAVY, FLOOR)
    return bytes([mode]) + b"".join(number.to_bytes(4, "big") for number in numbers)


def decode(chunk: Chunk, offset: int = 0) -> Run:
    """Return a chunk as arrays, its first row counted from `offset`. Raises `Misshapen`."""
    data = chunk.data
    if len(data) < _HEAD:
        raise Misshapen(f"{len(data)} bytes where at least {_HEAD} belong")
    entries = int.from_bytes(data[40:44], "big")
    written = int.from_bytes(data[44:46], "big")
    reserves_at = _HEAD + data[46] * _FACT
    rows_at = reserves_at + written * _RESERVE.size
    entries_at = rows_at + chunk.asked * _ROW.itemsize
    if len(data) != entries_at + entries * _ENTRY.itemsize or chunk.done > chunk.asked:
        raise Misshapen(f"{len(data)} bytes for {chunk.asked} accounts and {entries} amounts")
    rows = np.frombuffer(data, _ROW, chunk.done, rows_at)
    found = np.frombuffer(data, _ENTRY, entries, entries_at)
    if (found["account"] >= chunk.done).any() or (found["status"] > max(CAUSES)).any():
        raise Misshapen("amounts of accounts that were not asked for")
    limbs: U64 = rows["configuration"][:, ::-1].astype(np.uint64)
    return Run(
        pool=address_of_word(data[:20]),
        oracle=address_of_word(data[20:40]),
        reserves=_rows(data[reserves_at:rows_at]),
        first=chunk.first + offset,
        done=chunk.done,
        status=rows["status"],
        emode=rows["emode"],
        configuration=limbs,
        account=found["account"].astype(np.uint32),
        reserve=found["reserve"].astype(np.uint16),
        kind=found["kind"].copy(),
        failed=found["status"],
        hi=found["hi"].astype(np.uint64),
        lo=found["lo"].astype(np.uint64),
        facts=tuple(
            data[at + 1 : at + _FACT] if data[at] == OK else None
            for at in range(_HEAD, reserves_at, _FACT)
        ),
    )


@lru_cache(maxsize=64)
def _rows(raw: bytes) -> tuple[Row, ...]:
    """Return the reserves of a pool; few change from one block to the next."""
    return tuple(_row(raw[at : at + _RESERVE.size]) for at in range(0, len(raw), _RESERVE.size))


@lru_cache(maxsize=1024)
def _row(raw: bytes) -> Row:
    (status, traits, number, asset, configuration, liquidity_index, liquidity_rate, borrow_index,
     borrow_rate, updated_at, a_token, stable_token, debt_token, priced, price) = (
        _RESERVE.unpack(raw)
    )  # fmt: skip
    if status not in _STATUSES:
        raise Misshapen("a reserve of an unknown status")
    return Row(
        status=status,
        traits=traits,
        id=number,
        asset=address_of_word(asset),
        configuration=int.from_bytes(configuration, "big"),
        liquidity_index=int.from_bytes(liquidity_index, "big"),
        liquidity_rate=int.from_bytes(liquidity_rate, "big"),
        borrow_index=int.from_bytes(borrow_index, "big"),
        borrow_rate=int.from_bytes(borrow_rate, "big"),
        updated_at=updated_at,
        a_token=address_of_word(a_token),
        stable_token=address_of_word(stable_token),
        debt_token=address_of_word(debt_token),
        price=int.from_bytes(price, "big") if priced == OK else None,
        starved=max(status, priced) >= STARVED,
    )


def placed(run: Run, places: U16) -> U16:
    """Return each amount's place, of the reserves in the order listed. Raises `Misshapen`."""
    if (run.reserve >= len(places)).any():
        raise Misshapen("amounts of reserves that were not listed")
    found: U16 = places[run.reserve]
    return found


def market_results(run: Run) -> tuple[calls.Result, ...] | None:
    """Return an opening's facts as the answers to `market.market_reads`.

    None where any did not answer, but for a sentinel that is not there, or where no reserves were
    found: ask, then.
    """
    return _results(run.facts, run.reserves)


@lru_cache(maxsize=64)
def _results(
    facts: tuple[bytes | None, ...], reserves: tuple[Row, ...]
) -> tuple[calls.Result, ...] | None:
    if len(facts) != _FACTS or not reserves:
        return None
    *told, allowed = facts
    sentinel = told[2]
    if None in told or (allowed is None and (sentinel is None or any(sentinel))):
        return None
    answers: list[calls.Result] = [calls.Ok(word or b"") for word in told]
    assets = b"".join(bytes(12) + bytes.fromhex(row.asset[2:]) for row in reserves)
    count = len(reserves).to_bytes(32, "big")
    answers.insert(4, calls.Ok((32).to_bytes(32, "big") + count + assets))
    return (*answers, calls.Ok(allowed) if allowed is not None else calls.NoCode())


def packed(accounts: "Sequence[Address] | NDArray[np.uint8]") -> bytes:
    """Return accounts end to end, 20 bytes each."""
    if isinstance(accounts, np.ndarray):
        return np.ascontiguousarray(accounts, np.uint8).tobytes()
    return bytes.fromhex("".join(account[2:] for account in accounts))

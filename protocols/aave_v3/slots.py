"""Write the input of the storage lens and take its output apart.

Both are described in contracts/src/StorageLens.sol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.bulk import Chunks, Lens
from chain.types import ZERO_ADDRESS, Address, address_of_word
from protocols.aave_v3.columns import LIMBS, U8, U16, U32, U64
from protocols.aave_v3.lens import Misshapen

PROGRAM: Final = "storage_lens"
SOLIDITY, VYPER = 0, 1
EVERY: Final = 2
WORD_GAS: Final = 2_600
"""For one word: a cold SLOAD, two hashes' worth of memory, an entry."""
SKIP_GAS: Final = 120
"""For an account that a job passes over."""

_JOB: Final = 55
_NAMED: Final = 52
"""Address, hash."""
_TOLD: Final = np.dtype([("status", "u1"), ("implementation", f"V{_NAMED}"), ("entries", ">u4")])
_ENTRY: Final = np.dtype(
    [("job", ">u2"), ("place", ">u2"), ("account", ">u4"), ("word", ">u8", (LIMBS,))]
)


@dataclass(frozen=True, slots=True)
class Job:
    """The words of the mappings at some slots of a contract, for some of the accounts."""

    contract: Address
    slot: int
    slots: int = 1
    order: int = SOLIDITY

    def pack(self, *, every: bool) -> bytes:
        """Return the job as the lens is given it, for all accounts or for those of its mask."""
        numbers = self.slot.to_bytes(32, "big") + self.slots.to_bytes(2, "big")
        order = self.order | EVERY * (every and self.slots == 1)
        return bytes.fromhex(self.contract[2:]) + numbers + bytes([order])


@dataclass(frozen=True, slots=True)
class Implementation:
    """What a proxy's storage names as its code; the zero address where it names none."""

    address: Address
    code_hash: bytes

    def __bool__(self) -> bool:
        return self.address != ZERO_ADDRESS


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """N words that are not zero, in order of run, job, account and slot."""

    implementations: tuple[Implementation, ...]
    """By job."""
    job: U16
    place: U16
    """(N,): of its slot among the job's."""
    account: U32
    word: U64
    """(N, 4), the lowest limb first."""


def lens(mode: str, jobs: Sequence[Job], accounts: U8, masks: NDArray[np.bool_]) -> Lens:
    """Return the runs of `jobs` over (P, 20) `accounts`; (P, J) `masks` say which concern whom."""
    slots = np.array([job.slots for job in jobs])
    most = int((masks @ slots).max(initial=0))
    each = WORD_GAS * most + SKIP_GAS * len(jobs)
    bits = np.packbits(masks, axis=1)
    every: list[bool] = np.all(masks, axis=0).tolist()
    head = each.to_bytes(4, "big") + bytes([bits.shape[1]]) + len(jobs).to_bytes(2, "big")
    return Lens(
        PROGRAM,
        mode,
        head + b"".join(job.pack(every=whole) for job, whole in zip(jobs, every, strict=True)),
        np.hstack([accounts, bits]).tobytes(),
        width=20 + bits.shape[1],
        places=tuple(dict.fromkeys(job.contract for job in jobs)),
    )


def decode(found: Chunks, jobs: int) -> Words:
    """Return what all runs found. Raises `Misshapen`, also where some accounts were not learned."""
    if found.failed or not found.chunks:
        raise Misshapen(found.failed[0][2] if found.failed else "no run was made")
    parts, named = [], set()
    for chunk in found.chunks:
        data, at = chunk.data, jobs * _TOLD.itemsize
        if len(data) < at:
            raise Misshapen(f"{len(data)} bytes for {jobs} jobs")
        told = np.frombuffer(data, _TOLD, jobs)
        count = int(told["entries"].sum())
        if told["status"].any() or len(data) != at + count * _ENTRY.itemsize:
            raise Misshapen(f"{len(data)} bytes for {jobs} jobs and {count} words")
        part = np.frombuffer(data, _ENTRY, count, at)
        if (part["job"] != np.repeat(np.arange(jobs), told["entries"])).any():
            raise Misshapen("words of other jobs than it says")
        if count and int(part["account"].max()) >= chunk.done:
            raise Misshapen("words of accounts that were not asked for")
        named.add(told["implementation"].tobytes())
        parts.append((chunk.first, part))
    if len(named) > 1:
        raise Misshapen("two runs at one block name different implementations")
    whole = np.concatenate([part for _, part in parts])
    firsts = np.repeat([first for first, _ in parts], [len(part) for _, part in parts])
    return Words(
        implementations=_implementations(named.pop()),
        job=whole["job"].astype(np.uint16),
        place=whole["place"].astype(np.uint16),
        account=whole["account"].astype(np.uint32) + firsts.astype(np.uint32),
        word=whole["word"][:, ::-1].astype(np.uint64),
    )


@lru_cache(maxsize=64)
def _implementations(named: bytes) -> tuple[Implementation, ...]:
    """Return what all jobs' contracts name; it seldom changes from one block to the next."""
    return tuple(
        Implementation(address_of_word(named[at : at + 20]), named[at + 20 : at + _NAMED])
        for at in range(0, len(named), _NAMED)
    )

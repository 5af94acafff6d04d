"""Many owners' positions as columns: arrays for screening, the exact words beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.calls import ReadFailed
from chain.types import Address, BlockRef, checksum
from protocols.adapter import Market
from protocols.types import Position
from protocols.uniswap_v3 import lens
from protocols.uniswap_v3.position import build

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
Rows = NDArray[np.void]

_TICK: Final = [("status", "u1"), ("outside0", "V32"), ("outside1", "V32"), ("set", "u1")]
ROW: Final = np.dtype(
    [
        *(("account", ">u4"), ("index", ">u4"), ("owned", "u1"), ("token_id", ">u8")),
        *(("pool", ">u2"), ("status", "u1"), ("lower", "u1", (3,)), ("upper", "u1", (3,))),
        *(("liquidity", ">u8", (2,)), ("inside0", "V32"), ("inside1", "V32")),
        *(("owed0", "V16"), ("owed1", "V16"), ("held", "u1"), ("kept", "V112")),
        *(("below", _TICK), ("above", _TICK)),
    ]
)
"""A row of the lens."""
assert ROW.itemsize == lens.NFT.size


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Every NFT that holds liquidity or is owed fees, of P owners, at one block."""

    at: BlockRef
    market: Market
    version: str
    accounts: U8
    """(P, 20): the owners' addresses."""
    rows: Rows
    """By owner and index: what the contracts answered; see contracts/src/UniswapLens.sol."""
    pools: tuple[lens.Found, ...]
    """What `rows["pool"]` counts."""
    unknown: Mapping[int, str]
    """By owner: why not all that it holds is known."""
    without_fees: Mapping[int, str]
    """By row: why its fees are not known."""

    def __len__(self) -> int:
        """Return how many NFTs there are."""
        return len(self.rows)

    @property
    def account(self) -> U32:
        """The owner of each row, as a place in `accounts`."""
        found: U32 = self.rows["account"].astype(np.uint32)
        return found

    @property
    def token_id(self) -> U64:
        """The NFT's number."""
        found: U64 = self.rows["token_id"].astype(np.uint64)
        return found

    @property
    def ticks(self) -> tuple[I32, I32]:
        """The lower and the upper end of each range."""
        return _int24(self.rows["lower"]), _int24(self.rows["upper"])

    @property
    def liquidity(self) -> U64:
        """(n, 2): the liquidity, the high half first."""
        found: U64 = self.rows["liquidity"].astype(np.uint64)
        return found

    @property
    def in_range(self) -> NDArray[np.bool_]:
        """Whether lower ≤ the pool's tick < upper."""
        tick = np.array([found.pool.tick for found in self.pools], np.int32)[self.rows["pool"]]
        lower, upper = self.ticks
        inside: NDArray[np.bool_] = (lower <= tick) & (tick < upper)
        return inside

    def address(self, account: int) -> Address:
        """Return an owner's address."""
        return checksum("0x" + self.accounts[account].tobytes().hex())

    def position(self, row: int) -> Position:
        """Return the very position that the adapter makes; raises `ReadFailed` as it would."""
        fields = lens.NFT.unpack(self.rows[row].tobytes())
        nft, pool, held = lens.nft(fields, self.address(fields[0]), self.pools[fields[4]])
        cause = self.without_fees.get(row)
        kept = held if cause is None else ReadFailed(cause)
        return build(self.market, self.version, nft, pool, kept, self.at)


def _int24(words: U8) -> I32:
    wide = words.astype(np.int32)
    value = wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
    signed: I32 = value - ((value & 0x80_0000) << 1)
    return signed

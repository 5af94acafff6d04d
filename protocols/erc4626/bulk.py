"""What many accounts hold in one vault, as arrays, by a lens where one runs.

Reads: per account `balanceOf`; where that is not zero `convertToAssets` and `previewRedeem` of all
shares, `maxWithdraw` and `maxRedeem`. Scales: base units of shares and of assets. Rounds: the
vault's own. `redeem` itself, which the adapter simulates as the owner, is not among them: here
views are what they are, promises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from chain import grid
from chain.bulk import Bulk
from chain.calls import Result
from chain.grid import U8, Grid, Hole
from chain.types import Address, BlockRef
from protocols.erc4626.adapter import (
    BALANCE_OF,
    CONVERT,
    MAX_REDEEM,
    MAX_WITHDRAW,
    PREVIEW_REDEEM,
)

ALLOWANCE = 8_000_000
"""Gas for one question: a MetaMorpho accrues up to thirty markets for each."""


class Kind(IntEnum):
    """What an answer is; its place among the questions."""

    SHARES = 0
    CLAIM = 1
    PREVIEW = 2
    MAX_WITHDRAW = 3
    MAX_REDEEM = 4


@dataclass(frozen=True, slots=True, eq=False)
class Holders:
    """P accounts, and their answers other than zero, by `Kind`."""

    at: BlockRef
    vault: Address
    grid: Grid

    def results(self, row: int) -> dict[Kind, Result]:
        """Return every answer about one account, as ordinary reads would give it."""
        return dict(zip(Kind, self.grid.results(row), strict=True))


def read_holders(vault: Address, accounts: Sequence[Address] | U8, at: BlockRef) -> Bulk[Holders]:
    """Read accounts, given as addresses or as (P, 20) bytes, of one vault."""
    after = Kind.SHARES
    questions = {
        Kind.SHARES: grid.question(BALANCE_OF, vault, Hole.ACCOUNT),
        Kind.CLAIM: grid.question(CONVERT, vault, Hole.ANSWER, after=after),
        Kind.PREVIEW: grid.question(PREVIEW_REDEEM, vault, Hole.ANSWER, after=after),
        Kind.MAX_WITHDRAW: grid.question(MAX_WITHDRAW, vault, Hole.ACCOUNT, after=after),
        Kind.MAX_REDEEM: grid.question(MAX_REDEEM, vault, Hole.ACCOUNT, after=after),
    }
    asked = [questions[kind] for kind in Kind]
    found, _ = yield from grid.ask(accounts, asked, allowance=ALLOWANCE)
    return Holders(at, vault, found)

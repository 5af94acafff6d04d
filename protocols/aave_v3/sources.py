"""The contracts of a market that are asked about accounts, and the words of their storage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.abi import Function
from chain.calls import Call, Ok, Result, Unknown
from chain.types import Address
from protocols.aave_v3 import contracts as c
from protocols.aave_v3 import lens
from protocols.aave_v3.columns import LIMBS, U64, Kind
from protocols.aave_v3.gathering import Gathering
from protocols.aave_v3.layouts import Layout, masks_of
from protocols.aave_v3.plain import BALANCE_OF
from protocols.aave_v3.slots import Implementation

HOLDERS: Final = 4
"""Of those who hold some of a contract, how many are drawn to be asked about by its function."""
OTHERS: Final = 2
"""The same of those who hold nothing."""

I64 = NDArray[np.int64]


@dataclass(slots=True)
class Source:
    """One contract of the market that is asked about accounts, and what is known of it."""

    contract: Address
    kind: Kind
    place: int
    code: Implementation | None = None
    layout: Layout | None = None
    """None where it is read by its functions."""
    proven: bool = False
    """Whether an amount that is not zero agreed."""
    cause: str = ""
    """Why it is read by its functions."""

    @property
    def function(self) -> Function:
        """Return the function whose answer the mapping stands for."""
        return BALANCE_OF if self.kind is Kind.WALLET else c.SCALED_BALANCE_OF

    def refuse(self, cause: str) -> None:
        """Have it read by its functions."""
        self.cause, self.layout = cause, None

    def ask(self, holder: bytes) -> Call:
        """Return the call of its function about an account, whose 20 bytes are given."""
        return Call(self.contract, self.function.selector + bytes(12) + holder)

    def answer(self, result: Result) -> int | str:
        """Return what its function says, or why it says nothing."""
        if isinstance(result, Ok) and len(result.data) == 32:
            return int.from_bytes(result.data, "big")
        amount: int | Unknown = self.function.known(result)
        return amount.reason if isinstance(amount, Unknown) else amount


def wanted(found: Gathering, flags: int) -> tuple[list[Source], NDArray[np.bool_]]:
    """Return the contracts that concern any account, and (P, contracts) which concern whom."""
    health_only, wallet = bool(flags & lens.HEALTH), bool(flags & lens.WALLET)
    known = np.ones(len(found.accounts), np.bool_)
    known[list(found.missing)] = False
    sources, masks = [], []
    for place, one in enumerate(found.reserves):
        owing, used = found.flagged(place, 0) & known, found.flagged(place, 1) & known
        every = (used | owing) if health_only else known
        contracts = (
            (Kind.SUPPLY, one.a_token, used if health_only else known),
            (Kind.DEBT, one.debt_token, owing),
            (Kind.WALLET, one.reserve.asset, every if wallet else np.zeros_like(known)),
        )
        for kind, contract, mask in contracts:
            if mask.any():
                sources.append(Source(contract, kind, place))
                masks.append(mask)
    if not sources:
        return [], np.zeros((len(found.accounts), 0), np.bool_)
    return sources, np.stack(masks, axis=1)


@dataclass(slots=True, eq=False)
class Held:
    """The words that are not zero, of all sources; `settle` says what they mean."""

    rows: I64
    source: I64
    """(N,): its number."""
    word: U64
    """(N, 4), the lowest limb first."""
    amounts: U64 = field(init=False)
    """(N, 4): by the least width of its layout; 0 where it has none."""
    doubted: NDArray[np.bool_] = field(init=False)
    """(N,): whether the widths of the layout differ on it, or it is over 128 bits."""

    def settle(self, sources: Sequence[Source]) -> None:
        """Take the amounts out of the words by the sources' layouts."""
        none = [0] * LIMBS
        least = [masks_of(min(s.layout.widths)) if s.layout else none for s in sources]
        most = [masks_of(max(s.layout.widths)) if s.layout else none for s in sources]
        lower = np.array(least, np.uint64)
        between = lower ^ np.array(most, np.uint64)
        self.amounts = self.word & lower[self.source]
        beyond = self.word & between[self.source]
        beyond[:, 2:] |= self.amounts[:, 2:]
        self.doubted = np.any(beyond, axis=1)

    def draw(
        self, masks: NDArray[np.bool_], dice: np.random.Generator
    ) -> list[tuple[int, int, int]]:
        """Return (source, row, word) to ask functions about: of every source some who hold
        something, some whose word holds something else, and some who have no word."""
        group = 2 * self.source + self.amounts.any(axis=1)
        order = np.lexsort((dice.random(len(group)), group))
        ranks = np.arange(len(order)) - np.searchsorted(group[order], group[order])
        chosen = order[ranks < np.where(group[order] & 1, HOLDERS, OTHERS)]
        drawn = [
            (source, row, a | b << 64 | c << 128 | d << 192)
            for source, row, (a, b, c, d) in zip(
                self.source[chosen].tolist(), self.rows[chosen].tolist(),
                self.word[chosen].tolist(), strict=True,
            )
        ]  # fmt: skip
        empty = np.ascontiguousarray(masks.T)
        empty[self.source, self.rows] = False
        for number, fractions in enumerate(dice.random((len(empty), OTHERS))):
            rows = np.flatnonzero(empty[number])
            others = {int(rows[int(f * len(rows))]) for f in fractions if len(rows)}
            drawn += ((number, row, 0) for row in sorted(others))
        return drawn

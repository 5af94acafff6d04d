"""Where a contract keeps its balances: found by looking for what it says, never assumed.

A layout is the slot of a mapping from accounts, and how many of a word's low bits are the amount.
Aave keeps other things above it: 128 bits to 3.3, 120 from 3.4. All widths that agree with
everything seen so far are kept; a word on which they differ is not decided by storage.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from chain.types import Address
from protocols.aave_v3.columns import LIMBS, Kind
from protocols.aave_v3.slots import SOLIDITY, VYPER, Implementation, Job

WIDTHS: Final = (120, 128, 255, 256)
"""Aave from 3.4, Aave to 3.3, USD Coin from 2.2, nearly every other token."""
NAMESPACED: Final = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00
"""Balances of OpenZeppelin's upgradeable ERC-20 from release 5 on (ERC-7201)."""
TRIED: Final = {
    Kind.SUPPLY: ((0, 64, SOLIDITY), (NAMESPACED, 1, SOLIDITY)),
    Kind.DEBT: ((0, 64, SOLIDITY), (NAMESPACED, 1, SOLIDITY)),
    Kind.WALLET: ((0, 160, SOLIDITY), (NAMESPACED, 1, SOLIDITY), (0, 24, VYPER)),
}
"""By kind: the slots that are looked at, (first, how many, order)."""
LIMB: Final = 64
_LOW: Final = (1 << LIMB) - 1
_MASKS: Final = {
    width: tuple(((1 << width) - 1) >> LIMB * i & _LOW for i in range(LIMBS)) for width in WIDTHS
}
"""By width: the limbs of so many low bits, the lowest first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One mapping of a contract, and the widths that its amounts may have."""

    slot: int
    order: int
    widths: tuple[int, ...]

    def job(self, contract: Address) -> Job:
        """Return what reads it."""
        return Job(contract, self.slot, 1, self.order)

    @property
    def bounds(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the limbs of as many low bits as its least and its greatest width has."""
        return _MASKS[min(self.widths)], _MASKS[max(self.widths)]

    def seen(self, word: int, amount: int) -> "Layout | None":
        """Return what is left of it where a word stands for an amount; None where it cannot."""
        widths = tuple([width for width in self.widths if word & (1 << width) - 1 == amount])
        if widths == self.widths:
            return self if widths else None
        return Layout(self.slot, self.order, widths) if widths else None


def jobs(contract: Address, kind: Kind) -> tuple[Job, ...]:
    """Return what looks for a contract's layout."""
    return tuple(Job(contract, *tried) for tried in TRIED[kind])


def search(
    looked: Sequence[Job], witnesses: Iterable[tuple[int, dict[tuple[int, int], int]]]
) -> Layout | str:
    """Return the one layout by which storage agrees with every witness, or why there is none.

    A witness is an amount that is not zero and the words found for its holder, by number of the
    job and place of the slot in it.
    """
    left: dict[tuple[int, int], Layout] | None = None
    for amount, words in witnesses:
        if left is None:
            found = {
                (job, place): Layout(looked[job].slot + place, looked[job].order, WIDTHS)
                for job, place in words
            }
        else:
            found = {where: left[where] for where in words if where in left}
        seen = {where: layout.seen(words[where], amount) for where, layout in found.items()}
        left = {where: layout for where, layout in seen.items() if layout is not None}
    if left is None:
        return "nobody is known to hold any"
    if len(left) != 1:
        return "several mappings hold what it says" if left else "no mapping holds what it says"
    return next(iter(left.values()))


@dataclass(slots=True)
class Layouts:
    """The layouts that were proven on one chain, with the code that they were proven for."""

    _known: dict[tuple[Address, Kind], tuple[Implementation, Layout]] = field(default_factory=dict)

    def of(self, contract: Address, kind: Kind) -> tuple[Implementation, Layout] | None:
        """Return what is remembered of a contract."""
        return self._known.get((contract, kind))

    def alike(self, implementation: Implementation, kind: Kind) -> Layout | None:
        """Return what was proven of another proxy of the same code."""
        if not implementation:
            return None
        for (_, other), (code, layout) in self._known.items():
            if other is kind and code == implementation:
                return layout
        return None

    def learn(self, contract: Address, kind: Kind, code: Implementation, layout: Layout) -> None:
        """Remember a layout that was proven."""
        self._known[contract, kind] = code, layout

    def forget(self, contract: Address, kind: Kind) -> None:
        """Forget what turned out wrong."""
        self._known.pop((contract, kind), None)

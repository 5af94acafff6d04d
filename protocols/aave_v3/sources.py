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
from protocols.aave_v3.layouts import Layout
from protocols.aave_v3.plain import BALANCE_OF
from protocols.aave_v3.slots import Implementation

HOLDERS: Final = 4
"""Of those who hold some of a contract, how many are drawn to be asked about by its function."""
OTHERS: Final = 2
"""The same of those who hold nothing."""

WORD: Final = 32
NOTHING: Final = (0,) * LIMBS
"""What the mask of no width leaves."""

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
    _head: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._head = self.function.selector + bytes(12)

    @property
    def function(self) -> Function:
        """Return the function whose answer the mapping stands for."""
        return BALANCE_OF if self.kind is Kind.WALLET else c.SCALED_BALANCE_OF

    def refuse(self, cause: str) -> None:
        """Have it read by its functions."""
        self.cause, self.layout = cause, None

    def ask(self, holder: bytes) -> Call:
        """Return the call of its function about an account, whose 20 bytes are given."""
        return Call(self.contract, self._head + holder)

    def answer(self, result: Result) -> int | str:
        """Return what its function says, or why it says nothing."""
        if isinstance(result, Ok) and len(result.data) == WORD:
            return int.from_bytes(result.data, "big")
        amount: int | Unknown = self.function.known(result)
        return amount.reason if isinstance(amount, Unknown) else amount


def limbs_of(results: Sequence[Result]) -> tuple[U64, NDArray[np.bool_]]:
    """Return (N, 4) answers and (N,) which are plainly a word; the others are zero there."""
    plain = [isinstance(one, Ok) and len(one.data) == WORD for one in results]
    raw = [one.data if isinstance(one, Ok) and ok else bytes(WORD)
           for one, ok in zip(results, plain, strict=True)]  # fmt: skip
    limbs = np.frombuffer(b"".join(raw), ">u8").reshape(-1, LIMBS)
    return limbs[:, ::-1].astype(np.uint64), np.array(plain, np.bool_)


def integer(limbs: U64) -> int:
    """Return one word of four limbs as an integer."""
    return sum(limb << 64 * i for i, limb in enumerate(limbs.tolist()))


def wanted(found: Gathering, flags: int) -> tuple[list[Source], NDArray[np.bool_]]:
    """Return the contracts that concern any account, and (P, contracts) which concern whom."""
    health_only, wallet = bool(flags & lens.HEALTH), bool(flags & lens.WALLET)
    known = np.ones((len(found.accounts), 1), np.bool_)
    known[list(found.missing)] = False
    owing, used = found.flagged(0) & known, found.flagged(1) & known
    every = np.broadcast_to(known, owing.shape)
    held = (used | owing) if health_only else every
    asked = np.stack(
        (used if health_only else every, owing, held if wallet else np.zeros_like(owing)), axis=2
    ).reshape(len(known), 3 * len(found.reserves))
    contracts = [
        Source(contract, kind, place)
        for place, one in enumerate(found.reserves)
        for kind, contract in (
            (Kind.SUPPLY, one.a_token), (Kind.DEBT, one.debt_token),
            (Kind.WALLET, one.reserve.asset),
        )
    ]  # fmt: skip
    concerning = np.flatnonzero(asked.any(axis=0))
    return [contracts[i] for i in concerning.tolist()], asked[:, concerning]


def bounds(layouts: Sequence[Layout | None]) -> tuple[U64, U64]:
    """Return (layouts, 4) twice: what the least and the greatest of its widths leave of a word."""
    masks = [one.bounds if one else (NOTHING, NOTHING) for one in layouts]
    both: U64 = np.array(masks, np.uint64)
    return both[:, 0], both[:, 1]


def any_limb(words: U64) -> NDArray[np.bool_]:
    """Return of (N, 4) words which are not zero; numpy's own `any` takes much longer."""
    found: NDArray[np.bool_] = (words[:, 0] | words[:, 1] | words[:, 2] | words[:, 3]) != 0
    return found


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
    present: NDArray[np.bool_] = field(init=False)
    """(N,): whether the amount is not zero."""
    doubted: NDArray[np.bool_] = field(init=False)
    """(N,): whether the widths of the layout differ on it, or it is over 128 bits."""
    _settled: list[Layout | None] = field(default_factory=list)

    def settle(self, sources: Sequence[Source]) -> None:
        """Take the amounts out of the words by the sources' layouts."""
        layouts = [one.layout for one in sources]
        if layouts == self._settled:
            return
        self._settled = layouts
        least, most = bounds(layouts)
        self.amounts = self.word & least[self.source]
        beyond = self.word & (least ^ most)[self.source]
        beyond[:, 2:] |= self.amounts[:, 2:]
        self.present, self.doubted = any_limb(self.amounts), any_limb(beyond)

    def draw(self, masks: NDArray[np.bool_], dice: np.random.Generator) -> tuple[I64, I64, U64]:
        """Return sources, rows and words to ask functions about: of every source some who hold
        something, some whose word holds something else, and some who have no word."""
        group = 2 * self.source + self.present
        order = np.argsort(group + dice.random(len(group), np.float32))  # exact: 24 bits of chance
        group = group[order]
        ranks = np.arange(len(order)) - np.searchsorted(group, group)
        chosen = order[ranks < np.where(group & 1, HOLDERS, OTHERS)]
        empty = np.ascontiguousarray(masks.T)
        empty[self.source, self.rows] = False
        left = np.count_nonzero(empty, axis=1)
        cells = np.flatnonzero(empty)
        fractions = np.sort(dice.random((len(empty), OTHERS)), axis=1)
        places = (np.cumsum(left) - left)[:, None] + (fractions * left[:, None]).astype(np.int64)
        source, row = np.divmod(cells[np.unique(places[left > 0])], len(masks))
        return (
            np.concatenate([self.source[chosen], source]),
            np.concatenate([self.rows[chosen], row]),
            np.concatenate([self.word[chosen], np.zeros((len(row), LIMBS), np.uint64)]),
        )

"""Collect what is learned of many accounts, from whatever source, until it is columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.calls import Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef, checksum
from protocols.aave_v3.columns import LIMBS, U8, U16, U32, U64, Columns, Kind, Way, limbs
from protocols.aave_v3.lens import Run, placed
from protocols.aave_v3.market import Broken, Listed, Pool
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import EMode

GONE: Final = 0xFFFF
"""The place of a reserve that is not among those that could be read."""
EVERY: Final = tuple(Kind)
_LOW: Final = (1 << 64) - 1
_STABLE: Final = (Kind.STABLE, Kind.STABLE_RATE, Kind.STABLE_SINCE)
_DISCOUNT: Final = (Kind.DISCOUNT, Kind.PREVIOUS_INDEX)


@dataclass(frozen=True, slots=True)
class Cell:
    """An amount that a lens could not read."""

    row: int
    place: int
    kind: Kind


@dataclass(slots=True)
class Gathering:
    """The accounts of one market, as far as they are known."""

    accounts: U8
    reserves: tuple[Listed, ...]
    """By id."""
    configuration: U64 = field(init=False)
    emode: U8 = field(init=False)
    missing: dict[int, str] = field(default_factory=dict)
    """By row: why nothing is known of an account."""
    unread: dict[Cell, str] = field(default_factory=dict)
    """Why there is no amount."""
    ways: tuple[Way, ...] = ()
    _parts: list[tuple[U32, U16, U8, U64, U64]] = field(default_factory=list)
    _ones: list[tuple[int, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.configuration = np.zeros((len(self.accounts), LIMBS), np.uint64)
        self.emode = np.zeros(len(self.accounts), np.uint8)

    def owner(self, row: int) -> Address:
        """Return an account's address."""
        return checksum("0x" + self.accounts[row].tobytes().hex())

    def take(
        self, run: Run, rules: Rules, places: U16, kinds: Sequence[Kind] = EVERY
    ) -> list[Cell]:
        """Take a run of the lens in; return the amounts, of `kinds`, that it could not read.

        `places` translates the lens's order of reserves. Accounts whose flags or e-mode it could
        not read are `missing`.
        """
        rows = slice(run.first, run.first + run.done)
        self.configuration[rows] = run.configuration
        self.emode[rows] = run.emode
        bad = np.flatnonzero(run.status)
        for row in (bad + run.first).tolist():
            self.missing[row] = "its flags or its e-mode could not be read"
        place = placed(run, places)
        wanted = meant(rules, self.reserves, kinds)[np.minimum(place, len(self.reserves)), run.kind]
        if len(bad):
            wanted &= ~np.isin(run.account, bad)
        account = run.account + np.uint32(run.first)
        good = wanted & (run.failed == 0)
        if good.all():
            self._parts.append((account, place, run.kind, run.hi, run.lo))
            return []
        self._parts.append((account[good], place[good], run.kind[good], run.hi[good], run.lo[good]))
        cells = wanted & (run.failed != 0)
        return [
            Cell(*cell[:2], Kind(cell[2]))
            for cell in zip(
                account[cells].tolist(), place[cells].tolist(), run.kind[cells].tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def add(self, rows: NDArray[np.int64], place: U16, kind: U8, hi: U64, lo: U64) -> None:
        """Take many amounts in, none of them zero."""
        self._parts.append((rows.astype(np.uint32), place, kind, hi, lo))

    def flagged(self, bit: int) -> NDArray[np.bool_]:
        """Return by row and place whether a reserve is borrowed (bit 0) or collateral (bit 1)."""
        at = np.array([2 * one.reserve.id + bit for one in self.reserves], np.uint64)
        limbs_of = self.configuration[:, (at >> np.uint64(6)).astype(np.intp)]
        found: NDArray[np.bool_] = (limbs_of >> (at & np.uint64(63)) & np.uint64(1)) != 0
        return found

    def flags(self, row: int, configuration: int, emode: int) -> None:
        """Take one account's flags and e-mode in."""
        self.configuration[row] = limbs(configuration)
        self.emode[row] = emode

    def amount(self, cell: Cell, amount: int) -> None:
        """Take one amount in; one over 128 bits is unread."""
        if amount >> 128:
            self.unread[cell] = f"{self.symbol(cell)}: an amount over 128 bits"
        elif amount:
            self._ones.append((cell.row, cell.place, cell.kind, amount))

    def symbol(self, cell: Cell) -> str:
        """Return the symbol of a cell's reserve."""
        return self.reserves[cell.place].token.symbol

    def columns(
        self,
        at: BlockRef,
        pool: Pool,
        broken: Sequence[Broken],
        emodes: Mapping[int, EMode | Unknown],
        *,
        health_only: bool,
    ) -> Columns:
        """Return the columns."""
        account, reserve, kind, hi, lo = self._sorted()
        unknown, incomplete = dict(self.missing), dict[int, str]()
        for cell, cause in self.unread.items():
            vital = cell.kind is not Kind.WALLET and self._flagged(cell.row, cell.place)
            (unknown if vital else incomplete).setdefault(cell.row, cause)
        for row, cause in self._without_reserve(broken):
            unknown.setdefault(row, cause)
        for row, cause in self._without_emode(emodes):
            unknown.setdefault(row, cause)
        for row, cause in self._without_price(emodes):
            unknown.setdefault(row, cause)
        return Columns(
            at=at,
            rules=pool.rules,
            reserves=tuple(one.reserve for one in self.reserves),
            emodes={n: one for n, one in emodes.items() if not isinstance(one, Unknown)},
            accounts=self.accounts,
            configuration=self.configuration,
            emode=self.emode,
            account=account,
            reserve=reserve,
            kind=kind,
            hi=hi,
            lo=lo,
            unknown=unknown,
            incomplete=incomplete,
            health_only=health_only,
            liquidation_allowed=pool.liquidation_allowed,
            base_decimals=pool.base.decimals if pool.base.quote == "USD" else None,
            notes=(
                *pool.notes, *pool.unknown, *(f"{one.asset}: {one.cause}" for one in broken),
                *dict.fromkeys(note for one in self.reserves for note in one.unknown),
            ),
            ways=self.ways,
        )  # fmt: skip

    def _sorted(self) -> tuple[U32, U16, U8, U64, U64]:
        ones, parts = self._ones, list(self._parts)
        if ones or not parts:
            parts.append(
                (
                    np.array([one[0] for one in ones], np.uint32),
                    np.array([one[1] for one in ones], np.uint16),
                    np.array([one[2] for one in ones], np.uint8),
                    np.array([one[3] >> 64 for one in ones], np.uint64),
                    np.array([one[3] & _LOW for one in ones], np.uint64),
                )
            )
        account, reserve, kind, hi, lo = (
            parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        )
        order = (
            account.astype(np.uint64) << np.uint64(24)
            | reserve.astype(np.uint64) << np.uint64(8)
            | kind.astype(np.uint64)
        )
        if (order[1:] < order[:-1]).any():
            by = np.argsort(order, kind="stable")
            account, reserve, kind, hi, lo = account[by], reserve[by], kind[by], hi[by], lo[by]
        return account, reserve, kind, hi, lo

    def _flagged(self, row: int, place: int) -> bool:
        number = self.reserves[place].reserve.id
        return bool(int(self.configuration[row, 2 * number >> 6]) >> (2 * number & 63) & 3)

    def _rows_flagging(self, mask: int) -> list[int]:
        """Return the rows whose configuration has any of the bits."""
        bits = np.array(limbs(mask), np.uint64)
        found: list[int] = np.nonzero((self.configuration & bits).any(axis=1))[0].tolist()
        return found

    def _without_reserve(self, broken: Sequence[Broken]) -> Iterator[tuple[int, str]]:
        if not broken:
            return
        mask = (1 << 256) - 1
        for one in self.reserves:
            mask &= ~(3 << 2 * one.reserve.id)
        cause = "; ".join(f"{one.asset}: {one.cause}" for one in broken)
        for row in self._rows_flagging(mask):
            yield row, cause

    def _without_emode(self, emodes: Mapping[int, EMode | Unknown]) -> Iterator[tuple[int, str]]:
        for number, one in emodes.items():
            if isinstance(one, Unknown):
                for row in np.nonzero(self.emode == number)[0].tolist():
                    yield row, f"e-mode {number}: {one.reason}"

    def _without_price(self, emodes: Mapping[int, EMode | Unknown]) -> Iterator[tuple[int, str]]:
        for listed in self.reserves:
            reserve = listed.reserve
            if reserve.quote is not None:
                continue
            for row in self._rows_flagging(3 << 2 * reserve.id):
                emode = emodes.get(int(self.emode[row]))
                replaced = isinstance(emode, EMode) and emode.quote and emode.covers(reserve)
                if not replaced:
                    yield row, f"{reserve.symbol}: the oracle gives no price"


def meant(
    rules: Rules, reserves: Sequence[Listed], kinds: Sequence[Kind] = EVERY
) -> NDArray[np.bool_]:
    """Return by place and kind whether this release knows such an amount; the last place is none.

    The lens asks every token that has an answer. Of `kinds` alone.
    """
    table = np.zeros((len(reserves) + 1, 256), np.bool_)
    table[:-1, kinds] = True
    stable, discounts = rules.stable_debt, rules.discounts
    for some, knows in (
        (_STABLE, [stable and one.stable_token != ZERO_ADDRESS for one in reserves]),
        (_DISCOUNT, [discounts and not one.reserve.virtual_balance for one in reserves]),
    ):
        if not all(knows):
            table[:-1, some] &= np.array(knows, np.bool_)[:, None]
    return table

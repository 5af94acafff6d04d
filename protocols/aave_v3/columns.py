"""One Aave v3 market at one block as arrays: every account, and only the amounts that are not zero.

All numbers are the contracts' own, as in `protocols.aave_v3.state`; nothing is accrued. Amounts
are exact to 128 bits in two unsigned 64-bit columns. An account whose health cannot be known is in
`unknown`, and is never one that holds nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chain.calls import ReadFailed
from chain.types import Address, BlockRef, checksum
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Discount, EMode, Holding, Reserve, StableDebt

U8: TypeAlias = NDArray[np.uint8]
U16: TypeAlias = NDArray[np.uint16]
U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]

LIMBS: Final = 4
"""64-bit limbs of a configuration word, the lowest first."""
_LOW: Final = (1 << 64) - 1


class Kind(IntEnum):
    """What the amount of an entry is."""

    SUPPLY = 0
    """Scaled balance of the aToken."""
    DEBT = 1
    """Scaled balance of the variable debt token."""
    STABLE = 2
    """Principal of the stable debt (to 3.1)."""
    WALLET = 3
    """Balance of the asset itself, where it was asked for."""
    STABLE_RATE = 4
    STABLE_SINCE = 5
    """Seconds since 1970."""
    DISCOUNT = 6
    """Rebate on the debt's interest in bps (GHO before 3.4)."""
    PREVIOUS_INDEX = 7


@dataclass(frozen=True, slots=True)
class Way:
    """How a contract's amounts were read, where storage was asked for."""

    contract: Address
    kind: Kind
    cause: str = ""
    """Why by its functions; empty where by its storage."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """P accounts and N amounts; entries are ordered by account, then reserve, then kind."""

    at: BlockRef
    rules: Rules
    reserves: tuple[Reserve, ...]
    """In order of their ids, which may have gaps: an entry's `reserve` is a place in here."""
    emodes: Mapping[int, EMode]
    """By category number: those in use that could be read."""
    accounts: U8
    """(P, 20)."""
    configuration: U64
    """(P, 4): bit 2·id is borrowing, 2·id + 1 collateral; the lowest limb first."""
    emode: U8
    """(P,)."""
    account: U32
    """(N,): row in `accounts`."""
    reserve: U16
    """(N,): place in `reserves`."""
    kind: U8
    """(N,)."""
    hi: U64
    """(N,): amount >> 64."""
    lo: U64
    """(N,): amount & (2^64 - 1)."""
    unknown: Mapping[int, str] = field(default_factory=dict)
    """By account row: why its health cannot be known."""
    incomplete: Mapping[int, str] = field(default_factory=dict)
    """By account row: an amount that could not be read and does not matter for health."""
    health_only: bool = False
    """Whether amounts that health does not look at were left out."""
    liquidation_allowed: bool = True
    base_decimals: int | None = 8
    notes: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    """Where storage was asked for: each contract that concerns any account."""

    def __len__(self) -> int:
        return len(self.accounts)

    def address(self, row: int) -> Address:
        """Return an account's address."""
        return checksum("0x" + self.accounts[row].tobytes().hex())

    def configuration_of(self, row: int) -> int:
        """Return an account's configuration word."""
        return sum(int(limb) << 64 * i for i, limb in enumerate(self.configuration[row]))

    def borrowing(self) -> U8:
        """Return for each entry 1 where its account is flagged as borrowing its reserve."""
        return self._flag(0)

    def collateral(self) -> U8:
        """Return for each entry 1 where its account uses its reserve as collateral."""
        return self._flag(1)

    def _flag(self, offset: int) -> U8:
        ids = np.array([2 * r.id + offset for r in self.reserves], dtype=np.uint16)[self.reserve]
        limbs = self.configuration[self.account, ids >> 6]
        flags: U8 = (limbs >> (ids & 63).astype(np.uint64) & np.uint64(1)).astype(np.uint8)
        return flags

    def amounts(self) -> Iterator[int]:
        """Yield every amount as an integer."""
        for hi, lo in zip(self.hi.tolist(), self.lo.tolist(), strict=True):
            yield hi << 64 | lo

    def account_state(self, row: int) -> AaveAccount:
        """Return one account exactly, as the adapter would.

        Raises `ReadFailed` where its health is not known. In a health-only reading holdings that
        are not flagged are absent.
        """
        if row in self.unknown:
            raise ReadFailed(self.unknown[row])
        ends = np.array([row, row + 1], self.account.dtype)  # any other kind copies the column
        first, last = np.searchsorted(self.account, ends).tolist()
        found: dict[int, dict[int, int]] = {}
        for i in range(first, last):
            amount = int(self.hi[i]) << 64 | int(self.lo[i])
            found.setdefault(int(self.reserve[i]), {})[int(self.kind[i])] = amount
        configuration = self.configuration_of(row)
        holdings = []
        for place, reserve in enumerate(self.reserves):
            flags = configuration >> 2 * reserve.id & 3
            one = holding(reserve, flags, found.get(place, {}))
            if one is not None:
                holdings.append(one)
        category = int(self.emode[row])
        return AaveAccount(
            rules=self.rules,
            timestamp=self.at.timestamp,
            holdings=tuple(holdings),
            emode=self.emodes[category] if category else None,
            liquidation_allowed=self.liquidation_allowed,
            base_decimals=self.base_decimals,
        )


def holding(reserve: Reserve, flags: int, amounts: Mapping[int, int]) -> Holding | None:
    """Return what an account has and owes of a reserve, from its flags and amounts by kind."""
    borrowing = bool(flags & 1)
    supply, debt = amounts.get(Kind.SUPPLY, 0), amounts.get(Kind.DEBT, 0)
    if not (supply or flags):
        return None
    principal = amounts.get(Kind.STABLE, 0)
    stable = discount = None
    if borrowing and principal:
        stable = StableDebt(
            principal, amounts.get(Kind.STABLE_RATE, 0), amounts.get(Kind.STABLE_SINCE, 0)
        )
    if borrowing and (Kind.DISCOUNT in amounts or Kind.PREVIOUS_INDEX in amounts):
        discount = Discount(amounts.get(Kind.DISCOUNT, 0), amounts.get(Kind.PREVIOUS_INDEX, 0))
    return Holding(
        reserve, supply, debt if borrowing else 0, bool(flags & 2), borrowing, stable, discount
    )


def of_accounts(
    at: BlockRef,
    rules: Rules,
    reserves: Sequence[Reserve],
    accounts: Mapping[Address, AaveAccount],
    *,
    liquidation_allowed: bool = True,
    base_decimals: int | None = 8,
) -> Columns:
    """Return the columns of accounts that are already known one by one."""
    places = {reserve.id: place for place, reserve in enumerate(reserves)}
    rows: list[tuple[int, int, int, int]] = []
    configuration = np.zeros((len(accounts), LIMBS), np.uint64)
    emode = np.zeros(len(accounts), np.uint8)
    emodes: dict[int, EMode] = {}
    for row, state in enumerate(accounts.values()):
        word = 0
        for held in state.holdings:
            flags = held.borrowing | held.collateral << 1
            word |= flags << 2 * held.reserve.id
            place = places[held.reserve.id]
            rows += [(row, place, kind, amount) for kind, amount in amounts_of(held) if amount]
        configuration[row] = limbs(word)
        if state.emode is not None:
            emode[row] = state.emode.category
            emodes[state.emode.category] = state.emode
    addresses = bytes.fromhex("".join(address[2:] for address in accounts))
    return Columns(
        at=at,
        rules=rules,
        reserves=tuple(reserves),
        emodes=emodes,
        accounts=np.frombuffer(addresses, np.uint8).reshape(-1, 20),
        configuration=configuration,
        emode=emode,
        account=np.array([row[0] for row in rows], np.uint32),
        reserve=np.array([row[1] for row in rows], np.uint16),
        kind=np.array([row[2] for row in rows], np.uint8),
        hi=np.array([row[3] >> 64 for row in rows], np.uint64),
        lo=np.array([row[3] & _LOW for row in rows], np.uint64),
        liquidation_allowed=liquidation_allowed,
        base_decimals=base_decimals,
    )


def limbs(word: int) -> list[int]:
    """Return a 256-bit word as limbs, the lowest first."""
    return [word >> 64 * i & _LOW for i in range(LIMBS)]


def amounts_of(held: Holding) -> Iterator[tuple[Kind, int]]:
    """Yield the amounts of a holding in the order of their kinds, zeros included."""
    yield Kind.SUPPLY, held.scaled_supply
    yield Kind.DEBT, held.scaled_debt
    if held.stable is not None:
        yield Kind.STABLE, held.stable.principal
        yield Kind.STABLE_RATE, held.stable.rate
        yield Kind.STABLE_SINCE, held.stable.updated_at
    if held.discount is not None:
        yield Kind.DISCOUNT, held.discount.percent
        yield Kind.PREVIOUS_INDEX, held.discount.previous_index

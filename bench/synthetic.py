"""Made-up Aave markets of any size as columns, with accounts exactly on the boundary."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from chain.types import BlockRef, checksum
from chain.units import RAY, WAD, YEAR
from protocols.aave_v3.columns import Columns, Kind
from protocols.aave_v3.math import health, lines, totals
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, EMode, Quote, Reserve
from risk.bulk.exposure import F64, I64, Exposure
from risk.bulk.screen import sums

NOW: Final = 1_700_000_000
SHARE: Final = 0.07
"""Of all (account, reserve) cells, on each side, those that are not zero."""
LIMB: Final = 2.0**64
CATEGORIES: Final = 3
AT: Final = BlockRef(1, 1, "0x" + "11" * 32, "0x" + "10" * 32, NOW)


def reserves(count: int, dice: np.random.Generator) -> tuple[Reserve, ...]:
    """Return reserves of all sizes of unit and price, on a third as many feeds."""
    found = []
    feeds = max(5, count // 15 * 5)  # a multiple of the kinds, so that a feed has one price
    # a whole unit of two decimals is a coin, not a bitcoin: its rounding alone is a cent
    answers = [int(10 ** dice.uniform(7, 12.9 if i % 5 < 4 else 8.3)) for i in range(feeds)]
    for i in range(count):
        decimals = (18, 6, 8, 18, 2)[i % 5]
        threshold = int(dice.integers(6500, 9300))
        bits = 7000 | threshold << 16 | 10500 << 32 | decimals << 48 | 1 << 56
        bits |= (i % (CATEGORIES + 1)) << 168
        found.append(
            Reserve(
                id=i,
                asset=checksum(f"0x{0xA0 + i:040x}"),
                symbol=f"T{i}",
                configuration=bits,
                liquidity_index=int(RAY * dice.uniform(1, 1.3)),
                liquidity_rate=int(RAY * dice.uniform(0, 0.1)),
                borrow_index=int(RAY * dice.uniform(1, 1.5)),
                borrow_rate=int(RAY * dice.uniform(0, 0.2)),
                updated_at=NOW - int(dice.integers(0, YEAR // 12)),
                quote=Quote(
                    f"feed {i % feeds}", answers[i % feeds], 8, label=f"F{i % feeds} / USD"
                ),
            )
        )
    return tuple(found)


def market(accounts: int, width: int, revision: int, seed: int = 1) -> Columns:
    """Return a market of so many accounts × reserves, healths around 1.5 and some below 1."""
    dice = np.random.default_rng(seed)
    rules, listed = Rules(revision), reserves(width, dice)
    emodes = {
        n: EMode(n, 9300, 10100, sum(1 << i for i in range(width) if i % 4 == n))
        if rules.emode_bitmap
        else EMode(n, 9300, 10100, None)
        for n in range(1, CATEGORIES + 1)
    }
    held, owed = (_places(accounts, width, dice) for _ in range(2))
    account = np.concatenate([held[0], owed[0]])
    reserve = np.concatenate([held[1], owed[1]])
    kind = np.repeat(np.array([Kind.SUPPLY, Kind.DEBT], np.uint8), [len(held[0]), len(owed[0])])
    order = np.lexsort((kind, reserve, account))
    account, reserve, kind = account[order], reserve[order], kind[order]
    flags = np.where(kind == Kind.DEBT, 1, 2 * (dice.random(len(kind)) < 0.95))
    configuration = np.zeros((accounts, 4), np.uint64)
    np.bitwise_or.at(
        configuration,
        (account, reserve >> 5),
        flags.astype(np.uint64) << (2 * (reserve & 31)).astype(np.uint64),
    )
    worth = np.array([10.0**r.decimals / (r.quote.raw if r.quote else 1) for r in listed])
    amounts = 10 ** dice.uniform(9, 14, len(kind)) * worth[reserve] + 1
    numbers = np.arange(1, accounts + 1, dtype=">u8")
    addresses = np.zeros((accounts, 20), np.uint8)
    addresses[:, 12:] = numbers.view(np.uint8).reshape(-1, 8)
    emode = np.where(dice.random(accounts) < 0.25, dice.integers(1, CATEGORIES + 1, accounts), 0)
    columns = Columns(
        at=AT,
        rules=rules,
        reserves=listed,
        emodes=emodes,
        accounts=addresses,
        configuration=configuration,
        emode=emode.astype(np.uint8),
        account=account.astype(np.uint32),
        reserve=reserve.astype(np.uint16),
        kind=kind,
        hi=np.zeros(len(kind), np.uint64),
        lo=np.zeros(len(kind), np.uint64),
    )
    return _scaled(_with(columns, amounts, dice), amounts, dice)


def crafted(columns: Columns, rows: Sequence[int]) -> Columns:
    """Put accounts on the boundary: the greatest debt that is safe, or one unit more.

    Only the last debt entry of each is moved; the even ones of `rows` end safe, the odd broken.
    """
    hi, lo = columns.hi.copy(), columns.lo.copy()
    debts = np.flatnonzero(columns.kind == Kind.DEBT)
    last = dict(zip(columns.account[debts].tolist(), debts.tolist(), strict=True))
    for turn, row in enumerate(rows):
        if row not in last:
            continue
        state = columns.account_state(row)
        place = int(columns.reserve[last[row]])
        edge = _edge(state, columns.reserves[place].id) + turn % 2
        hi[last[row]], lo[last[row]] = edge >> 64, edge & (1 << 64) - 1
    return replace(columns, hi=hi, lo=lo)


def exact_health(state: AaveAccount) -> int:
    """Return health by integers alone."""
    return health(totals(lines(state, state.timestamp), state.rules, {}), state.rules)


def _edge(state: AaveAccount, reserve_id: int) -> int:
    """Return the greatest scaled debt of a reserve with which an account is safe, at least 1."""

    def safe(scaled: int) -> bool:
        holdings = tuple(
            replace(h, scaled_debt=scaled) if h.reserve.id == reserve_id else h
            for h in state.holdings
        )
        return exact_health(replace(state, holdings=holdings)) >= WAD

    lo, hi = 0, 1
    while safe(hi):
        lo, hi = hi, 2 * hi
    while hi - lo > 1:
        mid = (lo + hi) // 2
        lo, hi = (mid, hi) if safe(mid) else (lo, mid)
    return max(lo, 1)


def _places(accounts: int, width: int, dice: np.random.Generator) -> tuple[I64, I64]:
    """Return rows and reserves of the cells of one side that are not zero."""
    count = dice.binomial(accounts * width, SHARE)
    cells = np.unique(dice.integers(0, accounts * width, count))
    return cells // width, cells % width


def _with(columns: Columns, amounts: F64, dice: np.random.Generator) -> Columns:
    """Return the columns with float amounts; of those above 2^64 the low half is random."""
    hi = np.floor(amounts / LIMB)
    noise = dice.integers(0, 2**64, len(amounts), dtype=np.uint64, endpoint=False)
    small = np.where(hi > 0, 0, amounts).astype(np.uint64)
    return replace(columns, hi=hi.astype(np.uint64), lo=np.where(hi > 0, noise, small))


def _scaled(columns: Columns, amounts: F64, dice: np.random.Generator) -> Columns:
    """Return the market with every account's debts scaled to a health around 1.5."""
    found = sums(Exposure.of(columns))
    target = np.exp(dice.normal(0.45, 0.35, len(columns)))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = found.weighted / 1e4 / found.debt / target
    factor = np.where(np.isfinite(factor) & (factor > 0), factor, 1.0)
    owed = columns.kind == Kind.DEBT
    amounts = np.where(owed, amounts * factor[columns.account] + 1, amounts)
    return _with(columns, amounts, dice)

"""Read a whole Aave v3 market: every account's amounts as columns, by a lens where one runs.

Reads: what the adapter reads of the market; of each account `getUserConfiguration` and
`getUserEMode`; `scaledBalanceOf` of every aToken, and of the debt tokens where the account is
flagged as borrowing, with the stable debt and discount of older releases. Health-only reads the
aTokens only where they are flagged as collateral, and the e-mode only of accounts with a flag.
Scales, Rounds: as the adapter; nothing is accrued.

The lens is contracts/src/LendingLens.sol: after the head, one round for the market and the first
accounts, one for the rest together with feeds and e-modes. Without a lens the same columns come
from ordinary reads.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from chain.bulk import Bulk, Chunks, NoLens, Step
from chain.calls import ReadFailed, Reads, Result, Unknown
from chain.types import Address, BlockRef
from protocols import tokens
from protocols.aave_v3 import account, lens, plain
from protocols.aave_v3 import contracts as c
from protocols.aave_v3 import market as markets
from protocols.aave_v3 import storage as storing
from protocols.aave_v3.account import Category
from protocols.aave_v3.batch import Batch
from protocols.aave_v3.columns import Columns
from protocols.aave_v3.gathering import EVERY, GONE, Cell, Gathering
from protocols.aave_v3.layouts import Layouts
from protocols.aave_v3.lens import Row, Run
from protocols.aave_v3.market import Broken, Listed, Pool
from protocols.aave_v3.prices import Sourced
from protocols.aave_v3.state import EMode, Quote, Reserve
from protocols.prices import expr
from protocols.root import check_root
from protocols.types import Token

T = TypeVar("T")

ALONE: Final = 1_000
"""Accounts that a lens missed, at most, to be read by ordinary reads; more are unknown."""


def read_columns(
    root: Address,
    accounts: Sequence[Address] | NDArray[np.uint8],
    at: BlockRef,
    *,
    health_only: bool = False,
    wallet: bool = False,
    sources: bool = True,
    storage: Layouts | None = None,
) -> Bulk[Columns]:
    """Read accounts, given as addresses or as (P, 20) bytes, of the pool of an addresses provider.

    `wallet` adds balances of the assets themselves. Without `sources` prices are the oracle's,
    each its own factor, names are short addresses and grace periods are not asked for: enough for
    health, and faster. With `storage`, which remembers what it learns, balances are read from the
    tokens' storage where they are proven to be there (`protocols.aave_v3.storage`), and `ways`
    tells of which contracts they were. Raises `ReadFailed` where the pool itself cannot be read.
    """
    whole = lens.packed(accounts)
    flags = lens.WALLET * wallet | lens.HEALTH * health_only
    at_first = flags if storage is None else flags & ~lens.WALLET | lens.ROWS
    answers = yield Step(lens=lens.opening(root, whole, at_first))
    runs, failed = _runs(answers.lens, 0)
    begin = answers.lens.count if isinstance(answers.lens, Chunks) else 0
    told: Sequence[Result] | None = lens.market_results(runs[0]) if runs else None
    if told is None:
        told = (yield Step(markets.market_reads(root))).results
    check_root(root, "PoolAddressesProvider", c.GET_POOL, told[0])
    pool = markets.market(told)
    first = runs[0] if runs and all(_fits(pool, run) for run in runs) else None

    second = Batch()
    looked_up = sources or first is None
    wanted = pool.assets if looked_up else ()
    listed_at = [(one, second.add(*markets.reserve_reads(pool, one))) for one in wanted]
    numbers = sorted({number for run in runs for number in _numbers(run.emode)})
    emode_at = [(n, second.add(*account.emode_reads(pool, n))) for n in numbers]
    after = None
    if first is not None and 20 * begin < len(whole):
        after = lens.following(first, whole[20 * begin :], at_first)
    if second.reads or after is not None:
        answers = yield Step(second.reads, after)
        more, further = _runs(answers.lens, begin)
        runs, failed = runs + more, failed + further
    results = answers.results

    one_by_one: list[Listed | Broken]
    if looked_up:
        one_by_one = [
            markets.listed(
                pool, asset, results[where],
                markets.read_price(pool, asset, results[where], at),
            )
            for asset, where in listed_at
        ]  # fmt: skip
    else:
        assert first is not None
        decimals = pool.base.decimals or 0
        one_by_one = [_listed(pool.oracle, decimals, row) for row in first.reserves]
    if first is not None and looked_up and not all(map(_same, one_by_one, first.reserves)):
        first = None
    categories = {number: _category(pool, number, results[where]) for number, where in emode_at}
    reserves = sorted(
        (one for one in one_by_one if isinstance(one, Listed)), key=lambda one: one.reserve.id
    )
    broken = [one for one in one_by_one if isinstance(one, Broken)]
    found = Gathering(np.frombuffer(whole, np.uint8).reshape(-1, 20), tuple(reserves))

    cells: list[Cell] = []
    left = list(range(len(found.accounts))) if first is None else []
    if first is not None:
        place = {one.reserve.asset: i for i, one in enumerate(reserves)}
        places = np.array([place.get(row.asset, GONE) for row in first.reserves], np.uint16)
        kinds = EVERY if storage is None else storing.BESIDE
        for run in runs:
            cells += found.take(run, pool.rules, places, kinds)
        for start, count, cause in failed:
            found.missing.update(dict.fromkeys(range(start, start + count), cause))
        left = list(found.missing)[:ALONE]
        if storage is not None:
            cells += yield from storing.amounts(found, storage, at, first, flags)
    yield from _plainly(plain.accounts(pool, found, left, health_only=health_only, wallet=wallet))
    if storage is not None and first is None:
        found.ways = storing.unread(found, flags, "no lens runs here")
    yield from _plainly(plain.cells(found, cells))
    emodes = yield from _emodes(pool, found, categories, at)
    return found.columns(at, pool, broken, emodes, health_only=health_only)


def _emodes(
    pool: Pool, found: Gathering, categories: dict[int, Category | Unknown], at: BlockRef
) -> Bulk[dict[int, EMode | Unknown]]:
    """Return every category in use, reading those that are not known and their prices."""
    batch = Batch()
    further = [n for n in _numbers(found.emode) if n not in categories]
    where_of = [(n, batch.add(*account.emode_reads(pool, n))) for n in further]
    if batch.reads:
        answers = yield Step(batch.reads)
        for number, where in where_of:
            categories[number] = _category(pool, number, answers.results[where])
    batch = Batch()
    replaced = {
        number: (source, batch.add(*account.emode_price_reads(pool, source)))
        for number, one in categories.items()
        if not isinstance(one, Unknown) and (source := one.price_source) is not None
    }
    prices: dict[int, Sourced | Unknown | None] = {}
    if batch.reads:
        answers = yield Step(batch.reads)
        for number, (source, where) in replaced.items():
            try:
                prices[number] = account.emode_price(pool, source, answers.results[where], at)
            except ReadFailed as failure:
                prices[number] = Unknown(failure.cause)
    return account.emodes(categories, prices)


def _numbers(emode: NDArray[np.uint8]) -> list[int]:
    return [number for number in np.unique(emode).tolist() if number] if emode.any() else []


def _category(pool: Pool, number: int, results: Sequence[Result]) -> Category | Unknown:
    try:
        return account.category(pool, number, results)
    except ReadFailed as failure:
        return Unknown(failure.cause)


def _runs(
    answer: Chunks | NoLens | None, offset: int
) -> tuple[list[Run], list[tuple[int, int, str]]]:
    """Return the runs as arrays, rows counted from `offset`, and the accounts not learned."""
    if not isinstance(answer, Chunks):
        return [], []
    failed = [(start + offset, count, cause) for start, count, cause in answer.failed]
    return [lens.decode(chunk, offset) for chunk in answer.chunks], failed


def _fits(pool: Pool, run: Run) -> bool:
    """Whether the lens found the very market that the reads beside it found, and all of it.

    Of reserves that share an id, which no pool of Aave has, it reads but one.
    """
    ids = [row.id for row in run.reserves if row.status == lens.OK]
    return (
        (run.pool, run.oracle) == (pool.address, pool.oracle)
        and tuple(row.asset for row in run.reserves) == pool.assets
        and len(set(ids)) == len(ids)
        and not any(row.starved for row in run.reserves)
    )


def _same(one: Listed | Broken, row: Row) -> bool:
    """Whether two readings of a reserve at the block agree."""
    if isinstance(one, Broken):
        return row.status != lens.OK
    reserve = one.reserve
    return row.status == lens.OK and (
        (row.id, row.asset, row.configuration, row.liquidity_index, row.liquidity_rate)
        == (reserve.id, reserve.asset, reserve.configuration, reserve.liquidity_index,
            reserve.liquidity_rate)
        and (row.borrow_index, row.borrow_rate, row.updated_at, row.a_token, row.debt_token)
        == (reserve.borrow_index, reserve.borrow_rate, reserve.updated_at, one.a_token,
            one.debt_token)
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _listed(oracle: Address, decimals: int, row: Row) -> Listed | Broken:
    """Return a reserve as the lens has it, its price in units of so many decimals."""
    symbol = tokens.short(row.asset)
    if row.status != lens.OK:
        return Broken(row.asset, f"{symbol}: getReserveData: {lens.CAUSES[row.status]}")
    quote = None
    if row.price:
        factor = f"{expr.Opaque(oracle)} of {row.asset}"
        quote = Quote(factor, row.price, decimals, label=symbol)
    reserve = Reserve(
        row.id, row.asset, symbol, row.configuration, row.liquidity_index, row.liquidity_rate,
        row.borrow_index, row.borrow_rate, row.updated_at, quote,
    )  # fmt: skip
    token = Token(row.asset, symbol, reserve.decimals)
    return Listed(reserve, token, row.a_token, row.stable_token, row.debt_token, None, ())


def _plainly(program: Reads[T]) -> Bulk[T]:
    """Run a reader of ordinary reads."""
    try:
        batch = next(program)
        while True:
            answers = yield Step(batch)
            batch = program.send(answers.results)
    except StopIteration as stop:
        value: T = stop.value
        return value

"""Gather accounts by ordinary reads: where no lens runs, and for what a lens could not read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chain.abi import Function
from chain.calls import Call, NoCode, Ok, ReadFailed, Reads, Result, Reverted
from chain.types import Address
from protocols.aave_v3 import account
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.account import User
from protocols.aave_v3.batch import Batch
from protocols.aave_v3.columns import Kind
from protocols.aave_v3.gathering import Cell, Gathering, meant
from protocols.aave_v3.market import Listed, Pool

ACCOUNTS: Final = 200
"""Accounts of one round, so that memory stays small."""
SAMPLE: Final = 16
"""Cells of one token asked again before the rest is taken to fail alike."""
BALANCE_OF: Final = Function("balanceOf(address)(uint256)")
_QUESTIONS: Final = {
    Kind.SUPPLY: c.SCALED_BALANCE_OF,
    Kind.DEBT: c.SCALED_BALANCE_OF,
    Kind.STABLE: c.PRINCIPAL_BALANCE_OF,
    Kind.WALLET: BALANCE_OF,
    Kind.STABLE_RATE: c.GET_USER_STABLE_RATE,
    Kind.STABLE_SINCE: c.GET_USER_LAST_UPDATED,
    Kind.DISCOUNT: c.GET_DISCOUNT_PERCENT,
    Kind.PREVIOUS_INDEX: c.GET_PREVIOUS_INDEX,
}

_DEPENDENT: Final = (Kind.STABLE_RATE, Kind.STABLE_SINCE, Kind.PREVIOUS_INDEX)
"""Of no interest without a principal, or where the token grants no discount."""


def accounts(
    pool: Pool, found: Gathering, rows: Sequence[int], *, health_only: bool, wallet: bool
) -> Reads[None]:
    """Read whole accounts as the adapter reads them."""
    for start in range(0, len(rows), ACCOUNTS):
        yield from _some(pool, found, rows[start : start + ACCOUNTS], health_only, wallet)


def _some(
    pool: Pool, found: Gathering, rows: Sequence[int], health_only: bool, wallet: bool
) -> Reads[None]:
    first = Batch()
    asked = []
    for row in rows:
        owner = found.owner(row)
        flags = c.GET_USER_CONFIGURATION.at(pool.address, owner)
        asked.append((row, first.add(flags, c.GET_USER_EMODE.at(pool.address, owner))))
    results = yield first.reads
    users = []
    for row, where in asked:
        flags_of, emode_of = results[where]
        try:
            user = account.user(found.owner(row), (flags_of, emode_of, flags_of))
        except ReadFailed as failure:
            found.missing[row] = failure.cause
            continue
        found.missing.pop(row, None)
        bare = health_only and not user.configuration
        found.flags(row, user.configuration, 0 if bare else user.category)
        users.append((row, user))

    wanted = [cell for row, user in users for cell in _cells(pool, found, row, user, health_only)]
    if wallet:
        places = range(len(found.reserves))
        wanted += [Cell(row, place, Kind.WALLET) for row, _ in users for place in places]
    if not wanted:
        return
    results = yield [_read(found, cell) for cell in wanted]
    of_interest = True
    for cell, result in zip(wanted, results, strict=True):
        match cell.kind:
            case Kind.STABLE:
                of_interest = not isinstance(result, Ok) or any(result.data)
            case Kind.DISCOUNT:
                of_interest = not isinstance(result, Reverted | NoCode)
        if of_interest or cell.kind not in _DEPENDENT:
            _settle(found, cell, result)


def _cells(pool: Pool, found: Gathering, row: int, user: User, health_only: bool) -> Iterator[Cell]:
    """Yield what to read of an account, in order of reserve and kind."""
    known = meant(pool.rules, found.reserves)
    for place, one in enumerate(found.reserves):
        if user.collateral(one.reserve.id) or not health_only:
            yield Cell(row, place, Kind.SUPPLY)
        if user.borrowing(one.reserve.id):
            owed = (kind for kind in Kind if kind not in (Kind.SUPPLY, Kind.WALLET))
            yield from (Cell(row, place, kind) for kind in owed if known[place, kind])


def cells(found: Gathering, failing: Iterable[Cell]) -> Reads[None]:
    """Ask again, each by itself, for amounts that a lens could not read.

    Of a token that fails for all of a sample the rest is not asked again.
    """
    by_token: dict[tuple[int, Kind], list[Cell]] = {}
    for cell in failing:
        by_token.setdefault((cell.place, cell.kind), []).append(cell)
    samples = [cell for many in by_token.values() for cell in many[:SAMPLE]]
    yield from _ask(found, samples)
    rest = []
    for many in by_token.values():
        last = many[:SAMPLE][-1]
        if all(cell in found.unread for cell in many[:SAMPLE]):
            found.unread.update(dict.fromkeys(many[SAMPLE:], found.unread[last]))
        else:
            rest += many[SAMPLE:]
    yield from _ask(found, rest)


def _ask(found: Gathering, asked: Sequence[Cell]) -> Reads[None]:
    if not asked:
        return
    results = yield [_read(found, cell) for cell in asked]
    for cell, result in zip(asked, results, strict=True):
        _settle(found, cell, result)


def _read(found: Gathering, cell: Cell) -> Call:
    return _QUESTIONS[cell.kind].at(
        _token(found.reserves[cell.place], cell.kind), found.owner(cell.row)
    )


def _token(one: Listed, kind: Kind) -> Address:
    match kind:
        case Kind.SUPPLY:
            return one.a_token
        case Kind.WALLET:
            return one.reserve.asset
        case Kind.STABLE | Kind.STABLE_RATE | Kind.STABLE_SINCE:
            return one.stable_token
    return one.debt_token


def _settle(found: Gathering, cell: Cell, result: Result) -> None:
    if cell.kind in (Kind.DISCOUNT, Kind.PREVIOUS_INDEX) and isinstance(result, Reverted | NoCode):
        return  # it grants none, as the adapter has it
    try:
        found.amount(cell, _QUESTIONS[cell.kind].decode(result))
    except ReadFailed as failure:
        found.unread[cell] = f"{found.symbol(cell)}: {failure.cause}"

"""Read one pool: where its parts are, its rules, its reserves and their prices.

Reads: of the `PoolAddressesProvider` `getPool`, `getPriceOracle`, `getPriceOracleSentinel`; of the
pool `POOL_REVISION`, `getReservesList`, and per reserve `getReserveData` and
`getLiquidationGracePeriod`; of the oracle `BASE_CURRENCY`, `BASE_CURRENCY_UNIT`,
`getFallbackOracle`, and per reserve what `prices` reads; of the sentinel `isLiquidationAllowed`;
of each aToken its `getIncentivesController`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chain.calls import NoCode, Ok, Read, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols import tokens
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.prices import PRICE_READS, Base, Sourced, price_reads, sourced
from protocols.aave_v3.rules import NEWEST, Rules
from protocols.aave_v3.state import Reserve
from protocols.types import Token

MARKET_READS: Final = 9


@dataclass(frozen=True, slots=True)
class Pool:
    """What concerns every account of a pool."""

    address: Address
    oracle: Address
    rules: Rules
    assets: tuple[Address, ...]
    base: Base
    liquidation_allowed: bool
    notes: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One reserve with what only the adapter needs of it."""

    reserve: Reserve
    token: Token
    a_token: Address
    stable_token: Address
    debt_token: Address
    controller: Address | Unknown | None
    """The rewards controller; None where the reserve has none."""
    unknown: tuple[str, ...]
    """Parts of the reserve that matter to whoever holds or owes it."""

    @property
    def receipts(self) -> tuple[Address, ...]:
        """Return the tokens that stand for what is supplied and owed."""
        every = (self.a_token, self.stable_token, self.debt_token)
        return tuple(token for token in every if token != ZERO_ADDRESS)


@dataclass(frozen=True, slots=True)
class Broken:
    """A reserve whose data could not be read: its id and tokens are not known."""

    asset: Address
    cause: str


def market_reads(provider: Address) -> tuple[Read, ...]:
    """Return the reads that `market` decodes; accounts' own go beside them."""
    pool, oracle = c.GET_POOL.pointer(provider), c.GET_PRICE_ORACLE.pointer(provider)
    return (
        c.GET_POOL.at(provider),
        c.GET_PRICE_ORACLE.at(provider),
        c.GET_SENTINEL.at(provider),
        c.POOL_REVISION.at(pool),
        c.GET_RESERVES_LIST.at(pool),
        c.BASE_CURRENCY.at(oracle),
        c.BASE_CURRENCY_UNIT.at(oracle),
        c.GET_FALLBACK_ORACLE.at(oracle),
        c.IS_LIQUIDATION_ALLOWED.at(c.GET_SENTINEL.pointer(provider)),
    )


def market(results: Sequence[Result]) -> Pool:
    """Return what the pool says of itself. Raises `ReadFailed` where there is no pool to read."""
    return _market(tuple(results))


@lru_cache(maxsize=64)
def _market(results: tuple[Result, ...]) -> Pool:
    """Take the answers apart; most pools say the same from one block to the next."""
    address: Address = c.GET_POOL.decode(results[0])
    oracle: Address = c.GET_PRICE_ORACLE.decode(results[1])
    rules = _rules(results[3])
    assets: tuple[Address, ...] = c.GET_RESERVES_LIST.decode(results[4])
    allowed, unknown = True, list[str]()
    if rules.sentinel:
        allowed, unknown = _sentinel(results[2], results[8])
    notes: tuple[str, ...] = ()
    if not rules.known:
        notes = (f"{rules.version} is not a release we know; read as rev {NEWEST}",)
    base = Base.of(*results[5:8])
    return Pool(address, oracle, rules, assets, base, allowed, notes, tuple(unknown))


def _rules(result: Result) -> Rules:
    if isinstance(result, Reverted) or (isinstance(result, Ok) and not result.data):
        return Rules(None)
    return Rules(c.POOL_REVISION.decode(result))


def _sentinel(address: Result, allowed: Result) -> tuple[bool, list[str]]:
    """Return whether liquidations are allowed; a sentinel that reverts refuses them."""
    sentinel = c.GET_SENTINEL.known(address)
    if isinstance(sentinel, Unknown):
        return True, [f"oracle sentinel: {sentinel.reason}"]
    if sentinel == ZERO_ADDRESS:
        return True, []
    if isinstance(allowed, Reverted | NoCode):
        return False, []
    answer = c.IS_LIQUIDATION_ALLOWED.known(allowed)
    if isinstance(answer, Unknown):
        return True, [f"oracle sentinel: {answer.reason}"]
    return bool(answer), []


RESERVE_READS: Final = 3 + tokens.READS + PRICE_READS


def reserve_reads(pool: Pool, asset: Address) -> tuple[Read, ...]:
    """Return the reads that `listed` decodes."""
    a_token = c.GET_RESERVE_DATA.pointer(pool.address, asset, word=c.A_TOKEN_WORD)
    return (
        c.GET_RESERVE_DATA.at(pool.address, asset),
        c.GET_GRACE_PERIOD.at(pool.address, asset),
        c.GET_CONTROLLER.at(a_token),
        *tokens.reads(asset),
        *price_reads(pool.oracle, asset),
    )


def listed(
    pool: Pool, asset: Address, results: Sequence[Result], price: Sourced
) -> Listed | Broken:
    """Return one reserve as the pool has it."""
    token, unknown = tokens.describe(asset, results[3 : 3 + tokens.READS])
    data = c.GET_RESERVE_DATA.known(results[0])
    if isinstance(data, Unknown):
        return Broken(asset, f"{token.symbol}: {data.reason}")
    configuration, index, rate, borrow_index, borrow_rate, _, updated_at, number, *addresses = data
    grace = 0
    if pool.rules.grace_periods:
        grace_answer = c.GET_GRACE_PERIOD.known(results[1])
        if not isinstance(grace_answer, Unknown):
            grace = grace_answer
        elif pool.rules.known or isinstance(results[1], Unknown):
            unknown += (f"{token.symbol}: {grace_answer.reason}",)
    controller: Address | Unknown | None = c.GET_CONTROLLER.known(results[2])
    if controller == ZERO_ADDRESS:
        controller = None
    reserve = Reserve(
        number,
        asset,
        token.symbol,
        configuration,
        index,
        rate,
        borrow_index,
        borrow_rate,
        updated_at,
        price.quote,
        grace,
    )
    a_token, stable_token, debt_token = addresses[:3]
    return Listed(reserve, token, a_token, stable_token, debt_token, controller, unknown)


def read_price(pool: Pool, asset: Address, results: Sequence[Result], at: BlockRef) -> Sourced:
    """Return the price among a reserve's results."""
    return sourced(pool.oracle, pool.base, asset, results[3 + tokens.READS :], at)

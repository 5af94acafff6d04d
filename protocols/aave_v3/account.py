"""Read one account of a pool: its flags, its e-mode, its balances, its debts.

Reads: of the pool `getUserConfiguration`, `getUserEMode`, `getUserAccountData` and the e-mode's
category; of every aToken `scaledBalanceOf`; of the debt tokens of reserves flagged as borrowed
`scaledBalanceOf` and, to 3.1, the stable debt's principal, rate and time, and to 3.3 the discount.
Rounds: nothing; balances stay scaled.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import NoCode, Read, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.market import Listed, Pool
from protocols.aave_v3.prices import PRICE_READS, Sourced, price_reads, sourced
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import Discount, EMode, Holding, StableDebt

USER_READS: Final = 3


@dataclass(frozen=True, slots=True)
class User:
    """What the pool keeps of an account outside its tokens."""

    owner: Address
    configuration: int
    category: int
    view: Result
    """`getUserAccountData`, not decoded: it says whether we reckon as the pool does."""

    def borrowing(self, reserve_id: int) -> bool:
        """Tell whether the account is flagged as borrowing a reserve."""
        return bool(self.configuration >> 2 * reserve_id & 1)

    def collateral(self, reserve_id: int) -> bool:
        """Tell whether the account is flagged as using a reserve as collateral."""
        return bool(self.configuration >> 2 * reserve_id + 1 & 1)

    def flagged(self) -> frozenset[int]:
        """Return the ids of the reserves with either flag."""
        pairs = range((self.configuration.bit_length() + 1) // 2)
        return frozenset(i for i in pairs if self.configuration >> 2 * i & 3)


def user_reads(provider: Address, owner: Address) -> tuple[Read, ...]:
    """Return the reads that `user` decodes."""
    pool = c.GET_POOL.pointer(provider)
    return (
        c.GET_USER_CONFIGURATION.at(pool, owner),
        c.GET_USER_EMODE.at(pool, owner),
        c.GET_USER_ACCOUNT_DATA.at(pool, owner),
    )


def user(owner: Address, results: Sequence[Result]) -> User:
    """Return the account's flags and e-mode. Raises `ReadFailed` where they are not known."""
    return User(
        owner,
        c.GET_USER_CONFIGURATION.decode(results[0]),
        c.GET_USER_EMODE.decode(results[1]),
        results[2],
    )


def emode_reads(pool: Pool, category: int) -> tuple[Read, ...]:
    """Return the reads that `emode` decodes."""
    if pool.rules.emode_bitmap:
        return (
            c.EMODE_CONFIG.at(pool.address, category),
            c.EMODE_BITMAP.at(pool.address, category),
        )
    return (c.EMODE_DATA.at(pool.address, category),)


@dataclass(frozen=True, slots=True)
class Category:
    """An e-mode category and, to 3.1, the asset whose price replaces its members' own."""

    emode: EMode
    price_source: Address | None


def category(pool: Pool, number: int, results: Sequence[Result]) -> Category:
    """Return a category. Raises `ReadFailed`."""
    if pool.rules.emode_bitmap:
        _, threshold, bonus = c.EMODE_CONFIG.decode(results[0])
        bitmap = c.EMODE_BITMAP.decode(results[1])
        return Category(EMode(number, threshold, bonus, bitmap), None)
    _, threshold, bonus, source, _ = c.EMODE_DATA.decode(results[0])
    replaces = None if source == ZERO_ADDRESS else source
    return Category(EMode(number, threshold, bonus, None), replaces)


def emode_price_reads(pool: Pool, asset: Address) -> tuple[Read, ...]:
    """Return the reads that `emode_price` decodes."""
    return price_reads(pool.oracle, asset)


def emode_price(
    pool: Pool, asset: Address, results: Sequence[Result], at: BlockRef
) -> Sourced | None:
    """Return the price that replaces the members' own; None where the oracle answers 0.

    Raises `ReadFailed`: where it reverts, the health of everybody in the category does.
    """
    if c.GET_ASSET_PRICE.decode(results[0]) == 0:
        return None
    return sourced(pool.oracle, pool.base, asset, results[:PRICE_READS], at)


def holding_reads(rules: Rules, user: User, listed: Listed) -> tuple[Read, ...]:
    """Return the reads that `holding` decodes."""
    owner, reserve = user.owner, listed.reserve
    reads = [c.SCALED_BALANCE_OF.at(listed.a_token, owner)]
    if user.borrowing(reserve.id):
        reads.append(c.SCALED_BALANCE_OF.at(listed.debt_token, owner))
        if _has_stable(rules, listed):
            reads += (
                read.at(listed.stable_token, owner)
                for read in (
                    c.PRINCIPAL_BALANCE_OF,
                    c.GET_USER_STABLE_RATE,
                    c.GET_USER_LAST_UPDATED,
                )
            )
        if _has_discount(rules, listed):
            reads.append(c.GET_DISCOUNT_PERCENT.at(listed.debt_token, owner))
            reads.append(c.GET_PREVIOUS_INDEX.at(listed.debt_token, owner))
    return tuple(reads)


def holding(rules: Rules, user: User, listed: Listed, results: Sequence[Result]) -> Holding:
    """Return what the account has and owes of a reserve, perhaps nothing. Raises `ReadFailed`."""
    answers = iter(results)
    reserve = listed.reserve
    supply = c.SCALED_BALANCE_OF.decode(next(answers))
    borrowing, debt = user.borrowing(reserve.id), 0
    stable = discount = None
    if borrowing:
        debt = c.SCALED_BALANCE_OF.decode(next(answers))
        if _has_stable(rules, listed):
            stable = _stable(answers)
        if _has_discount(rules, listed):
            discount = _discount(answers)
    collateral = user.collateral(reserve.id)
    return Holding(reserve, supply, debt, collateral, borrowing, stable, discount)


def _has_stable(rules: Rules, listed: Listed) -> bool:
    return rules.stable_debt and listed.stable_token != ZERO_ADDRESS


def _has_discount(rules: Rules, listed: Listed) -> bool:
    return rules.discounts and not listed.reserve.virtual_balance


def _stable(answers: Iterator[Result]) -> StableDebt | None:
    principal = c.PRINCIPAL_BALANCE_OF.decode(next(answers))
    rate = c.GET_USER_STABLE_RATE.decode(next(answers))
    updated_at = c.GET_USER_LAST_UPDATED.decode(next(answers))
    return StableDebt(principal, rate, updated_at) if principal else None


def _discount(answers: Iterator[Result]) -> Discount | None:
    """Return the rebate of a debt token that grants one; others do not know the question."""
    percent, index = next(answers), next(answers)
    if isinstance(percent, Reverted | NoCode):
        return None
    return Discount(c.GET_DISCOUNT_PERCENT.decode(percent), c.GET_PREVIOUS_INDEX.decode(index))


def emodes(
    found: Mapping[int, Category | Unknown], prices: Mapping[int, Sourced | Unknown | None]
) -> dict[int, EMode | Unknown]:
    """Return each category as health uses it, with its own price where it has one."""
    whole: dict[int, EMode | Unknown] = {}
    for number, one in found.items():
        price = prices.get(number)
        if isinstance(one, Unknown):
            whole[number] = one
        elif isinstance(price, Unknown):
            whole[number] = price
        elif price is None:
            whole[number] = one.emode
        else:
            emode = one.emode
            whole[number] = EMode(
                emode.category,
                emode.liquidation_threshold,
                emode.liquidation_bonus,
                emode.bitmap,
                price.quote,
            )
    return whole

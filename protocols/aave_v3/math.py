"""Recompute balances and health as the pool does, at any time and price vector.

Mirrors: `MathUtils`, `WadRayMath`, `TokenMath`, `ReserveLogic.getNormalized*`,
`GenericLogic.calculateUserAccountData`, `EModeLogic`, the `balanceOf` of the three token kinds.
Scales: ray indexes and rates, bps thresholds, base-currency values, wad health.
Rounds: to 3.4 balances half up, values down, the average threshold truncated to whole bps; from
3.5 supply down, debt up, its value up, and thresholds summed exactly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from chain.units import BPS, RAY, UINT256_MAX, WAD, YEAR, mul_div_half_up, mul_div_up
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Discount, Holding, Quote, Reserve, StableDebt

_HALF_RAY: Final = RAY // 2


def ray_mul(a: int, b: int) -> int:
    """Return a·b / RAY, halves up."""
    return (a * b + _HALF_RAY) // RAY


def linear(rate: int, elapsed_s: int) -> int:
    """Return the growth of supply, in ray (`calculateLinearInterest`)."""
    return RAY + rate * elapsed_s // YEAR


def compounded(rate: int, elapsed_s: int, rules: Rules) -> int:
    """Return the growth of debt, in ray (`calculateCompoundedInterest`).

    From 3.4 a polynomial in rate·time; before, three binomial terms whose powers of the
    per-second rate are truncated.
    """
    if elapsed_s == 0:
        return RAY
    if rules.polynomial:
        x = rate * elapsed_s // YEAR
        return RAY + x + ray_mul(x, x // 2 + ray_mul(x, x // 6))
    less_one = elapsed_s - 1
    less_two = elapsed_s - 2 if elapsed_s > 2 else 0
    square = ray_mul(rate, rate) // (YEAR * YEAR)
    cube = ray_mul(square, rate) // YEAR
    second = elapsed_s * less_one * square // 2
    third = elapsed_s * less_one * less_two * cube // 6
    return RAY + rate * elapsed_s // YEAR + second + third


def normalized_income(reserve: Reserve, at: int) -> int:
    """Return the supply index at a time not before the reserve's last update."""
    return ray_mul(linear(reserve.liquidity_rate, at - reserve.updated_at), reserve.liquidity_index)


def normalized_debt(reserve: Reserve, at: int, rules: Rules) -> int:
    """Return the variable debt index at a time not before the reserve's last update."""
    growth = compounded(reserve.borrow_rate, at - reserve.updated_at, rules)
    return ray_mul(growth, reserve.borrow_index)


def supply_balance(holding: Holding, at: int, rules: Rules) -> int:
    """Return the aToken's `balanceOf`, in base units."""
    index = normalized_income(holding.reserve, at)
    if rules.exact_threshold:
        return holding.scaled_supply * index // RAY
    return ray_mul(holding.scaled_supply, index)


def variable_debt(holding: Holding, at: int, rules: Rules) -> int:
    """Return the variable debt token's `balanceOf`, in base units."""
    index = normalized_debt(holding.reserve, at, rules)
    if rules.exact_threshold:
        return mul_div_up(holding.scaled_debt, index, RAY)
    debt = ray_mul(holding.scaled_debt, index)
    if holding.discount is not None:
        debt -= _rebate(holding.scaled_debt, debt, index, holding.discount)
    return debt


def stable_debt(stable: StableDebt, at: int, rules: Rules) -> int:
    """Return the stable debt token's `balanceOf`, in base units."""
    return ray_mul(stable.principal, compounded(stable.rate, at - stable.updated_at, rules))


def total_debt(holding: Holding, at: int, rules: Rules) -> int:
    """Return variable and stable debt together, in base units: what repaying takes."""
    debt = variable_debt(holding, at, rules) if holding.scaled_debt else 0
    if holding.stable is not None:
        debt += stable_debt(holding.stable, at, rules)
    return debt


def counted_debt(holding: Holding, at: int, rules: Rules) -> int:
    """Return what health counts as debt, in base units: to 3.2 before the token's discount."""
    if holding.discount is not None and not rules.discounted_health:
        holding = replace(holding, discount=None)
    return total_debt(holding, at, rules)


def _rebate(scaled: int, debt: int, index: int, discount: Discount) -> int:
    if discount.percent == 0 or index == discount.previous_index:
        return 0
    return mul_div_half_up(debt - ray_mul(scaled, discount.previous_index), discount.percent, BPS)


@dataclass(frozen=True, slots=True)
class Line:
    """One reserve of an account at one time: what counts, before prices."""

    holding: Holding
    quote: Quote
    unit: int
    threshold: int
    """In bps; that of the e-mode where it applies."""
    bonus: int
    collateral: int
    """Base units counted as collateral; 0 where the flag or the threshold says no."""
    debt: int
    """Base units that health counts as owed."""
    payable: int
    """Base units that repaying takes; less where health ignores the debt token's discount."""

    def collateral_value(self, price: int) -> int:
        """Return the collateral in base currency, rounded down."""
        return self.collateral * price // self.unit

    def debt_value(self, price: int, rules: Rules) -> int:
        """Return the debt in base currency; up from 3.5, down before."""
        if rules.exact_threshold:
            return mul_div_up(self.debt, price, self.unit)
        return self.debt * price // self.unit


@dataclass(frozen=True, slots=True)
class Totals:
    """What `getUserAccountData` sums, in base currency."""

    collateral: int
    weighted: int
    """Σ collateral value · threshold in bps."""
    debt: int


def counts(account: AaveAccount, holding: Holding) -> bool:
    """Tell whether the liquidation function counts a holding as collateral."""
    gated = account.rules.threshold_gates and holding.reserve.liquidation_threshold == 0
    return holding.collateral and not gated


def terms(account: AaveAccount, holding: Holding) -> tuple[int, int]:
    """Return the threshold and the liquidation bonus that apply to a holding, in bps."""
    reserve, emode = holding.reserve, account.emode
    if emode is not None and emode.covers(reserve):
        return emode.liquidation_threshold, emode.liquidation_bonus
    return reserve.liquidation_threshold, reserve.liquidation_bonus


def quote_of(account: AaveAccount, holding: Holding) -> Quote | None:
    """Return the price that health uses for a reserve: to 3.1 the e-mode's own where it has one."""
    emode = account.emode
    if emode is not None and emode.quote is not None and emode.covers(holding.reserve):
        return emode.quote
    return holding.reserve.quote


def lines(account: AaveAccount, at: int) -> tuple[Line, ...]:
    """Return what counts, with its amounts at a time, in reserve order; the same lines always."""
    found = []
    for holding in account.holdings:
        supplied = holding.scaled_supply > 0 and counts(account, holding)
        owing = holding.borrowing and (holding.scaled_debt > 0 or holding.stable is not None)
        if supplied or owing:
            collateral = supply_balance(holding, at, account.rules) if supplied else 0
            debt = counted_debt(holding, at, account.rules) if owing else 0
            payable = total_debt(holding, at, account.rules) if owing else 0
            threshold, bonus = terms(account, holding)
            quote, unit = quote_of(account, holding), 10**holding.reserve.decimals
            if quote is None:
                raise ValueError(f"{holding.reserve.symbol} counts and has no price")
            found.append(Line(holding, quote, unit, threshold, bonus, collateral, debt, payable))
    return tuple(found)


def totals(found: Iterable[Line], rules: Rules, prices: Mapping[str, int]) -> Totals:
    """Sum lines at prices by factor; a factor without an override is as read."""
    collateral = weighted = debt = 0
    for line in found:
        price = line.quote.price(prices.get(line.quote.factor))
        if line.collateral:
            value = line.collateral_value(price)
            collateral += value
            weighted += value * line.threshold
        if line.debt:
            debt += line.debt_value(price, rules)
    return Totals(collateral, weighted, debt)


def health(sums: Totals, rules: Rules) -> int:
    """Return the health factor in wad, `UINT256_MAX` without debt, as the view does."""
    if sums.debt == 0:
        return UINT256_MAX
    if rules.exact_threshold:
        return mul_div_half_up(sums.weighted, WAD, sums.debt) // BPS
    average = sums.weighted // sums.collateral if sums.collateral else 0
    return truncated_health(sums.collateral, average, sums.debt)


def truncated_health(collateral: int, average: int, debt: int) -> int:
    """Return the health factor of releases to 3.4, given the average threshold in whole bps."""
    return mul_div_half_up(mul_div_half_up(collateral, average, BPS), WAD, debt)

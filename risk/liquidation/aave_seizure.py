"""What `liquidationCall` takes: pair by pair, to the base unit, by release.

Mirrors: `LiquidationLogic.executeLiquidationCall` and `_calculateAvailableCollateralToLiquidate`,
`ValidationLogic.validateLiquidationCall`, `PercentageMath`.
Scales: base units of each asset; base-currency values; bps.
Rounds: to 3.6 seizure, bonus and fee half up; 3.7 seizure down, fee up. The debt that a seizure of
everything repays: half up to 3.4, up from 3.5.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chain.units import BPS, RAY, WAD, div_up, mul_div_half_up, mul_div_up
from protocols.aave_v3.math import (
    Line,
    Totals,
    health,
    lines,
    normalized_debt,
    normalized_income,
    ray_mul,
    totals,
    variable_debt,
)
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount
from risk.liquidation.engine import NOW, Seizure, Terms

CLOSE_FACTOR_HEALTH: Final = 95 * WAD // 100
"""At or below it all of a debt may be repaid, and the sentinel is not asked."""
HALF: Final = 5000


@dataclass(frozen=True, slots=True)
class Call:
    """One possible liquidation call and its outcome."""

    debt: Line
    collateral: Line
    ask: int
    """`debtToCover`; more than is repaid where the collateral does not suffice."""
    repaid: int
    seized: int
    fee: int
    whole: bool
    """Whether the rules let all of this debt be repaid at once."""
    repaid_base: int
    taken_base: int
    """Value of what leaves the account: to the liquidator and to the protocol."""
    seized_base: int
    ends: bool
    """Whether it takes all collateral by value, so that the pool cancels what is still owed."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How one release rounds percentages in a seizure."""

    seize: Callable[[int, int], int]
    unbonus: Callable[[int, int], int]
    fee: Callable[[int, int], int]
    needed: Callable[[int, int], int]


def _mul_half(value: int, bps: int) -> int:
    return mul_div_half_up(value, bps, BPS)


def _div_half(value: int, bps: int) -> int:
    return mul_div_half_up(value, BPS, bps)


def _mul_down(value: int, bps: int) -> int:
    return value * bps // BPS


def _div_down(value: int, bps: int) -> int:
    return value * BPS // bps


def _mul_up(value: int, bps: int) -> int:
    return mul_div_up(value, bps, BPS)


def _div_up(value: int, bps: int) -> int:
    return div_up(value * BPS, bps)


def rounding(account: AaveAccount) -> Rounding:
    """Return the rounding of an account's release."""
    needed = _div_up if account.rules.ceil_debt_needed else _div_half
    if account.rules.floor_seizure:
        return Rounding(_mul_down, _div_down, _mul_up, needed)
    return Rounding(_mul_half, _div_half, _mul_half, needed)


def calls(
    account: AaveAccount, prices: Mapping[str, int] = NOW, *, refused: bool = False
) -> Iterator[Call]:
    """Yield the largest liquidation of every pair that the pool would not refuse, or of all.

    Judged at the state's own time, and whatever health is: whether the account may be liquidated
    at all is the engine's matter.
    """
    found = lines(account, account.timestamp)
    sums = totals(found, account.rules, prices)
    sound = health(sums, account.rules)
    for debt in found:
        for collateral in found:
            if not (debt.debt and collateral.collateral):
                continue
            if not refused and refusal(account, debt, collateral, sound):
                continue
            call = _largest(account, debt, collateral, prices, sound, sums)
            if call is not None:
                yield call


def refusal(account: AaveAccount, debt: Line, collateral: Line, sound: int) -> str:
    """Say why the pool refuses a pair apart from health; empty where it does not.

    `sound` is the account's health: below 0.95 the sentinel is not asked.
    """
    now = account.timestamp
    for line in (collateral, debt):
        reserve = line.holding.reserve
        if not reserve.active:
            return f"{reserve.symbol} is not active"
        if reserve.paused:
            return f"{reserve.symbol} is paused"
        if account.rules.grace_periods and reserve.grace_until >= now:
            return f"{reserve.symbol} has a grace period for {reserve.grace_until + 1 - now} s"
    if account.rules.sentinel and not account.liquidation_allowed and sound >= CLOSE_FACTOR_HEALTH:
        return "the oracle sentinel does not allow liquidations"
    return ""


def seize(
    account: AaveAccount,
    debt: Line,
    collateral: Line,
    prices: Mapping[str, int],
    repay: int,
) -> tuple[int, int, int]:
    """Return (repaid, seized, protocol fee) for an amount of debt that the close factor allows."""
    how = rounding(account)
    debt_price = debt.quote.price(prices.get(debt.quote.factor))
    price = collateral.quote.price(prices.get(collateral.quote.factor))
    base = debt_price * repay * collateral.unit // (price * debt.unit)
    amount = how.seize(base, collateral.bonus)
    if amount > collateral.collateral:
        amount = collateral.collateral
        worth = price * amount * debt.unit // (debt_price * collateral.unit)
        repay = how.needed(worth, collateral.bonus)
    fee = 0
    if collateral.holding.reserve.protocol_fee:
        bonus = amount - how.unbonus(amount, collateral.bonus)
        fee = how.fee(bonus, collateral.holding.reserve.protocol_fee)
    return repay, amount - fee, fee


def _largest(
    account: AaveAccount,
    debt: Line,
    collateral: Line,
    prices: Mapping[str, int],
    sound: int,
    sums: Totals,
) -> Call | None:
    rules = account.rules
    debt_price = debt.quote.price(prices.get(debt.quote.factor))
    price = collateral.quote.price(prices.get(collateral.quote.factor))
    if collateral.bonus == 0 or price == 0 or debt_price == 0:
        return None
    most, whole = debt.payable, True
    if not rules.closes_dust:
        whole = sound <= CLOSE_FACTOR_HEALTH
        most = debt.payable if whole else _mul_half(debt.payable, HALF)
    else:
        debt_value, value = debt.debt_value(debt_price, rules), collateral.collateral_value(price)
        small = min(debt_value, value) < account.minimum_base
        if not small and sound > CLOSE_FACTOR_HEALTH:
            whole = False
            half = _mul_half(sums.debt, HALF)
            if debt_value > half:
                most = half * debt.unit // debt_price

    def outcome(repay: int) -> tuple[int, int, int]:
        return seize(account, debt, collateral, prices, repay)

    def leaves_dust(repay: int) -> bool:
        repaid, seized, fee = outcome(repay)
        left_debt, left = debt.payable - repaid, collateral.collateral - seized - fee
        if not rules.closes_dust or left_debt <= 0 or left <= 0:
            return False
        owed = (
            mul_div_up(left_debt, debt_price, debt.unit)
            if rules.exact_threshold
            else left_debt * debt_price // debt.unit
        )
        return min(owed, left * price // collateral.unit) < account.minimum_base // 2

    repay = most
    if leaves_dust(most):
        repay, beyond = 0, most  # less repaid leaves more behind
        while beyond - repay > 1:
            middle = (repay + beyond) // 2
            repay, beyond = (repay, middle) if leaves_dust(middle) else (middle, beyond)
    repaid, seized, fee = outcome(repay)
    if repaid == 0 or seized == 0:
        return None
    at = account.timestamp
    income = normalized_income(collateral.holding.reserve, at)
    # of an account that is left without collateral, all debt is burned
    ends = rules.closes_dust and sums.collateral == _worth(
        collateral, rules, income, price, (seized, fee)
    )
    if not (ends or _burns(debt, rules, at, repaid)):
        return None
    fee = _fee_paid(collateral, rules, income, seized, fee)
    return Call(
        debt,
        collateral,
        repay,
        repaid,
        seized,
        fee,
        whole,
        repaid_base=debt_price * repaid // debt.unit,
        taken_base=price * (seized + fee) // collateral.unit,
        seized_base=price * seized // collateral.unit,
        ends=ends,
    )


def _scaled(amount: int, index: int, rules: Rules, *, up: bool) -> int:
    """Return what moving an amount takes of a scaled balance; half up to 3.4."""
    if not rules.exact_threshold:
        return mul_div_half_up(amount, RAY, index)
    return div_up(amount * RAY, index) if up else amount * RAY // index


def _burns(debt: Line, rules: Rules, at: int, repaid: int) -> bool:
    """Tell whether the debt token burns anything for what is repaid; it reverts where not."""
    holding = debt.holding
    variable = min(repaid, variable_debt(holding, at, rules)) if holding.scaled_debt else 0
    if variable == 0:
        return True  # all of it repays stable debt
    return _scaled(variable, normalized_debt(holding.reserve, at, rules), rules, up=False) > 0


def _worth(collateral: Line, rules: Rules, index: int, price: int, parts: tuple[int, int]) -> int:
    """Return the value of collateral that leaves; from 3.7 with what rounding takes along."""
    amount = sum(parts)
    if rules.floor_seizure:
        scaled = sum(_scaled(part, index, rules, up=True) for part in parts)
        amount = min(scaled, collateral.holding.scaled_supply) * index // RAY
    return amount * price // collateral.unit


def _fee_paid(collateral: Line, rules: Rules, index: int, seized: int, fee: int) -> int:
    """Return the fee, or what rounding of the liquidator's part leaves for it if that is less."""
    left = collateral.holding.scaled_supply - _scaled(seized, index, rules, up=True)
    if _scaled(fee, index, rules, up=True) <= left:
        return fee
    return left * index // RAY if rules.exact_threshold else ray_mul(left, index)


def best_call(
    account: AaveAccount, prices: Mapping[str, int] = NOW, *, refused: bool = False
) -> Call | None:
    """Return the call that pays its liquidator most."""
    possible = calls(account, prices, refused=refused)
    return max(possible, key=lambda c: c.seized_base - c.repaid_base, default=None)


def best_seizure(account: AaveAccount, prices: Mapping[str, int] = NOW) -> Seizure | None:
    """Return the call that pays its liquidator most, in the engine's words."""
    call = best_call(account, prices)
    if call is None:
        return None
    return Seizure(
        debt=call.debt.holding.reserve.asset,
        repaid=call.repaid,
        collateral=call.collateral.holding.reserve.asset,
        seized=call.seized,
        protocol_fee=call.fee,
        profit_usd=_dollars(account, call.seized_base - call.repaid_base),
        ask=call.ask,
    )


def seizure_terms(account: AaveAccount, prices: Mapping[str, int] = NOW) -> Terms:
    """Return close factor, worst bonus, loss of the best call, and refusals that leave no pair."""
    found = lines(account, account.timestamp)
    held = [line for line in found if line.collateral]
    owed = [line for line in found if line.debt]
    sound = health(totals(found, account.rules, prices), account.rules)
    reasons = dict.fromkeys(refusal(account, d, c, sound) for d in owed for c in held)
    blocked = () if "" in reasons else tuple(reasons)
    bonuses = [line.bonus for line in held if line.bonus]
    # of calls that are refused for a while, say what they would do afterwards
    call = best_call(account, prices, refused=bool(blocked))
    if call is None:
        return Terms(None, _bonus(bonuses), None, blocked)
    return Terms(
        close_factor_frac=1.0 if call.whole else 0.5,
        penalty_frac=_bonus(bonuses),
        expected_loss_usd=_dollars(account, call.taken_base - call.repaid_base),
        blocked_by=blocked,
    )


def _bonus(bonuses: list[int]) -> float | None:
    return (max(bonuses) - BPS) / BPS if bonuses else None  # one rounding: 10500 is 0.05


def _dollars(account: AaveAccount, base: int) -> float | None:
    return None if account.base_decimals is None else base / 10**account.base_decimals

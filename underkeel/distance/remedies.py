"""What to repay or add to reach a health: what each way costs, and whether it can be done."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from protocols.aave_v3.state import AaveAccount
from protocols.types import Leg, Position, Side
from risk.liquidation import engine_for
from risk.remedy import Kind, Remedies, Remedy, remedies
from risk.remedy.aave import fits
from underkeel.distance.means import Means
from underkeel.errors import UsageError
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.valuation import worth

AHEAD_S: Final = 600
"""Amounts are for a block so long after the one that was read: interest until then is in them."""
HIGHEST: Final = 1000
NOTHING: Final = Means()


class Feasible(StrEnum):
    """Whether it can be done now."""

    YES = "yes"
    UNKNOWN = "unknown"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Way:
    """One way, valued."""

    remedy: Remedy
    usd: float | None
    feasible: Feasible
    reasons: tuple[str, ...]
    """Why not, or what is not known."""


@dataclass(frozen=True, slots=True)
class Ways:
    """All ways of one position, the feasible and cheap ones first."""

    found: Remedies | None
    """None where the protocol's own arithmetic fails; then `cause` says so."""
    each: tuple[Way, ...]
    target_raw: int
    at: int
    cause: str = ""


def parse_health(text: str) -> Fraction:
    """Return a health such as 1.8; raises `UsageError`."""
    try:
        health = Fraction(text)
    except (ValueError, ZeroDivisionError):
        health = Fraction(0)
    if not 1 <= health <= HIGHEST:
        raise UsageError(
            f"--target-health {text!r} is no health to aim at; write a number such as 1.8, "
            f"from 1 to {HIGHEST:,}"
        )
    return health


def ways_of(portfolio: Portfolio, health: Fraction, means: Means = NOTHING) -> dict[str, Ways]:
    """Return, per position with a debt, how to bring its health to at least `health`."""
    found: dict[str, Ways] = {}
    for chain in portfolio.chains:
        for assessed in chain.positions:
            ways = _ways(assessed.position, chain, health, means)
            if ways is not None:
                found[assessed.position.id] = ways
    return found


def _ways(position: Position, chain: ChainReport, health: Fraction, means: Means) -> Ways | None:
    engine = engine_for(position)
    if engine is None:
        return None
    target = -(-health.numerator * engine.scale // health.denominator)
    at = position.at.timestamp + AHEAD_S
    try:
        found = remedies(position.state, target, at)
    except ArithmeticError as failure:
        return Ways(None, (), target, at, str(failure) or type(failure).__name__)
    if found is None:
        return None
    each = [_way(remedy, position, chain, means) for remedy in found.each]
    order = list(Feasible)
    each.sort(key=lambda w: (order.index(w.feasible), float("inf") if w.usd is None else w.usd))
    return Ways(found, tuple(each), target, at)


def _way(remedy: Remedy, position: Position, chain: ChainReport, means: Means) -> Way:
    if remedy.amount is None:
        return Way(remedy, None, Feasible.NO, ("no amount of this alone is enough",))
    no = list(remedy.obstacles)
    unknown: list[str] = []
    have = means.balances.get((chain.name, position.owner, remedy.asset))
    if have is None:
        unknown.append("what the wallet holds of it was not read")
    elif have < remedy.amount:
        no.append("the wallet holds less")
    room = _room(remedy, position, chain, means)
    if room is None:
        unknown.append("whether the supply cap leaves room was not read")
    elif not room:
        no.append("the supply cap leaves less room")
    value = _worth(remedy, position, chain)
    feasible = Feasible.NO if no else Feasible.UNKNOWN if unknown else Feasible.YES
    return Way(remedy, None if value is None else float(value), feasible, (*no, *unknown))


def _room(remedy: Remedy, position: Position, chain: ChainReport, means: Means) -> bool | None:
    """Tell whether a supply cap leaves room; None where that was not read."""
    state = position.state
    if remedy.ceiling is None or remedy.amount is None or not isinstance(state, AaveAccount):
        return True
    if remedy.amount > remedy.ceiling:
        return False
    supplied = means.supplied.get((chain.name, position.root, remedy.asset))
    if supplied is None:
        return None
    reserves = (holding.reserve for holding in state.holdings)
    reserve = next(one for one in reserves if one.asset == remedy.asset)
    return fits(reserve, state.rules, remedy.amount, supplied, remedy.at)


def _worth(remedy: Remedy, position: Position, chain: ChainReport) -> Decimal | None:
    side = Side.DEBT if remedy.kind is Kind.REPAY else Side.COLLATERAL
    leg: Leg | None = next(
        (g for g in position.legs if g.token.address == remedy.asset and g.side is side), None
    )
    if leg is None or chain.valuation is None or remedy.amount is None:
        return None
    return worth(remedy.amount, leg.token, chain.valuation.price(leg))

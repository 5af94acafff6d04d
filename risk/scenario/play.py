"""Full revaluation along a path: liquidations when they fall due, then what is left.

At every point oracles move first; what is liquidatable then is liquidated, call by call, until it
is healthy, nothing may be taken any more, or nobody gains by it: a seizure may leave an account
worse than before, and then the next one follows. Equity is counted at market prices at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chain.types import Address
from protocols.types import Side
from protocols.uniswap_v3.state import UniswapV3State
from risk.liquidation import engine_of
from risk.liquidation.engine import Engine, Seizure
from risk.scenario.liquidity import moved_amounts, pair
from risk.scenario.types import End, Exposed, Fate, Moves, Path, Taken
from risk.scenario.unwind import UNWIND
from risk.types import Status
from risk.valuation import sign

MOST_CALLS: Final = 200
"""Liquidations of one position at one point; what is still liquidatable then is stuck."""

HELD: Final = (Side.COLLATERAL, Side.ASSET)
"""What may be seized: on Compound v2 also what does not count as collateral."""
OWED: Final = (Side.DEBT,)


class NotPlayed(ArithmeticError):
    """Nothing here knows what a liquidation leaves of such a position: its fate is unknown."""


@dataclass(slots=True)
class Run:
    """One position on its way."""

    held: Exposed
    state: Any
    amounts: list[int]
    taken: list[Taken]
    written_off: dict[Address, int]
    penalty: float = 0.0
    end: End = End.NONE

    @classmethod
    def of(cls, held: Exposed) -> "Run":
        """Return a position before its first step."""
        return cls(held, held.position.state, [v.leg.amount for v in held.legs], [], {})


def play(held: Exposed, path: Path, gas_usd: float = 0.0) -> Fate:
    """Return what becomes of a position; `gas_usd` is what one liquidation costs its caller.

    Where anything needed is unknown the fate is unknown, with causes: never a partial sum.
    """
    position = held.position
    last = path[-1].market if path else {}
    causes, before = held.causes(last), value(held, None, {})
    run = Run.of(held)
    engine = engine_of(position.state)
    status = Status.NOT_LIQUIDATABLE
    try:
        if engine is not None:
            now = {f.name: f.raw for f in engine.factors(position.state)}
            for step, point in enumerate(path):
                prices = oracle_prices(now, point.oracle)
                status = advance(run, engine, step, prices, point.market, gas_usd)
    except ArithmeticError as failure:
        status, causes = Status.UNKNOWN, (*causes, str(failure) or type(failure).__name__)
    if engine is not None and (position.unknown or not position.verified):
        causes = tuple(dict.fromkeys((*causes, *position.notes, "not verified")))
        status = Status.UNKNOWN if status is Status.SAFE else status
    net = None if causes else value(held, run.amounts, last)
    lost = _worth(held, run.written_off, last)
    recourse = engine is None
    left = net if net is None or recourse else max(0.0, net)
    return Fate(
        position=position,
        before_usd=before,
        after_usd=left,
        net_usd=None if net is None else net - lost,
        bad_debt_usd=lost + (0.0 if net is None or recourse else max(0.0, -net)),
        penalty_usd=run.penalty,
        taken=tuple(run.taken),
        end=run.end,
        status=status,
        causes=causes,
        legs=tuple(replace(v.leg, amount=a) for v, a in zip(held.legs, run.amounts, strict=True)),
    )


def advance(
    run: Run,
    engine: Engine[Any],
    step: int,
    prices: Mapping[str, int],
    market: Moves | None,
    gas_usd: float,
) -> Status:
    """Liquidate what is due at the oracles' raw prices; return the status afterwards.

    Without `market` penalties are not counted.
    """
    play_one = UNWIND.get(type(run.state))
    if play_one is None:
        raise NotPlayed("its liquidations are not played yet")
    for _ in range(MOST_CALLS):
        health = engine.health(run.state, prices)
        if health is None:
            run.end = End.CLOSED if run.taken else run.end
            return Status.NOT_LIQUIDATABLE
        if health >= engine.scale:
            run.end = End.HEALTHY if run.taken else run.end
            return Status.SAFE
        done = play_one(run.state, prices)
        if done is None:
            break
        gain = done.seizure.profit_usd
        if gas_usd and gain is not None and gain <= gas_usd:
            break
        run.state = done.state
        _book(run, step, done.seizure, done.written_off, market)
    run.end = End.STUCK
    return Status.LIQUIDATABLE


def oracle_prices(now: Mapping[str, int], moves: Moves) -> dict[str, int]:
    """Return raw prices after a move; only of factors that the move names."""
    return {name: moved(raw, moves[name]) for name, raw in now.items() if name in moves}


def moved(raw: int, multiple: float) -> int:
    """Return a raw price times a float taken for what it is, rounded down, and at least 1."""
    over, under = multiple.as_integer_ratio()
    return max(1, raw * over // under)


def _book(
    run: Run, step: int, done: Seizure, lost: Mapping[Address, int], market: Moves | None
) -> None:
    """Take a seizure off the legs."""
    run.taken.append(
        Taken(step, done.debt, done.repaid, done.collateral, done.seized, done.protocol_fee, lost)
    )
    gone = [
        (done.collateral, HELD, done.seized + done.protocol_fee, 1.0),
        (done.debt, OWED, done.repaid, -1.0),
        *((token, OWED, amount, 0.0) for token, amount in lost.items()),
    ]
    for token, sides, amount, weight in gone:
        rest = amount
        for i, valued in enumerate(run.held.legs):
            if valued.leg.token.address != token or valued.leg.side not in sides or not rest:
                continue
            part = min(rest, run.amounts[i])
            run.amounts[i] -= part
            rest -= part
            if market is not None:
                run.penalty += weight * (valued.worth(part, market) or 0.0)
    for token, amount in lost.items():
        run.written_off[token] = run.written_off.get(token, 0) + amount


def value(held: Exposed, amounts: Sequence[int] | None, market: Moves) -> float | None:
    """Return assets less debts at market prices; None where a leg that counts has no price."""
    if held.position.unknown:
        return None
    state = held.position.state
    if isinstance(state, UniswapV3State) and market:
        return _range(held, state, market)
    total = 0.0
    for i, valued in enumerate(held.legs):
        if not (weight := sign(valued.leg.side)):
            continue
        amount = valued.leg.amount if amounts is None else amounts[i]
        part = valued.worth(amount, market)
        if part is None:
            return None
        total += weight * part
    return total


def _range(held: Exposed, state: UniswapV3State, market: Moves) -> float | None:
    """Return what a liquidity position pays at the new price of its pair."""
    sides = pair(tuple(v.leg for v in held.legs))
    if sides is None:
        return None
    zero, one = (held.legs[i] for i in sides)
    units = range_units(held, state)
    if units is None:
        return None
    m0, m1 = zero.multiple(market), one.multiple(market)
    if m0 is None or m1 is None:
        return None
    amounts = moved_amounts(state, m0 / m1)
    total = amounts[0] * units[0] * m0 + amounts[1] * units[1] * m1
    for i, valued in enumerate(held.legs):
        if i in sides or not (weight := sign(valued.leg.side)):
            continue
        part = valued.worth(valued.leg.amount, market)
        if part is None:
            return None
        total += weight * part
    return total


def range_units(held: Exposed, state: UniswapV3State) -> tuple[float, float] | None:
    """Return dollars per base unit of token0 and token1.

    Where only one of them has a price the pool's own says what the other is worth.
    """
    sides = pair(tuple(v.leg for v in held.legs))
    if sides is None:
        return None
    zero, one = (held.legs[i].unit for i in sides)
    price = (state.sqrt_price_x96 / 2**96) ** 2
    if zero is None and one is not None:
        zero = one * price
    if one is None and zero is not None:
        one = zero / price
    return None if zero is None or one is None else (zero, one)


def _worth(held: Exposed, amounts: Mapping[Address, int], market: Moves) -> float:
    """Return what cancelled debt is worth."""
    total = 0.0
    for token, amount in amounts.items():
        owed = [v for v in held.legs if v.leg.token.address == token and v.leg.side is Side.DEBT]
        if owed:
            total += owed[0].worth(amount, market) or 0.0
    return total

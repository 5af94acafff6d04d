"""`--shock ETH=-20%`: what moving some prices at once would do to every position.

A shock names the base of a feed's label (`ETH / USD` is moved by `ETH`), else a token whose price
hangs on one factor. A wrapped native coin and the coin are one name. A ratio such as
`wstETH / ETH` is moved by its base only: shocking ETH leaves it where it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from chain.networks import all_networks
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position, Price
from risk.liquidation import assess_liquidation, engine_for, reprice, seizure
from risk.liquidation.engine import Factor, Seizure
from risk.types import Assessment, Liquidation, Status
from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError
from underkeel.portfolio import Portfolio
from underkeel.valuation import Valuation, profit

SHOCK: Final = re.compile(r"([^=\s][^=]{0,79})=\s*([+-]?[0-9]{1,7}(?:\.[0-9]{1,9})?)\s*%")
EXAMPLE: Final = "write NAME=CHANGE%, for example ETH=-20%"
COINS: Final = frozenset({"ETH", "BTC", *(n.native.symbol.upper() for n in all_networks())})


@dataclass(frozen=True, slots=True)
class Shock:
    """One price that moves."""

    text: str
    name: str
    change: Fraction
    """−1/5 for −20 %."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A factor of one chain, and where a shock puts it."""

    shock: Shock
    chain: str
    factor: Factor
    to_raw: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One position before and after."""

    position: Position
    before: Liquidation
    after: Liquidation
    seizure: Seizure | None
    """What a liquidator would take after the shock; None where nothing may be liquidated."""
    profit_usd: float | None
    """What that would gain it before gas."""

    @property
    def becomes_liquidatable(self) -> bool:
        """Return whether the shock pushes it over the edge."""
        taken = Status.LIQUIDATABLE
        return self.after.status is taken and self.before.status is not taken


@dataclass(frozen=True, slots=True)
class Scenario:
    """All shocks at once, on every chain."""

    moved: tuple[Moved, ...]
    outcomes: tuple[Outcome, ...]


def parse_shocks(texts: Sequence[str]) -> tuple[Shock, ...]:
    """Return what `--shock` asks for; raises `UsageError` that shows how to write it."""
    shocks: list[Shock] = []
    for text in texts:
        found = SHOCK.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"--shock {text!r} is not understood; {EXAMPLE}")
        change = Fraction(found[2]) / 100
        if change <= -1:
            raise UsageError(f"--shock {text!r} leaves no price; a fall is less than 100%")
        name = found[1].strip()
        if any(same_name(name, shock.name) for shock in shocks):
            raise UsageError(f"--shock names {name!r} twice; say it once")
        shocks.append(Shock(text.strip(), name, change))
    return tuple(shocks)


def apply(portfolio: Portfolio, shocks: Sequence[Shock]) -> Scenario:
    """Return what the shocks do; raises `UsageError` for a name that no price has."""
    moved: dict[tuple[str, str], Moved] = {}
    known = {chain.name: _exposures(chain.positions) for chain in portfolio.chains}
    for shock in shocks:
        hits = {
            (chain, factor.name): Moved(shock, chain, factor, _moved(factor.raw, shock))
            for chain, factors in _matching(shock.name, known).items()
            for factor in factors
        }
        if not hits:
            raise UsageError(f"--shock {shock.text}: {_unknown_name(shock.name, known)}")
        for key, move in hits.items():
            if key in moved:
                raise _clash(moved[key], move)
        moved |= hits
    outcomes: list[Outcome] = []
    for chain in portfolio.chains:
        here = {m.factor.name: m for m in moved.values() if m.chain == chain.name}
        outcomes += [
            o for a in chain.positions if (o := _outcome(a, here, chain.valuation)) is not None
        ]
    return Scenario(tuple(moved.values()), tuple(outcomes))


def _moved(raw: int, shock: Shock) -> int:
    return max(1, int(raw * (1 + shock.change)))


@dataclass(frozen=True, slots=True)
class _Exposure:
    """One factor of one position, and the names it goes by."""

    factor: Factor
    bases: frozenset[str]
    symbols: frozenset[str]
    whole: bool
    """It is an oracle that is made of other factors of the same position."""
    position: int


def _exposures(positions: Iterable[Assessment]) -> list[_Exposure]:
    """Return every factor that some position's health hangs on."""
    found: list[_Exposure] = []
    for i, assessed in enumerate(positions):
        position = assessed.position
        engine = engine_for(position)
        if engine is None:
            continue
        for factor in engine.factors(position.state):
            symbols = {
                leg.token.symbol
                for leg in position.legs
                if isinstance(leg.price, Price) and leg.price.factor == factor.name
            }
            bases, whole = frozenset(bases_of(factor.label)), _is_whole(position, factor)
            found.append(_Exposure(factor, bases, frozenset(symbols), whole, i))
    return found


def _is_whole(position: Position, factor: Factor) -> bool:
    state = position.state
    if not isinstance(state, MorphoPosition) or state.oracle is None:
        return False
    return factor.name == state.oracle.address


def bases_of(label: str) -> set[str]:
    """Return the base of a label such as `ETH / USD`, or `Capped wstETH / stETH / USD`."""
    base, slash, _ = label.partition("/")
    words = base.split()
    return {words[-1]} if slash and words else set()


def _matching(name: str, known: Mapping[str, Sequence[_Exposure]]) -> dict[str, tuple[Factor, ...]]:
    """Return, by chain, the factors that a name moves: by label, else by address or token.

    Of an oracle and the feeds behind it only the feeds are moved, or the price would move twice.
    """

    def hits(test: Callable[[_Exposure], bool]) -> dict[str, tuple[Factor, ...]]:
        found: dict[str, tuple[Factor, ...]] = {}
        for chain, exposures in known.items():
            matched = [e for e in exposures if test(e)]
            inner = {e.position for e in matched if not e.whole}
            factors = {
                e.factor.name: e.factor for e in matched if not (e.whole and e.position in inner)
            }
            if factors:
                found[chain] = tuple(factors.values())
        return found

    by_label = hits(lambda e: any(same_name(name, base) for base in e.bases))
    return by_label or hits(
        lambda e: (
            name.lower() == e.factor.name.lower() or any(same_name(name, s) for s in e.symbols)
        )
    )


def same_name(a: str, b: str) -> bool:
    """Return whether two names mean one price: a wrapped native coin is the coin."""
    return _coin(a) == _coin(b)


def _coin(name: str) -> str:
    upper = name.upper()
    return upper[1:] if upper[:1] == "W" and upper[1:] in COINS else upper


def _unknown_name(name: str, known: Mapping[str, Sequence[_Exposure]]) -> str:
    names = {n for found in known.values() for e in found for n in (*e.bases, *e.symbols)}
    if not names:
        return "no position has a debt, so no price can make one liquidatable"
    return f"no position hangs on a price called {name!r}; {did_you_mean(name, names)}"


def _clash(one: Moved, other: Moved) -> UsageError:
    label = other.factor.label or other.factor.name
    return UsageError(
        f"--shock {one.shock.text} and --shock {other.shock.text} both move {label}; give one"
    )


def _outcome(
    assessed: Assessment, moved: Mapping[str, Moved], valuation: Valuation | None
) -> Outcome | None:
    position = assessed.position
    engine = engine_for(position)
    if engine is None or assessed.liquidation.health_raw is None:
        return None
    here = [(f, moved[f.name]) for f in engine.factors(position.state) if f.name in moved]
    if not here:
        return None
    whole = [m for f, m in here if _is_whole(position, f)]
    inner = [m for f, m in here if not _is_whole(position, f)]
    if whole and inner and whole[0].shock is not inner[0].shock:
        raise _clash(whole[0], inner[0])
    prices = {m.factor.name: m.to_raw for m in (inner or whole)}
    shocked = reprice(position, prices)
    after = assess_liquidation(shocked)
    taken = seizure(shocked)
    gain = profit(shocked, taken, valuation) if taken and valuation else None
    return Outcome(position, assessed.liquidation, after, taken, gain)

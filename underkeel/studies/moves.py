"""What a name such as `ETH` moves on every chain, and what that does to positions.

Healths are the protocols' own integers at moved prices; dollars follow the same moves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.types import Position, Side
from risk.liquidation import engine_for
from risk.liquidation.engine import Factor
from risk.scenario.play import moved as moved_raw
from risk.scenario.types import Exposed, Moves
from risk.types import Assessment, Status
from underkeel.portfolio import Portfolio
from underkeel.shock import same_name
from underkeel.stress.factors import Known, powers_of, whole_oracle
from underkeel.stress.library import Library
from underkeel.stress.run import Book, with_composites

STABLE: Final = "USD"
"""The group whose members are not expected to move, and come last."""
DOUBTFUL: Final = (Status.UNKNOWN,)


@dataclass(frozen=True, slots=True)
class Debtor:
    """A position with a debt, and today's prices of the factors its health hangs on."""

    chain: str
    assessed: Assessment
    held: Exposed
    factors: Mapping[str, Factor]
    whole: str
    """The oracle that is made of the other factors; empty without one."""

    @property
    def position(self) -> Position:
        """Return the position."""
        return self.assessed.position

    @property
    def health(self) -> float:
        """Return its health; 1 is the edge."""
        found = self.assessed.liquidation
        return (found.health_raw or 0) / found.health_scale

    def usd(self, side: Side) -> float | None:
        """Return what one side is worth, above zero; None where a leg has no price."""
        values = [v.usd for v in self.held.legs if v.leg.side is side]
        return None if None in values else sum(value or 0.0 for value in values)

    def prices(self, moves: Moves) -> dict[str, int]:
        """Return the raw prices after moves, of the factors that do move.

        Of an oracle and the feeds behind it only the feeds are moved, or it would move twice.
        """
        found = {
            name: moved_raw(factor.raw, moves[name])
            for name, factor in self.factors.items()
            if moves.get(name, 1.0) != 1.0
        }
        if len(found) > 1:
            found.pop(self.whole, None)
        return found

    def at(self, moves: Moves) -> tuple[float | None, Status]:
        """Return health and status after moves; unknown where the protocol's arithmetic fails."""
        judged = self.assessed.liquidation
        prices = self.prices(moves)
        engine = engine_for(self.position)
        assert engine is not None  # it has a health
        try:
            raw = engine.health(self.position.state, prices) if prices else judged.health_raw
        except ArithmeticError:
            return None, Status.UNKNOWN
        if raw is None:
            return None, Status.UNKNOWN
        if raw < engine.scale:
            return raw / engine.scale, Status.LIQUIDATABLE
        unsure = judged.status in DOUBTFUL
        return raw / engine.scale, Status.UNKNOWN if unsure else Status.SAFE


@dataclass(frozen=True, slots=True)
class Name:
    """Something that moves prices."""

    name: str
    moved: tuple[tuple[Known, int], ...]
    """Every price, and how often it multiplies (or divides) it."""

    def moves(self, book: Book, frac: float) -> dict[str, Moves]:
        """Return by chain what every factor is multiplied by when the name moves by a fraction."""
        return joint(book, ((self, frac),))

    def clashes(self, other: "Name") -> bool:
        """Return whether both move one price in the same direction."""
        mine, theirs = (
            {(k.chain, k.name) for k, power in one.moved if power > 0} for one in (self, other)
        )
        return bool(mine & theirs)


def joint(book: Book, moved: Iterable[tuple[Name, float]]) -> dict[str, Moves]:
    """Return by chain what every factor is multiplied by when several names move at once."""
    found: dict[str, dict[str, float]] = {chain: {} for chain in book.held}
    for name, frac in moved:
        for known, power in name.moved:
            here = found[known.chain]
            here[known.name] = here.get(known.name, 1.0) * (1 + frac) ** power
    return {c: with_composites(moves, book.own[c]) for c, moves in found.items()}


def debtors(portfolio: Portfolio, book: Book) -> tuple[list[Debtor], list[str]]:
    """Return the positions with a health, the worst first, and what has none though it should."""
    found: list[Debtor] = []
    unknown: list[str] = []
    for chain in portfolio.chains:
        for assessed, held in zip(chain.positions, book.held.get(chain.name, ()), strict=False):
            position, judged = assessed.position, assessed.liquidation
            engine = engine_for(position)
            if engine is None:
                continue
            if judged.health_raw is None:
                if judged.status is Status.UNKNOWN:
                    unknown.append(f"{position.id}: {'; '.join(judged.causes)}")
                continue
            factors = {factor.name: factor for factor in engine.factors(position.state)}
            found.append(Debtor(chain.name, assessed, held, factors, whole_oracle(position)))
    found.sort(key=lambda one: one.health)
    return found, unknown


def names(book: Book, library: Library) -> list[Name]:
    """Return what can move, heads of groups for their members; what is stable last."""
    heads: dict[str, None] = {}
    stable: dict[str, None] = {}
    for known in book.factors:
        called = known.base or next(iter(sorted(known.symbols)), "")
        if known.is_ratio or not called:
            continue
        head = next((h for h, m in library.groups.items() if _in(called, (h, *m))), None)
        if head == STABLE:
            stable[called] = None
        else:
            heads[called if head is None else head] = None
    found = [Name(n, powers_of(n, book.factors, library.groups)) for n in (*heads, *stable)]
    return [one for one in found if one.moved]


def is_stable(name: str, library: Library) -> bool:
    """Return whether a name is one of money."""
    return _in(name, (STABLE, *library.groups.get(STABLE, ())))


def _in(name: str, members: Iterable[str]) -> bool:
    return any(same_name(name, member) for member in members)

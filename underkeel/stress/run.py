"""Play scenarios over a portfolio: what each name moves, every position's fate, and the sum."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chain.types import Address
from protocols.morpho_blue.state import FeedLeaf
from protocols.types import Position
from risk.liquidation import engine_for
from risk.scenario.many import with_products
from risk.scenario.play import play, value
from risk.scenario.types import Exposed, Fate, Moves, Path, Point, path_to
from underkeel.portfolio import Portfolio
from underkeel.shock import same_name
from underkeel.stress.borrowers import Borrowers
from underkeel.stress.factors import Known, composite, factors_of
from underkeel.stress.library import Library, Scenario, at
from underkeel.stress.values import exposed

STEPS: Final = 8
"""Even steps of the logarithm between two points of a scenario: liquidators do not wait."""
STEPS_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio made ready: what is held, chain by chain, and the prices it hangs on."""

    held: Mapping[str, tuple[Exposed, ...]]
    own: Mapping[str, tuple[str, ...]]
    """By chain: the prices that liquidations go by."""
    factors: tuple[Known, ...]
    unread: tuple[str, ...]
    """What could not be read at all, with causes: in no sum, and so every sum is partial."""
    borrowers: Borrowers = field(default_factory=Borrowers)
    """Of vaults, where they were asked for."""

    @classmethod
    def of(cls, portfolio: Portfolio, borrowers: Borrowers | None = None) -> "Book":
        """Value every position; a wallet without the receipts of positions that count there."""
        lending = borrowers or Borrowers()
        held: dict[str, tuple[Exposed, ...]] = {}
        for chain in portfolio.chains:
            if chain.valuation is None:
                continue
            found = [a.position for a in chain.positions]
            receipts = {(p.owner, token) for p in found for token in p.receipts}
            held[chain.name] = tuple(exposed(_own(p, receipts), chain.valuation) for p in found)
        unread = [f"{c.name}: {c.cause}" for c in portfolio.chains if c.fault]
        unread += [f"{c.name}: {u.protocol} {u.market}: {u.cause}" for c, u in portfolio.unreadable]
        own = {chain: own_factors(found) for chain, found in held.items()}
        factors = factors_of(portfolio, feeds_of(held, lending))
        return cls(held, own, factors, tuple(unread), lending)

    @property
    def positions(self) -> tuple[Exposed, ...]:
        """Return every position of every chain."""
        return tuple(e for found in self.held.values() for e in found)


def feeds_of(
    held: Mapping[str, tuple[Exposed, ...]], borrowers: Borrowers
) -> Iterable[tuple[str, FeedLeaf]]:
    """Yield the feeds that vaults' borrowers hang on, each with its chain."""
    for chain, found in held.items():
        for one in found:
            stake = borrowers.stakes.get(one.position.id)
            for lent, _ in stake.markets if stake else ():
                if (parts := lent.oracle.parts) is not None:
                    yield from ((chain, leaf) for leaf in (*parts.base_feeds, *parts.quote_feeds))


def _own(position: Position, receipts: set[tuple[Address, Address]]) -> Position:
    if position.kind != "wallet":
        return position
    legs = tuple(
        leg for leg in position.legs if (position.owner, leg.token.address) not in receipts
    )
    return replace(position, legs=legs)


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one price in a scenario."""

    known: Known
    change_frac: float
    """At the end of the path."""
    why: str
    """The name that moved it, `other`, or why it stayed."""
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What one scenario does to a portfolio."""

    name: str
    title: str
    source: str
    moved: tuple[Moved, ...]
    fates: tuple[Fate, ...]
    before_usd: float
    """Of the positions whose fate is known."""
    after_usd: float
    unknown: tuple[str, ...] = ()
    """Positions, and what could not be read, that no sum holds; with causes."""
    nodes: tuple[str, ...] = ()
    """Of the exposure graph, as chain/address, that fail."""

    @property
    def loss_usd(self) -> float:
        """Return what the owner loses on what is known."""
        return self.before_usd - self.after_usd

    @property
    def blank(self) -> bool:
        """Return whether nothing at all is known: then a loss of zero would be a lie."""
        return bool(self.unknown) and all(f.after_usd is None for f in self.fates)

    @property
    def bad_debt_usd(self) -> float:
        """Return what lenders are left with."""
        return sum(f.bad_debt_usd for f in self.fates)

    @property
    def penalty_usd(self) -> float:
        """Return what liquidations cost the owner."""
        return sum(f.penalty_usd for f in self.fates)

    @property
    def liquidated(self) -> int:
        """Return how many positions are liquidated."""
        return sum(bool(f.taken) for f in self.fates)


Paths = Mapping[str, Path]
"""By chain."""


@dataclass(frozen=True, slots=True)
class Play:
    """How paths are played."""

    steps: int = STEPS
    gas_usd: float | None = None
    """What a liquidation costs its caller today; None: not known, liquidators always act."""

    def gas(self, multiple: float) -> float:
        """Return the cost of a liquidation when gas is so many times dearer."""
        return 0.0 if self.gas_usd is None else self.gas_usd * multiple


def named(book: Book, library: Library, name: str, how: Play) -> Result:
    """Play a named scenario."""
    scenario = library.scenario(name)
    moved, points = _points(book, library, scenario)
    paths = {chain: _path(points[chain], how.steps) for chain in book.held}
    return play_all(
        book, paths, how.gas(scenario.gas), name, scenario.title, scenario.source, moved,
        discount=_discount(scenario),
    )  # fmt: skip


def play_all(
    book: Book,
    paths: Paths,
    gas_usd: float,
    name: str,
    title: str = "",
    source: str = "",
    moved: Sequence[Moved] = (),
    discount: Callable[[str], float] = lambda _symbol: 1.0,
) -> Result:
    """Play every position along its chain's path and add up."""
    fates: list[Fate] = []
    for chain, found in book.held.items():
        path = paths[chain]
        cut = (_bitten(_cut(one, discount), book.borrowers, path) for one in found)
        fates += [play(one, path, gas_usd) for one in cut]
    return summed(name, title, source, moved, fates, book.positions, book.unread)


def summed(
    name: str,
    title: str,
    source: str,
    moved: Sequence[Moved],
    fates: Sequence[Fate],
    held: Sequence[Exposed],
    unread: Sequence[str],
) -> Result:
    """Add up what is known; `held` are the positions as they are today."""
    before = after = 0.0
    unknown = list(unread)
    told: list[Fate] = []
    for fate, one in zip(fates, held, strict=True):
        start = value(one, None, {})
        told.append(replace(fate, before_usd=start))
        if start is None or fate.after_usd is None:
            causes = "; ".join(fate.causes) or "not all of it has a price"
            unknown.append(f"{fate.position.id}: {causes}")
            continue
        before, after = before + start, after + fate.after_usd
    return Result(name, title, source, tuple(moved), tuple(told), before, after, tuple(unknown))


def _cut(one: Exposed, discount: Callable[[str], float]) -> Exposed:
    """Return a position whose tokens are worth less than every price says."""
    legs = tuple(
        v if v.unit is None else replace(v, unit=v.unit * discount(v.leg.token.symbol))
        for v in one.legs
    )
    return replace(one, legs=legs)


def _bitten(one: Exposed, borrowers: Borrowers, path: Path) -> Exposed:
    """Return a vault's shares less what its borrowers leave unpaid on a path."""
    stake, cause = borrowers.stakes.get(one.position.id), borrowers.unknown.get(one.position.id)
    left = 1.0
    if stake is not None:
        try:
            left = 1.0 - stake.lost(path)
        except ArithmeticError as failure:
            cause = f"its borrowers: {str(failure) or type(failure).__name__}"
    if cause:
        missing = (*one.position.unknown, cause)
        return replace(one, position=replace(one.position, unknown=missing))
    legs = tuple(v if v.unit is None else replace(v, unit=v.unit * left) for v in one.legs)
    return one if left == 1.0 else replace(one, legs=legs)


def _discount(scenario: Scenario) -> Callable[[str], float]:
    return lambda symbol: 1 + scenario.discount.get(symbol, 0.0)


def _points(
    book: Book, library: Library, scenario: Scenario
) -> tuple[tuple[Moved, ...], dict[str, list[Moves]]]:
    """Return what moves, and by chain every point that the scenario passes."""
    legs = scenario.legs
    points: dict[str, list[dict[str, float]]] = {c: [{} for _ in range(legs)] for c in book.held}
    moved: list[Moved] = []
    for known in book.factors:
        many, why, assumed = _move(known, library, scenario)
        if many is not None:
            for leg in range(legs):
                points[known.chain][leg][known.name] = many[leg]
        moved.append(Moved(known, 0.0 if many is None else many[-1] - 1, why, assumed))
    whole = {c: [with_composites(p, book.own[c]) for p in found] for c, found in points.items()}
    return tuple(moved), whole


def _move(
    known: Known, library: Library, scenario: Scenario
) -> tuple[list[float] | None, str, bool]:
    """Return one price's multiplier at each point, None where it stays; what moves it; if assumed.

    A price of one token in another, not named itself, moves as the one over the other.
    """
    for name, move in scenario.moves.items():
        if known.called(name):
            return _points_of(move, scenario), name, False
    if not known.is_ratio:
        own, why, assumed = _side(known.called, library, scenario)
        return None if own is None else _points_of(own, scenario), why, assumed
    if not known.base:
        return None, "a ratio, and not named", False
    sides = [
        _side(lambda name, mine=mine: same_name(name, mine), library, scenario)  # type: ignore[misc]
        for mine in (known.base, known.quote)
    ]
    (over, over_why, a), (under, under_why, b) = sides
    if over is None and under is None:
        return None, f"{over_why}; {under_why}", False
    still = [1.0] * scenario.legs
    up = still if over is None else _points_of(over, scenario)
    down = still if under is None else _points_of(under, scenario)
    many = [x / y for x, y in zip(up, down, strict=True)]
    return many, f"{over_why} over {under_why}", a or b


def _points_of(move: list[float], scenario: Scenario) -> list[float]:
    return [at(move, leg, scenario.legs) for leg in range(scenario.legs)]


def _side(
    called: Callable[[str], bool], library: Library, scenario: Scenario
) -> tuple[list[float] | None, str, bool]:
    """Return the move of what goes by some names: its own, its group's, else `other`."""
    for name, move in scenario.moves.items():
        if called(name):
            return move, name, False
    for head, members in library.groups.items():
        if called(head) or any(called(member) for member in members):
            head_move = scenario.moves.get(head)
            return head_move, head if head_move else f"{head} does not move", False
    if not scenario.other:
        return None, "not named", False
    return scenario.other, "other", True


def own_factors(held: Iterable[Exposed]) -> tuple[str, ...]:
    """Return the names of all prices that liquidations of some positions go by, each once."""
    names: dict[str, None] = {}
    for one in held:
        engine = engine_for(one.position)
        if engine is not None:
            names.update((f.name, None) for f in engine.factors(one.position.state))
    return tuple(names)


def with_composites(moves: Moves, own: Iterable[str]) -> Moves:
    """Add those of the engines' `own` factors that are products: they move as their parts do."""
    return with_products(moves, own, composite)


def _path(points: Sequence[Moves], steps: int) -> Path:
    path: list[Point] = []
    for moves in points:
        path += path_to(moves, moves, steps, path[-1] if path else None)
    return tuple(path)


def straight(book: Book, moves: Mapping[tuple[str, str], float], steps: int) -> Paths:
    """Return straight paths to multipliers by (chain, factor)."""
    paths = {}
    for chain, own in book.own.items():
        here = {f: m for (c, f), m in moves.items() if c == chain}
        paths[chain] = _path([with_composites(here, own)], steps)
    return paths

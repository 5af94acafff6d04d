"""Two prices moved against each other, every pair of moves a path of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError
from underkeel.stress.factors import Known, names_of, powers_of
from underkeel.stress.library import Library
from underkeel.stress.run import Book, Play, play_all, straight


@dataclass(frozen=True, slots=True)
class Grid:
    """Losses over the moves of two names; rows are the first, columns the second."""

    names: tuple[str, str]
    factors: tuple[tuple[Known, ...], tuple[Known, ...]]
    moves: tuple[tuple[float, ...], tuple[float, ...]]
    """Fractions, ascending."""
    loss_usd: tuple[tuple[float, ...], ...]
    liquidated: tuple[tuple[int, ...], ...]
    bad_debt_usd: tuple[tuple[float, ...], ...]
    before_usd: float
    unknown: tuple[str, ...]

    @property
    def worst(self) -> tuple[int, int]:
        """Return where most is lost."""
        return max(
            ((i, j) for i in range(len(self.moves[0])) for j in range(len(self.moves[1]))),
            key=lambda ij: self.loss_usd[ij[0]][ij[1]],
        )


GRID_MOVES: Final = (-0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2)


def grid(
    book: Book,
    library: Library,
    names: tuple[str, str],
    how: Play,
    moves: Sequence[float] = GRID_MOVES,
    tell: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> Grid:
    """Play a straight path to every pair of moves; raises `UsageError` for a name of no price."""
    hits = (wanted(book, library, names[0]), wanted(book, library, names[1]))
    straight_up = [{(k.chain, k.name) for k, power in hit if power > 0} for hit in hits]
    if straight_up[0] & straight_up[1]:
        raise UsageError(f"--grid: {names[0]} and {names[1]} move the same price")
    rows = []
    for i, first in enumerate(moves):
        row = []
        for second in moves:
            to: dict[tuple[str, str], float] = {}
            for hit, move in zip(hits, (first, second), strict=True):
                for k, power in hit:
                    at = (k.chain, k.name)
                    to[at] = to.get(at, 1.0) * (1 + move) ** power
            row.append(play_all(book, straight(book, to, how.steps), how.gas(1), "grid"))
        rows.append(row)
        tell("playing the grid", i + 1, len(moves))
    return Grid(
        names=names,
        factors=(tuple(k for k, _ in hits[0]), tuple(k for k, _ in hits[1])),
        moves=(tuple(moves), tuple(moves)),
        loss_usd=tuple(tuple(r.loss_usd for r in row) for row in rows),
        liquidated=tuple(tuple(r.liquidated for r in row) for row in rows),
        bad_debt_usd=tuple(tuple(r.bad_debt_usd for r in row) for row in rows),
        before_usd=rows[0][0].before_usd,
        unknown=rows[0][0].unknown,
    )


def wanted(book: Book, library: Library, name: str) -> tuple[tuple[Known, int], ...]:
    """Return what a name moves; raises `UsageError` with the nearest name."""
    hits = powers_of(name, book.factors, library.groups)
    if not hits:
        hint = did_you_mean(name, names_of(book.factors))
        raise UsageError(f"--grid: no position hangs on a price called {name!r}; {hint}")
    return hits

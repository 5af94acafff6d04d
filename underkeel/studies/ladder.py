"""The ladder: health of every position with a debt as prices move, and two moved at once.

What costs most is bounded: curves are of the worst `MOST` positions, edges on the heat map of the
worst `MOST_HEAT`; how many are left out, and how healthy they are, is in the document. Equity on
the heat map is of every position.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.types import Side
from protocols.uniswap_v3.state import UniswapV3State
from risk.scenario.play import value
from risk.scenario.types import Exposed, Moves, Valued
from risk.types import Status
from risk.valuation import sign
from underkeel.documents import ladder as d
from underkeel.documents.build import (
    ENGINE_VERSION,
    MODEL_VERSION,
    boundary,
    integer,
    moment,
)
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.stress.library import Library, shipped
from underkeel.stress.run import Book
from underkeel.studies.moves import Debtor, Name, debtors, is_stable, joint, names

STEPS: Final = tuple(round(i / 20, 2) for i in range(-12, 13))
"""−60 % to +60 %."""
HEAT_STEPS: Final = tuple(round(i / 10, 1) for i in range(-6, 7))
MOST: Final = 100
MOST_HEAT: Final = 150
MOST_NAMES: Final = 8
NOT_YET: Final = "not computed yet"

Chances = Mapping[str, tuple[Sequence[d.LadderChance], str | None]]
"""By position: chances, and why there are none."""


def ladder(portfolio: Portfolio, at: float, chances: Chances | None = None) -> d.LadderDocument:
    """Return `underkeel.ladder/1`; `chances` come from elsewhere (`studies.chances`)."""
    began = time.perf_counter()
    library, book = shipped(), Book.of(portfolio)
    found, unknown = debtors(portfolio, book)
    worst, rest = found[:MOST], found[MOST:]
    moving = _ranked(names(book, library), found, book, library)
    heat, cause = _heat(moving, found, book)
    return d.LadderDocument(
        schema="underkeel.ladder/1",
        generated_at=moment(at),
        engine_version=ENGINE_VERSION,
        model_version=MODEL_VERSION,
        chains=[_chain(chain) for chain in portfolio.chains],
        steps=list(STEPS),
        factors=[_factor(name, hit, book) for name, hit in moving],
        positions=_positions(worst, moving, book, portfolio, chances or {}),
        left_out=str(len(rest)),
        left_out_health=rest[0].health if rest else None,
        heat=heat,
        heat_cause=cause,
        unknown=[*book.unread, *unknown],
        took_s=time.perf_counter() - began,
    )


def _ranked(
    every: Iterable[Name], found: Sequence[Debtor], book: Book, library: Library
) -> list[tuple[Name, list[Debtor]]]:
    """Return the names that move most debts, and whom they move; what is stable last."""
    ranked = []
    for name in every:
        moves = name.moves(book, -0.1)
        hit = [one for one in found if one.prices(moves[one.chain])]
        if hit:
            ranked.append((name, hit))
    ranked.sort(key=lambda pair: (is_stable(pair[0].name, library), -len(pair[1]), pair[0].name))
    return ranked[:MOST_NAMES]


def _factor(name: Name, hit: Sequence[Debtor], book: Book) -> d.LadderFactor:
    """Return a name with the prices of positions' factors that it moves."""
    feeds: dict[tuple[str, str], d.LadderFeed] = {}
    moves = name.moves(book, -0.1)
    labels = {(k.chain, k.name): k.shown for k, _ in name.moved}
    for one in hit:
        for factor in one.prices(moves[one.chain]):
            at = (one.chain, factor)
            if at not in feeds:
                feeds[at] = d.LadderFeed(
                    chain=one.chain,
                    factor=factor,
                    label=labels.get(at) or one.factors[factor].label,
                    current_raw=str(one.factors[factor].raw),
                    decimals=str(one.factors[factor].decimals),
                )
    owed = [one.usd(Side.DEBT) for one in hit]
    return d.LadderFactor(
        name=name.name,
        feeds=list(feeds.values()),
        positions=str(len(hit)),
        debt_usd=None if None in owed else sum(v or 0.0 for v in owed),
    )


def _positions(
    worst: Sequence[Debtor],
    moving: Sequence[tuple[Name, Sequence[Debtor]]],
    book: Book,
    portfolio: Portfolio,
    chances: Chances,
) -> list[d.LadderPosition]:
    hit = {name.name: {id(one) for one in moved} for name, moved in moving}
    steps = [(name, [name.moves(book, step) for step in STEPS]) for name, _ in moving]
    found = []
    for one in worst:
        position, judged = one.position, one.assessed.liquidation
        told, cause = chances.get(position.id, ((), NOT_YET))
        found.append(
            d.LadderPosition(
                id=position.id,
                chain=one.chain,
                protocol=position.protocol,
                market=position.market,
                owner=position.owner,
                owner_name=portfolio.names.get(position.owner),
                status=judged.status.value,
                health=one.health,
                health_raw=integer(judged.health_raw),
                health_scale=str(judged.health_scale),
                debt_usd=one.usd(Side.DEBT),
                equity_usd=one.assessed.equity_usd,
                curves=[
                    _curve(one, name, [at[one.chain] for at in moved])
                    for name, moved in steps
                    if id(one) in hit[name.name]
                ],
                chances=list(told),
                chances_cause=cause,
            )
        )
    return found


def _curve(one: Debtor, name: Name, moved: Sequence[Moves]) -> d.LadderCurve:
    points = [one.at(moves) for moves in moved]
    alone = list(one.prices(moved[0]))
    edges = [b for b in one.assessed.liquidation.boundary if b.factor in alone]
    cause = None
    if len(alone) > 1:
        cause = f"{name.name} moves {len(alone)} prices of it at once: no single one is the edge"
    elif not edges:
        cause = "no move of this price alone makes it liquidatable"
    return d.LadderCurve(
        factor=name.name,
        health=[health for health, _ in points],
        status=[status.value for _, status in points],
        boundary=boundary(edges[0]) if edges and len(alone) == 1 else None,
        cause=cause,
    )


def _chain(chain: ChainReport) -> d.LadderChain:
    at = chain.at
    return d.LadderChain(
        name=chain.name,
        chain_id=str(chain.chain_id),
        block_number=integer(at.number if at else None),
        block_hash=at.hash if at else None,
        timestamp=integer(at.timestamp if at else None),
        cause=chain.cause or None,
    )


def _heat(
    moving: Sequence[tuple[Name, Sequence[Debtor]]], found: Sequence[Debtor], book: Book
) -> tuple[d.HeatMap | None, str | None]:
    """Return the two names that move most, against each other; or why there is no such map."""
    pairs = ((a, b) for i, (a, _) in enumerate(moving) for b, _ in moving[i + 1 :])
    pair = next((pair for pair in pairs if not pair[0].clashes(pair[1])), None)
    if pair is None:
        few = "no two prices move debts apart from each other"
        return None, "no position has a debt" if not found else few
    worst, rest = found[:MOST_HEAT], found[MOST_HEAT:]
    sums = _Sums.of(book)
    equity: list[list[float | None]] = []
    past: list[list[int]] = []
    unknown: list[list[int]] = []
    least: list[list[float | None]] = []
    for y in HEAT_STEPS:
        cells = [joint(book, ((pair[0], x), (pair[1], y))) for x in HEAT_STEPS]
        judged = [[one.at(moves[one.chain]) for one in worst] for moves in cells]
        equity.append([sums.at(moves) for moves in cells])
        past.append([_count(row, Status.LIQUIDATABLE) for row in judged])
        unknown.append([_count(row, Status.UNKNOWN) for row in judged])
        least.append([min((h for h, _ in row if h is not None), default=None) for row in judged])
    heat = d.HeatMap(
        x=pair[0].name,
        y=pair[1].name,
        x_steps=list(HEAT_STEPS),
        y_steps=list(HEAT_STEPS),
        equity_usd=equity,
        liquidatable=past,
        unknown=unknown,
        worst=least,
        positions=str(len(worst)),
        left_out=str(len(rest)),
        equity_cause=sums.cause,
    )
    return heat, None


def _count(row: Sequence[tuple[float | None, Status]], status: Status) -> int:
    return sum(1 for _, found in row if found is status)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Equity, legs of one price behaviour added up once: many positions, few behaviours."""

    alike: tuple[tuple[str, Valued, float], ...]
    """Chain, a leg that stands for all like it, and their dollars today."""
    ranges: tuple[tuple[str, Exposed], ...]
    """Positions whose amounts change with prices."""
    cause: str | None

    @classmethod
    def of(cls, book: Book) -> "_Sums":
        """Add up every position whose worth is known."""
        alike: dict[tuple[object, ...], tuple[str, Valued, float]] = {}
        ranges: list[tuple[str, Exposed]] = []
        without = 0
        for chain, positions in book.held.items():
            for one in positions:
                if value(one, None, {}) is None:
                    without += 1
                elif isinstance(one.position.state, UniswapV3State):
                    ranges.append((chain, one))
                else:
                    _add(alike, chain, one)
        said = f"{without} positions of which no worth is known" if without else None
        parts = [part for part in (said, *book.unread) if part]
        return cls(tuple(alike.values()), tuple(ranges), "; ".join(parts) or None)

    def at(self, moves: Mapping[str, Moves]) -> float | None:
        """Return the equity after moves; None where how a price moves cannot be told."""
        total = 0.0
        for chain, leg, usd in self.alike:
            many = leg.multiple(moves[chain])
            if many is None:
                return None
            total += usd * many
        for chain, one in self.ranges:
            worth = value(one, None, moves[chain])
            if worth is None:
                return None
            total += worth
        return total


def _add(
    alike: dict[tuple[object, ...], tuple[str, Valued, float]], chain: str, one: Exposed
) -> None:
    for leg in one.legs:
        weight = sign(leg.leg.side)
        if not (weight and leg.leg.amount):
            continue
        key = (chain, tuple(sorted(leg.powers.items())), leg.room, leg.blind)
        _, first, so_far = alike.get(key, (chain, leg, 0.0))
        alike[key] = (chain, first, so_far + weight * (leg.usd or 0.0))

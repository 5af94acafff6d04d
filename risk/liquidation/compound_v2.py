"""Compound v2: a shortfall, reckoned from markets of which some are accrued and some are not.

Liquidatable if and only if somebody can bring about, in one transaction, Σ owed > Σ borne, with
borne = ⌊⌊⌊factor·rate/1e18⌋·price/1e18⌋·cTokens/1e18⌋ and owed = ⌊price·debt/1e18⌋. Source:
`Comptroller.liquidateBorrowAllowed`, `getHypotheticalAccountLiquidityInternal`;
`CToken.liquidateBorrow`, which accrues the market repaid and the market seized and no other. The
others count as they are stored, and anybody may accrue any of them first. So a debt counts accrued,
collateral stored unless it is what is seized, and where one market has both, the worse of the two.
Where coins are repaid to a cETH that the borrower also supplied to, the coins on their way count as
its cash: of one coin at least.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import ClassVar, Final

from chain.types import Address
from chain.units import UINT256_MAX, WAD
from protocols.compound_v2.math import AccrualReverts
from protocols.compound_v2.state import Clock, CompoundAccount, Quote
from risk.liquidation.compound_v2_lines import Choice, Line, choices, chosen, lines, place
from risk.liquidation.compound_v2_seizure import best_seizure, seizure_terms
from risk.liquidation.engine import NOW, Factor, Instant, Seizure, Terms
from risk.liquidation.search import Edge, Verdict, highest, lowest
from risk.types import Boundary, Direction

HIGHEST_PRICE: Final = 2**191 - 1
"""The greatest answer of a Chainlink feed (int192); nothing above is looked for."""
SCALE: Final = WAD * WAD


@dataclass(frozen=True, slots=True)
class CompoundEngine:
    """Compound's rule over a `CompoundAccount`; `risk.liquidation.engine.Engine`."""

    scale: ClassVar[int] = WAD

    def factors(self, state: CompoundAccount) -> tuple[Factor, ...]:
        """Return the factor of every market that counts, the first market's first."""
        found: dict[str, Quote] = {}
        for one in state.holdings:
            quote = one.market.quote
            if one.entered and (one.tokens or one.debt) and quote and not quote.constant:
                found.setdefault(quote.factor, quote)
        return tuple(
            Factor(q.factor, q.label, q.raw, q.decimals, q.updated_at, q.heartbeat_s, q.problems)
            for q in found.values()
        )

    def health(
        self, state: CompoundAccount, prices: Mapping[str, int] = NOW, at: int | None = None
    ) -> int | None:
        """Return what is borne over what is owed, a wad, rounded down; see `Engine.health`.

        Of the ways in which markets can be accrued, the worst. Below one, too, where a debt is
        deprecated, since then nobody asks for a shortfall. Raises `PriceReverts`, `AccrualReverts`.
        """
        found = lines(state, None if at is None else place(state, at))
        if not any(line.accrued.debt for line in found):
            return None
        health = min(_ratio(found, choice, prices) for choice in choices(found))
        return min(health, WAD - 1) if _exposed(found) else health

    def boundary(self, state: CompoundAccount, factor: Factor) -> tuple[Boundary, ...]:
        """Return the exact boundary prices of one factor; see `Engine.boundary`.

        None where a debt is deprecated: it may be liquidated at any price.
        """
        found = lines(state)
        moving = [line for line in found if _factor(line) == factor.name and _counts(line)]
        if not moving or not any(line.accrued.debt for line in found) or _exposed(found):
            return ()
        verdict, now = _price_verdict(found, factor.name), factor.raw
        least, top = _least(moving), _top(moving)
        down, up = Edge(None), Edge(None)
        if not verdict(now, now):
            down, up = highest(least, now - 1, verdict), lowest(now + 1, top, verdict)
        elif not verdict(top, top):
            down = highest(now, top, verdict)
        elif not verdict(least, least):
            up = lowest(least, now, verdict)
        return _boundaries(factor, down, up)

    def time_to_liquidation(self, state: CompoundAccount, horizon_s: int) -> Instant:
        """Return the first second of liquidation at constant prices; see the protocol.

        Nobody touches the markets until then, so that rates stay. Interest by the block is turned
        into time by the rate model's own length of a block, and is never exact.
        """
        health = self.health(state)
        if health is None:
            return Instant(None)
        if health < WAD:
            return Instant(0)
        pace = 1.0 if state.clock is Clock.SECONDS else state.block_s
        counted = [h for h in state.holdings if h.entered and (h.tokens or h.debt)]
        if state.clock is None or pace is None or any(h.market.book is None for h in counted):
            return Instant(None, exact=False)
        first, last = crossings(state, int(horizon_s / pace))
        exact = state.clock is Clock.SECONDS and first == last and first.exact
        return Instant(None if first.at is None else int(first.at * pace), exact)

    def terms(self, state: CompoundAccount, prices: Mapping[str, int] = NOW) -> Terms:
        """Return close factor, incentive, expected loss and what blocks a liquidation."""
        return seizure_terms(state, prices)

    def seizure(self, state: CompoundAccount, prices: Mapping[str, int] = NOW) -> Seizure | None:
        """Return the most profitable pair's seizure, in underlying base units."""
        return best_seizure(state, prices)

    def reprice(self, state: CompoundAccount, prices: Mapping[str, int]) -> CompoundAccount:
        """Return the account with factors moved."""
        return replace(
            state,
            holdings=tuple(
                replace(one, market=replace(one.market, quote=_moved(one.market.quote, prices)))
                for one in state.holdings
            ),
        )

    def token_prices(self, state: CompoundAccount) -> Mapping[Address, int]:
        """Return the oracle's price of each underlying token."""
        quoted = ((one.market.underlying.address, one.market.quote) for one in state.holdings)
        return {address: quote.price() for address, quote in quoted if quote is not None}


ENGINE: Final = CompoundEngine()


def _ratio(found: Sequence[Line], choice: Choice, prices: Mapping[str, int]) -> int:
    worths = [line.worth(variant, line.price(prices)) for line, variant in chosen(found, choice)]
    weighs = sum(debt for _, debt in worths)
    return sum(bears for bears, _ in worths) * WAD // weighs if weighs else UINT256_MAX


def _exposed(found: Sequence[Line]) -> bool:
    """Tell whether a debt may be liquidated without a shortfall."""
    seizable = any(line.holding.tokens for line in found)
    return seizable and any(line.accrued.debt and line.holding.market.deprecated for line in found)


def _factor(line: Line) -> str:
    quote = line.holding.market.quote
    return "" if quote is None or quote.constant else quote.factor


def _counts(line: Line) -> bool:
    return line.holding.entered and bool(line.tokens or line.accrued.debt)


def _quote(line: Line) -> Quote:
    quote = line.holding.market.quote
    assert quote is not None  # an entered market without a price has no state
    return quote


def _least(moving: Sequence[Line]) -> int:
    """Return the lowest factor price at which no price is zero."""
    return max(-(-quote.den // quote.num) for quote in map(_quote, moving))


def _top(moving: Sequence[Line]) -> int:
    """Return the highest factor price at which no product overflows."""
    top = HIGHEST_PRICE
    for line in moving:
        quote, market = _quote(line), line.holding.market
        weight = market.collateral_factor * line.accrued.rate // WAD
        widest = max(1, weight, line.accrued.debt, weight * line.tokens // WAD)
        top = min(top, UINT256_MAX // (quote.num * widest))
    return top


Bounds = tuple[int, int]


def _price_verdict(found: Sequence[Line], factor: str) -> Verdict:
    """Judge intervals of one factor's price: liquidatable if the worst way of accruing is short."""
    ways = choices(found)
    straight = {way: _Straight.of(found, way, factor) for way in ways}

    def verdict(lo: int, hi: int) -> bool | None:
        bounds = [_between(found, way, factor, lo, hi, straight[way]) for way in ways]
        if min(most for _, most in bounds) < 0:
            return True
        return False if min(least for least, _ in bounds) >= 0 else None

    return verdict


def _between(
    found: Sequence[Line], way: Choice, factor: str, lo: int, hi: int, straight: "_Straight"
) -> Bounds:
    """Return bounds of the margin over an interval; equal on a single price."""
    least, most = _bounds(found, way, {factor: lo}, {factor: hi})
    if lo < hi:
        low, high = straight.between(lo, hi)
        least, most = max(least, low), min(most, high)
    return least, most


def _bounds(
    found: Sequence[Line], way: Choice, one: Mapping[str, int], other: Mapping[str, int]
) -> Bounds:
    """Return bounds of the margin between two vectors of factor prices."""
    least = most = 0
    for line, variant in chosen(found, way):
        quote = _quote(line)
        low, high = sorted(quote.price(prices.get(quote.factor)) for prices in (one, other))
        (bears0, weighs0), (bears1, weighs1) = (line.worth(variant, p) for p in (low, high))
        least += bears0 - weighs1
        most += bears1 - weighs0
    return least, most


def between(
    state: CompoundAccount, at: int | None
) -> Callable[[Mapping[str, int], Mapping[str, int]], bool | None] | None:
    """Return a judge of all price vectors between two, at a time; None without a debt.

    Liquidatable throughout, nowhere, or undecided.
    """
    found = lines(state, None if at is None else place(state, at))
    if not any(line.accrued.debt for line in found):
        return None
    ways, exposed = choices(found), _exposed(found)

    def judge(one: Mapping[str, int], other: Mapping[str, int]) -> bool | None:
        bounds = [_bounds(found, way, one, other) for way in ways]
        if exposed or min(most for _, most in bounds) < 0:
            return True
        return False if min(least for least, _ in bounds) >= 0 else None

    return judge


@dataclass(frozen=True, slots=True)
class _Straight:
    """The margin as a straight line in the factor, times `scale`, but for what truncations drop.

    Where one factor moves collateral and debt together, their bounds overlap long before the margin
    is small.
    """

    slope: int
    offset: int
    scale: int
    dropped: int
    """How much lower than the line the margin may be."""
    raised: int
    """How much higher."""

    @classmethod
    def of(cls, found: Sequence[Line], way: Choice, factor: str) -> "_Straight":
        counted = list(chosen(found, way))
        moving = [(line, v) for line, v in counted if _factor(line) == factor]
        den = lcm(*(_quote(line).den for line, _ in moving))
        slope = dropped = raised = offset = 0
        for line, variant in counted:
            quote, market = _quote(line), line.holding.market
            if _factor(line) != factor:
                bears, weighs = line.worth(variant, quote.price())
                offset += bears - weighs
                continue
            weight = market.collateral_factor * variant.rate // WAD
            once = quote.num * (den // quote.den)
            slope += (weight * line.tokens - variant.debt * WAD) * once
            floored = int(quote.den > 1)  # then the price itself is rounded down
            dropped += 2 + line.tokens // WAD + floored * (1 + weight * line.tokens // SCALE)
            raised += 1 + floored * (1 + variant.debt // WAD)
        return cls(slope, offset, SCALE * den, dropped, raised)

    def between(self, lo: int, hi: int) -> Bounds:
        """Return bounds of the margin over an interval."""
        ends = (self.slope * lo, self.slope * hi)
        return (
            min(ends) // self.scale + self.offset - self.dropped,
            -(-max(ends) // self.scale) + self.offset + self.raised,
        )


def crossings(state: CompoundAccount, horizon: int) -> tuple[Edge, Edge]:
    """Return the first block or second ahead at which interest alone leaves a shortfall.

    Twice: if debts are the greatest, and if they are the least, that they can be.
    """
    return _first(state, horizon, least=False), _first(state, horizon, least=True)


def _first(state: CompoundAccount, horizon: int, *, least: bool) -> Edge:
    """Return the first block or second ahead at which prices of now leave a shortfall.

    Debts and exchange rates grow: an interval is bounded by its ends.
    """
    ways = choices(lines(state, state.now + 1))

    def margin(early: Sequence[Line], late: Sequence[Line], way: Choice) -> int:
        """Return what early collateral bears less what late debts weigh."""
        pairs = zip(chosen(early, way), chosen(late, way), strict=True)
        return sum(
            one.worth(first, one.price(NOW))[0] - other.worth(last, other.price(NOW))[1]
            for (one, first), (other, last) in pairs
        )

    def at(ahead: int) -> list[Line]:
        return lines(state, state.now + ahead if ahead else None, least=least)

    def verdict(lo: int, hi: int) -> bool | None:
        try:
            early = at(lo)
        except AccrualReverts:
            return False  # a market that accrues no more, lets nobody be liquidated any more
        try:
            late = early if lo == hi else at(hi)
        except AccrualReverts:
            return None
        if min(margin(late, early, way) for way in ways) < 0:
            return True
        return False if min(margin(early, late, way) for way in ways) >= 0 else None

    return lowest(0, horizon, verdict)


def _moved(quote: Quote | None, prices: Mapping[str, int]) -> Quote | None:
    return None if quote is None else replace(quote, raw=prices.get(quote.factor, quote.raw))


def _boundaries(factor: Factor, down: Edge, up: Edge) -> tuple[Boundary, ...]:
    return tuple(
        Boundary(
            factor=factor.name,
            label=factor.label,
            direction=direction,
            price_raw=edge.at,
            safe_price_raw=edge.at + step,
            current_raw=factor.raw,
            decimals=factor.decimals,
            distance_frac=(edge.at - factor.raw) / factor.raw,
            exact=edge.exact,
        )
        for edge, direction, step in ((down, Direction.DOWN, 1), (up, Direction.UP, -1))
        if edge.at is not None
    )

"""What the two Aave v3 engines share: boxes of values, and the searches over them.

A box holds, for every line of an account, the least and the greatest value that its collateral and
its debt take over an interval of prices or of time. An engine judges boxes; on a single price or
second the box is a point and the judgement is the contract's own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import lcm
from typing import ClassVar, Final, TypeAlias

from chain.types import Address
from chain.units import BPS, WAD
from protocols.aave_v3.math import Line, health, lines, quote_of, totals
from protocols.aave_v3.rules import Rules
from protocols.aave_v3.state import AaveAccount, Quote
from risk.liquidation.aave_seizure import best_seizure, seizure_terms
from risk.liquidation.engine import NOW, Factor, Instant, Seizure, Terms
from risk.liquidation.search import Edge, highest, lowest
from risk.types import Boundary, Direction

HIGHEST_PRICE: Final = 2**191 - 1
"""The greatest answer of a Chainlink feed (int192); nothing above is looked for."""


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds of one line's values in base currency over an interval."""

    threshold: int
    collateral: tuple[int, int]
    debt: tuple[int, int]


Judge: TypeAlias = Callable[[Sequence[Box]], bool | None]
Slack: TypeAlias = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class AaveEngine:
    """The searches; `judge` and `slack` are each release's own."""

    judge: Judge
    """Over boxes: True if liquidatable throughout, False if nowhere, None if undecided."""
    slack: Slack
    """Given bounds of (collateral, debt), by how much Σ value·threshold may exceed 1e4·debt while
    liquidatable, and fall short of it while safe."""
    average: Callable[[Sequence[Box]], tuple[int, int]] | None = None
    """Bounds of the average threshold, for releases that truncate it."""
    scale: ClassVar[int] = WAD

    def factors(self, state: AaveAccount) -> tuple[Factor, ...]:
        """Return the factor of every line, the first reserve's first."""
        found: dict[str, Quote] = {}
        for quote in (line.quote for line in lines(state, state.timestamp)):
            named = found.get(quote.factor)
            if not quote.constant and (named is None or _derived(named) > _derived(quote)):
                found[quote.factor] = quote  # the asset that the feed prices directly names it
        return tuple(
            Factor(q.factor, q.label, q.raw, q.decimals, q.updated_at, q.heartbeat_s, q.problems)
            for q in found.values()
        )

    def health(
        self, state: AaveAccount, prices: Mapping[str, int] = NOW, at: int | None = None
    ) -> int | None:
        """Return the health factor in wad; see `Engine.health`."""
        found = lines(state, state.timestamp if at is None else at)
        if not any(line.debt for line in found):
            return None
        return health(totals(found, state.rules, prices), state.rules)

    def boundary(self, state: AaveAccount, factor: Factor) -> tuple[Boundary, ...]:
        """Return the exact boundary prices of one factor; see `Engine.boundary`.

        A safe account may have one below and one above. For one that is liquidatable it is where
        it would stop to be, if it would.
        """
        found = lines(state, state.timestamp)
        moving = [line for line in found if line.quote.factor == factor.name]
        still = [line for line in found if line.quote.factor != factor.name]
        if not moving or not any(line.debt for line in found):
            return ()
        verdict = self._price_verdict(state, moving, still)
        now = factor.raw
        if not verdict(now, now):
            down = highest(1, now - 1, verdict)
            up = lowest(now + 1, HIGHEST_PRICE, verdict)
        else:
            down, up = Edge(None), Edge(None)
            if not verdict(HIGHEST_PRICE, HIGHEST_PRICE):
                down = highest(now, HIGHEST_PRICE, verdict)
            elif not verdict(1, 1):
                up = lowest(1, now, verdict)
        return _boundaries(factor, down, up)

    def time_to_liquidation(self, state: AaveAccount, horizon_s: int) -> Instant:
        """Return the first second of liquidation at constant prices; see the protocol."""
        start = state.timestamp
        if not any(line.debt for line in lines(state, start)):
            return Instant(None)

        @lru_cache(maxsize=4096)
        def values(at: int) -> tuple[tuple[int, int, int], ...]:
            return tuple(
                (line.threshold, line.collateral_value(price), line.debt_value(price, state.rules))
                for line in lines(state, at)
                for price in (line.quote.price(),)
            )

        def verdict(lo: int, hi: int) -> bool | None:
            early, late = values(start + lo), values(start + hi)
            return self.judge(
                [
                    Box(threshold, (c0, c1), (d0, d1))
                    for (threshold, c0, d0), (_, c1, d1) in zip(early, late, strict=True)
                ]
            )

        edge = lowest(0, horizon_s, verdict)
        return Instant(edge.at, edge.exact)

    def terms(self, state: AaveAccount, prices: Mapping[str, int] = NOW) -> Terms:
        """Return close factor, worst bonus, expected loss and what blocks a liquidation."""
        return seizure_terms(state, prices)

    def seizure(self, state: AaveAccount, prices: Mapping[str, int] = NOW) -> Seizure | None:
        """Return the most profitable pair's seizure, or None where nothing may be taken."""
        sound = self.health(state, prices)
        return None if sound is None or sound >= WAD else best_seizure(state, prices)

    def reprice(self, state: AaveAccount, prices: Mapping[str, int]) -> AaveAccount:
        """Return the account with factors moved."""
        holdings = tuple(
            replace(h, reserve=replace(h.reserve, quote=_moved(h.reserve.quote, prices)))
            for h in state.holdings
        )
        emode = state.emode
        if emode is not None and emode.quote is not None:
            emode = replace(emode, quote=_moved(emode.quote, prices))
        return replace(state, holdings=holdings, emode=emode)

    def token_prices(self, state: AaveAccount) -> Mapping[Address, int]:
        """Return the price that health uses for each asset."""
        quotes = ((h.reserve.asset, quote_of(state, h)) for h in state.holdings)
        return {asset: quote.price() for asset, quote in quotes if quote is not None}

    def _price_verdict(
        self, state: AaveAccount, moving: Sequence[Line], still: Sequence[Line]
    ) -> Callable[[int, int], bool | None]:
        rules = state.rules
        fixed = []
        for line in still:
            price = line.quote.price()
            value, debt = line.collateral_value(price), line.debt_value(price, rules)
            fixed.append(Box(line.threshold, (value, value), (debt, debt)))
        two_sided = any(line.collateral for line in moving) and any(line.debt for line in moving)
        straight = two_sided and all(line.quote.cap is None for line in moving)

        @cache
        def trend(average: int | None) -> _Trend:
            return _Trend.of(moving, fixed, rules, average)

        def verdict(lo: int, hi: int) -> bool | None:
            boxes = list(fixed)
            for line in moving:
                p, q = line.quote.price(lo), line.quote.price(hi)
                boxes.append(
                    Box(
                        line.threshold,
                        (line.collateral_value(p), line.collateral_value(q)),
                        (line.debt_value(p, rules), line.debt_value(q, rules)),
                    )
                )
            judged = self.judge(boxes)
            if judged is not None or not straight:
                return judged
            if self.average is not None:
                least, greatest = self.average(boxes)
                if least == greatest:  # then nothing is lost to truncation but in that average
                    return trend(least).judge(lo, hi, 0, boxes, self.slack)
            collateral = sum(box.collateral[1] for box in boxes)
            return trend(None).judge(lo, hi, collateral, boxes, self.slack)

        return verdict


@dataclass(frozen=True, slots=True)
class _Trend:
    """Σ value·threshold − 1e4·debt as a straight line in the factor, times `scale`.

    When one factor moves collateral and debt together their bounds overlap long before the margin
    is small; the margin itself is a line, but for what the divisions drop.
    """

    slope: int
    offset: int
    scale: int
    dropped: int
    """How much lower than the line the margin may be through floors of collateral."""
    raised: int
    """How much higher, through floors of debt."""

    @classmethod
    def of(
        cls, moving: Sequence[Line], fixed: Iterable[Box], rules: Rules, average: int | None
    ) -> "_Trend":
        """Take each value at its own threshold, or all at the average where that is known."""
        scale = lcm(*(line.quote.den * line.unit for line in moving))
        slope = dropped = raised = 0
        for line in moving:
            threshold = line.threshold if average is None else average
            weight = line.collateral * threshold - line.debt * BPS
            slope += weight * line.quote.num * (scale // (line.quote.den * line.unit))
            floored = 0 if line.quote.den == 1 else 1  # the price itself was rounded down
            up, down = (BPS, 0) if rules.exact_threshold else (0, BPS)  # the debt's own rounding
            dropped += threshold * (1 + floored * -(-line.collateral // line.unit)) + up
            raised += BPS * (floored * -(-line.debt // line.unit)) + down
        margin = sum(
            box.collateral[0] * (box.threshold if average is None else average) - box.debt[0] * BPS
            for box in fixed
        )
        return cls(slope, margin * scale, scale, dropped, raised)

    def judge(
        self, lo: int, hi: int, collateral: int, boxes: Sequence[Box], slack: Slack
    ) -> bool | None:
        """Judge an interval; `collateral` is the greatest value that truncation acts on."""
        ends = (self.slope * lo + self.offset, self.slope * hi + self.offset)
        least = min(ends) // self.scale - self.dropped
        most = -(-max(ends) // self.scale) + self.raised
        above, below = slack(collateral, sum(box.debt[1] for box in boxes))
        if least >= above:
            return False
        return True if most < -below else None


def _derived(quote: Quote) -> bool:
    return (quote.num, quote.den) != (1, 1) or quote.cap is not None


def _moved(quote: Quote | None, prices: Mapping[str, int]) -> Quote | None:
    return None if quote is None else replace(quote, raw=prices.get(quote.factor, quote.raw))


def _boundaries(factor: Factor, down: Edge, up: Edge) -> tuple[Boundary, ...]:
    found = []
    for edge, direction, step in ((down, Direction.DOWN, 1), (up, Direction.UP, -1)):
        if edge.at is not None:
            found.append(
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
            )
    return tuple(found)

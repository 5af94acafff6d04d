"""What a crash leaves a vault's borrowers owing: bad debt of Morpho markets, and whose it is.

A market has one price, so its borrowers fall in the order of the price at which they do. On a path
each is liquidated at the first step at or below his own, in full, by a liquidator who takes the
whole premium; what the collateral does not repay is the suppliers' loss at once, in proportion to
their shares, as `Morpho.liquidate` writes it off. Nobody repays before, and nobody borrows after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chain.units import WAD
from protocols.morpho_blue.math import (
    ORACLE_PRICE_SCALE,
    Totals,
    full_liquidation,
    incentive_factor,
    lowest_safe_price,
)
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition
from risk.liquidation.morpho_blue import ENGINE
from risk.scenario.play import oracle_prices
from risk.scenario.types import Path

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Lent:
    """One market with everyone who owes in it, at one block."""

    market_id: str
    borrowers: tuple[MorphoPosition, ...]
    """At least one; each with a debt, and an oracle that says what it is made of."""

    @property
    def totals(self) -> Totals:
        """Return the market's totals, accrued to the block."""
        return self.borrowers[0].accrued.totals

    @property
    def oracle(self) -> MorphoOracle:
        """Return the market's price now."""
        found = self.borrowers[0].oracle
        assert found is not None
        return found

    @cached_property
    def powers(self) -> Mapping[str, int]:
        """Return how often each feed multiplies the market's price."""
        parts = self.oracle.parts
        if parts is None:
            return {self.oracle.address: 1}
        feeds = dict.fromkeys(leaf.feed for leaf in (*parts.base_feeds, *parts.quote_feeds))
        return {feed: parts.power(feed) for feed in feeds}

    @cached_property
    def edges(self) -> tuple[tuple[int, MorphoPosition], ...]:
        """Return the borrowers with the lowest price at which each is safe, highest first.

        Without collateral no price is: such a debt is bad already, and no crash makes it so.
        """
        lltv = self.borrowers[0].params.lltv
        found = (
            (edge, one)
            for one in self.borrowers
            if (edge := lowest_safe_price(one.borrowed, one.collateral, lltv)) is not None
        )
        return tuple(sorted(found, key=lambda row: -row[0]))

    def bad_debt(self, path: Path) -> int:
        """Return the loan's base units that a path makes suppliers lose.

        Raises `ArithmeticError` where the oracle or Morpho's own arithmetic would fail.
        """
        now = {f.name: f.raw for f in ENGINE.factors(self.borrowers[0])}
        totals, lost, next_ = self.totals, 0, 0
        for point in path:
            moved = ENGINE.reprice(self.borrowers[0], oracle_prices(now, point.oracle))
            assert moved.oracle is not None
            price = moved.oracle.price
            while next_ < len(self.edges) and self.edges[next_][0] > price:
                one = self.edges[next_][1]
                next_ += 1
                totals, bad = _liquidated(totals, one, price)
                lost += bad
        return lost

    def bad_debts(self, factors: Sequence[str], log: F64) -> F64:
        """Return the same of paths [paths, steps, n] of cumulative log returns, in floats."""
        place = {name: i for i, name in enumerate(factors)}
        rate = np.zeros(log.shape[:2])
        for feed, power in self.powers.items():
            if feed in place:
                rate += power * log[:, :, place[feed]]
        rate = np.exp(rate)
        lltv = self.borrowers[0].params.lltv
        premium, threshold = incentive_factor(lltv) / WAD, lltv / WAD
        price = self.oracle.price
        # ascending, by the ratio of a borrower's edge to today's price
        order = self.edges[::-1]
        edge = np.array([e / price for e, _ in order])
        owed = _sums([float(one.borrowed) for _, one in order])
        held = _sums([one.collateral * price / ORACLE_PRICE_SCALE for _, one in order])
        lost, low = np.zeros(len(log)), np.full(len(log), np.inf)
        for step in range(log.shape[1]):
            now = rate[:, step]
            # those that fall now, and whose collateral with its premium no longer repays them
            first = np.searchsorted(edge, np.maximum(now, now / (premium * threshold)), "right")
            last = np.maximum(np.searchsorted(edge, low, "right"), first)
            lost += owed[last] - owed[first] - now / premium * (held[last] - held[first])
            low = np.minimum(low, now)
        return np.asarray(np.maximum(lost, 0.0))


def _liquidated(totals: Totals, one: MorphoPosition, price: int) -> tuple[Totals, int]:
    """Return a market's totals after a borrower's liquidation in full, and the bad debt."""
    _, repaid, bad = full_liquidation(
        totals, one.borrow_shares, one.collateral, one.params.lltv, price
    )
    after = replace(
        totals,
        supply_assets=max(0, totals.supply_assets - bad),
        borrow_assets=max(0, totals.borrow_assets - repaid - bad),
        borrow_shares=totals.borrow_shares - one.borrow_shares,
    )
    return after, bad


def _sums(values: Sequence[float]) -> F64:
    return np.concatenate([[0.0], np.cumsum(np.array(values))])


@dataclass(frozen=True, slots=True)
class Stake:
    """What a vault has in markets, as parts of all that it divides among its shares."""

    markets: tuple[tuple[Lent, float], ...]
    """With the vault's part of the market's supply over the vault's assets: what of the vault goes
    with each base unit of bad debt."""

    def lost(self, path: Path) -> float:
        """Return the part of the vault that a path takes, at most all."""
        return min(1.0, sum(part * lent.bad_debt(path) for lent, part in self.markets))

    def all_lost(self, factors: Sequence[str], log: F64) -> F64:
        """Return the same of many paths."""
        total = np.zeros(len(log))
        for lent, part in self.markets:
            total += part * lent.bad_debts(factors, log)
        return np.minimum(total, 1.0)

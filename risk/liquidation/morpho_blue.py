"""Morpho Blue: one collateral, one loan, one oracle, and interest that only shows when touched.

Liquidatable if and only if ⌊⌊collateral·price/1e36⌋·lltv/1e18⌋ < ⌈shares·(B + 1)/(S + 1e6)⌉, with
the market accrued to the second. Source: `Morpho._isHealthy`, `liquidate`, `_accrueInterest`.
`liquidate` accrues once, from the market's last update, at the *average* rate that the IRM then
answers; an AdaptiveCurveIrm drifts meanwhile, and its approximation of exp steps, so that the debt
of an idle market is not monotone in time: the search goes through the steps one by one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Final

from chain.types import Address
from chain.units import WAD, mul_div_down
from protocols.morpho_blue.math import (
    ORACLE_PRICE_SCALE,
    AccrualReverts,
    accrue,
    average_rate,
    full_liquidation,
    incentive_factor,
    lowest_safe_price,
    max_borrow,
    rate_segments,
)
from protocols.morpho_blue.state import FeedLeaf, MorphoOracle, MorphoPosition, OracleParts
from risk.liquidation.engine import NOW, Factor, Instant, Seizure, Terms
from risk.types import Boundary, Direction

HIGHEST_ANSWER: Final = 2**191 - 1
"""The greatest answer of a Chainlink feed (int192); nothing above is looked for."""
RATE_SLACK: Final = 10
"""More than all roundings take off an average rate: four floors, the last steepened fourfold."""


class OracleReverts(ArithmeticError):
    """At these prices the oracle answers nothing, so nobody can be judged or liquidated."""

    def __init__(self, oracle: Address) -> None:
        super().__init__(f"oracle {oracle} would revert at these prices")
        self.oracle = oracle


@dataclass(frozen=True, slots=True)
class MorphoBlueEngine:
    """Morpho's rule over a `MorphoPosition`; `risk.liquidation.engine.Engine`."""

    scale: ClassVar[int] = WAD

    def factors(self, state: MorphoPosition) -> tuple[Factor, ...]:
        """Return the market's oracle, then each feed behind it, once."""
        oracle = state.oracle
        if not state.borrow_shares or oracle is None:
            return ()
        collateral, loan = state.collateral_token, state.loan
        whole = Factor(
            name=oracle.address,
            label=f"{collateral.symbol if collateral else '?'} / {loan.symbol}",
            raw=oracle.price,
            decimals=36
            + (loan.decimals or 0)
            - ((collateral.decimals if collateral else None) or 0),
            updated_at=oracle.updated_at,
            heartbeat_s=oracle.heartbeat_s,
            problems=oracle.problems,
        )
        return (whole, *(_factor(leaf) for leaf in _leaves(oracle)))

    def health(
        self, state: MorphoPosition, prices: Mapping[str, int] = NOW, at: int | None = None
    ) -> int | None:
        """Return what the collateral bears over what is owed, a wad, rounded down.

        None without debt. Raises `OracleReverts`, and `AccrualReverts` where the market could not
        be accrued to `at`.
        """
        if not state.borrow_shares:
            return None
        elapsed = None if at is None else at - state.stored.last_update
        owed = state.borrowed if elapsed is None else _owed(state, elapsed)
        bears = max_borrow(state.collateral, _price(state, prices), state.params.lltv)
        return bears * WAD // owed

    def boundary(self, state: MorphoPosition, factor: Factor) -> tuple[Boundary, ...]:
        """Return the exact boundary of the oracle's price, or of one feed behind it.

        Feeds that multiply the price bound from below, feeds that divide it from above; none where
        no answer of the factor separates safe from liquidatable.
        """
        oracle = state.oracle
        if not state.borrow_shares or oracle is None:
            return ()
        wanted = lowest_safe_price(state.borrowed, state.collateral, state.params.lltv)
        if wanted is None:
            return ()
        if factor.name == oracle.address:
            return (_boundary(factor, wanted, Direction.DOWN),)
        if oracle.parts is None:
            return ()
        return _feed_boundary(oracle.parts, factor, wanted)

    def time_to_liquidation(self, state: MorphoPosition, horizon_s: int) -> Instant:
        """Return the first second, at a constant price, at which `liquidate` would go through.

        Nobody touches the market until then. Exact with an AdaptiveCurveIrm and without a rate
        model; of any other model the present average rate is taken to stay, and it is not exact.
        """
        if not state.borrow_shares:
            return Instant(None)
        limit = max_borrow(state.collateral, _price(state, NOW), state.params.lltv)
        if state.borrowed > limit:
            return Instant(0)
        start = state.timestamp - state.stored.last_update
        found = _first_crossing(state, limit, start, start + horizon_s)
        after = None if found is None else found - start
        return Instant(after, state.has_adaptive_irm)

    def terms(self, state: MorphoPosition, prices: Mapping[str, int] = NOW) -> Terms:
        """Return Morpho's terms: all of the debt may be repaid; the incentive hangs on the LLTV.

        The loss is in dollars where the feeds behind the oracle say that they count in them.
        """
        if not state.borrow_shares:
            return Terms()
        price = _price(state, prices)
        seized, repaid, _ = _largest(state, price)
        return Terms(
            close_factor_frac=1.0,
            penalty_frac=(incentive_factor(state.params.lltv) - WAD) / WAD,
            expected_loss_usd=_gain_usd(state, prices, seized, repaid, price),
        )

    def seizure(self, state: MorphoPosition, prices: Mapping[str, int] = NOW) -> Seizure | None:
        """Return the largest liquidation, which is the most profitable; None while healthy."""
        health = self.health(state, prices)
        if health is None or health >= WAD or state.collateral_token is None:
            return None
        price = _price(state, prices)
        seized, repaid, _ = _largest(state, price)
        return Seizure(
            debt=state.params.loan_token,
            repaid=repaid,
            collateral=state.params.collateral_token,
            seized=seized,
            protocol_fee=0,
            profit_usd=_gain_usd(state, prices, seized, repaid, price),
        )

    def bad_debt(self, state: MorphoPosition, prices: Mapping[str, int] = NOW) -> int:
        """Return the loan assets that the market's suppliers would lose by the largest liquidation.

        Zero while healthy.
        """
        health = self.health(state, prices)
        if health is None or health >= WAD:
            return 0
        return _largest(state, _price(state, prices))[2]

    def reprice(self, state: MorphoPosition, prices: Mapping[str, int]) -> MorphoPosition:
        """Return the position with its oracle's price, or the feeds behind it, moved.

        A price given for the oracle itself overrules its feeds. Raises `OracleReverts`.
        """
        oracle = state.oracle
        if oracle is None:
            return state
        price, parts = _price(state, prices), oracle.parts
        if oracle.address in prices:
            parts = None
        elif parts is not None:
            parts = replace(
                parts,
                base_feeds=tuple(_moved(leaf, prices) for leaf in parts.base_feeds),
                quote_feeds=tuple(_moved(leaf, prices) for leaf in parts.quote_feeds),
            )
        return replace(state, oracle=replace(oracle, price=price, parts=parts))

    def token_prices(self, state: MorphoPosition) -> Mapping[Address, int]:
        """Return the collateral's price in the loan token, times 1e36 on base units."""
        if state.oracle is None or state.collateral_token is None:
            return {}
        return {state.params.collateral_token: state.oracle.price}


ENGINE: Final = MorphoBlueEngine()


def _leaves(oracle: MorphoOracle) -> tuple[FeedLeaf, ...]:
    if oracle.parts is None:
        return ()
    every = (*oracle.parts.base_feeds, *oracle.parts.quote_feeds)
    return tuple({leaf.feed: leaf for leaf in every}.values())


def _factor(leaf: FeedLeaf) -> Factor:
    return Factor(
        name=leaf.feed,
        label=leaf.label,
        raw=leaf.answer,
        decimals=leaf.decimals,
        updated_at=leaf.updated_at,
        heartbeat_s=leaf.heartbeat_s,
        problems=leaf.problems,
    )


def _moved(leaf: FeedLeaf, prices: Mapping[str, int]) -> FeedLeaf:
    return replace(leaf, answer=prices.get(leaf.feed, leaf.answer))


def _price(state: MorphoPosition, prices: Mapping[str, int]) -> int:
    oracle = state.oracle
    if oracle is None:
        raise OracleReverts(state.params.oracle)
    if oracle.address in prices:
        return prices[oracle.address]
    if oracle.parts is None or not any(leaf.feed in prices for leaf in _leaves(oracle)):
        return oracle.price
    price = oracle.parts.price(prices)
    if price is None:
        raise OracleReverts(oracle.address)
    return price


def _largest(state: MorphoPosition, price: int) -> tuple[int, int, int]:
    return full_liquidation(
        state.accrued.totals, state.borrow_shares, state.collateral, state.params.lltv, price
    )


def _gain_usd(
    state: MorphoPosition, prices: Mapping[str, int], seized: int, repaid: int, price: int
) -> float | None:
    """Return what a liquidator takes beyond what they repay, in the oracle's own dollars.

    None where the oracle does not count in dollars: then the feeds that it divides by, or without
    any those that it multiplies, are not told to be quoted in USD.
    """
    parts = state.oracle.parts if state.oracle else None
    if parts is None or parts.quote_vault is not None or state.loan.decimals is None:
        return None
    if sum(leaf.label.endswith("/ USD") for leaf in parts.base_feeds) != 1:
        return None
    dollars = Fraction(1)
    if parts.quote_feeds:
        (leaf, *more) = parts.quote_feeds
        if more or not leaf.label.endswith("/ USD"):
            return None
        dollars = Fraction(prices.get(leaf.feed, leaf.answer), 10**leaf.decimals)
    gain = mul_div_down(seized, price, ORACLE_PRICE_SCALE) - repaid
    return float(gain * dollars / 10**state.loan.decimals)


def _owed(state: MorphoPosition, elapsed: int, slack: int = 0) -> int:
    """Return the debt when the market is first touched `elapsed` seconds after its last update."""
    at = state.stored.last_update + elapsed
    rate = state.rate
    if state.rate_at_target is not None:
        rate = average_rate(state.rate_at_target, state.stored, at) + slack
    return accrue(state.stored, rate, at).totals.borrowed(state.borrow_shares)


def _first_crossing(state: MorphoPosition, limit: int, start: int, end: int) -> int | None:
    """Return the first elapsed second in start..end at which more than `limit` is owed.

    Inside a segment the debt at unrounded rates grows, and `slack` keeps it above the true one: so
    nothing crosses before the last second at which even that is within the limit, and from there
    the contract's own integers decide, second by second, through the little that rounding blurs.
    """

    def crosses(elapsed: int, slack: int = 0) -> bool:
        try:
            return _owed(state, elapsed, slack) > limit
        except AccrualReverts:
            return True  # only ever later than any crossing; told apart below

    edges = rate_segments(state.stored, end) if state.rate_at_target is not None else [0]
    starts = sorted({start, *(edge for edge in edges if edge > start)})
    for first, following in zip(starts, [*starts[1:], end + 1], strict=True):
        last = following - 1
        if not crosses(last, RATE_SLACK):
            continue
        second = _last_before(first - 1, last, lambda e: crosses(e, RATE_SLACK)) + 1
        while second <= last and not crosses(second):
            second += 1
        if second <= last:
            return second if _accrues(state, second) else None
    return None


def _last_before(lo: int, hi: int, true_at: Callable[[int], bool]) -> int:
    """Return some n in lo..hi−1 with `true_at(n)` false, or lo, and `true_at(n + 1)` true."""
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if true_at(middle):
            hi = middle
        else:
            lo = middle
    return lo


def _accrues(state: MorphoPosition, elapsed: int) -> bool:
    try:
        _owed(state, elapsed)
    except AccrualReverts:
        return False
    return True


def _boundary(factor: Factor, safe: int, direction: Direction) -> Boundary:
    price = safe - 1 if direction is Direction.DOWN else safe + 1
    return Boundary(
        factor=factor.name,
        label=factor.label,
        direction=direction,
        price_raw=price,
        safe_price_raw=safe,
        current_raw=factor.raw,
        decimals=factor.decimals,
        distance_frac=(price - factor.raw) / factor.raw,
    )


def _feed_boundary(parts: OracleParts, factor: Factor, wanted: int) -> tuple[Boundary, ...]:
    """Return where the oracle's integer formula passes `wanted` as one feed moves.

    The formula is monotone in each feed: up where it multiplies more often than it divides.
    """
    power = parts.power(Address(factor.name))
    if power == 0:
        return ()

    def safe(answer: int) -> bool:
        price = parts.price({factor.name: answer})
        return price is not None and price >= wanted

    if power > 0:
        top = _reach(factor.raw, safe)
        if top is None:
            return ()
        return (_boundary(factor, _last_before(-1, top, safe) + 1, Direction.DOWN),)
    if not safe(1) or safe(HIGHEST_ANSWER):  # an answer of zero would divide by it
        return ()
    last = _last_before(1, HIGHEST_ANSWER, lambda answer: not safe(answer))
    return (_boundary(factor, last, Direction.UP),)


def _reach(start: int, safe: Callable[[int], bool]) -> int | None:
    """Return a safe answer at or above `start`, by doubling; None up to the highest one."""
    answer = max(1, start)
    while not safe(answer):
        answer *= 2
        if answer > HIGHEST_ANSWER:
            return None
    return answer

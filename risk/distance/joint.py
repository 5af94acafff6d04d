"""Joint distance: how many standard deviations the likeliest ruinous move of all prices is away.

β = min ‖y‖ over log moves x = S·y, SSᵀ = Σ, with h(x) ≤ 0; for normal x it is the distance to the
boundary in sigmas. Where at most one term of the margin is negative, one debt factor that is,
dividing by it leaves a sum of exponentials, so the problem is convex, solved by Newton's method
and certified by its own lower bound; a single term of each sign is a plane in logs, in closed
form. With more debt factors it is not convex: from many starts the debts are condensed into one,
which only ever shrinks the set, and the best answer is not certified.
Capped collateral is the nearer of two cases, capped and not, each of them convex.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, product
from typing import Final

import numpy as np

from risk.distance.convex import Exponentials, nearest
from risk.distance.linear import Array, Margin

MOST_CAPS: Final = 6
"""Capped prices of one account whose cases are all tried."""
STARTS: Final = 8
"""Random directions to start from where the problem is not convex, besides the axes."""
ROUNDS: Final = 100
SETTLED: Final = 1e-11
"""Relative gain of a round below which a start has arrived."""
FARTHEST: Final = 64.0
"""Multiples of a relaxed answer up to which the true boundary is looked for on its ray."""
ON_BOUNDARY: Final = 1e-9
"""|h| / debt at a reported point."""


@dataclass(frozen=True, slots=True, eq=False)
class ClosedForm:
    """The plane through the boundary's first order in simple returns.

    β = h0 / √(gᵀΣg), r* = −h0·Σg / (gᵀΣg).
    """

    beta: float
    shock: Array
    """[n], simple returns; meaningless where rejected."""
    rejected: bool
    """A price would have to fall by all it is or more: the plane is no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """The nearest joint move to a boundary."""

    factors: tuple[str, ...]
    beta: float
    """In standard deviations of the horizon; 0 when past the boundary already."""
    log: Array
    """[n]: ln(price there / price now), per factor."""
    method: str
    certified: bool
    """No nearer point exists, shown by a lower bound; else it is the best that was found."""
    residual: float
    """|h| / debt at the point."""

    @property
    def shock(self) -> Array:
        """The move as simple returns, [n]; each above −1."""
        moved: Array = np.expm1(self.log)
        return moved


def closed_form(margin: Margin, sigma: Array) -> ClosedForm | None:
    """Return β of the margin linearised in simple returns; None where no factor moves it.

    `sigma` is the covariance over the horizon, [n, n] in the order of `margin.factors`.
    """
    g, h0 = margin.slope, margin.h0
    variance = float(g @ sigma @ g)
    if variance <= 0:
        return None
    shock = -h0 * (sigma @ g) / variance
    return ClosedForm(h0 / variance**0.5, shock, bool((shock <= -1).any()))


def joint(margin: Margin, sigma: Array) -> Joint | None:
    """Return the nearest point where the position may be liquidated, in sigmas.

    None where no move within reach does it. `sigma` as in `closed_form`; positive semidefinite.
    """
    if margin.h0 <= 0:
        return Joint(margin.factors, 0.0, np.zeros(len(margin.factors)), "past it now", True, 0.0)
    root = _root(sigma)
    best: Joint | None = None
    certain = int(np.isfinite(margin.ceilings).sum()) <= MOST_CAPS
    for relaxed in _cases(margin):
        found = _nearest_of([_case(case, root, margin) for case in relaxed])
        certain = certain and (found is None or found.certified)
        if found is not None and (best is None or found.beta < best.beta):
            best = found
    return None if best is None else replace(best, certified=certain)


def _nearest_of(found: Sequence[Joint | None]) -> Joint | None:
    """Return the answer of several relaxations of one problem.

    One that is liquidatable in truth and the nearest of its relaxation is the nearest of all.
    """
    there = [one for one in found if one is not None]
    proven = [one for one in there if one.certified]
    return min(proven or there, key=lambda one: one.beta, default=None)


def _root(sigma: Array) -> Array:
    """Return S with SSᵀ = Σ; symmetric, so that a singular Σ serves too."""
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2)
    root: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """Terms without ceilings, in logs: what is held and what is owed."""

    held: tuple[Array, Array]
    owed: tuple[Array, Array]
    """(logs of weights [k], powers [k, n])."""


def _cases(margin: Margin) -> Iterator[Iterator[_Case]]:
    """Yield problems of which the nearest counts, each as relaxations that all must hold.

    Collateral held: min(a, b) + rest ≤ 0 where a + rest ≤ 0 or b + rest ≤ 0. Of a cap on
    something owed both must hold, so that each alone brings the boundary nearer, never farther.
    """
    capped = np.isfinite(margin.ceilings)
    if int(capped.sum()) > MOST_CAPS:
        capped = np.zeros_like(capped)
    held, owed = (
        np.flatnonzero(capped & side) for side in (margin.weights > 0, margin.weights < 0)
    )
    for some in product((False, True), repeat=len(held)):
        yield (
            _at_caps(margin, [int(k) for k in (*compress(held, some), *compress(owed, others))])
            for others in product((False, True), repeat=len(owed))
        )


def _at_caps(margin: Margin, chosen: Sequence[int]) -> _Case:
    """Return the terms, `chosen` at their caps and all others without."""
    weights, powers = margin.weights.copy(), margin.powers.copy()
    weights[chosen] *= margin.ceilings[chosen]
    powers[chosen] = 0.0
    held, owed = weights > 0, weights < 0
    return _Case((np.log(weights[held]), powers[held]), (np.log(-weights[owed]), powers[owed]))


def _case(case: _Case, root: Array, margin: Margin) -> Joint | None:
    logs, powers = case.owed
    if len(logs) == 0 or len(case.held[0]) == 0:
        return None
    if len(logs) == 1:
        plane = len(case.held[0]) == 1
        solved = _solve(case, logs[0], powers[0], root)
        if solved is None:
            return None
        method = "closed form in logs" if plane else "convex"
        return _answer(margin, root, solved[0], method, solved[1])
    found = [
        y for start in _starts(margin, root) if (y := _condensed(case, root, start)) is not None
    ]
    if not found:
        return None
    return _answer(margin, root, min(found, key=np.linalg.norm), "multistart", certified=False)


def _solve(
    case: _Case, log_owed: float, power: Array, root: Array, near: Array | None = None
) -> tuple[Array, bool] | None:
    """Return the nearest point with Σ held ≤ one debt, and whether that is certain."""
    offsets, slopes = case.held[0] - log_owed, (case.held[1] - power) @ root
    if len(offsets) == 1:  # a plane: the closed form
        square = float(slopes[0] @ slopes[0])
        return None if square == 0 else (-offsets[0] * slopes[0] / square, True)
    found = nearest(Exponentials(offsets, slopes), near)
    return None if found is None else (found.y, found.certified)


def _condensed(case: _Case, root: Array, y: Array) -> Array | None:
    """Return a local minimum: debts are replaced by their geometric mean where the last step ended.

    By the inequality of arithmetic and geometric means that mean is below the debts everywhere, so
    each step's answer is liquidatable, and no step goes farther out.
    """
    logs, powers = case.owed
    far = np.inf
    for _ in range(ROUNDS):
        parts = logs + powers @ (root @ y)
        shares = np.exp(parts - parts.max())
        shares /= shares.sum()
        # Σ owed ≥ Π (owed_k / share_k)^share_k, with equality at y
        mean = float(shares @ (logs - np.log(np.maximum(shares, 1e-300))))
        solved = _solve(case, mean, shares @ powers, root, y if np.isfinite(far) else None)
        if solved is None:
            return y if np.isfinite(far) else None
        y = solved[0]
        reached = float(np.linalg.norm(y))
        if far - reached <= SETTLED * reached:
            break
        far = reached
    return y


def _starts(margin: Margin, root: Array) -> Iterator[Array]:
    """Yield points to condense at: here, along the slope, along each factor, and at random."""
    n = root.shape[1]
    yield np.zeros(n)
    slope = root.T @ margin.slope
    if slope.any():
        yield -slope * (margin.h0 / float(slope @ slope))
    for axis in np.eye(n):
        yield from (3 * axis, -3 * axis)
    dice = np.random.default_rng(0)
    for direction in dice.standard_normal((STARTS, n)):
        yield 3 * direction / np.linalg.norm(direction)


def _answer(margin: Margin, root: Array, y: Array, method: str, certified: bool) -> Joint | None:
    """Return a point as what it is; one that a capped debt left safe is pushed out."""
    scale = margin.debt

    def safe(multiple: float) -> bool:
        return float(margin.value(root @ (multiple * y))) > 0

    if abs(float(margin.value(root @ y))) / scale > ON_BOUNDARY:
        low, high = (1.0, 2.0) if safe(1.0) else (0.0, 1.0)
        if safe(1.0):
            certified, method = False, f"{method}, then along the ray"
        while safe(high) and high < FARTHEST:
            low, high = high, high * 2
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if safe(middle) else (low, middle)
        y = y * high
    x = root @ y
    residual = abs(float(margin.value(x))) / scale
    if residual > ON_BOUNDARY:
        return None
    return Joint(margin.factors, float(np.linalg.norm(y)), x, method, certified, residual)


__all__ = ["ClosedForm", "Joint", "closed_form", "joint"]

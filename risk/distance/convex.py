"""The nearest point to the origin where a sum of exponentials is at most one, with a certificate.

min ½‖y‖² subject to f(y) = ln Σ exp(c_k + a_k·y) ≤ 0. f is convex and f(0) > 0, so the minimum is
the only point with y + λ∇f(y) = 0, f(y) = 0, λ > 0. It is found by Newton's method on the dual,
which is one-dimensional and monotone; no fixed-point iteration that could oscillate. That it is
the minimum is shown afterwards, without trusting the search: by convexity everything feasible
lies in the half-space {z: f(y) + ∇f(y)·(z − y) ≤ 0}, so the distance to that plane bounds every
feasible point from below, and the gap to ‖y‖ is the certificate.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from risk.distance.linear import Array

GAP: Final = 1e-9
"""Relative gap between the point found and the proven lower bound, at which it is certified."""
RESIDUAL: Final = 1e-11
"""How exactly the point lies on the boundary, in logs."""
MOST: Final = 1e9
"""Multiplier beyond which the boundary is taken not to exist."""


@dataclass(frozen=True, slots=True, eq=False)
class Exponentials:
    """f(y) = ln Σ exp(offsets + slopes·y)."""

    offsets: Array
    """[k]."""
    slopes: Array
    """[k, n]."""

    def at(self, y: Array) -> tuple[float, Array, Array]:
        """Return the value, the gradient [n] and the Hessian [n, n]."""
        exponents = self.offsets + self.slopes @ y
        top = float(exponents.max())
        shares = np.exp(exponents - top)
        total = float(shares.sum())
        shares /= total
        gradient: Array = shares @ self.slopes
        hessian: Array = (self.slopes.T * shares) @ self.slopes - np.outer(gradient, gradient)
        return top + float(np.log(total)), gradient, hessian


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest boundary point."""

    y: Array
    residual: float
    """f at the point."""
    gap: float
    """(‖y‖ − proven lower bound) / ‖y‖; infinite where nothing is proven."""

    @property
    def certified(self) -> bool:
        """Tell whether no nearer boundary point exists, but for `GAP`."""
        return self.gap <= GAP and abs(self.residual) <= RESIDUAL


def nearest(f: Exponentials, near: Array | None = None) -> Nearest | None:
    """Return the nearest point with f ≤ 0; None where the search finds none at all.

    f(0) must be above zero. `near` is a guess. Newton's method from a guess mostly gives a point
    that its own certificate proves; otherwise the dual is searched, which cannot miss it.
    """
    value, gradient, _ = f.at(np.zeros(f.slopes.shape[1]))
    square = float(gradient @ gradient)
    plane = -value / square * gradient if square > 0 else gradient
    for guess in (plane,) if near is None else (near, plane):
        slope = f.at(guess)[1]
        steep = float(np.linalg.norm(slope))
        if steep > 0:
            found = _judged(f, _polished(f, guess, float(np.linalg.norm(guess)) / steep))
            if found.certified:
                return found
    return _by_dual(f, plane)


def _by_dual(f: Exponentials, y: Array) -> Nearest | None:
    """Search the multiplier: f at the inner minimum falls as it grows."""
    low, high = 0.0, 1.0
    while high < MOST:
        y = _inner(f, high, y)
        if f.at(y)[0] <= 0:
            break
        low, high = high, high * 4
    else:
        return None
    found = None
    for width in (1e-2, 1e-5, 1e-9):
        while high - low > width * high:
            middle = (low + high) / 2
            y = _inner(f, middle, y)
            low, high = (middle, high) if f.at(y)[0] > 0 else (low, middle)
        found = _judged(f, _polished(f, y, (low + high) / 2))
        if found.certified:
            break
    return found


def _inner(f: Exponentials, multiplier: float, y: Array) -> Array:
    """Return the minimum of ½‖y‖² + λf(y), about: strongly convex, damped Newton from `y`."""
    unit = np.eye(len(y))
    for _ in range(60):
        value, gradient, hessian = f.at(y)
        slope = y + multiplier * gradient
        step = np.linalg.solve(unit + multiplier * hessian, slope)
        now, drop, length = float(y @ y) / 2 + multiplier * value, float(slope @ step), 1.0
        if drop <= 1e-12 * (1 + abs(now)):
            break
        while length > 1e-6:
            tried = y - length * step
            if float(tried @ tried) / 2 + multiplier * f.at(tried)[0] <= now - drop * length / 4:
                break
            length /= 2
        else:
            break
        y = tried
    return y


def _polished(f: Exponentials, y: Array, multiplier: float) -> Array:
    """Return the root of the optimality conditions by Newton's method from close by."""
    n = len(y)
    best, error = y, _error(f, y, multiplier)
    for _ in range(30):
        value, gradient, hessian = f.at(y)
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = np.eye(n) + multiplier * hessian
        system[:n, n] = system[n, :n] = gradient
        right = -np.append(y + multiplier * gradient, value)
        try:
            step = np.linalg.solve(system, right)
        except np.linalg.LinAlgError:
            break
        y, multiplier = y + step[:n], multiplier + float(step[n])
        now = _error(f, y, multiplier)
        if not now < error:
            break
        best, error = y, now
    return best


def _error(f: Exponentials, y: Array, multiplier: float) -> float:
    value, gradient, _ = f.at(y)
    return float(np.abs(y + multiplier * gradient).max(initial=0.0)) + abs(value)


def _judged(f: Exponentials, y: Array) -> Nearest:
    value, gradient, _ = f.at(y)
    steep, far = float(np.linalg.norm(gradient)), float(np.linalg.norm(y))
    if steep == 0 or far == 0:
        return Nearest(y, value, np.inf)
    bound = (value - float(gradient @ y)) / steep
    return Nearest(y, value, abs(far - bound) / far)

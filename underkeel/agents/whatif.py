"""What one price's move would do, from the ladder that the monitor stored. Pure."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final, Literal

from underkeel.documents.ladder import LadderCurve, LadderDocument, LadderPosition

LEAST, MOST = -0.99, 10.0
"""Moves that are asked about, as fractions."""
Fate = Literal["liquidatable", "not liquidatable", "unknown"]
PAST: Final = ("liquidatable", "soft")


def what_if(
    ladder: LadderDocument, factor: str, move: float, doubts: Mapping[str, str]
) -> dict[str, Any]:
    """Return what becomes of every position with a debt when a factor moves by a fraction.

    `doubts`: chains that are not known now, and why. Raises `ValueError` for a factor that there
    is not.
    """
    names = [one.name for one in ladder.factors]
    if factor not in names:
        raise ValueError(f"{factor!r} is none of the factors: {', '.join(names) or 'none'}")
    feeds = next(one.feeds for one in ladder.factors if one.name == factor)
    alone = {chain for chain in {f.chain for f in feeds} if _count(chain, feeds) == 1}
    found = [
        _position(one, ladder.steps, factor, move, doubts.get(one.chain), one.chain in alone)
        for one in ladder.positions
    ]
    past = [one for one in found if one["then"] == "liquidatable"]
    debts = [one["debt_usd"] for one in past]
    return {
        "factor": factor,
        "move_frac": move,
        "generated_at": ladder.generated_at,
        "blocks": [one.model_dump(mode="json", by_alias=True) for one in ladder.chains],
        "liquidatable": len(past),
        "unknown": sum(one["then"] == "unknown" for one in found),
        "left_out": ladder.left_out,
        "left_out_health": ladder.left_out_health,
        "debt_usd_of_liquidatable": None if None in debts else sum(debts),
        "positions": found,
        "unknown_causes": ladder.unknown,
    }


def _count(chain: str, feeds: list[Any]) -> int:
    return sum(1 for one in feeds if one.chain == chain)


def _position(
    one: LadderPosition,
    steps: list[float],
    factor: str,
    move: float,
    doubt: str | None,
    alone: bool,
) -> dict[str, Any]:
    curve = next((c for c in one.curves if c.factor == factor), None)
    if doubt is not None or one.status == "unknown":
        fate: tuple[Fate, str] = "unknown", doubt or "its health is not known now"
    elif curve is None:
        then: Fate = "liquidatable" if one.status in PAST else "not liquidatable"
        fate = then, "this factor does not move it"
    else:
        fate = _fate(curve, steps, move, alone=alone)
    return {
        "id": one.id,
        "chain": one.chain,
        "market": one.market,
        "owner": one.owner,
        "owner_name": one.owner_name,
        "now": "unknown" if doubt else one.status,
        "health_now": None if doubt else one.health,
        "then": fate[0],
        "why": fate[1],
        "debt_usd": one.debt_usd,
    }


def _fate(curve: LadderCurve, steps: list[float], move: float, *, alone: bool) -> tuple[Fate, str]:
    """Return a position's state by the stored steps around the move, which must agree.

    Between two that do not, its exact edge decides where the factor is one feed (`alone`): the
    edge is of one feed, and several that move together may meet it earlier.
    """
    around = _around(steps, move)
    states = {_word(curve.status[i]) for i in around}
    if len(states) == 1 and "unknown" not in states:
        (state,) = states
        return state, "as the stored steps around the move say"
    edge = curve.boundary
    if alone and edge is not None and edge.exact and (edge.direction == "down") == (move < 0):
        past = abs(move) >= abs(edge.distance_frac)
        return (
            "liquidatable" if past else "not liquidatable",
            f"its exact edge is at {edge.distance_frac:+.4%}",
        )
    if not around:
        return "unknown", f"the stored steps end at {steps[0]:+.0%} and {steps[-1]:+.0%}"
    return "unknown", curve.cause or "its edge is between the stored steps around the move"


def _around(steps: list[float], move: float) -> list[int]:
    """Return the places of the steps around a move; none for one beyond them all."""
    at = bisect_left(steps, move)
    if at < len(steps) and steps[at] == move:
        return [at]
    return [at - 1, at] if 0 < at < len(steps) else []


def _word(status: str) -> Fate:
    if status in PAST:
        return "liquidatable"
    return "unknown" if status == "unknown" else "not liquidatable"

"""What may be said when an answer was falsified: the truth, or that it is not known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from chain.calls import ReadFailed
from protocols.types import Leg, Position, Price, Reading, Unpriced, Unreadable
from risk.liquidation import assess_liquidation
from risk.types import Status

Outcome = Reading | ReadFailed


def false_claims(truth: Reading, outcome: Outcome) -> list[str]:
    """Return what a reading asserts that is not so; empty when it is honest.

    A failure of the whole market claims nothing. An `Unreadable` answers for its owner's missing
    positions, one without owner for all.
    """
    if isinstance(outcome, ReadFailed):
        return []
    excused = {p.owner for p in outcome.positions if isinstance(p, Unreadable)}
    said = {p.id: p for p in outcome.positions if isinstance(p, Position)}
    real = {p.id: p for p in truth.positions if isinstance(p, Position)}
    claims = [
        f"{position.id} is gone, and nothing says why"
        for key, position in real.items()
        if key not in said and not excused & {position.owner, None}
    ]
    for key, position in said.items():
        if position != real.get(key):
            claims += _about(real.get(key), position)
    return claims + _prices(truth, outcome)


def _about(real: Position | None, said: Position) -> list[str]:
    status = _status(said)
    if said.unknown or not said.verified:
        return [f"{said.id} has unknown parts, and is called safe"] if _calm(status) else []
    if real is None:
        return [f"{said.id} does not exist"]
    claims = []
    true_legs, said_legs = _amounts(real.legs), _amounts(said.legs)
    if true_legs != said_legs:
        claims.append(f"{said.id}: {said_legs - true_legs} for {true_legs - said_legs}")
    if _given(real) != _given(said):
        claims.append(f"{said.id}: other allowances")
    by_name = {_key(leg): leg for leg in real.legs}
    for leg in said.legs:
        other = by_name.get(_key(leg))
        if other is not None and not _same_price(other.price, leg.price):
            claims.append(f"{said.id}: {leg.token.symbol} priced {leg.price} for {other.price}")
    true_status = _status(real)
    if status not in (true_status, Status.UNKNOWN):
        claims.append(f"{said.id} is called {status}, and is {true_status}")
    return claims


def _status(position: Position) -> Status:
    """Assess what the liquidation function sees once: most lies leave one of a few states."""
    unknown = ("something",) if position.unknown else ()
    return _assessed(replace(position, legs=(), allowances=(), notes=(), unknown=unknown))


@lru_cache(maxsize=1_000)
def _assessed(position: Position) -> Status:
    return assess_liquidation(position).status


def _calm(status: Status) -> bool:
    return status is Status.SAFE


def _key(leg: Leg) -> tuple[str, str, str]:
    return leg.token.address, leg.side, leg.name


def _amounts(legs: Sequence[Leg]) -> Counter[tuple[str, str, str, int]]:
    return Counter((*_key(leg), leg.amount) for leg in legs)


def _given(position: Position) -> Counter[tuple[str, str, int, bool]]:
    return Counter((a.token.address, a.spender, a.amount, a.unlimited) for a in position.allowances)


def _same_price(real: Price | Unpriced | None, said: Price | Unpriced | None) -> bool:
    if not isinstance(said, Price) or said.problems:
        return said is not None or real is None
    return isinstance(real, Price) and (real.raw, real.decimals, real.quote) == (
        said.raw,
        said.decimals,
        said.quote,
    )


def _prices(truth: Reading, outcome: Reading) -> list[str]:
    real = {(p.token, p.source): p for p in truth.prices}
    return [
        f"{price.token} priced {price.raw} by {price.source}"
        for price in outcome.prices
        if isinstance(price, Price)
        and not _same_price(real.get((price.token, price.source)), price)
    ]

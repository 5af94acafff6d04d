"""How much of a position can leave now, how long the rest takes, and what allowances let go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from chain.types import Address
from protocols.exposure.state import Exit
from protocols.types import AllowanceGiven, Leg


@dataclass(frozen=True, slots=True)
class Leaving:
    """What of one token of a position can leave."""

    exit: Exit
    utilisation: float | None
    """The part of the market's assets that is lent out; None where not known."""
    days: float | None
    """Until all could leave, if so much is repaid a day; None where that is not known."""


def leaving(one: Exit, repaid_per_day: float) -> Leaving:
    """Return how long a claim takes to leave.

    What is lent comes back at `repaid_per_day` of itself a day, a stated prior; nobody else is
    taken to leave before. 0 where all can leave at once.
    """
    available = one.available
    lent = one.lent
    if available is None:
        return Leaving(one, None, None)
    missing = max(0, one.claim - available)
    if missing == 0:
        return Leaving(one, _used(lent, available), 0.0)
    if not lent or repaid_per_day <= 0.0:
        return Leaving(one, _used(lent, available), None)
    return Leaving(one, _used(lent, available), ceil(10 * missing / (lent * repaid_per_day)) / 10)


def _used(lent: int | None, available: int) -> float | None:
    if lent is None:
        return None
    return lent / (lent + available) if lent + available else 0.0


@dataclass(frozen=True, slots=True)
class Taking:
    """What a spender could take by an allowance, now."""

    allowance: AllowanceGiven
    takes: int | None
    """Base units: the least of the allowance and the balance; None where the balance is not
    known, which is not the same as none."""


def takings(
    allowances: Sequence[AllowanceGiven], legs: Sequence[Leg], unknown: Mapping[Address, str]
) -> tuple[Taking, ...]:
    """Return what each allowance lets its spender take; `unknown` names unread balances."""
    balances: dict[Address, int] = {}
    for leg in legs:
        token = leg.token.address
        balances[token] = balances.get(token, 0) + leg.amount
    return tuple(
        Taking(
            given,
            None
            if given.token.address in unknown
            else min(given.amount, balances.get(given.token.address, 0)),
        )
        for given in allowances
    )

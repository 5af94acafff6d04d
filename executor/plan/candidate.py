"""What a strategy proposes, and why one does not."""

from collections.abc import Sequence
from dataclasses import dataclass

from chain.calls import Unknown
from chain.types import ZERO_ADDRESS, Address
from chain.units import BPS
from executor.plan.lab import Draft, Failed, Lab
from executor.plan.types import Action, SwapCost
from executor.types import Condition
from protocols.compound_v2.state import Clock, CompoundAccount
from protocols.types import Position, Token
from protocols.wallet import actions as wallet


@dataclass(frozen=True, slots=True)
class Goal:
    """A position's health that is to be reached."""

    position: Position
    target_raw: int
    """In the scale of the position's engine."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Transactions that would do, one after the other."""

    action: Action
    what: str
    drafts: tuple[Draft, ...]
    conditions: tuple[Condition, ...]
    swaps: tuple[SwapCost, ...] = ()
    loan_fee: int = 0
    loan_token: Token | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class No:
    """An action that does not do, and why."""

    action: Action
    reason: str


def amount_text(amount: int, token: Token) -> str:
    """Return an amount as people write it, with every digit."""
    if token.decimals is None:
        return f"{amount} base units of {token.symbol}"
    whole, rest = divmod(amount, 10**token.decimals)
    digits = f"{rest:0{token.decimals}d}".rstrip("0") if token.decimals else ""
    return f"{whole:,}{'.' + digits if digits else ''} {token.symbol}"


def allowing(
    lab: Lab, token: Token, spender: Address, amount: int, drafts: Sequence[Draft], *, after: bool
) -> tuple[Draft, ...] | str:
    """Return the drafts with an allowance of exactly `amount` before them.

    What is allowed already is used where it suffices. Some tokens take a new allowance only when
    the old one is zero. `after` takes back what may be left. Text says what is not known.
    """
    if token.address == ZERO_ADDRESS:
        return tuple(drafts)  # the native coin goes along with the call
    known = lab.allowance(token.address, spender)
    if isinstance(known, Unknown):
        return f"what {spender} may take is not known: {known.reason}"

    def allow(value: int) -> Draft:
        what = (
            f"let {spender} take {amount_text(value, token)}"
            if value
            else (f"take back what {spender} may take of {token.symbol}")
        )
        return Draft(what, wallet.approve(token.address, spender, value), lab.wallet)

    if known >= amount:
        return tuple(drafts)
    before = (allow(0), allow(amount)) if known else (allow(amount),)
    return (*before, *drafts, *((allow(0),) if after else ()))


def falling_short(lab: Lab, goal: Goal) -> int | str:
    """Return the health at the plan's time if nothing is done; text where nothing has to be."""
    now = lab.health_now(goal.position)
    if isinstance(now, Failed):
        return now.reason
    if now is None:
        return "there is no debt"
    return now if now < goal.target_raw else "its health is that without doing anything"


def health_condition(goal: Goal) -> Condition:
    """Return that the position is as healthy as was asked for.

    Where interest is counted in blocks nobody knows how many there will be: a basis point is left
    to it, which at 100 % a year is an hour.
    """
    state, least = goal.position.state, goal.target_raw
    if isinstance(state, CompoundAccount) and state.clock is not Clock.SECONDS:
        least -= least // BPS
    return Condition("health_factor", goal.position.id, at_least=least)

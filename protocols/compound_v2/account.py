"""Read one account: which markets it is in, what it holds and owes there.

Reads: of the Comptroller `getAssetsIn`, `getAccountLiquidity`, `compAccrued`; of every cToken
`getAccountSnapshot`; where something is owed `borrowBalanceCurrent`, which the contract accrues for
this one call alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import Read, ReadFailed, Result, Unknown
from chain.types import Address
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.comptroller import Comptroller, absent, within_reason
from protocols.compound_v2.market import Broken, Listed
from protocols.compound_v2.math import borne, owed
from protocols.compound_v2.state import CompoundAccount

USER_READS: Final = 3


@dataclass(frozen=True, slots=True)
class User:
    """What the Comptroller keeps of an account."""

    owner: Address
    entered: frozenset[Address]
    liquidity: Result
    """`getAccountLiquidity`, not decoded: it says whether we reckon as the Comptroller does."""
    rewards: int
    """COMP accrued up to the account's last action."""
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What an account has in one market, as stored."""

    ctoken: Address
    tokens: int
    debt: int


def user_reads(root: Address, owner: Address) -> tuple[Read, ...]:
    """Return the reads that `user` decodes."""
    return tuple(f.at(root, owner) for f in (c.GET_ASSETS_IN, c.GET_LIQUIDITY, c.COMP_ACCRUED))


def user(owner: Address, results: Sequence[Result]) -> User:
    """Return what the Comptroller keeps. Raises `ReadFailed` where the markets are not known."""
    named = c.GET_ASSETS_IN.decode(results[0])
    within_reason(c.GET_ASSETS_IN.name, named)
    entered = frozenset(named)
    rewards, unknown = c.COMP_ACCRUED.known(results[2]), tuple[str, ...]()
    if isinstance(rewards, Unknown):
        # forks pay rewards elsewhere, or none
        unknown = () if absent(results[2]) else (rewards.reason,)
        rewards = 0
    return User(owner, entered, results[1], rewards, unknown)


def held(ctoken: Address, result: Result) -> Held:
    """Return what an account has in a market, perhaps nothing. Raises `ReadFailed`."""
    error, balance, debt, _ = c.SNAPSHOT.decode(result)
    if error:
        raise ReadFailed(f"getAccountSnapshot: answers error {error}")
    return Held(ctoken, balance, debt)


def debt_read(comptroller: Comptroller, ctoken: Address, owner: Address) -> Read:
    """Return the read of a debt accrued to the block."""
    return c.BORROW_CURRENT.at(ctoken, owner, sender=comptroller.address)


def compare(user: User, state: CompoundAccount) -> tuple[list[str], list[str]]:
    """Hold what is stored against `getAccountLiquidity`, which accrues nothing either.

    Returns disagreements, and why it could not be asked.
    """
    view = c.GET_LIQUIDITY.known(user.liquidity)
    if isinstance(view, Unknown):
        if absent(user.liquidity):
            return [f"the Comptroller's own view fails: {view.reason}"], []
        return [], [view.reason]
    error, spare, missing = view
    if error:
        return [f"getAccountLiquidity answers error {error}"], []
    bears = weighs = 0
    for one in state.holdings:
        quote = one.market.quote
        if one.entered and quote is not None:
            price, market = quote.price(), one.market
            bears += borne(market, one.tokens, market.stored_rate, price)
            weighs += owed(one.stored_debt, price)
    ours = (max(0, bears - weighs), max(0, weighs - bears))
    if ours != (spare, missing):
        return [f"we reckon {ours}, getAccountLiquidity says {(spare, missing)}"], []
    return [], []


def named(listed: Mapping[Address, Listed | Broken], ctoken: Address) -> str:
    """Return what a market calls itself."""
    one = listed.get(ctoken)
    return one.symbol if isinstance(one, Listed) else ctoken

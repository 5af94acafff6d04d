"""Read what an account may claim from a pool's rewards controllers.

Reads: of each aToken's controller `getRewardsList` and `getAllUserRewards` over every aToken and
debt token of the pool, as an account keeps what it accrued before it left; of the first reward
tokens what they call themselves.
Scales: base units of the reward token. Rounds: as the controller answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chain.calls import Read, Result, Unknown
from chain.types import Address
from protocols import tokens
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.market import Listed
from protocols.types import Leg, Price, Side, Token, Unpriced

NAMED: Final = 12
"""How many of a controller's reward tokens are asked for their names and decimals."""


@dataclass(frozen=True, slots=True)
class Controller:
    """A rewards controller and the tokens whose holders it rewards."""

    address: Address
    assets: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Claimable:
    """What one account may claim, or why that is not known."""

    legs: tuple[Leg, ...] = ()
    unknown: tuple[str, ...] = ()


def controllers(reserves: Sequence[Listed]) -> tuple[Controller, ...]:
    """Return each controller once, with every token of its reserves."""
    found: dict[Address, list[Address]] = {}
    for one in reserves:
        if one.controller is not None and not isinstance(one.controller, Unknown):
            found.setdefault(one.controller, []).extend((one.a_token, one.debt_token))
    return tuple(Controller(address, tuple(assets)) for address, assets in found.items())


def token_reads(controller: Controller) -> tuple[Read, ...]:
    """Return the reads that `reward_tokens` decodes."""
    reads: list[Read] = [c.GET_REWARDS_LIST.at(controller.address)]
    for i in range(NAMED):
        # two words of offset and length come before the first address
        reads += tokens.reads(c.GET_REWARDS_LIST.pointer(controller.address, word=2 + i))
    return tuple(reads)


def reward_tokens(results: Sequence[Result]) -> dict[Address, Token]:
    """Return what the controller's first reward tokens call themselves."""
    listed = c.GET_REWARDS_LIST.known(results[0])
    if isinstance(listed, Unknown):
        return {}
    step = tokens.READS
    return {
        address: tokens.describe(address, results[1 + step * i : 1 + step * (i + 1)])[0]
        for i, address in enumerate(listed[:NAMED])
    }


def claim_read(controller: Controller, owner: Address) -> Read:
    """Return the read that `claimable` decodes."""
    return c.GET_ALL_USER_REWARDS.at(controller.address, list(controller.assets), owner)


def claimable(
    result: Result,
    named: Mapping[Address, Token],
    prices: Mapping[Address, Price | Unpriced],
) -> Claimable:
    """Return what may be claimed, or why that is not known."""
    answer = c.GET_ALL_USER_REWARDS.known(result)
    if isinstance(answer, Unknown):
        return Claimable(unknown=(f"rewards: {answer.reason}",))
    owed: dict[Address, int] = {}
    for address, amount in zip(*answer, strict=False):
        owed[address] = owed.get(address, 0) + amount
    return Claimable(
        tuple(
            Leg(
                named.get(address, Token(address, tokens.short(address), None)),
                amount,
                Side.REWARD,
                prices.get(address),
                "reward",
            )
            for address, amount in owed.items()
            if amount
        )
    )

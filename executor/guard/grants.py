"""What the owner of a position grants a module, and takes back; a delegate needs no grant.

A grant bounds the module a second time, whatever its policy says: it cannot take more of an aToken
or cToken than it was approved, over its whole life. Morpho knows no amounts.
"""

from collections.abc import Mapping
from typing import Final

from chain.abi import Function
from chain.types import Address
from executor.guard.types import Policy, Protocol
from executor.types import Call

APPROVE: Final = Function("approve(address,uint256)(bool)")
AUTHORIZE: Final = Function("setAuthorization(address,bool)()")


def grants(policy: Policy, guard: Address, amounts: Mapping[Address, int]) -> tuple[Call, ...]:
    """Return the owner's calls: an approval for each token, and Morpho's authorisation.

    `amounts` names aTokens, cTokens and tokens in hand, in base units of each.
    """
    return (
        *_authorize(policy, guard, on=True),
        *(_approve(guard, *one) for one in amounts.items()),
    )


def revocations(policy: Policy, guard: Address, tokens: tuple[Address, ...]) -> tuple[Call, ...]:
    """Return the owner's calls that take every grant back."""
    return (*_authorize(policy, guard, on=False), *(_approve(guard, one, 0) for one in tokens))


def _approve(guard: Address, token: Address, amount: int) -> Call:
    return Call(token, 0, APPROVE.encode(guard, amount))


def _authorize(policy: Policy, guard: Address, *, on: bool) -> tuple[Call, ...]:
    if policy.protocol is not Protocol.MORPHO_BLUE:
        return ()
    return (Call(policy.market, 0, AUTHORIZE.encode(guard, on)),)

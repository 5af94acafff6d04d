"""Exact allowances, given to a router itself or through Permit2."""

from typing import Final

from chain.abi import Function
from chain.types import Address
from executor.swaps.types import Approval
from executor.types import Call

APPROVE: Final = Function("approve(address,uint256)(bool)")
PERMIT2_APPROVE: Final = Function("approve(address,address,uint160,uint48)")


def direct(token: Address, spender: Address, amount: int) -> Approval:
    """Return the allowance that the spender takes from the token."""
    return Approval(
        token,
        spender,
        amount,
        grant=(_approve(token, spender, amount),),
        revoke=(_approve(token, spender, 0),),
    )


def through_permit2(
    token: Address, spender: Address, amount: int, permit2: Address, expiration: int
) -> Approval:
    """Return the allowance that the spender takes by way of Permit2.

    Permit2 itself is allowed no more than the same amount.
    """

    def allow(amount: int, until: int) -> Call:
        return Call(permit2, 0, PERMIT2_APPROVE.encode(token, spender, amount, until))

    return Approval(
        token,
        spender,
        amount,
        permit2,
        expiration,
        grant=(_approve(token, permit2, amount), allow(amount, expiration)),
        revoke=(allow(0, 0), _approve(token, permit2, 0)),
    )


def _approve(token: Address, spender: Address, amount: int) -> Call:
    return Call(token, 0, APPROVE.encode(spender, amount))

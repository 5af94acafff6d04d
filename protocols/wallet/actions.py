"""Encode what an account does with tokens and with the wrapped native coin."""

from typing import Final

from chain.abi import Function
from chain.types import Address
from protocols.effects import Effect

# Without outputs: some tokens answer with a bool, some with nothing.
APPROVE: Final = Function("approve(address,uint256)()")
TRANSFER: Final = Function("transfer(address,uint256)()")
WRAP: Final = Function("deposit()()")
UNWRAP: Final = Function("withdraw(uint256)()")


def approve(token: Address, spender: Address, amount: int) -> Effect:
    """Let a spender take so much, no more and no less; 0 takes the allowance back."""
    return Effect(token, APPROVE.encode(spender, amount))


def transfer(token: Address, to: Address, amount: int) -> Effect:
    """Send tokens."""
    return Effect(token, TRANSFER.encode(to, amount))


def wrap(wrapped: Address, amount: int) -> Effect:
    """Turn native coin into its ERC-20."""
    return Effect(wrapped, WRAP.encode(), amount)


def unwrap(wrapped: Address, amount: int) -> Effect:
    """Turn the ERC-20 of the native coin back into it."""
    return Effect(wrapped, UNWRAP.encode(amount))

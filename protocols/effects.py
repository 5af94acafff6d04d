"""What an owner asks a contract to do: the shape of every adapter's actions.

An action is pure: it encodes, and decides nothing. What it does to a position is the contract's to
say, so plans run it on a simulated block before anybody signs it.
"""

from dataclasses import dataclass

from chain.types import Address


@dataclass(frozen=True, slots=True)
class Effect:
    """One call that changes something, to be sent by whoever it is for."""

    to: Address
    data: bytes
    value: int = 0
    """Wei."""
    zero: bool = False
    """Whether an answer other than zero means that nothing was done."""

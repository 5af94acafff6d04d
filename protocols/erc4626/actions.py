"""Encode what a holder does with an ERC-4626 vault.

Scales: assets are base units of the vault's asset, shares those of the vault.
"""

from typing import Final

from chain.abi import Function
from chain.types import Address
from protocols.effects import Effect

DEPOSIT: Final = Function("deposit(uint256,address)(uint256)")
WITHDRAW: Final = Function("withdraw(uint256,address,address)(uint256)")
REDEEM: Final = Function("redeem(uint256,address,address)(uint256)")


def deposit(vault: Address, assets: int, owner: Address) -> Effect:
    """Put in assets that the vault was allowed to take from the sender."""
    return Effect(vault, DEPOSIT.encode(assets, owner))


def withdraw(vault: Address, assets: int, owner: Address, to: Address) -> Effect:
    """Take out exactly so many assets, for as many shares as that takes."""
    return Effect(vault, WITHDRAW.encode(assets, to, owner))


def redeem(vault: Address, shares: int, owner: Address, to: Address) -> Effect:
    """Give up exactly so many shares, for as many assets as they are worth."""
    return Effect(vault, REDEEM.encode(shares, to, owner))

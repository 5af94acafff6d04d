"""ERC-4626 vaults, plain and MetaMorpho."""

from protocols.erc4626.adapter import Erc4626

__all__ = ["Erc4626"]

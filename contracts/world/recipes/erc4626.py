"""Plain ERC-4626 vaults: OpenZeppelin's implementation over DAI and USDC, with some yield.

The USDC vault's shares have 6 decimals like their asset; each vault is worth more than it was.
"""

from __future__ import annotations

from world.compiler import Job
from world.deployer import Addresses, Recipe, Site

JOB = Job("erc4626", "0.8.26", ("ours/PlainVault.sol:PlainVault",))

# symbol of the shares, asset, whole tokens deposited, whole tokens of yield
VAULTS = (
    ("pvDAI", "DAI", 2_000_000, 84_321.987654321),
    ("pvUSDC", "USDC", 1_500_000, 31_415.926535),
)


def deploy(site: Site) -> Addresses:
    return {
        symbol: _vault(site, symbol, asset, deposit, profit)
        for symbol, asset, deposit, profit in VAULTS
    }


def _vault(site: Site, symbol: str, asset: str, deposit: float, profit: float) -> str:
    token = site.tokens[asset].address
    vault = site.deploy(site.compiled["PlainVault"], token, f"Plain {asset}", symbol)
    amount = site.give(asset, site.whale, vault.address, deposit)
    vault.send(site.whale, "deposit", amount, site.whale)
    site.mint(asset, vault.address, profit)
    return vault.address


RECIPE = Recipe("erc4626", deploy, (JOB,))

"""The protocols of the world, in the order in which they are deployed.

Adding one: write its file beside these, and its row in the tuple after what it builds on.
"""

from __future__ import annotations

from world.deployer import Recipe
from world.recipes import (
    aave_3_0,
    aave_3_6,
    balancer_v2,
    chainlink,
    compound_v2,
    erc4626,
    hostile,
    metamorpho,
    morpho,
    multicall3,
    safe,
    tokens,
    uniswap_v2,
    uniswap_v3,
    uniswap_v4,
)

RECIPES: tuple[Recipe, ...] = (
    multicall3.RECIPE,
    tokens.RECIPE,
    chainlink.RECIPE,
    aave_3_0.RECIPE,
    aave_3_6.RECIPE,
    erc4626.RECIPE,
    morpho.RECIPE,
    metamorpho.RECIPE,
    uniswap_v3.RECIPE,
    uniswap_v2.RECIPE,
    safe.RECIPE,
    compound_v2.RECIPE,
    balancer_v2.RECIPE,
    uniswap_v4.RECIPE,
    hostile.RECIPE,
)
